"""Counts that were corrected or estimated, values that are none, and whole numbers that may be none."""

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

import scinfill
from _support import assert_adata_equal, make_counts
from scinfill.errors import DataError
from scinfill.methods import provenance


def corrected(n_cells=60):
    """Return counts as SoupX leaves them: every one smaller by its gene's share of the soup."""
    counts = make_counts(n_cells)
    counts.X = (counts.X.toarray() * (1 - np.random.default_rng(3).beta(1, 9, counts.n_vars))).astype(np.float32)
    return counts


def tpm(n_cells=60):
    """Return a table of which each cell has the same total."""
    counts = make_counts(n_cells)
    reads = np.random.default_rng(3).gamma(0.5, 300, counts.shape) * counts.X.toarray()
    counts.X = sparse.csr_matrix(1e6 * reads / reads.sum(axis=1, keepdims=True))
    return counts


def test_fractions_are_refused_with_the_way():
    with pytest.raises(
        DataError, match=r"corrected or estimated \(SoupX.*as `layer='spliced'`; `preprocess\(round_counts=True\)`"
    ):
        scinfill.preprocess(corrected())


def test_fractions_are_rounded_on_request_and_their_total_is_said(caplog):
    counts = corrected()
    table = scinfill.preprocess(counts, round_counts=True, n_genes=None, min_counts=1, min_cells=1)
    raw = table.layers["counts"]
    assert raw.dtype == np.int32
    given = counts[:, table.var_names].X
    assert (abs(raw.toarray() - given) < 1).all()
    assert abs(raw.sum() - given.sum()) < 4 * np.sqrt(raw.nnz / 4)
    share = 100 * (raw.sum() - counts.X.sum()) / counts.X.sum()
    assert f"{'adds' if share >= 0 else 'takes away'} {abs(share):.2g} % of all" in caplog.text


def test_rounding_is_repeated_by_the_record():
    counts = corrected()
    tables = [scinfill.preprocess(counts, round_counts=True, seed=seed) for seed in (1, 1, 2)]
    assert_adata_equal(tables[0], tables[1])
    assert (tables[0].layers["counts"] != tables[2].layers["counts"]).nnz
    step = provenance.steps(tables[0])[-1]
    assert (step["seed"], step["parameters"]["round_counts"]) == (1, True)
    assert step["input_sha256"] == provenance.sha256(counts.X)
    assert scinfill.rerun(tables[0], counts).identical


def test_rounding_changes_no_whole_numbers(counts):
    expected = scinfill.preprocess(counts)
    table = scinfill.preprocess(counts, round_counts=True, seed=5)
    assert_adata_equal(expected, table, without=("uns/scinfill",))


def test_whole_numbers_within_the_precision_of_float32_are_whole(counts):
    expected = scinfill.preprocess(counts)
    counts.X.data = np.expm1(np.log1p(counts.X.data.astype(np.float32)))
    assert (counts.X.data % 1 != 0).any()
    assert_adata_equal(expected, scinfill.preprocess(counts), without=("layers/spliced",))


@pytest.mark.parametrize("round_counts", [False, True])
def test_tpm_is_recognised_and_the_way_is_named(round_counts):
    with pytest.raises(
        DataError, match=r"same total in every cell, 1,000,000, as CPM and TPM .*log1p\(adata, base=2\)"
    ):
        scinfill.preprocess(tpm(), round_counts=round_counts)


def test_tpm_of_some_genes_names_both_ways():
    with pytest.raises(
        DataError, match=r"look like TPM or CPM of which genes were left out.*base=2\).*round_counts=True"
    ):
        scinfill.preprocess(tpm()[:, :15].copy())


def test_tpm_of_some_genes_is_rounded_with_a_warning(caplog):
    scinfill.preprocess(tpm()[:, :15].copy(), round_counts=True)
    assert "values look normalised (TPM or CPM of which genes were left out)" in caplog.text
    caplog.clear()
    scinfill.preprocess(corrected(), round_counts=True)
    assert "look normalised" not in caplog.text


@pytest.mark.parametrize("round_counts", [False, True])
def test_square_roots_are_never_rounded(counts, round_counts):
    counts.X = counts.X.sqrt()
    with pytest.raises(DataError, match=r"square roots of counts; name the raw counts .*their squares are the counts"):
        scinfill.preprocess(counts, round_counts=round_counts)


def test_counts_drawn_to_one_depth_are_no_rounded_cpm(caplog):
    scinfill.preprocess(AnnData(np.random.default_rng(0).multinomial(10_000, np.ones(50) / 50, 30)))
    assert "X has the same total in every cell, 10,000, and is taken as counts drawn to one depth" in caplog.text
    assert "looks like" not in caplog.text


@pytest.mark.parametrize("round_counts", [False, True])
def test_logarithms_are_never_rounded(table, round_counts):
    with pytest.raises(DataError, match="look already logged; name the raw counts"):
        scinfill.preprocess(table, round_counts=round_counts)


@pytest.mark.parametrize(("whole", "said"), [(np.rint, True), (None, False)])
def test_whole_numbers_of_one_total_are_taken_and_said(counts, caplog, whole, said):
    table = tpm() if said else counts
    if said:
        table.X.data = whole(table.X.data)
    scinfill.preprocess(table, n_genes=None)
    assert ("looks like, rounded CPM or TPM" in caplog.text) == said
    assert "drawn to one depth" not in caplog.text


@pytest.mark.slow
def test_the_way_for_those_who_have_tpm_alone():
    """As the message says: scanpy's log1p of base 2, then an imputer, without counts and so by the estimate model."""
    table = tpm()
    table.X = table.X.log1p() / np.log(2)
    table.uns["log1p"] = {"base": 2}
    del table.layers["spliced"]
    result = scinfill.impute_deepmc(table)
    assert result.uns["scinfill"]["estimate"] == "model"
    assert np.isfinite(result.layers["imputed"]).all()
    assert result.layers["imputed"].shape == table.shape


def test_fractions_beside_the_values_are_no_counts_for_an_imputer(table):
    table.layers["counts"] = table.layers["counts"].multiply(np.linspace(0.8, 0.99, table.n_vars)).tocsr()
    with pytest.raises(DataError, match=r"layers\['counts'\] holds .*`preprocess\(round_counts=True\)`"):
        scinfill.impute_deepmc(table)


def test_nothing_but_shares_below_a_count_are_no_counts():
    with pytest.raises(DataError, match="counts are whole numbers"):
        scinfill.preprocess(AnnData(np.random.default_rng(0).random((30, 20)) * 1e-4))
