import pandas as pd
import pytest

from _results import document
from scinfill.reporting.comparable import across
from scinfill.reporting.results import collect
from scinfill.reporting.verdict import verdict

CLUSTERING = "Use it for clustering?"
TESTING = "Use it to test for differential expression?"
SIZES = "Take sizes of differences from it?"
RECOVERY = "Which fills hidden values best?"
METHOD = "Which method?"
COST = "What did it cost?"
CHANGE = "Did it change the data?"
MODEL = "Does the saved model know these cells?"

GOOD = {"ari": 0.9, "null_de": 0.0, "null_pairs": 0.0, "size_leak": 0.03, "de_auc": 0.9, "poisson": -0.4}
RAW = {"ari": 0.7, "null_de": 0.0, "null_pairs": 0.0, "size_leak": 0.02, "de_auc": 0.89, "poisson": -0.2}


def said(question, *documents, subject="mine", costs=None):
    settings = collect([(f"{number}.json", content) for number, content in enumerate(documents)])
    [sentence] = [
        sentence
        for sentence in verdict(settings, costs)
        if sentence.question == question and sentence.subject in (subject, None)
    ]
    return sentence


def results(mine, **options):
    return document({"raw": RAW, "mine": GOOD | mine}, **options)


def effect(n_genes=1200, genes_gated_shut=30, mean_observed_weight=0.2):
    return {
        "n_genes": n_genes,
        "genes_gated_shut": genes_gated_shut,
        "mean_observed_weight": mean_observed_weight,
    }


def test_an_estimate_that_is_the_input_is_said_before_its_scores():
    content = results({}, effect=effect(mean_observed_weight=0.98))
    first = verdict(collect([("a", content)]))[0]
    assert (first.question, first.subject, first.answer) == (CHANGE, "mine", "no")
    assert first.text == "Hardly: the output is nearly the input: the mean weight of what was seen is 0.98 of 1."


def test_a_gate_that_is_shut_for_nearly_all_genes_is_said():
    content = results({}, effect=effect(genes_gated_shut=1195, mean_observed_weight=None))
    assert said(CHANGE, content).text == (
        "Hardly: 1,195 of 1,200 genes show no structure that held-out entries support: they keep their mean."
    )


def test_replicates_are_averaged_and_data_sets_named():
    shut = [results({}, title="noise", effect=effect(genes_gated_shut=number)) for number in (1100, 1200)]
    text = said(CHANGE, *shut, results({}, title="fine", effect=effect())).text
    assert text.startswith("Hardly: on noise, 1,150 of 1,200 genes show no structure")
    assert "fine" not in text


@pytest.mark.parametrize("found", [None, effect(), effect(genes_gated_shut=None, mean_observed_weight=None)])
def test_of_an_estimate_that_changed_the_data_nothing_is_said(found):
    questions = [sentence.question for sentence in verdict(collect([("a", results({}, effect=found))]))]
    assert CHANGE not in questions


def test_results_from_before_effects_were_recorded_are_read():
    content = results({})
    del content["estimates"]["mine"]["effect"]
    assert verdict(collect([("a", content)]))[0].question == CLUSTERING


def known(n_badly_known, n_told=100, n_genes_absent=0):
    return {
        "model": "0123456789abcdef",
        "n_cells": 100,
        "n_told": n_told,
        "n_badly_known": n_badly_known,
        "n_genes_absent": n_genes_absent,
    }


@pytest.mark.parametrize(
    ("found", "answer", "words"),
    [
        (known(3), "yes", "Nearly all, as far as this can be told: 3 of 100 cells are known to it worse"),
        (known(20), "no", "Not all of them: 20 of 100 cells"),
        (known(90), "no", "Hardly: 90 of 100 cells"),
        (known(0, n_told=0), "unknown", "Not told: whether it knows the cells cannot be told"),
        (known(0, n_genes_absent=7), "yes", "7 genes of the model were not in the data: predicted, and left out here."),
    ],
)
def test_cells_that_a_saved_model_does_not_know_are_said(found, answer, words):
    sentence = said(MODEL, results({}, saved_model=found))
    assert sentence.answer == answer
    assert words in sentence.text
    assert ("never saw" in sentence.text) == (answer != "yes")


def test_data_sets_that_a_saved_model_does_not_know_are_named_once():
    """What the data as they are say comes before what those say that lost molecules."""
    strange = [results({}, title="strange", mode=mode, saved_model=known(n)) for mode, n in (("thin", 60), (None, 80))]
    sentence = said(MODEL, *strange, results({}, title="usual", saved_model=known(1)))
    assert sentence.text.startswith("Not all of them: on strange, 80 of 100 cells")
    assert "usual" not in sentence.text
    assert "60" not in sentence.text


def test_of_cells_that_were_trained_on_no_model_is_asked():
    assert MODEL not in [sentence.question for sentence in verdict(collect([("a", results({}))]))]


@pytest.mark.parametrize(
    ("ari", "spread", "answer"),
    [(0.9, 0.05, "yes"), (0.72, 0.05, "same"), (0.69, 0.001, "same"), (0.5, 0.05, "no")],
)
def test_clustering_is_judged_beyond_the_spread(ari, spread, answer):
    assert said(CLUSTERING, results({"ari": ari}, spread=spread)).answer == answer


def test_clustering_is_judged_by_the_interval_that_the_table_shows():
    """Single starts of k-means scatter more than their mean does."""
    content = results({"ari": 0.85}, spread=0.1)
    content["differences"]["mine"]["raw"]["ari"]["sd"] = 0.3
    assert said(CLUSTERING, content).answer == "yes"


def test_clustering_that_fails_on_one_dataset_is_no():
    sentence = said(CLUSTERING, results({"ari": 0.99}), results({"ari": 0.4}, title="hard"))
    assert sentence.answer == "no"
    assert "On hard the ARI falls from 0.70 to 0.40" in sentence.text


def test_a_small_loss_among_gains_is_said_but_forbids_nothing():
    sentence = said(
        CLUSTERING,
        results({"ari": 0.9}),
        results({"ari": 0.95}, title="easy"),
        results({"ari": 0.65}, title="hard", spread=0.01),
    )
    assert sentence.answer == "yes"
    assert "better beyond the spread in 2 of 3, worse in 1: on hard the ARI falls from 0.70 to 0.65" in sentence.text


def test_no_labels_no_answer():
    raw = {"poisson": 0.1}
    assert said(CLUSTERING, document({"raw": raw, "mine": raw})).answer == "unknown"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"null_de": 0.3}, "30.0 % of the genes without any signal"),
        ({"null_pairs": 0.2}, "20 % of pairs of independent genes"),
        ({"size_leak": 0.4}, "library size alone makes 40 %"),
        ({"de_auc": 0.7}, "ranks the genes known from bulk data worse (AUC 0.700, raw 0.890)"),
    ],
)
def test_every_fault_is_named(scores, words):
    sentence = said(TESTING, results(scores))
    assert sentence.answer == "no"
    assert sentence.text.startswith("No, take p-values from the counts: ")
    assert words in sentence.text
    assert "from the estimate" not in sentence.text


@pytest.mark.parametrize("scores", [{}, {"null_de": 0.01}, {"de_auc": 0.99}, {"ari": 1.0, "size_leak": 0.0}])
def test_testing_is_never_advised(scores):
    """Genes without structure are all that the guard can clear."""
    sentence = said(TESTING, results(scores))
    assert sentence.answer == "no"
    assert sentence.text.startswith("No, take p-values from the counts. ")
    assert "from the estimate" not in sentence.text
    assert "clears genes without any structure only" in sentence.text
    assert "AUC 0.9" in sentence.text


HALVES = {
    "halves_called": 0.5,
    "halves_false_at_least": 0.1,
    "halves_false_at_most": 0.4,
    "fold_change_20": 0.4,
    "fold_change_all": 0.3,
}
RAW_HALVES = {
    "halves_called": 0.3,
    "halves_false_at_least": 0.02,
    "halves_false_at_most": 0.02,
    "fold_change_20": 1.2,
    "fold_change_all": 0.25,
}


def halved(mine=None, raw=None, **options):
    scores = {"raw": RAW | RAW_HALVES | (raw or {}), "mine": GOOD | HALVES | (mine or {})}
    content = document(scores, mode="halves", fraction=0.5, **options)
    content["estimates"]["mine"]["details"]["halves"] = {
        "by_size": [
            {"from": 0.0, "to": 0.1, "called": 30, "hold": 0.7},
            {"from": 0.1, "to": 1.0, "called": 10, "hold": 0.9},
            {"from": 1.0, "to": None, "called": 30, "hold": 1.0},
        ]
    }
    return content


def test_the_untouched_half_is_asked_before_genes_without_signal():
    text = said(TESTING, halved()).text
    assert text.startswith(
        "No, take p-values from the counts. Between similar groups 50 % of the genes are called (raw: 30 %). 10 to "
        "40 % of them do not hold in the untouched half of the molecules (raw: 2 %); differences above 0.1 log2 units "
        "keep their sign in 98 %, below 0.1 in 70 %. None of the genes without any signal"
    )
    assert "scinfill mask --mode halves" not in text


def test_what_does_not_hold_stands_beside_the_faults():
    text = said(TESTING, halved({"null_de": 0.3})).text
    assert text.startswith("No, take p-values from the counts: 30.0 % of the genes without any signal")
    assert "10 to 40 % of them do not hold" in text


def test_no_gene_called_is_no_share():
    nothing = {"halves_called": 0.0}
    content = halved(nothing, nothing)
    for name in ("raw", "mine"):
        for bound in ("halves_false_at_least", "halves_false_at_most"):
            del content["estimates"][name]["scores"][bound]
    assert "No gene is called between similar groups" in said(TESTING, content).text


def test_halves_of_reads_say_nothing():
    content = halved()
    content["data"][0]["counts"] = "reads"
    assert "untouched half" not in said(TESTING, content).text
    assert SIZES not in [sentence.question for sentence in verdict(collect([("a", content)]))]


@pytest.mark.parametrize(
    ("mine", "answer", "words"),
    [
        ({}, "yes", "Yes for groups of 20 cells; for whole groups the counts are closer. "),
        ({"fold_change_all": 0.2}, "yes", "Yes. "),
        ({"fold_change_20": 2.0}, "no", "No, the counts are closer. "),
        ({"fold_change_20": 1.2, "fold_change_all": 0.25}, "same", "It makes no difference. "),
    ],
)
def test_sizes_of_differences_are_advised_where_they_are_closer(mine, answer, words):
    sentence = said(SIZES, halved(mine))
    assert sentence.answer == answer
    assert sentence.text.startswith(words)
    assert "(raw 1.20)" in sentence.text


def test_without_halves_nothing_is_said_of_sizes():
    assert SIZES not in [sentence.question for sentence in verdict(collect([("a", results({}))]))]


@pytest.mark.slow
def test_a_share_of_nothing_is_said_in_words():
    assert "counts. None of the genes without any signal was called" in said(TESTING, results({})).text
    assert "in any of 2 evaluations (raw: none)" in said(TESTING, results({}), results({}, title="other")).text
    assert "counts. 1.0 % of the genes without any signal" in said(TESTING, results({"null_de": 0.01})).text


def test_silhouettes_stand_beside_the_answer_on_clustering():
    content = document({"raw": RAW | {"silhouette": 0.77}, "mine": GOOD | {"ari": 0.7, "silhouette": 0.37}})
    sentence = said(CLUSTERING, content)
    assert sentence.answer == "same"
    assert "silhouette 0.37, raw 0.77" in sentence.text


@pytest.mark.parametrize(("values", "alike"), [((1.1, 0.92, 1.0), True), ((1.2, 1.21, 1.22), False), ((1.1,), False)])
def test_recovery_within_the_spread_between_masks_is_a_tie(values, alike):
    documents = [
        document(
            {"raw": {"rmse": 3.0}, "mine": {"rmse": 1.0}, "other": {"rmse": value}}, mode="nonzero", estimate="detected"
        )
        for value in values
    ]
    text = said(RECOVERY, *documents).text
    assert text.startswith("mine and other: RMSE 1.000 and " if alike else "mine: RMSE 1.000 at")
    assert text.endswith("raw 3.000.")


@pytest.mark.parametrize(
    "reason",
    [
        "needs null genes; the file has none (scinfill mask --null-genes N)",
        "needs labels; none were named (scinfill evaluate --labels COLUMN)",
        "differential expression needs 2 labels; received 1",
    ],
)
def test_what_was_not_tested_is_said_with_the_reason_of_the_evaluation(reason):
    raw = {"de_auc": 0.9, "null_pairs": 0.0}
    content = document({"raw": raw, "mine": raw})
    content["estimates"]["mine"]["skipped"] = {"null_de": reason, "ari": "labels are few"}
    sentence = said(TESTING, content)
    assert sentence.answer == "no"
    assert sentence.text == (
        f"No, take p-values from the counts. Whether it invents differences was not tested: {reason}."
    )
    assert said(CLUSTERING, content).text == "Not tested: labels are few."


def test_pairs_that_correlate_by_chance_in_few_cells_are_no_fault():
    content = document({"raw": RAW | {"null_pairs": 0.1}, "mine": GOOD | {"null_pairs": 0.12}})
    assert "pairs of independent genes" not in said(TESTING, content).text


def test_held_out_reads_judge_no_method():
    """Their scores are thousands, for raw data as good as any, and would decide every mean."""
    umi = results({})
    reads = document({"raw": RAW | {"poisson": -2780.0}, "mine": GOOD | {"poisson": -2626.0}}, title="reads")
    reads["data"][0]["counts"] = "reads"
    sentence = said(METHOD, umi, reads)
    assert sentence.text.startswith("mine predicts held-out molecules best (−0.400 against −0.200 of raw;")
    assert said(METHOD, reads).answer == "unknown"


def test_what_can_be_told_without_labels_is_told():
    scores = {"poisson": 0.1, "null_pairs": 0.0}
    content = document({"raw": scores, "mine": scores | {"null_pairs": 0.4}})
    assert said(TESTING, content).text == (
        "No, take p-values from the counts: 40 % of pairs of independent genes correlate (raw: 0 %)."
    )
    assert "Left out for invented signal: mine" in said(METHOD, content).text


def test_the_worst_dataset_is_what_is_said_of_invented_signal():
    text = said(TESTING, results({}), results({"null_de": 0.5}, title="hard")).text
    assert "50.0 % of the genes without any signal were called differentially expressed (raw: 0.0 %) on hard" in text


@pytest.mark.slow
def test_honesty_is_said_of_a_method_that_was_tested():
    """That another method was tested says nothing about this one."""
    untested = {name: value for name, value in GOOD.items() if name not in ("null_de", "null_pairs")}
    both, pairs = said(METHOD, results({})).text, document({"raw": RAW, "mine": untested | {"null_pairs": 0.0}})
    assert "shows hardly more correlations and differences among genes without signal than the raw data" in both
    assert "shows hardly more correlations among genes" in said(METHOD, pairs).text
    content = document({"raw": RAW, "mine": untested, "other": GOOD | {"poisson": -0.3}})
    assert said(METHOD, content).text.startswith("mine predicts")
    assert "without signal" not in said(METHOD, content).text


def test_recovery_names_the_best_and_the_estimate():
    scores = {"raw": {"rmse": 3.0}, "mine": {"rmse": 1.0}}
    sentence = said(RECOVERY, document(scores, mode="nonzero", estimate="shrunk"))
    assert sentence.text.startswith("mine: RMSE 1.00")
    assert "not the estimate 'detected'" in sentence.text
    assert "not the estimate" not in said(RECOVERY, document(scores, mode="nonzero", estimate="detected")).text


@pytest.mark.slow
def test_a_baseline_that_wins_is_said():
    sentence = said(RECOVERY, document({"gene-mean": {"rmse": 0.5}, "mine": {"rmse": 1.0}}, mode="nonzero"))
    assert sentence.answer == "no"
    assert sentence.text.startswith("gene-mean")
    sentence = said(METHOD, document({"raw": RAW | {"poisson": -0.9}, "mine": GOOD}))
    assert sentence.answer == "no"
    assert sentence.text.startswith("Not mine: raw predicts held-out molecules best")
    both = document({"raw": RAW | {"poisson": -0.9}, "mine": GOOD, "other": GOOD})
    assert said(METHOD, both).text.startswith("None of mine, other: raw predicts")


def test_method_is_chosen_among_the_honest():
    content = document({"raw": RAW, "mine": GOOD, "wild": GOOD | {"poisson": -0.8, "null_de": 0.6}})
    sentence = said(METHOD, content)
    assert sentence.text.startswith("mine predicts")
    assert "Left out for invented signal: wild" in sentence.text


def test_labels_choose_no_method():
    sentence = said(METHOD, document({"raw": {"ari": 0.2}, "mine": {"ari": 0.9}}))
    assert sentence.answer == "unknown"
    assert "no molecules were held out" in sentence.text


def test_an_equal_number_is_no_victory():
    content = document({"raw": RAW, "mine": GOOD, "other": GOOD | {"poisson": -0.39996}})
    assert "best (−0.400, as of other; lower is better)" in said(METHOD, content).text


def test_datasets_of_different_errors_are_no_spread():
    """A constant factor between two methods is a difference, however the errors themselves vary over data."""
    documents = [
        document(
            {"raw": {"rmse": 9.0}, "mine": {"rmse": size}, "other": {"rmse": 1.2 * size}},
            mode="nonzero",
            estimate="detected",
            title=f"data {size}",
        )
        for size in (0.1, 1.0, 5.0)
    ]
    assert said(RECOVERY, *documents).text.startswith("mine: RMSE")


def test_untouched_data_without_any_input_is_not_what_is_judged():
    alone = document({"raw": {"ari": 0.99}}, mode=None)
    masked = document({"raw": {"ari": 0.5}, "mine": {"ari": 0.8}}, mode="nonzero", estimate="model")
    sentence = said(CLUSTERING, alone, masked)
    assert sentence.answer == "yes"
    assert "in the raw data 0.50" in sentence.text


def test_each_estimate_is_asked_its_own_question():
    settings = collect(
        [
            (
                "a",
                document(
                    {"raw": {"rmse": 3, "ari": 0.1}, "mine": {"rmse": 1.0, "ari": 0.1}},
                    mode="nonzero",
                    estimate="detected",
                ),
            ),
            ("b", document({"raw": {"ari": 0.5}, "mine": {"ari": 0.8}}, mode="thin", estimate="shrunk")),
        ]
    )
    assert across(settings, "rmse")["mine"].tolist() == [1.0]
    assert across(settings, "ari")["mine"].tolist() == [0.8]


@pytest.mark.slow
def test_costs_are_told():
    costs = pd.DataFrame({"name": ["mine", "mine"], "seconds": [10, 20], "peak_mib": [1024, 1024]})
    assert "mine 15 s and 1.0 GiB (means of 2 runs)" in said(COST, results({}), costs=costs).text
    others = pd.DataFrame({"name": ["other"], "seconds": [0.47], "peak_mib": [float("nan")]})
    text = said(COST, results({}), costs=pd.concat([costs, others])).text
    assert text == "mine 15 s and 1.0 GiB; other 0.5 s (means of 1 to 2 runs)."
    assert said(COST, results({}), costs=others).text == "other 0.5 s (one run each)."
    assert said(COST, results({})).answer == "unknown"


def test_nothing_imputed_is_said():
    [sentence] = verdict(collect([("a", document({"raw": RAW}))]))
    assert "Impute a file" in sentence.text
