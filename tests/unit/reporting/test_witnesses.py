"""What proteins and a known gradient say of an input, in the verdict and as tables."""

import pytest

import scinfill
from _proteins import antibodies
from _results import document
from _worlds import imputed
from scinfill.reporting import witnesses
from scinfill.reporting.build import build
from scinfill.reporting.results import collect
from scinfill.reporting.verdict import verdict

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

RAW = {"protein_correlation": 0.4, "protein_correlation_within": 0.1, "protein_r2": 0.5, "protein_r2_labels": 0.45}
FOLLOWS = {"gradient_component": 0.6, "gradient_genes": 0.3, "gradient_others": 0.05, "gradient_null": 0.02}


def settings(raw, deepmc):
    return collect([("a.json", document({"raw": raw, "deepmc": deepmc}))])


def answered(raw, deepmc, question):
    return next((found for found in verdict(settings(raw, deepmc)) if question in found.question), None)


@pytest.mark.parametrize(
    ("change", "answer", "words"),
    [
        ({"protein_correlation": 0.6}, "yes", "Yes. Proteins correlate with their genes at 0.60 (raw 0.40)"),
        ({"protein_correlation": 0.3}, "no", "No, raw counts are nearer."),
        ({}, "same", "It makes no difference."),
        (
            {"protein_correlation": 0.6, "protein_correlation_within": 0.0},
            "same",
            "In part: they are nearer to their genes, further to their genes within labels.",
        ),
    ],
)
def test_proteins_answer_beside_raw(change, answer, words):
    found = answered(RAW, RAW | change, "proteins")
    assert found.answer == answer
    assert found.text.startswith(words)
    assert "within labels at" in found.text
    assert "explain R² 0.50 (raw 0.50) of them, labels alone 0.45." in found.text


def test_components_alone_are_enough_for_a_sentence():
    found = answered({"protein_r2": 0.5}, {"protein_r2": 0.6}, "proteins")
    assert found.text == "Yes. The leading components explain R² 0.60 (raw 0.50) of them."


@pytest.mark.parametrize(
    ("change", "answer", "words"),
    [
        ({"gradient_component": 0.9}, "yes", "Yes. The first component follows it with a rank correlation of 0.90"),
        ({"gradient_component": 0.3}, "no", "No, raw counts show it better."),
        ({"gradient_genes": 0.9}, "same", "It makes no difference to the first component."),
        ({"gradient_component": 0.9, "gradient_others": 0.4}, "yes", "Yes."),
        ({"gradient_component": 0.9, "gradient_null": 0.4}, "no", "No, it bends genes along it that depend on library"),
    ],
)
def test_the_gradient_answers_beside_raw(change, answer, words):
    found = answered(FOLLOWS, FOLLOWS | change, "gradient")
    assert found.answer == answer
    assert found.text.startswith(words)
    assert "genes that hardly do with" in found.text


def test_nothing_is_said_where_nothing_was_asked():
    plain = {"ari": 0.5}
    assert answered(plain, plain, "proteins") is None
    assert answered(plain, plain, "gradient") is None
    [setting] = settings(plain, plain)
    assert witnesses.protein_table(setting) is None
    assert witnesses.gradient_table(setting) is None


@pytest.mark.slow
def test_every_protein_and_gene_has_its_rows_and_names_are_escaped():
    world = scinfill.simulate(n_cells=250, n_genes=40, n_types=2, depth=300, de_share=0.5, seed=3)
    table = scinfill.preprocess(world, n_genes=None)
    names = list(table.var_names[:4])
    table.obsm["protein"] = antibodies(table, names).rename(columns={f"{names[0]}_TotalSeqB": "<b>CD3</b>"})
    table.obs["dose"] = table.obs["cell_type"].cat.codes.astype(float)
    results = scinfill.evaluate(
        imputed(table, table.layers["truth"]),
        labels="cell_type",
        proteins="protein",
        protein_genes={"<b>CD3</b>": names[0]},
        gradient="dose",
        n_starts=1,
    )
    [setting] = collect([("a.json", results)])
    rows = witnesses.protein_rows(setting)
    assert set(rows["protein"]) == {"<b>CD3</b>", *(f"{name}_TotalSeqB" for name in names[1:])}
    assert set(rows["gene"]) == set(names)
    assert list(rows.columns[3:]) == ["raw", "gene-mean", "svd-10", "made-up (model)"]
    assert not rows.isna().any(axis=None)
    of_first = results["estimates"]["raw"]["details"]["protein_genes"]["proteins"][0]
    is_row = (rows["protein"] == of_first["protein"]) & (rows["measure"] == "correlation with its gene")
    assert rows.loc[is_row, "raw"].item() == of_first["correlation"]
    assert len(witnesses.gradient_rows(setting)) == len(
        results["estimates"]["raw"]["details"]["gradient_genes"]["genes"]
    )
    html = build([("a.json", results)]).html
    assert "Surface proteins" in html
    assert "Known gradient" in html
    assert "&lt;b&gt;CD3&lt;/b&gt;" in html
    assert "<b>CD3</b>" not in html
