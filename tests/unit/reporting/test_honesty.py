"""What is said of the intervals: never bolder than the strata, and no small one shouts."""

import pytest

from _results import document
from scinfill.reporting.honesty import QUESTION, judged_strata
from scinfill.reporting.results import collect
from scinfill.reporting.verdict import verdict


def stratum(coverage, n, *, label="a", decile=1, half=None):
    half = (1 / n) ** 0.5 if half is None else half
    return {
        "label": label,
        "quartile": 1,
        "decile": decile,
        "n": n,
        "coverage": coverage,
        "interval": [coverage - half, coverage + half],
    }


def results(*strata, overall=0.9, counts="umi"):
    content = document({"raw": {}, "mine": {"coverage_90": overall}})
    content["data"][0]["counts"] = counts
    content["estimates"]["mine"]["details"]["calibration"] = {
        "pit": [0.05] * 20,
        "poisson_coverage": {"90": 0.85},
        "by_decile": [],
        "band": [0.88, 0.92],
        "fewest_entries": 1000,
        "by_stratum": list(strata),
    }
    return content


def said(*strata, **kind):
    found = [one for one in verdict(collect([("a.json", results(*strata, **kind))])) if one.question == QUESTION]
    return found[0] if found else None


def test_honest_everywhere():
    sentence = said(stratum(0.901, 9000), stratum(0.9, 5000, decile=2))
    assert sentence.answer == "yes"
    assert "all 2 strata" in sentence.text
    assert "a Poisson around the model alone: 85.0 %" in sentence.text


def test_one_stratum_beyond_chance_is_a_no_and_is_named_with_its_n():
    sentence = said(stratum(0.9, 9000), stratum(0.82, 5000, label="rare", decile=10))
    assert sentence.answer == "no"
    assert "rare, library size quartile 1, expression decile 10: 0.820" in sentence.text
    assert "n = 5,000" in sentence.text


def test_a_small_stratum_is_neither_judged_nor_named():
    sentence = said(stratum(0.9, 9000), stratum(0.2, 999, label="rare"))
    assert sentence.answer == "yes"
    assert "rare" not in sentence.text


def test_the_worst_is_the_one_known_to_be_worst():
    rows = judged_strata(
        {
            "band": [0.88, 0.92],
            "fewest_entries": 1000,
            "by_stratum": [stratum(0.86, 1000, label="noisy", half=0.04), stratum(0.875, 90_000, label="sure")],
        }
    )
    assert list(rows["label"]) == ["sure", "noisy"]
    assert list(rows["outside"]) == [True, True]
    assert list(rows["surely"]) == [True, False]


def test_outside_by_chance_is_neither_a_yes_nor_a_no():
    sentence = said(stratum(0.875, 1000), stratum(0.9, 9000))
    assert sentence.answer == "same"
    assert "1 of 2 strata" in sentence.text
    assert "by no more than chance" in sentence.text


@pytest.mark.parametrize(("strata", "kind"), [((), {}), ((stratum(0.9, 9000),), {"counts": "reads"})])
def test_what_was_not_tested_is_not_answered(strata, kind):
    sentence = said(*strata, **kind)
    assert sentence.answer == "unknown"
    assert "Not tested" in sentence.text


def test_overall_coverage_outside_is_a_no_whatever_the_strata_show():
    assert said(stratum(0.9, 9000), overall=0.8).answer == "no"


def test_results_without_strata_of_earlier_versions_are_read():
    content = results(stratum(0.9, 9000))
    for key in ("by_stratum", "band", "fewest_entries"):
        del content["estimates"]["mine"]["details"]["calibration"][key]
    [sentence] = [one for one in verdict(collect([("a.json", content)])) if one.question == QUESTION]
    assert sentence.answer == "unknown"
