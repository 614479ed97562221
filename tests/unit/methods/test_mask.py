import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scinfill
from _support import assert_adata_equal, assert_same
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.reading import read_observations
from scinfill.schema import MASK_MODES


@pytest.mark.parametrize("mode", ["nonzero", "entries"])
def test_hidden_values_are_zero_everywhere_and_kept_as_truth(table, mode):
    masked = scinfill.mask(table, mode=mode, fraction=0.2, seed=1)
    truth = masked.layers["heldout"]
    total = table.X.nnz if mode == "nonzero" else table.n_obs * table.n_vars
    assert truth.nnz == int(0.2 * total)
    hidden = np.zeros(table.shape, dtype=bool)
    hidden[truth.nonzero() if mode == "nonzero" else (truth.tocoo().row, truth.tocoo().col)] = True
    np.testing.assert_array_equal(truth.toarray()[hidden], table.X.toarray()[hidden])
    assert (masked.X.toarray()[hidden] == 0).all()
    assert (masked.layers["counts"].toarray()[hidden] == 0).all()
    np.testing.assert_array_equal(masked.X.toarray()[~hidden], table.X.toarray()[~hidden])
    np.testing.assert_array_equal(masked.layers["counts"].toarray()[~hidden], table.layers["counts"].toarray()[~hidden])


@pytest.mark.parametrize("mode", MASK_MODES)
def test_null_genes_come_without_hiding_anything(table, mode):
    before = table.copy()
    guarded = scinfill.mask(table, mode=mode, fraction=0, null_genes=4)
    assert guarded.shape == (table.n_obs, table.n_vars + 4)
    assert not {"heldout", "heldout_counts"} & guarded.layers.keys()
    for found, source in ((guarded.X, table.X), (guarded.layers["counts"], table.layers["counts"])):
        np.testing.assert_array_equal(found.toarray()[:, : table.n_vars], source.toarray())
        assert found[:, table.n_vars :].nnz > 0
        assert not np.shares_memory(found.data, source.data)
    read_observations(guarded)
    assert_adata_equal(table, before)
    assert "heldout_counts" in scinfill.mask(guarded, mode="thin").layers


def test_halves_hold_every_molecule_once(table):
    masked = scinfill.mask(table, mode="halves", seed=3)
    untouched, visible = masked.layers["heldout_counts"], masked.layers["counts"]
    assert (untouched + visible != table.layers["counts"]).nnz == 0
    assert abs(untouched.sum() / table.layers["counts"].sum() - 0.5) < 0.02
    factors = table.obs["size_factor"].to_numpy()[:, np.newaxis]
    np.testing.assert_allclose(masked.X.toarray(), np.log2(1 + visible.toarray() / factors), rtol=1e-6)
    step = provenance.steps(masked)[-1]
    assert step["parameters"] == {"mode": "halves", "fraction": 0.5, "null_genes": 0, "layer": None}
    assert_adata_equal(masked, scinfill.mask(table, seed=step["seed"], **step["parameters"]))


def test_hidden_zeros_are_stored(table):
    truth = scinfill.mask(table, mode="entries", fraction=0.3).layers["heldout"]
    assert (truth.data == 0).any()


def test_thinned_molecules_add_up(table):
    masked = scinfill.mask(table, mode="thin", fraction=0.3, seed=2)
    taken, kept = masked.layers["heldout_counts"], masked.layers["counts"]
    assert taken.dtype.kind == kept.dtype.kind == "i"
    assert (taken + kept != table.layers["counts"]).nnz == 0
    assert abs(taken.sum() / table.layers["counts"].sum() - 0.3) < 0.02
    factors = table.obs["size_factor"].to_numpy()[:, np.newaxis]
    np.testing.assert_allclose(masked.X.toarray(), np.log2(1 + kept.toarray() / factors), rtol=1e-6)
    pd.testing.assert_frame_equal(masked.obs, table.obs)
    assert "heldout" not in masked.layers


@pytest.mark.parametrize("mode", MASK_MODES)
@pytest.mark.parametrize("null_genes", [0, 6])
def test_everything_else_passes_through(table, mode, null_genes):
    masked = scinfill.mask(table, mode=mode, null_genes=null_genes)[:, : table.n_vars].copy()
    masked.var = masked.var.drop(columns="null_gene", errors="ignore")
    changed = ("X", "uns/scinfill", "layers/counts", "layers/heldout", "layers/heldout_counts")
    assert_adata_equal(table, masked, without=changed)


@pytest.mark.parametrize("mode", MASK_MODES)
def test_imputers_accept_the_result(table, mode):
    """Values, counts and size factors still agree, for null genes too."""
    masked = scinfill.mask(table, mode=mode, null_genes=5, fraction=0.5)
    seen = read_observations(masked)
    np.testing.assert_array_equal(seen.size_factor, table.obs["size_factor"])


@pytest.mark.parametrize("mode", MASK_MODES)
def test_the_input_never_changes(table, mode):
    before = table.copy()
    masked = scinfill.mask(table, mode=mode, null_genes=3)
    masked.X.data[:] = -1
    masked.layers["spliced"].data[:] = -1
    masked.uns["source"]["made"] = "there"
    masked.obs["age"] = 0.0
    assert_adata_equal(before, table)


@pytest.mark.parametrize("mode", MASK_MODES)
def test_same_seed_same_mask_and_another_seed_another(table, mode):
    first, same, other = (scinfill.mask(table, mode=mode, seed=seed, null_genes=3) for seed in (1, 1, 2))
    assert_adata_equal(first, same)
    assert (first.X != other.X).nnz > 0


@pytest.mark.parametrize("mode", MASK_MODES)
def test_null_genes_do_not_move_the_mask(table, mode):
    without, beside = scinfill.mask(table, mode=mode), scinfill.mask(table, mode=mode, null_genes=9)
    assert_same(without.X, beside.X[:, : table.n_vars], "X")


def test_null_genes_are_flagged_named_and_padded(table):
    table.var["group"] = pd.Categorical(["x", "y"] * (table.n_vars // 2) + ["x"] * (table.n_vars % 2))
    table.var["flag"] = True
    table.var["nullable"] = pd.array([1] * table.n_vars, dtype="Int64")
    table.varm["whole"] = np.ones((table.n_vars, 2), dtype=int)
    table.varm["sparse"] = sparse.csr_matrix(np.ones((table.n_vars, 2)))
    table.varm["frame"] = pd.DataFrame({"a": 1.0}, index=table.var_names)
    masked = scinfill.mask(table, null_genes=4)
    assert masked.n_vars == table.n_vars + 4
    assert masked.var["null_gene"].dtype == bool
    assert masked.var.index[masked.var["null_gene"]].tolist() == [f"null_gene_000{n}" for n in (1, 2, 3, 4)]
    null = masked[:, masked.var["null_gene"]]
    assert masked.var.dtypes[table.var.columns].equals(table.var.dtypes)
    assert (null.var["n_cells"] > 0).all()
    assert null.var["mean"].isna().all()
    assert null.var["symbol"].eq("").all()
    assert null.var["group"].isna().all()
    assert not null.var["flag"].any()
    assert null.var["nullable"].isna().all()
    assert np.isnan(null.varm["loadings"]).all()
    assert (null.varm["whole"] == 0).all()
    assert null.varm["sparse"].nnz == 0
    assert null.varm["frame"]["a"].isna().all()
    assert null.layers["spliced"].nnz == 0
    assert masked.varp["alike"].shape == (masked.n_vars, masked.n_vars)
    assert null.layers["counts"].nnz > 0
    assert null.layers["heldout"].nnz > 0


def test_null_genes_again_get_free_names(table):
    once = scinfill.mask(table, null_genes=2)
    del once.layers["heldout"]
    twice = scinfill.mask(once, null_genes=2)
    assert twice.var_names[-2:].tolist() == ["null_gene_0003", "null_gene_0004"]
    assert twice.var["null_gene"].sum() == 4


def test_values_in_a_layer_go_back_there(table):
    table.layers["log2"] = table.X.copy()
    table.X = sparse.csr_matrix(table.shape, dtype=np.float32)
    masked = scinfill.mask(table, layer="log2", null_genes=2)
    assert masked.X.nnz == 0
    assert masked.layers["log2"].nnz < table.layers["log2"].nnz + 2 * table.n_obs
    assert masked.layers["heldout"].nnz > 0


def test_a_missing_size_factor_is_added(table):
    expected = table.obs.pop("size_factor")
    np.testing.assert_allclose(scinfill.mask(table).obs["size_factor"], expected, rtol=1e-5)


def test_values_alone_can_be_hidden(table):
    del table.layers["counts"]
    masked = scinfill.mask(table)
    assert "counts" not in masked.layers
    assert masked.layers["heldout"].nnz > 0


def test_thinning_reads_is_said_to_be_too_easy(table, caplog):
    table.layers["counts"] = table.layers["counts"] * 100
    del table.obs["size_factor"]
    scinfill.mask(table, mode="thin")
    assert "look like reads" in caplog.text


def test_thinning_what_may_be_reads_is_said(table, caplog, monkeypatch):
    monkeypatch.setattr("scinfill.methods.counts_kind.counts_per_molecule", lambda _: 5.0)
    scinfill.mask(table, mode="thin")
    assert "5 counts for each molecule that the zeros imply is close to reads (6 or more)" in caplog.text


def test_the_step_is_signed(table):
    step = provenance.steps(scinfill.mask(table, mode="thin", fraction=0.2, seed=5, null_genes=1))[-1]
    assert step["command"] == "mask"
    assert step["parameters"] == {"mode": "thin", "fraction": 0.2, "null_genes": 1, "layer": None}
    assert step["seed"] == 5
    assert step["input_sha256"] == provenance.sha256(table.X)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mode": "all"}, InputError, "`mode='all'` is not known; it is one of nonzero, entries, thin, halves"),
        ({"fraction": "half"}, InputError, "`fraction` must be 0 or more and below 1; it is 'half'"),
        ({"mode": "halves", "fraction": 0.1}, InputError, "`fraction` of `mode='halves'` must be 0.5"),
        ({"fraction": 0}, InputError, "`fraction=0` hides nothing; .* append genes with `null_genes`"),
        ({"fraction": -0.1, "null_genes": 3}, InputError, "`fraction` must be 0 or more and below 1; it is -0.1"),
        ({"fraction": float("nan")}, InputError, "`fraction` must be 0 or more and below 1"),
        ({"fraction": 1}, InputError, "`fraction` must be 0 or more and below 1"),
        ({"null_genes": -1}, InputError, "`null_genes` must be 0 or more"),
        ({"fraction": 1e-9}, DataError, "hides none of"),
        ({"fraction": 1e-9, "mode": "thin"}, DataError, "hides none of"),
        ({"fraction": 1 - 1e-9, "mode": "thin"}, DataError, "hides all of"),
        ({"layer": "log3"}, InputError, "no layer 'log3'"),
    ],
)
def test_refusals(table, options, error, message):
    with pytest.raises(error, match=message):
        scinfill.mask(table, **options)


@pytest.mark.parametrize(
    "options", [{"mode": "thin"}, {"mode": "halves"}, {"null_genes": 3}, {"null_genes": 3, "fraction": 0}]
)
def test_counts_are_needed(table, options):
    del table.layers["counts"]
    with pytest.raises(DataError, match=r"raw counts in layers\['counts'\]"):
        scinfill.mask(table, **options)


def test_a_masked_table_is_not_masked_again(table):
    for mode in MASK_MODES:
        with pytest.raises(DataError, match="masked already"):
            scinfill.mask(scinfill.mask(table, mode=mode))


def test_raw_counts_are_refused(counts):
    with pytest.raises(DataError, match="whole numbers only"):
        scinfill.mask(counts)
