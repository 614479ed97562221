"""The page about one table: its facts are those of the table, whatever made it."""

import re

import numpy as np
import pytest
from anndata import AnnData

import scinfill
from _worlds import LABELS, imputed, label_means, masked
from scinfill.errors import DataError, InputError
from scinfill.methods.rerun import JOIN, SOURCES, SPLIT, STEPS
from scinfill.reporting.one_file import compare_values
from scinfill.reporting.steps import TOLD, step_in_words

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

HOSTILE = '<script>alert("x")</script> & $gene_{1}$'


@pytest.fixture(scope="module")
def table():
    """An imputed table with uncertainty and held-out molecules."""
    return scinfill.impute_deepmc(masked("thin", null_genes=6), rank=2, uncertainty=True)


@pytest.fixture(scope="module")
def page(table, few_resamples, plain_figures):
    return scinfill.report(table)


@pytest.fixture(scope="module")
def labelled(table, few_resamples, plain_figures):
    return scinfill.report(table, labels=LABELS)


def text_of(report):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<(style|svg).*?</\1>", "", report.html, flags=re.S)))


def test_every_step_is_a_sentence_with_its_seed_and_what_is_no_default(page):
    text = text_of(page)
    for words in (
        "150 cells and 120 genes of 3 types were simulated",
        "of these the 60 most dispersed taken",
        "20 % of the molecules held out, and 6 simulated genes",
        "deepMc (matrix factorisation): estimate &#x27;shrunk&#x27;",
        "rank 2, uncertainty True",
    ):
        assert words in text


def test_every_verb_that_records_a_step_has_a_sentence():
    assert {*STEPS, *SOURCES, SPLIT, JOIN, "adopt"} <= set(TOLD)


def test_tables_that_were_joined_and_split_tell_so():
    first, second = (scinfill.simulate(n_cells=40, n_genes=60, seed=seed) for seed in (1, 2))
    joined = scinfill.preprocess(scinfill.join({"a": first, "b": second}), min_counts=1)
    text = text_of(scinfill.report(joined))
    assert "Several tables became one, with the common genes; obs[&#x27;sample&#x27;] says" in text
    assert "The cells whose obs[&#x27;sample&#x27;] is &#x27;b&#x27; were taken" in text_of(
        scinfill.report(scinfill.split(joined, by="sample")["b"])
    )


def test_a_step_of_a_verb_that_is_not_known_is_told_too():
    step = {"command": "polish", "parameters": {"a": 1}, "metrics": {}, "version": "9", "seed": 3}
    assert step_in_words(step) == "A step with 1 parameters (scinfill 9 polish, seed 3)."


def test_gate_and_weights_are_those_of_the_genes_without_null_genes(table, page):
    text = text_of(page)
    real = table.var[~table.var["null_gene"]]
    shut = int((real["imputation_gate"] == 0).sum())
    assert f"The gate is open for {len(real) - shut} of {len(real)} genes" in text
    assert f"on average over genes {100 * real['observed_weight'].mean():.0f} % was seen" in text
    assert "6 simulated genes without structure" in text


def test_values_are_compared_where_they_are():
    rng = np.random.default_rng(0)
    adata = masked("thin")
    values = adata.X.toarray()
    new = np.where(rng.random(values.shape) < 0.5, values, values + 1).astype(np.float32)
    change = compare_values(imputed(adata, new), np.ones(adata.n_vars, bool))
    seen = values > 0
    assert change.unchanged == pytest.approx((new == values)[seen].mean())
    assert change.moved == pytest.approx(np.abs(new - values)[seen].mean(), rel=1e-5)
    assert change.filled == pytest.approx((new > np.log2(1.5))[~seen].mean())
    assert change.seen.sum() == change.imputed_seen.sum() == seen.sum()
    assert change.imputed_zero.sum() == (~seen).sum()
    np.testing.assert_allclose(change.mean, values.mean(axis=0), rtol=1e-5)


@pytest.mark.slow
def test_labels_bring_markers_and_their_genes(table, labelled):
    found = scinfill.markers(table, groupby=LABELS).uns["scinfill_markers"]
    supported = found[found["supported"] & (found["log2fc"] > 0)]
    text = text_of(labelled)
    for group, rows in supported.groupby("group", observed=True):
        assert f"{group} {len(rows):,}" in text
        assert rows["gene"].iloc[0] in text
    assert 'id="f-gene-1-' in labelled.html


def test_without_labels_the_page_says_how_to_get_markers(page):
    text = text_of(page)
    assert "None: name labels, as in scinfill report --labels COLUMN; columns that look like labels: cell_type" in text


@pytest.mark.slow
def test_markers_that_the_table_holds_need_no_labels(table):
    text = text_of(scinfill.report(scinfill.markers(table, groupby=LABELS)))
    assert "supported by the counts" in text


def test_calibration_is_asked_of_the_molecules_in_the_table(page):
    assert [one.answer for one in page.sentences if one.question == "Are its intervals honest?"]


@pytest.mark.slow
def test_the_page_never_recommends_a_test_nor_says_that_it_helped(labelled):
    answers = {one.question: one.answer for one in labelled.sentences}
    assert answers["Use it to test for differential expression?"] == "no"
    assert answers["Did it help?"] == "unknown"


@pytest.mark.slow
def test_factors_tell_what_the_dense_layer_tells(page):
    dense = page.sentences[0].text
    factors = scinfill.impute_deepmc(masked("thin", null_genes=6), rank=2, form="factors")
    assert scinfill.report(factors).sentences[0].text == dense


def test_a_table_that_is_not_imputed_says_so():
    [sentence] = scinfill.report(masked("thin")).sentences
    assert (sentence.answer, sentence.question) == ("no", "Was anything imputed?")


def test_another_programs_values_have_no_gate():
    adata = masked("thin")
    adopted = scinfill.adopt(adata, label_means(adata), method="magic", scale="log2")
    text = text_of(scinfill.report(adopted))
    assert "The result of another program, magic, was taken in" in text
    assert "There was no gate" in text


def test_what_scinfill_never_saw_is_refused():
    with pytest.raises(DataError, match="holds no step of scinfill"):
        scinfill.report(AnnData(np.ones((3, 2))))


@pytest.mark.slow
def test_names_are_escaped_and_every_link_leads_somewhere(table):
    table = table.copy()
    table.var_names = [f"{name}{HOSTILE}" for name in table.var_names]
    table.obs["kind"] = table.obs[LABELS].astype(str) + HOSTILE
    html = scinfill.report(table, labels="kind", title=HOSTILE).html
    assert "<script" not in html
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r'id="([^"]+)"', html))
    assert len(re.findall(r'\bid="', html)) == len(set(re.findall(r'\bid="([^"]+)"', html)))


@pytest.mark.slow
def test_the_table_is_never_changed(table):
    before = table.copy()
    scinfill.report(table, labels=LABELS)
    assert list(before.uns) == list(table.uns)
    assert list(before.var) == list(table.var)


@pytest.mark.parametrize(
    ("more", "options", "words"),
    [
        (1, {}, "takes it alone"),
        (0, {"missing": ["x"]}, "`missing` goes with results"),
        (0, {"cost": "costs.csv"}, "`cost` goes with results"),
        (0, {"labels": "nothing"}, "no column 'nothing'"),
    ],
)
def test_what_a_page_about_one_table_has_no_place_for(table, more, options, words):
    with pytest.raises(InputError, match=words):
        scinfill.report([table] + [table] * more, **options)
