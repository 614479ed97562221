"""What the user has under a name of ours is not replaced in silence; what we left ourselves is."""

import numpy as np
import pytest

import scinfill
from scinfill.methods.adopt import adopt

IMPUTERS = {
    "deepmc": lambda table: scinfill.impute_deepmc(table, rank=2),
    "auto": lambda table: scinfill.impute_auto(table, hidden_units=4),
    "baseline": scinfill.impute_baseline,
}


def replaced(caplog):
    """Return the lines that say so."""
    return [line for line in caplog.messages if "replaced or removed" in line or "stay" in line]


def test_columns_that_nothing_reads_stay_the_users(counts, caplog):
    counts.obs["total_counts"] = 7.0
    counts.obs["pct_counts_mt"] = 1.0
    for column in ("n_cells", "mean", "dispersion", "dispersion_norm"):
        counts.var[column] = 3.0
    table = scinfill.preprocess(counts)
    assert (table.obs["total_counts"] == 7).all()
    assert (table.var[["n_cells", "mean", "dispersion", "dispersion_norm"]] == 3).to_numpy().all()
    np.testing.assert_array_equal(
        table.obs["scinfill_total_counts"] / np.median(table.obs["scinfill_total_counts"]), table.obs["size_factor"]
    )
    np.testing.assert_array_equal(table.var["scinfill_n_cells"], (table.layers["counts"].toarray() > 0).sum(axis=0))
    (line,) = replaced(caplog)
    assert "obs['total_counts'], var['n_cells'], var['mean']" in line
    assert "obs['scinfill_total_counts'], var['scinfill_n_cells']" in line


def test_what_later_steps_read_is_replaced_and_said(counts, caplog):
    counts.obs["size_factor"] = 2.0
    counts.layers["counts"] = counts.X * 3
    table = scinfill.preprocess(counts)
    (line,) = replaced(caplog)
    assert "obs['size_factor'], layers['counts'] of the input" in line
    assert scinfill.impute_baseline(table).layers["imputed"].shape == table.shape


def test_a_layer_that_is_read_is_not_replaced(counts, caplog):
    counts.layers["counts"] = counts.X.copy()
    counts.X = np.log1p(counts.X)
    scinfill.preprocess(counts, layer="counts")
    assert replaced(caplog) == []


def test_our_own_earlier_columns_are_replaced_quietly(counts, caplog):
    first = scinfill.preprocess(counts, n_genes=12)
    again = scinfill.preprocess(first, layer="counts", min_counts=1, min_cells=1)
    assert list(again.obs) == list(first.obs)
    assert list(again.var) == list(first.var)
    assert replaced(caplog) == []


def test_the_users_columns_stay_when_it_is_done_again(counts):
    counts.obs["total_counts"] = 7.0
    first = scinfill.preprocess(counts, n_genes=12)
    again = scinfill.preprocess(first, layer="counts", min_counts=1, min_cells=1)
    assert (again.obs["total_counts"] == 7).all()
    assert list(again.obs) == list(first.obs)


@pytest.mark.slow
@pytest.mark.usefixtures("short_training")
@pytest.mark.parametrize("imputer", IMPUTERS.values(), ids=IMPUTERS)
def test_what_another_program_imputed_is_replaced_and_said(table, caplog, imputer):
    table.layers["imputed"] = table.X.toarray()
    table.obsm["X_deepmc"] = np.ones((table.n_obs, 2))
    table.var["heldout_r2"] = 1.0
    first = imputer(table)
    (line,) = replaced(caplog)
    assert "layers['imputed'], var['heldout_r2'], obsm['X_deepmc'] of the input" in line
    caplog.clear()
    imputer(first)
    assert replaced(caplog) == []


def test_a_result_that_is_taken_over_replaces_no_other_in_silence(table, caplog):
    table.layers["imputed"] = table.X.toarray()
    adopt(table, table.X.toarray(), method="other", scale="log2")
    (line,) = replaced(caplog)
    assert "layers['imputed'] of the input, not written by scinfill, is replaced" in line


def test_null_genes_have_their_number_of_cells_in_every_column_of_ours(counts):
    counts.var["n_cells"] = 3
    masked = scinfill.mask(scinfill.preprocess(counts), null_genes=4)
    null = masked[:, masked.var["null_gene"].to_numpy()]
    assert (null.var["scinfill_n_cells"] > 0).all()
