"""Genes to look at: the ones that were named, or markers by the counts; as they stand in the matrices."""

import numpy as np
import pytest

import scinfill
from _worlds import LABELS, imputed, label_means, masked
from scinfill.errors import InputError
from scinfill.evaluation.case import Settings
from scinfill.evaluation.evaluate import run
from scinfill.evaluation.genes import MARKERS_A_LABEL, MOST_GENES


def table(values=None, **kind):
    made = masked("thin", null_genes=4)
    return imputed(made, label_means(made) if values is None else values, **kind)


def look(adata, show_genes, labels=LABELS):
    wanted = (show_genes,) if isinstance(show_genes, str) else tuple(show_genes)
    scored = run([(None, adata)], Settings(labels=labels, show_genes=wanted), experiments=()).document["estimates"]
    return {name: record["details"]["genes"] for name, record in scored.items() if "genes" in record["details"]}


def test_values_are_those_of_the_matrices_before_and_after():
    adata = table()
    genes = [adata.var_names[7], adata.var_names[2]]
    found = look(adata, genes)
    assert list(found) == ["raw", "made-up"]
    for name, matrix in (("raw", adata.X.toarray()), ("made-up", adata.layers["imputed"])):
        assert [record["gene"] for record in found[name]["genes"]] == genes
        for record in found[name]["genes"]:
            own = matrix[:, adata.var_names.get_loc(record["gene"])]
            np.testing.assert_allclose(record["values"], own, atol=1e-3)
            for row in record["by_label"]:
                cells = own[(adata.obs[LABELS] == row["label"]).to_numpy()]
                assert row["n"] == cells.size
                np.testing.assert_allclose(
                    row["quantiles"], np.quantile(cells, [0.05, 0.25, 0.5, 0.75, 0.95]), atol=1e-3
                )


def test_fold_changes_lie_in_their_intervals_and_agree_with_markers():
    adata = table()
    gene = adata.var_names[3]
    rows = look(adata, [gene])["made-up"]["genes"][0]["by_label"]
    marked = scinfill.markers(adata, groupby=LABELS).uns["scinfill_markers"].set_index(["group", "gene"])
    for row in rows:
        assert row["interval"][0] < row["log2fc"] < row["interval"][1]
        expected = marked.loc[(row["label"], gene)]
        assert row["log2fc"] == pytest.approx(expected["log2fc"], abs=1e-3)
        assert row["interval"] == pytest.approx([expected["log2fc_low"], expected["log2fc_high"]], abs=1e-3)


def test_values_that_are_no_means_have_no_fold_change():
    adata = table(estimate="detected")
    rows = look(adata, [adata.var_names[3]])["made-up"]["genes"][0]["by_label"]
    assert not any("log2fc" in row for row in rows)


def test_markers_are_chosen_by_the_counts_whatever_was_imputed():
    honest, wrong = table(), table(np.random.default_rng(0).random(table().shape))
    first, second = (
        [(record["gene"], record["marks"]) for record in look(adata, "markers")["made-up"]["genes"]]
        for adata in (honest, wrong)
    )
    assert first == second
    labels = [label for _, label in first]
    assert set(labels) == set(honest.obs[LABELS])
    assert max(labels.count(label) for label in labels) <= MARKERS_A_LABEL
    assert not honest.var.loc[[gene for gene, _ in first], "null_gene"].any()


def test_markers_mark():
    adata = table()
    counts = adata.layers["counts"].toarray() / adata.obs["size_factor"].to_numpy()[:, None]
    for record in look(adata, "markers")["raw"]["genes"]:
        own = counts[:, adata.var_names.get_loc(record["gene"])]
        inside = (adata.obs[LABELS] == record["marks"]).to_numpy()
        assert own[inside].mean() > own[~inside].mean()


@pytest.mark.parametrize(
    ("genes", "labels", "words"),
    [
        (["{upper}"], LABELS, ["no such gene among the 64", "{name}", "--n-genes all"]),
        (["§§§"], LABELS, ["names look like"]),
        ("markers", None, ["needs labels"]),
        (["{name}"] + [f"gene{number}" for number in range(MOST_GENES)], LABELS, ["31 genes; 30 at most"]),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_remedy(genes, labels, words):
    adata = table()
    adata.var_names = [f"aBc{number}x" for number in range(adata.n_vars)]
    fill = {"name": adata.var_names[5], "upper": adata.var_names[5].upper() + "Z"}
    wanted = genes if isinstance(genes, str) else [gene.format(**fill) for gene in genes]
    with pytest.raises(InputError) as error:
        look(adata, wanted, labels)
    for word in words:
        assert word.format(**fill) in str(error.value)


def test_without_labels_all_cells_are_drawn():
    adata = table()
    found = look(adata, [adata.var_names[1]], labels=None)["made-up"]
    assert [row["label"] for row in found["genes"][0]["by_label"]] == ["all cells"]
    assert len(found["first"]) == len(found["genes"][0]["values"]) == adata.n_obs
