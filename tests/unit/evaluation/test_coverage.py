"""Coverage by expression, library size and label, on molecules drawn from the distribution that is claimed."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from _worlds import imputed
from scinfill.evaluation.case import Settings
from scinfill.evaluation.coverage import BAND, FEWEST_ENTRIES
from scinfill.evaluation.evaluate import run
from scinfill.evaluation.scorecard import OF_ONE_FILE

N_CELLS, N_GENES, FRACTION = 400, 400, 0.2
WEIGHT = 0.3


@cache
def molecules(*, overdispersed: bool = False) -> AnnData:
    """Cells of two labels and a gamma-Poisson world; overdispersed, the last tenth of the genes varies more in b."""
    rng = np.random.default_rng(3)
    sizes = rng.lognormal(0, 0.5, N_CELLS)
    rate = np.sort(rng.gamma(2, 3, N_GENES)) + 1
    shape = np.broadcast_to(rate * (1 - WEIGHT) / WEIGHT, (N_CELLS, N_GENES)).copy()
    labels = np.array(["a", "b"])[np.arange(N_CELLS) % 2]
    if overdispersed:
        shape[labels == "b", -N_GENES // 10 :] /= 20
    total = rng.poisson(rng.gamma(shape, rate / shape) * sizes[:, None] / (1 - FRACTION))
    held = rng.binomial(total, FRACTION)
    kept = total - held
    table = AnnData(csr_matrix(np.log2(1 + kept / sizes[:, None]).astype(np.float32)))
    table.obs["label"], table.obs["size_factor"] = labels, sizes
    table.layers["counts"], table.layers["heldout_counts"] = csr_matrix(kept), csr_matrix(held)
    table.uns["log1p"] = {"base": 2.0}
    table.var["observed_weight"] = WEIGHT
    values = np.log2(1 + (1 - WEIGHT) * rate + WEIGHT * kept / sizes[:, None])
    table = imputed(table, values, estimate="shrunk")
    table.layers["imputed_sd"] = np.ones(table.shape, np.float32)
    return table


def scored(table, labels="label"):
    found = run([(None, table.copy())], Settings(labels=labels), experiments=OF_ONE_FILE)
    return found.document["estimates"]["made-up"]


@cache
def record(labels="label", *, overdispersed=False):
    return scored(molecules(overdispersed=overdispersed), labels)


def strata(of):
    return pd.DataFrame(of["details"]["calibration"]["by_stratum"])


@pytest.mark.slow
def test_strata_divide_all_entries_and_agree_with_the_whole():
    found = record()
    rows = strata(found)
    assert rows["n"].sum() == N_CELLS * N_GENES
    assert len(rows) == 2 * 4 * 10
    assert np.average(rows["coverage"], weights=rows["n"]) == pytest.approx(
        found["scores"]["coverage_90"]["value"], abs=1e-5
    )
    assert all(low <= share <= high for share, (low, high) in zip(rows["coverage"], rows["interval"], strict=True))


def test_intervals_of_the_world_that_made_the_molecules_are_honest_everywhere():
    found = record()
    rows = strata(found)
    assert rows["coverage"].between(BAND[0] - 0.02, BAND[1] + 0.02).all()
    assert found["scores"]["coverage_strata"]["value"] > 0.9
    assert found["scores"]["coverage_strata"]["n"] == (rows["n"] >= FEWEST_ENTRIES).sum()


@pytest.mark.slow
def test_what_varies_more_than_claimed_is_found_where_it_is():
    rows = strata(record(overdispersed=True))
    wrong = (rows["label"] == "b") & (rows["decile"] == 10)
    assert (rows.loc[wrong, "coverage"] < 0.87).all()
    assert (rows.loc[~wrong, "coverage"] > 0.87).all()


def test_without_labels_all_cells_are_one():
    rows = strata(record(labels=None))
    assert set(rows["label"]) == {"all cells"}
    assert rows["n"].sum() == N_CELLS * N_GENES


@pytest.mark.slow
def test_cells_without_a_label_are_in_no_stratum():
    table = molecules().copy()
    table.obs.loc[table.obs_names[:100], "label"] = None
    found = scored(table)
    assert strata(found)["n"].sum() == (N_CELLS - 100) * N_GENES


def test_small_strata_are_not_judged_and_that_is_said():
    found = scored(molecules()[:60])
    assert "coverage_strata" not in found["scores"]
    assert "holds 1,000 entries" in found["skipped"]["coverage_strata"]
