"""Whether batches mix and labels still differ is measured, and the report says it."""

from functools import cache

import numpy as np
import pytest

import scinfill
from _support import assert_refused, invoke
from _worlds import LABELS, imputed, masked
from scinfill.errors import InputError
from scinfill.io import h5ad
from scinfill.reporting.batches import KEPT, MIXED
from scinfill.reporting.build import build

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

METRICS = ("batch_silhouette", "batch_change", "label_change", "label_agreement")


@cache
def _batched():
    """Return a table whose second batch has every gene's rate multiplied by a factor, and these factors as log2."""
    table = masked("nonzero")
    rng = np.random.default_rng(0)
    table.obs["sample"] = np.where(rng.random(table.n_obs) < 0.5, "first", "second")
    return table, rng.normal(0, 1.5, table.n_vars)


def batched(values=lambda table, plain, moved: moved, *, method="mine"):
    """Return the table with an estimate made of the true means, without and with what the batch does."""
    table, change = _batched()
    labels = table.obs[LABELS].to_numpy()
    dense = table.X.toarray()
    plain = np.array([dense[labels == label].mean(axis=0) for label in labels])
    plain = plain + np.random.default_rng(1).normal(0, 0.05, plain.shape)
    moved = plain + np.where(table.obs["sample"].to_numpy()[:, None] == "second", change, 0)
    return imputed(table, np.maximum(values(table, plain, moved), 0), method=method)


def scores(table, **options):
    document = scinfill.evaluate(table, labels=LABELS, batch="sample", n_starts=1, **options)
    (name,) = [name for name, record in document["estimates"].items() if record["kind"] == "input"]
    found = document["estimates"][name]["scores"]
    return document, {metric: found[metric]["value"] for metric in METRICS if metric in found}


@pytest.mark.slow
def test_batches_that_are_moved_apart_do_not_mix():
    _, apart = scores(batched())
    _, mixed = scores(batched(lambda table, plain, moved: plain))
    assert apart["batch_silhouette"] > 0.5
    assert abs(mixed["batch_silhouette"]) < 0.1
    assert apart["batch_change"] > 3 * mixed["batch_change"]
    assert apart["label_agreement"] > 0.5


@pytest.mark.slow
def test_a_change_is_the_root_mean_square_of_log2_fold_changes():
    def fourfold(table, plain, moved):
        rates = np.where(table.obs["sample"].to_numpy()[:, None] == "second", 1600.0, 400.0)
        return np.log2(1 + np.broadcast_to(rates, plain.shape))

    _, found = scores(batched(fourfold))
    assert found["batch_change"] == pytest.approx(2, abs=1e-3)
    assert found["label_change"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_every_pair_of_groups_is_in_the_details():
    document, _ = scores(batched())
    record = next(record for record in document["estimates"].values() if record["kind"] == "input")
    found = record["details"]["batches"]
    n_labels = len(document["data"][0]["labels"])
    assert len(found["between_batches"]) == n_labels
    assert len(found["between_labels"]) == 2 * n_labels * (n_labels - 1) / 2


@pytest.mark.slow
def test_without_batches_nothing_is_scored_of_them():
    document = scinfill.evaluate(batched(), labels=LABELS, n_starts=1)
    for record in document["estimates"].values():
        assert not set(METRICS) & (record["scores"].keys() | record["skipped"].keys())


@pytest.mark.slow
def test_a_single_batch_is_the_reason_that_is_given():
    table = batched()
    table.obs["sample"] = "one"
    document = scinfill.evaluate(table, labels=LABELS, batch="sample", n_starts=1)
    assert "needs two batches" in document["estimates"]["raw"]["skipped"]["batch_change"]


def test_labels_are_needed_and_the_column_must_be_there(tmp_path):
    with pytest.raises(InputError, match="name their column as `labels` too"):
        scinfill.evaluate(batched(), batch="sample")
    path = tmp_path / "table.h5ad"
    h5ad.write(batched(), path)
    assert_refused(invoke("evaluate", path, "--batch", "sample"), 2, "--batch asks", "--labels")
    assert_refused(invoke("evaluate", path, "--labels", LABELS, "--batch", "absent"), 2, "there is no column 'absent'")


def said(table):
    document, _ = scores(table)
    report = build([("scores.json", document)])
    return {sentence.question: sentence for sentence in report.sentences}, report.html


@pytest.mark.slow
def test_the_report_says_whether_batches_mix_and_biology_is_kept():
    sentences, html = said(batched())
    assert sentences[MIXED].answer == "no"
    assert "--batch-effect remove" in sentences[MIXED].text
    assert "Fold changes between batches and between labels" in html
    flat, _ = said(batched(lambda table, plain, moved: np.broadcast_to(plain.mean(axis=0), plain.shape).copy()))
    assert flat[KEPT].answer == "no"
    kept, _ = said(batched(lambda table, plain, moved: plain))
    assert kept[KEPT].answer == "yes"


@pytest.mark.slow
def test_a_report_without_batches_has_neither_question_nor_table():
    document = scinfill.evaluate(batched(), labels=LABELS, n_starts=1)
    report = build([("scores.json", document)])
    assert not {MIXED, KEPT} & {sentence.question for sentence in report.sentences}
    assert "Fold changes between batches and between labels" not in report.html


@pytest.mark.slow
def test_values_of_the_average_batch_are_not_compared_with_molecules_of_the_own():
    table = masked("thin")
    table.obs["sample"] = np.where(np.arange(table.n_obs) % 2, "first", "second")
    removed = scinfill.impute_deepmc(table, rank=2, batch="sample", batch_effect="remove")
    record = scinfill.evaluate({"mine": removed}, labels=LABELS, n_starts=1)["estimates"]["mine"]
    assert "--batch-effect keep" in record["skipped"]["poisson"]
    assert "ari" in record["scores"]
