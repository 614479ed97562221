"""Counts that are not in ``X``: they are read from where they are, and named wherever they are missed."""

from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scinfill
from _support import assert_adata_equal, assert_refused, dense, from_bytes, invoke, to_bytes
from scinfill.errors import DataError, InputError
from scinfill.methods import validation
from scinfill.methods.reading import read_observations


def logged(counts):
    """Return a table as a portal has it: logarithms of some genes in X, counts of all in raw."""
    adata = counts[:, 5:].copy()
    adata.raw = counts
    del adata.layers["spliced"]
    adata.X = adata.X.log1p()
    return adata


def test_raw_is_read_with_its_own_genes(counts):
    adata = logged(counts)
    before = adata.copy()
    result = scinfill.preprocess(adata, layer="raw", n_genes=None)
    expected = scinfill.preprocess(counts, n_genes=None)
    assert_adata_equal(result, expected, without=("uns", "layers/spliced", "varp"))
    np.testing.assert_array_equal(dense(result.raw.X), dense(counts.X))
    assert result.uns["scinfill"]["steps"] != expected.uns["scinfill"]["steps"]
    assert_adata_equal(adata, before)


def test_what_is_known_of_the_same_genes_goes_along(counts):
    adata = counts.copy()
    adata.raw = counts
    adata.var["in_table"] = np.arange(adata.n_vars)
    adata.X = adata.X.log1p()
    result = scinfill.preprocess(adata, layer="raw", n_genes=None)
    assert {"in_table", "symbol"} <= set(result.var)
    assert "spliced" in result.layers
    assert "alike" in result.varp


def test_a_layer_called_raw_comes_first(counts):
    adata = logged(counts)
    adata.layers["raw"] = counts.X[:, 5:].copy()
    assert scinfill.preprocess(adata, layer="raw", n_genes=None).n_vars <= 25


def test_raw_of_genes_in_rows(counts):
    turned = counts.T.copy()
    turned.raw = turned
    turned.X = turned.X.log1p()
    result = scinfill.preprocess(turned, layer="raw", transpose=True, n_genes=None)
    assert result.var_names.equals(scinfill.preprocess(counts, n_genes=None).var_names)


@pytest.mark.slow
def test_the_command_and_its_repetition(counts, tmp_path):
    source, out = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    logged(counts).write_h5ad(source)
    assert invoke("preprocess", "--layer", "raw", source, "-o", out).exit_code == 0
    result = invoke("rerun", out, "--input", source)
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("verb", ["mask", "impute-baseline", "export"])
def test_verbs_that_cannot_read_raw_name_the_one_that_can(counts, tmp_path, verb):
    needed = ("-o", tmp_path / "new") if verb == "export" else ()
    result = invoke(verb, "--layer", "raw", *needed, stdin=to_bytes(logged(counts)))
    assert_refused(result, 2, "--layer raw is read by `scinfill preprocess` alone")


def test_no_raw_and_no_layer_of_that_name(counts):
    with pytest.raises(InputError, match="there is no layer 'raw'; layers present: spliced"):
        scinfill.preprocess(counts, layer="raw")
    with pytest.raises(InputError, match="there is no layer 'rwa'; layers present: none; raw is there too"):
        scinfill.preprocess(logged(counts), layer="rwa")


def test_raw_that_holds_no_counts_is_called_raw(counts):
    adata = logged(counts)
    adata.raw = adata
    with pytest.raises(DataError, match=r"^raw\.X holds .* \(layers present: none and raw; counts are in none\)"):
        scinfill.preprocess(adata, layer="raw")


WRONG = {
    "logarithms": np.log1p,
    "scaled": lambda values: (values - values.mean()) / values.std(),
    "fractions": lambda values: values * 0.93,
    "CPM": lambda values: values / values.sum(axis=1, keepdims=True) * 1e6,
    "NaN": lambda values: np.where(values > 5, np.nan, values),
    "infinite": lambda values: np.where(values > 5, np.inf, values),
    "zeros": lambda values: values * 0,
    "huge": lambda values: values * 1e30,
}
"""What ``X`` may hold instead of counts."""


def with_wrong(counts, kind):
    adata = counts.copy()
    adata.raw = counts
    adata.layers["count s"] = counts.X.toarray()
    adata.layers["estimate"] = counts.X.toarray() / 3
    adata.X = WRONG[kind](counts.X.toarray().astype(float))
    return adata


@pytest.mark.parametrize("kind", WRONG)
def test_every_matrix_with_counts_is_named_so_that_it_can_be_copied(counts, kind):
    result = invoke("preprocess", stdin=to_bytes(with_wrong(counts, kind)))
    options = "name the raw counts as --layer 'count s' or --layer spliced or --layer raw"
    assert_refused(result, 3, "X holds", options)
    assert "estimate" not in result.stderr


@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind not in ("fractions", "logarithms")])
@pytest.mark.parametrize("verb", ["mask", "impute-deepmc"])
def test_imputers_name_the_command_that_makes_logarithms(counts, verb, kind):
    result = invoke(verb, stdin=to_bytes(with_wrong(counts, kind)))
    commands = (
        "`scinfill preprocess --layer 'count s'` or `scinfill preprocess --layer spliced` or `scinfill preprocess"
    )
    assert_refused(result, 3, f"run {commands}")


def test_natural_logarithms_name_it_too(counts):
    adata = logged(counts)
    adata.uns["log1p"] = {"base": None}
    with pytest.raises(DataError, match=r"natural logarithm .* or run `preprocess\(layer='raw'\)`"):
        read_observations(adata)


def test_counts_in_x_are_named_where_a_layer_was_asked_for(counts):
    counts.layers["spliced"] = counts.X.log1p()
    with pytest.raises(DataError, match=r"layers\['spliced'\] .* X holds counts: leave out `layer`"):
        scinfill.preprocess(counts, layer="spliced")


def test_held_out_molecules_are_no_counts_to_start_from(table):
    thinned = scinfill.mask(table, mode="thin")
    with pytest.raises(DataError) as refusal:
        scinfill.preprocess(thinned)
    assert "`layer='counts'`" in str(refusal.value)
    assert "heldout_counts" not in str(refusal.value)


@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_matrix.toarray])
def test_what_was_detected_is_no_counts(counts, kind, form):
    adata = logged(counts)
    adata.layers["detected"] = form((counts.X[:, 5:] > 0).astype(kind))
    with pytest.raises(DataError, match="name the raw counts as `layer='raw'`;"):
        scinfill.preprocess(adata)


def test_whole_within_precision_is_recognised_from_afar(counts):
    adata = logged(counts)
    adata.layers["rounded"] = (counts.X[:, 5:].toarray() * np.float32(1 + 2e-7)).astype(np.float32)
    with pytest.raises(DataError, match="`layer='rounded'` or `layer='raw'`"):
        scinfill.preprocess(adata)


# --- in Python ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [scinfill.preprocess, scinfill.mask, scinfill.impute_baseline])
def test_a_backed_table_names_the_call_that_reads_it(counts_file, verb):
    backed = anndata.read_h5ad(counts_file, backed="r")
    with pytest.raises(DataError, match=r"adata\.to_memory\(\)"):
        verb(backed)
    with pytest.raises(DataError, match=r"adata\.to_memory\(\)"):
        scinfill.preprocess(backed, transpose=True)
    backed.file.close()


class Later:
    """An array that is computed when asked, as dask has it."""

    __module__ = "dask.array"

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, 2

    def compute(self):
        return self.values


@pytest.mark.parametrize("layer", [None, "later"])
def test_a_matrix_not_computed_yet_names_the_call_that_does(counts, layer):
    later = Later(counts.X.toarray())
    # AnnData takes lazy arrays only where their library is installed.
    lazy = SimpleNamespace(isbacked=False, raw=None, X=later, layers={"later": later})
    with pytest.raises(DataError, match=r"is a dask Later, not computed yet; .*\.compute\(\)"):
        validation.matrix_of(lazy, layer)


def test_a_masked_array_is_not_read_as_if_nothing_were_masked(counts):
    counts.layers["masked"] = np.ma.masked_equal(counts.X.toarray(), 1)
    with pytest.raises(DataError, match=r"masked array; .*filled"):
        scinfill.preprocess(counts, layer="masked")


def test_slots_of_raw_that_are_frames_stay(counts):
    adata = logged(counts)
    result = from_bytes(invoke("preprocess", "--layer", "raw", stdin=to_bytes(adata)).stdout_bytes)
    pd.testing.assert_frame_equal(result.raw.var, counts.var)
    assert sparse.issparse(result.raw.X)
