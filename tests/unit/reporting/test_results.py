import pytest

from _results import document
from scinfill.errors import DataError
from scinfill.reporting.results import collect, described_mask, names_in_order, pooled, signed


def named(*documents):
    return [(f"{number}.json", content) for number, content in enumerate(documents)]


def test_replicates_are_pooled_and_other_masks_are_not():
    settings = collect(
        named(
            document({"raw": {"rmse": 3.0}, "mine": {"rmse": 1.0}}, mode="nonzero"),
            document({"raw": {"rmse": 3.2}, "mine": {"rmse": 2.0}}, mode="nonzero"),
            document({"raw": {"rmse": 3.0}, "mine": {"rmse": 9.0}}, mode="nonzero", fraction=0.5),
            document({"raw": {"rmse": 3.0}}, title="other", mode="nonzero"),
        )
    )
    assert [(setting.dataset, setting.fraction, len(setting.replicates)) for setting in settings] == [
        ("data", 0.1, 2),
        ("data", 0.5, 1),
        ("other", 0.1, 1),
    ]
    mine = pooled(settings[0].scores).loc[("rmse", "mine (shrunk)")]
    assert mine["value"] == pytest.approx(1.5)
    assert mine["sd"] == pytest.approx(0.5**0.5)
    assert mine["n_replicates"] == 2


def test_single_result_keeps_its_own_spread():
    content = document({"raw": {"ari": 0.5, "rmse": 1.0}})
    content["estimates"]["raw"]["scores"]["ari"]["sd"] = 0.07
    content["estimates"]["raw"]["scores"]["rmse"]["interval"] = [0.9, 1.2]
    table = pooled(collect(named(content))[0].scores)
    assert table.loc[("ari", "raw"), "sd"] == pytest.approx(0.07)
    assert (table.loc[("rmse", "raw"), "low"], table.loc[("rmse", "raw"), "high"]) == (0.9, 1.2)


def test_two_estimates_of_one_method_stay_apart():
    documents = named(
        document({"mine": {"rmse": 1.0}}, estimate="detected"), document({"mine": {"rmse": 2.0}}, estimate="shrunk")
    )
    [setting] = collect(documents)
    assert names_in_order(setting.scores) == ["mine (detected)", "mine (shrunk)"]


def test_data_without_a_title_goes_by_its_file():
    content = document({"raw": {"ari": 1.0}})
    content["title"] = None
    assert collect(named(content))[0].dataset == "0.json"


@pytest.mark.parametrize(
    ("mode", "fraction", "words"),
    [
        ("nonzero", 0.1, "10 % of the non-zeros hidden"),
        ("entries", 0.25, "25 % of all entries hidden, zeros included"),
        ("thin", 0.1, "10 % of the molecules held out"),
        (None, None, "nothing hidden"),
    ],
)
def test_masks_in_words(mode, fraction, words):
    assert described_mask(mode, fraction) == words


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content.pop("format"), "is not a result of `scinfill evaluate`"),
        (lambda content: content.update(format_version=99), "format version 99"),
        (lambda content: content.pop("estimates"), "'estimates' is missing"),
        (lambda content: content["data"][0]["estimates"].append("ghost"), "estimates that are not there"),
        (lambda content: content["data"][0].pop("n_cells"), "no 'n_cells'"),
        (lambda content: content["estimates"].update(raw=3), "estimate 'raw' has no 'kind'"),
        (lambda content: content["estimates"]["raw"]["scores"]["ari"].pop("n"), "score 'ari' of 'raw' has no 'n'"),
        (lambda content: content["estimates"]["raw"]["scores"]["ari"].update(value="high"), "no 'value'"),
        (lambda content: content["estimates"]["raw"].update(effect=[1]), "the effect of 'raw' has no 'n_genes'"),
        (
            lambda content: content["estimates"]["raw"].update(effect={"n_genes": 9, "genes_gated_shut": "all"}),
            "the effect of 'raw' has no 'genes_gated_shut'",
        ),
        (
            lambda content: content["estimates"]["raw"].update(saved_model={"model": 7}),
            "the saved model of 'raw' has no 'model'",
        ),
    ],
)
def test_foreign_and_damaged_files_are_named(damage, message):
    content = document({"raw": {"ari": 1.0}})
    damage(content)
    with pytest.raises(DataError, match=message):
        collect([("odd.json", content)])


@pytest.mark.parametrize(("value", "text"), [(-0.5, "−0.500"), (-1e-9, "0.000"), (0.0, "0.000"), (2.0, "2.000")])
def test_numbers_have_a_real_minus_and_zero_has_none(value, text):
    assert signed(value) == text
