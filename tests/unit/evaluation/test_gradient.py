from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import scinfill
from _proteins import mixtures
from _worlds import imputed
from scinfill.errors import DataError, InputError
from scinfill.evaluation.numerics import intervals

SCORES = ("gradient_component", "gradient_genes", "gradient_others")
NULL = "gradient_null"


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 30)
        yield


@cache
def _prepared():
    counts, truth = mixtures()
    return scinfill.preprocess(counts, n_genes=None), pd.DataFrame(truth, columns=counts.var_names)


def prepared():
    """Return a preprocessed table of mixtures and the true values of its genes."""
    table, truth = _prepared()
    return table.copy(), truth[table.var_names].to_numpy()


def evaluated(table, **options):
    return scinfill.evaluate(table, n_starts=1, **({"gradient": "dose"} | options))


def values(document, name="made-up"):
    return {metric: document["estimates"][name]["scores"][metric]["value"] for metric in SCORES}


@pytest.fixture(scope="module")
def document():
    table, truth = prepared()
    return evaluated(imputed(table, truth))


def test_the_truth_shows_the_gradient_better_than_counts(document):
    raw, truth = values(document, "raw"), values(document)
    assert truth["gradient_component"] == pytest.approx(1, abs=1e-3)
    assert truth["gradient_genes"] == pytest.approx(1, abs=1e-3)
    assert 0.2 < raw["gradient_genes"] < 0.9
    assert truth["gradient_others"] < 0.2


def test_a_method_that_bends_all_genes_along_the_gradient_is_seen():
    table, truth = prepared()
    bent = truth + 0.1 * table.obs["dose"].to_numpy()[:, None]
    found = values(evaluated(imputed(table, bent)))
    assert found["gradient_component"] > 0.9
    assert found["gradient_others"] > 0.9


def test_null_genes_tell_bending_from_weak_followers():
    counts, _ = mixtures()
    table = scinfill.mask(scinfill.preprocess(counts, n_genes=None), fraction=0, null_genes=12)
    estimate = table.X.toarray() + table.obs["dose"].to_numpy()[:, None]
    scores = evaluated(imputed(table, estimate))["estimates"]
    assert scores["raw"]["scores"][NULL]["value"] < 0.1
    assert scores["made-up"]["scores"][NULL]["value"] > 0.3
    assert scores["made-up"]["scores"][NULL]["n"] == 12


def test_a_gradient_that_has_nothing_to_do_with_the_counts_shows_no_gain():
    table, truth = prepared()
    table.obs["other"] = np.random.default_rng(1).random(table.n_obs)
    document = evaluated(imputed(table, truth), gradient="other")
    for name in ("raw", "made-up"):
        assert all(abs(value) < 0.2 for value in values(document, name).values()), name


def test_neither_the_order_of_cells_nor_the_direction_of_the_dose_matters(document):
    table, truth = prepared()
    order = np.random.default_rng(2).permutation(table.n_obs)
    again = evaluated(imputed(table, truth)[order].copy())
    table.obs["dose"] = 5 - 3 * table.obs["dose"]
    reversed_dose = evaluated(imputed(table, truth))
    for metric in SCORES:
        assert values(again, "raw")[metric] == pytest.approx(values(document, "raw")[metric], abs=0.1)
    assert values(reversed_dose, "raw") == pytest.approx(values(document, "raw"))


def test_the_component_score_is_the_rank_correlation(document):
    table, _ = prepared()
    from scinfill.evaluation.numerics.clustering import principal_components

    component = principal_components(table.X.toarray(), 1)[:, 0]
    expected = abs(spearmanr(component, table.obs["dose"]).statistic)
    score = document["estimates"]["raw"]["scores"]["gradient_component"]
    assert score["value"] == pytest.approx(expected, abs=1e-6)
    assert (score["n"], score["of"]) == (table.n_obs, "cells")
    assert score["interval"][0] < score["value"] < score["interval"][1]


def test_genes_are_chosen_from_counts_alone(document):
    table, truth = prepared()
    wrong = evaluated(imputed(table, np.random.default_rng(0).random(truth.shape)))
    rows = [
        [row["gene"] for row in found["estimates"]["made-up"]["details"]["gradient_genes"]["genes"]]
        for found in (document, wrong)
    ]
    assert rows[0] == rows[1]
    assert not any(gene.startswith("stays") for gene in rows[0])


def test_values_against_the_direction_of_the_counts_are_negative():
    table, truth = prepared()
    assert values(evaluated(imputed(table, truth.max() - truth)))["gradient_genes"] < -0.9


def test_genes_that_are_named_are_scored(document):
    named = [gene for gene in prepared()[0].var_names if gene.startswith("rises")][:4]
    found = evaluated(imputed(*prepared()), gradient_genes=named)["estimates"]["made-up"]
    details = found["details"]["gradient_genes"]
    assert details["named"]
    assert [row["gene"] for row in details["genes"]] == named
    assert not document["estimates"]["made-up"]["details"]["gradient_genes"]["named"]


def test_cells_without_a_dose_are_left_out():
    table, truth = prepared()
    table.obs.loc[table.obs_names[:100], "dose"] = np.nan
    score = evaluated(imputed(table, truth))["estimates"]["raw"]["scores"]["gradient_component"]
    assert score["n"] == table.n_obs - 100


def test_numbers_that_are_written_as_words_are_numbers(document):
    table, truth = prepared()
    table.obs["dose"] = table.obs["dose"].astype(str).astype("category")
    assert values(evaluated(imputed(table, truth)), "raw") == values(document, "raw")


def test_a_dose_that_goes_with_library_size_is_said():
    table, truth = prepared()
    table.obs["depth"] = table.obs["size_factor"]
    notes = evaluated(imputed(table, truth), gradient="depth")["estimates"]["raw"]["notes"]
    assert any("obs['depth'] and library size correlate by 1.00" in note for note in notes)


@pytest.mark.parametrize(
    ("dose", "message"),
    [
        ("high", r"obs\['dose'\] holds values that are not numbers \('high'\); make them numbers: pandas.to_numeric"),
        (1.0, r"obs\['dose'\] holds 1 in every cell, which is no gradient; name a column"),
        (np.nan, r"obs\['dose'\] holds no number, which is no gradient"),
        (np.inf, r"obs\['dose'\] holds infinite values"),
    ],
)
def test_what_is_no_gradient_is_refused(dose, message):
    table, _ = prepared()
    table.obs["dose"] = dose
    with pytest.raises(DataError, match=message):
        evaluated(table)


def test_a_column_or_gene_that_is_not_there_is_refused():
    table, _ = prepared()
    with pytest.raises(InputError, match="no column 'mixture' in obs; columns present: dose"):
        evaluated(table, gradient="mixture")
    with pytest.raises(InputError, match=r"no gene 'absent' in the table \(genes like rises"):
        evaluated(table, gradient_genes=["absent"])
    with pytest.raises(InputError, match="name its column of obs as `gradient`"):
        scinfill.evaluate(table, gradient_genes=["rises0"])


def test_too_few_cells_are_left_out_with_the_reason():
    table, _ = prepared()
    table.obs.loc[table.obs_names[10:], "dose"] = np.nan
    skipped = evaluated(table)["estimates"]["raw"]["skipped"]
    assert all("20 cells or more; obs['dose'] has 10" in skipped[metric] for metric in (*SCORES, NULL))


def test_without_a_gradient_the_scores_are_left_out_with_the_option():
    skipped = scinfill.evaluate(prepared()[0], n_starts=1)["estimates"]["raw"]["skipped"]
    assert all("scinfill evaluate --gradient COLUMN" in skipped[metric] for metric in (*SCORES, NULL))
