from functools import cache

import numpy as np
import pytest

import scinfill
from _worlds import LABELS, imputed, label_means
from scinfill.evaluation import halves
from scinfill.reporting.build import build

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

SCORES = ("halves_called", "halves_false_at_least", "halves_false_at_most", "halves_best", "fold_change_20")


@cache
def _halved(mode="halves", fraction=None):
    world = scinfill.simulate(n_cells=240, n_genes=200, n_types=2, depth=800, seed=3)
    return scinfill.mask(scinfill.preprocess(world, n_genes=100), mode=mode, fraction=fraction, null_genes=8, seed=2)


def halved(**options):
    return _halved(**options).copy()


def leaking(table):
    """Means of the labels with the same made-up small difference in all cells of a label."""
    values = label_means(table)
    first = table.obs[LABELS].cat.codes.to_numpy() == 0
    noise = np.random.default_rng(0).normal(0, 0.2, values.shape[1]) * first[:, np.newaxis]
    return np.maximum(values + noise + np.random.default_rng(1).normal(0, 1e-3, values.shape), 0)


@pytest.fixture(scope="module")
def document(few_resamples):
    table = halved()
    return scinfill.evaluate(imputed(table, leaking(table)), labels=LABELS, n_starts=1, title="two halves")


def values(document, name):
    return {metric: score["value"] for metric, score in document["estimates"][name]["scores"].items()}


def test_differences_that_were_made_up_are_found(document):
    raw, made_up = (values(document, name) for name in ("raw", "made-up"))
    assert made_up["halves_called"] > raw["halves_called"]
    assert raw["halves_false_at_most"] < 0.1
    assert made_up["halves_false_at_least"] > raw["halves_false_at_most"]
    assert made_up["halves_false_at_least"] <= made_up["halves_false_at_most"]
    assert made_up["halves_best"] < raw["halves_best"]


def test_all_estimates_are_asked_of_one_clustering(monkeypatch):
    clusterings = []
    monkeypatch.setattr(halves, "_clusters", lambda values, seed: clusterings.append(seed) or np.arange(240) % 2)
    document = scinfill.evaluate(halved(), n_starts=1)
    assert all("halves_called" in estimate["scores"] for estimate in document["estimates"].values())
    assert len(clusterings) == 1


@pytest.mark.slow
def test_fold_changes_of_few_cells_gain_from_pooling(document):
    raw = values(document, "raw")
    assert raw["fold_change_20"] > raw["fold_change_50"] > raw["fold_change_all"]
    assert raw["fold_change_all"] > document["estimates"]["raw"]["details"]["halves"]["fold_change_noise"] > 0
    table = halved()
    linear = np.exp2(table.X.toarray()) - 1
    codes = table.obs[LABELS].cat.codes.to_numpy()
    means = np.array([linear[codes == code].mean(axis=0) for code in (0, 1)])[codes]
    pooled = values(scinfill.evaluate(imputed(table, np.log2(1 + means)), labels=LABELS, n_starts=1), "made-up")
    for size in ("20", "50", "all"):
        assert pooled[f"fold_change_{size}"] == pytest.approx(raw["fold_change_all"], rel=1e-4)


def test_scores_have_intervals_and_stand_beside_the_baselines(document):
    for name in ("raw", "gene-mean", "svd-10", "made-up"):
        for metric in SCORES:
            score = document["estimates"][name]["scores"][metric]
            low, high = score["interval"]
            assert low <= score["value"] <= high or metric.startswith("fold_change")
    assert "interval" in document["differences"]["made-up"]["raw"]["fold_change_20"]


def test_every_pair_has_its_row(document):
    details = document["estimates"]["made-up"]["details"]["halves"]
    [row] = details["pairs"]
    assert {row["first"], row["second"]} == {"type1", "type2"}
    assert row["n_first"] + row["n_second"] == 240
    assert row["called"] == sum(part["called"] for part in details["by_size"])
    assert row["false_at_least"]["value"] <= row["false_at_most"]["value"]
    assert details["n_genes"] == 100


@pytest.mark.slow
def test_an_even_thinning_is_two_halves_and_another_is_not(document):
    table = halved(mode="thin", fraction=0.5)
    again = scinfill.evaluate(imputed(table, leaking(table)), labels=LABELS, n_starts=1)
    assert values(again, "made-up")["halves_false_at_most"] == values(document, "made-up")["halves_false_at_most"]
    uneven = scinfill.evaluate(halved(mode="thin", fraction=0.1), labels=LABELS, n_starts=1)
    assert "scinfill mask --mode halves" in uneven["estimates"]["raw"]["skipped"]["halves_called"]


def test_without_labels_clusters_of_the_untouched_half_are_compared():
    document = scinfill.evaluate(halved(), n_starts=1)
    record = document["estimates"]["raw"]
    assert record["details"]["halves"]["groups"] == "clusters"
    assert record["details"]["halves"]["pairs"][0]["first"] == "cluster 1"
    assert any("clusters found in the untouched half" in note for note in record["notes"])


def test_clusters_do_not_depend_on_what_was_imputed():
    table = halved()
    first, second = (
        scinfill.evaluate(imputed(table, values), n_starts=1)["estimates"]["made-up"]["details"]["halves"]
        for values in (leaking(table), np.ones(table.shape))
    )
    sizes = [[(row["n_first"], row["n_second"]) for row in found["pairs"]] for found in (first, second)]
    assert sizes[0] == sizes[1]
    assert [row["called"] for row in second["pairs"]] == [0] * len(second["pairs"])


def test_small_labels_are_a_reason_not_a_number():
    table = halved()
    table.obs["small"] = ["a"] * 200 + ["b"] * 40
    reason = scinfill.evaluate(table, labels="small", n_starts=1)["estimates"]["raw"]["skipped"]["halves_best"]
    assert reason == "the two halves are compared between labels of 50 cells or more; there are no two"


@pytest.mark.slow
def test_the_report_shows_pairs_figure_and_verdict(document):
    report = build([("scores.json", document)], with_files=True)
    assert "type1" in report.html
    assert "50 % of the molecules kept apart, untouched" in report.html.lower()
    assert {"two_halves-halves-0.5-halves.svg", "two_halves-halves-0.5-guard.svg"} <= set(report.figures)
    assert report.html.index("Do differences hold in the untouched half?") < report.html.index("Signal where there is")
    questions = [sentence.question for sentence in report.sentences if sentence.subject == "made-up"]
    assert "Take sizes of differences from it?" in questions
