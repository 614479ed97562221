import logging

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import scinfill
from _support import assert_adata_equal, assert_same, dense, make_counts, shared
from scinfill.errors import DataError, InputError
from scinfill.io.sources import read_counts
from scinfill.methods import provenance


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, "all"])
def test_what_is_no_number_of_genes_is_refused_with_what_takes_all(number):
    with pytest.raises(InputError, match=f"`n_genes` must be 1 or more, or None for all; it is {number!r}"):
        scinfill.preprocess(make_counts(10, 5), n_genes=number)


@pytest.mark.slow
def test_the_published_genes_of_blakeley_in_their_original_order():
    """float32 in the file; the numerics are compared to 1e-10 beside their own functions."""
    counts = read_counts(shared("golden/blakeley_raw_counts.csv"))
    published = pd.read_csv(shared("golden/blakeley_processed_log2.csv"))
    table = scinfill.preprocess(counts, transpose=True, preset="paper")
    assert set(table.var_names) == set(published.columns)
    assert table.var_names.tolist() == [name for name in counts.obs_names if name in set(published.columns)]
    np.testing.assert_allclose(table[:, published.columns].X.toarray(), published.to_numpy(), rtol=1e-6)


def test_the_slots_hold_what_they_promise(counts):
    table = scinfill.preprocess(counts, n_genes=12)
    values, raw = table.X, table.layers["counts"]
    assert isinstance(values, sparse.csr_matrix)
    assert values.dtype == np.float32
    assert isinstance(raw, sparse.csr_matrix)
    assert raw.dtype == np.int32
    np.testing.assert_array_equal(raw.toarray(), counts[:, table.var_names].X.toarray())
    factors = table.obs["size_factor"].to_numpy()
    np.testing.assert_allclose(values.toarray(), np.log2(1 + raw.toarray() / factors[:, np.newaxis]), rtol=1e-6)
    kept = (counts.X.toarray() >= 3).sum(axis=0) >= 4
    np.testing.assert_array_equal(table.obs["total_counts"], counts.X.toarray()[:, kept].sum(axis=1))
    np.testing.assert_allclose(factors, table.obs["total_counts"] / np.median(table.obs["total_counts"]))
    np.testing.assert_array_equal(table.var["n_cells"], (raw.toarray() > 0).sum(axis=0))
    normalized = raw.toarray() / factors[:, np.newaxis]
    np.testing.assert_allclose(table.var["mean"], normalized.mean(axis=0))
    np.testing.assert_allclose(table.var["dispersion"], normalized.var(axis=0, ddof=1) / normalized.mean(axis=0))
    assert (table.var["dispersion_norm"] >= 0).all()
    assert table.uns["log1p"] == {"base": 2.0}
    assert table.uns["scinfill"]["scale"] == "log2(1 + counts / size_factor)"


def test_everything_else_passes_through(counts):
    counts.raw = counts
    table = scinfill.preprocess(counts, n_genes=12)
    chosen = counts[:, table.var_names].copy()
    pd.testing.assert_frame_equal(table.obs[counts.obs.columns], counts.obs)
    pd.testing.assert_frame_equal(table.var[counts.var.columns], chosen.var)
    assert_same(dict(table.uns["source"]), counts.uns["source"], "uns/source")
    for slot in ("obsm", "varm", "obsp", "varp"):
        assert_same(dict(getattr(table, slot)), dict(getattr(chosen, slot)), slot)
    assert_same(table.layers["spliced"], chosen.layers["spliced"], "layers/spliced")
    assert table.raw.shape == counts.shape


def test_the_input_never_changes_and_shares_nothing(counts):
    before = counts.copy()
    table = scinfill.preprocess(counts, n_genes=None, min_counts=1, min_cells=1)
    table.X.data[:] = -1
    table.layers["counts"].data[:] = -1
    table.layers["spliced"].data[:] = -1
    table.obs["age"] = 0.0
    table.obsm["X_place"][:] = 0
    table.uns["source"]["made"] = "there"
    assert_adata_equal(before, counts)


def test_slots_share_no_arrays(table):
    """SciPy changes positions in place: doing so in one slot must not break the other."""
    assert not np.shares_memory(table.X.indices, table.layers["counts"].indices)
    assert not np.shares_memory(table.X.indptr, table.layers["counts"].indptr)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tocsc(),
        lambda x: x.toarray(),
        lambda x: np.asfortranarray(x.toarray()),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int64),
        lambda x: x.toarray().astype(np.float16),
        lambda x: x.toarray().astype(">f4"),
        sparse.csr_array,
    ],
    ids=["csc", "dense", "Fortran", "float64", "int64", "float16", "big-endian", "csr_array"],
)
def test_every_form_gives_the_same_table(counts, form):
    other = counts.copy()
    other.X = form(counts.X)
    assert_adata_equal(scinfill.preprocess(counts), scinfill.preprocess(other))


def test_permuting_cells_permutes_the_result(counts):
    order = np.random.default_rng(0).permutation(counts.n_obs)
    table, other = scinfill.preprocess(counts, n_genes=12), scinfill.preprocess(counts[order].copy(), n_genes=12)
    assert other.var_names.tolist() == table.var_names.tolist()
    np.testing.assert_array_equal(other.X.toarray(), table.X.toarray()[order])


def test_all_genes_or_fewer(counts):
    everything = scinfill.preprocess(counts, n_genes=None)
    assert everything.n_vars == ((counts.X.toarray() >= 3).sum(axis=0) >= 4).sum()
    some = scinfill.preprocess(counts, n_genes=5)
    best = everything.var["dispersion_norm"].nlargest(5).index
    assert set(some.var_names) == set(best)


def test_limits_of_the_filter(counts):
    table = scinfill.preprocess(counts, min_counts=10, min_cells=15, n_genes=None)
    expected = counts.var_names[(counts.X.toarray() >= 10).sum(axis=0) >= 15]
    assert table.var_names.tolist() == expected.tolist()


def test_more_genes_asked_for_than_there_are(counts, caplog):
    caplog.set_level("INFO")
    scinfill.preprocess(counts, n_genes=1000)
    assert "genes are kept: there are fewer than 1000 to choose from" in caplog.text


def test_spike_ins_count_for_nothing(caplog):
    counts = make_counts(n_spikes=8)
    genes = counts[:, ~counts.var_names.str.startswith("ERCC-")].copy()
    table, expected = scinfill.preprocess(counts), scinfill.preprocess(genes)
    assert table.var_names.tolist() == expected.var_names.tolist()
    np.testing.assert_array_equal(table.X.toarray(), expected.X.toarray())
    assert "8 spike-ins (such as ERCC-00000)" in caplog.text


@pytest.mark.parametrize("option", [{"keep_spike_ins": True}, {"preset": "paper"}])
def test_spike_ins_can_be_kept(option):
    assert scinfill.preprocess(make_counts(n_spikes=8), **option).var_names.str.startswith("ERCC-").any()


def test_other_spike_ins_by_a_pattern(counts, caplog):
    counts.var_names = ["SIRV" + name if name.startswith("gene1") else name for name in counts.var_names]
    table = scinfill.preprocess(counts, spike_ins="^SIRV")
    assert not table.var_names.str.startswith("SIRV").any()
    assert "(such as SIRVgene1)" in caplog.text
    assert scinfill.rerun(table, counts).identical


def test_a_pattern_that_finds_nothing_is_said(counts, caplog):
    scinfill.preprocess(counts, spike_ins="^SIRV")
    assert "`spike_ins='^SIRV'` is found in no gene's name" in caplog.text


def test_counts_from_a_layer(counts):
    expected = scinfill.preprocess(counts)
    counts.X = np.log1p(counts.X)
    table = scinfill.preprocess(counts, layer="spliced")
    np.testing.assert_array_equal(table.X.toarray(), expected.X.toarray())
    assert "spliced" in table.layers


def test_its_own_counts_again(table):
    """What preprocess wrote is counts in a layer, so it can be preprocessed anew."""
    again = scinfill.preprocess(table, layer="counts", n_genes=None)
    np.testing.assert_array_equal(again.X.toarray(), table.X.toarray())


def test_an_empty_cell_keeps_its_row(counts):
    counts.X.data[counts.X.indptr[5] : counts.X.indptr[6]] = 0
    table = scinfill.preprocess(counts)
    assert table.n_obs == counts.n_obs
    assert table.obs["total_counts"].iloc[5] == 0
    assert table.obs["size_factor"].iloc[5] == 1
    assert np.isfinite(table.X.data).all()


def test_totals_beyond_32_bits(counts):
    counts.X = (counts.X.astype(np.int64) * 10**8).tocsr()
    table = scinfill.preprocess(counts)
    assert (table.obs["total_counts"] > 2**31).any()
    assert table.layers["counts"].dtype == np.int64
    np.testing.assert_array_equal(table.layers["counts"].toarray(), dense(counts[:, table.var_names].X))


def test_repeated_names_on_request(counts):
    counts.obs_names = ["a"] * counts.n_obs
    counts.var_names = ["g"] * counts.n_vars
    table = scinfill.preprocess(counts, n_genes=None, min_counts=1, min_cells=1, unique_names=True)
    assert table.obs_names[:3].tolist() == ["a", "a-1", "a-2"]
    assert table.var_names.is_unique
    assert counts.obs_names[1] == "a"


def test_genes_in_rows(counts):
    expected, table = scinfill.preprocess(counts), scinfill.preprocess(counts.T, transpose=True)
    assert_adata_equal(expected, table, without=("uns/scinfill",))
    first, second = (provenance.steps(adata)[-1] for adata in (expected, table))
    assert second["parameters"]["transpose"] is True
    assert first["input_sha256"] == second["input_sha256"]


def test_the_step_is_signed(counts):
    step = provenance.steps(scinfill.preprocess(counts, n_genes=7))[-1]
    assert step["command"] == "preprocess"
    assert step["parameters"]["n_genes"] == 7
    assert step["seed"] == 0
    assert step["input_sha256"] == provenance.sha256(counts.X)


def test_what_was_done_is_said(counts, caplog):
    caplog.set_level(logging.INFO)
    scinfill.preprocess(counts, n_genes=7)
    assert "of 30 genes have 3 counts in 4 cells; 7 chosen" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"min_cells": 41}, DataError, "no gene has 3 counts in 41 of the 40 cells; lower `min_counts`"),
        ({"spike_ins": "gene"}, DataError, "no gene is left but spike-ins; name fewer by `spike_ins`"),
        ({"spike_ins": "("}, InputError, "`spike_ins='\\('` is no regular expression: missing"),
        ({"spike_ins": ""}, InputError, "`spike_ins=''` is found in every name"),
        ({"spike_ins": "x", "preset": "paper"}, InputError, "leave out `keep_spike_ins=True` and `preset='paper'`"),
        ({"n_genes": 0}, InputError, "`n_genes` must be 1 or more"),
        ({"preset": "papers"}, InputError, "`preset='papers'` is not known; it is one of recommended, paper"),
        ({"min_cells": "all"}, InputError, "`min_cells` must be 0 or more; it is 'all'"),
        ({"min_total_counts": -1}, InputError, "`min_total_counts` must be 0 or more; it is -1"),
        ({"layer": "unspliced"}, InputError, "no layer 'unspliced'; layers present: spliced"),
    ],
)
def test_refusals(counts, options, error, message):
    with pytest.raises(error, match=message):
        scinfill.preprocess(counts, **options)


def test_an_already_logged_table_names_the_layer(table):
    message = "look already logged; name the raw counts as `layer='spliced'` or `layer='counts'`"
    with pytest.raises(DataError, match=message):
        scinfill.preprocess(table)


def test_one_gene_is_enough():
    counts = AnnData(np.arange(1, 9, dtype=np.int32)[:, np.newaxis])
    assert scinfill.preprocess(counts).shape == (8, 1)


# --- genes that the user needs --------------------------------------------------------------------------------------


def counts_of_gene(counts, gene, cells):
    """Return the counts where a gene has one count in some cells, and none elsewhere."""
    values = counts.X.toarray()
    values[:, gene] = np.isin(np.arange(len(values)), cells)
    return sparse.csr_matrix(values)


@pytest.mark.parametrize("preset", ["recommended", "paper"])
@pytest.mark.parametrize("n_genes", [1, 8, None])
def test_genes_asked_for_stand_beside_the_chosen_ones(counts, preset, n_genes):
    """Whatever their dispersion or number of counts; nothing else changes, neither values nor choice."""
    options = {"n_genes": n_genes, "preset": preset, "min_counts": 20}
    without = scinfill.preprocess(counts, **options)
    absent = [name for name in counts.var_names if name not in without.var_names]
    asked = [absent[-1], absent[0], without.var_names[0], absent[-1]]
    table = scinfill.preprocess(counts, keep_genes=asked, **options)
    assert table.var_names.tolist() == [name for name in counts.var_names if name in {*without.var_names, *asked}]
    np.testing.assert_array_equal(table.obs["size_factor"], without.obs["size_factor"])
    np.testing.assert_array_equal(dense(table[:, without.var_names].X), dense(without.X))
    np.testing.assert_array_equal(dense(table.layers["counts"]), dense(counts[:, table.var_names].X))
    np.testing.assert_array_equal(dense(table.X) > 0, dense(table.layers["counts"]) > 0)
    assert (table.var["mean"] > 0).all()
    assert provenance.steps(table)[-1]["parameters"]["keep_genes"] == asked
    assert scinfill.rerun(table, counts).identical


def test_genes_asked_for_that_are_not_there(counts, caplog):
    counts.X = counts_of_gene(counts, 7, [])
    asked = ["gene3", "GENE4", "gen5", "nothing", "gene7"]
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        table = scinfill.preprocess(counts, n_genes=1, min_counts=1, keep_genes=asked)
    assert {"gene3"} <= set(table.var_names)
    assert "gene7" not in table.var_names
    assert "3 of 5 genes are not there: 'GENE4' (there is 'gene4'), 'gen5' (there is 'gene5'" in caplog.text
    assert "'nothing'" in caplog.text
    assert "1 genes (such as 'gene7') have no count in any cell" in caplog.text


def test_a_gene_called_so_in_a_column_is_named(counts, caplog):
    counts.var["symbol"] = [f"S{number}" for number in range(counts.n_vars)]
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        scinfill.preprocess(counts, keep_genes=["S4", "gene3"])
    assert "'S4' (there is 'gene4')" in caplog.text


def test_none_of_the_genes_asked_for(counts):
    with pytest.raises(InputError, match=r"^`keep_genes`: no gene of the table is called so: 'FOXP3'$"):
        scinfill.preprocess(counts, keep_genes=["FOXP3"])


def test_a_spike_in_that_is_asked_for_changes_no_size_factor():
    counts = make_counts(n_spikes=4)
    table = scinfill.preprocess(counts, keep_genes=["ERCC-00001"])
    assert "ERCC-00001" in table.var_names
    assert "ERCC-00000" not in table.var_names
    np.testing.assert_array_equal(table.obs["size_factor"], scinfill.preprocess(counts).obs["size_factor"])


@pytest.mark.slow
def test_every_imputer_takes_a_gene_of_one_count(counts):
    counts.X = counts_of_gene(counts, 7, [5])
    table = scinfill.preprocess(counts, keep_genes=["gene7"])
    for imputed in (scinfill.impute_deepmc(table, rank=2), scinfill.impute_baseline(table, method="svd", rank=2)):
        assert np.isfinite(imputed[:, "gene7"].layers["imputed"]).all()
