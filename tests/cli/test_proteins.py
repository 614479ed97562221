"""Proteins and a gradient at the command line: keys, tables in either direction, and one line where it cannot be."""

import gzip
import json

import numpy as np
import pytest

import scinfill
from _proteins import antibodies
from _support import assert_refused, invoke, make_counts, to_bytes

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

GENES = ("gene1", "gene2", "gene3")


@pytest.fixture(scope="module")
def table():
    world = scinfill.simulate(n_cells=120, n_genes=30, n_types=2, depth=400, de_share=0.5, seed=3)
    world.obsm["protein"] = antibodies(world, GENES)
    world.obs["dose"] = np.linspace(0, 1, world.n_obs)
    return scinfill.preprocess(world, n_genes=None, min_counts=1)


@pytest.fixture
def path(tmp_path, table):
    (tmp_path / "cells.h5ad").write_bytes(to_bytes(table))
    return tmp_path / "cells.h5ad"


def evaluated(*args):
    result = invoke("evaluate", *args, "--starts", 1, "-q")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["estimates"]["raw"]


@pytest.mark.slow
def test_a_key_and_tables_in_either_direction_are_the_same(path, table, tmp_path):
    counts = table.obsm["protein"]
    counts.to_csv(tmp_path / "proteins.csv")
    (tmp_path / "turned.tsv.gz").write_bytes(gzip.compress(counts.T.to_csv(sep="\t").encode()))
    expected = evaluated(path, "--proteins", "protein")["scores"]
    assert "protein_correlation" in expected
    assert evaluated(path, "--proteins", tmp_path / "proteins.csv")["scores"] == expected
    assert evaluated(path, "--proteins", tmp_path / "turned.tsv.gz")["scores"] == expected


def test_genes_of_proteins_are_named_in_pairs(path, table, tmp_path):
    names = ["HLA-A,B,C", "two", "three"]
    table.obsm["protein"].set_axis(names, axis=1).to_csv(tmp_path / "proteins.csv")
    pairs = f"HLA-A,B,C={GENES[0]}, two={GENES[1]}"
    record = evaluated(path, "--proteins", tmp_path / "proteins.csv", "--protein-genes", pairs)
    rows = record["details"]["protein_genes"]["proteins"]
    assert [(row["protein"], row["gene"]) for row in rows] == list(zip(names[:2], GENES[:2], strict=True))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--proteins", "adt"), 2, "--proteins adt is neither a file nor a key of obsm (keys present: protein)"),
        (("--proteins", "protein", "--protein-genes", "CD3"), 2, "'CD3' is not PROTEIN=GENE"),
        (("--proteins", "protein", "--protein-genes", "CD3="), 2, "is not PROTEIN=GENE"),
        (("--proteins", "protein", "--protein-genes", "CD3=gene1"), 2, "--protein-genes: there is no protein 'CD3'"),
        (("--proteins", "protein", "--protein-genes", "gene1_TotalSeqB=none"), 2, "`scinfill preprocess --n-genes"),
        (("--protein-genes", "CD3=gene1"), 2, "say where their counts are with --proteins"),
        (("--gradient", "age"), 2, "there is no column 'age' in obs; columns present:"),
        (("--gradient", "cell_type"), 3, "not numbers ('type"),
        (("--gradient-genes", "gene1"), 2, "name its column of obs as --gradient"),
        (("--gradient", "dose", "--gradient-genes", "gene1,,"), 2, "holds an empty name"),
        (("--gradient", "dose", "--gradient-genes", "nothing"), 2, "--gradient-genes: there is no gene 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(path, args, code, words):
    assert_refused(invoke("evaluate", path, *args), code, words)


def test_a_name_that_is_both_key_and_file_is_not_guessed(path, tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.obsm["protein"].to_csv("protein")
    assert_refused(invoke("evaluate", path, "--proteins", "protein"), 2, "for the file write ./protein")
    assert "protein_r2" in evaluated(path, "--proteins", "./protein")["scores"]


@pytest.mark.parametrize("kind", ["h5ad", "strangers"])
def test_a_file_that_is_no_table_of_these_cells_is_refused(path, tmp_path, kind):
    other = tmp_path / "other"
    other.write_bytes(to_bytes(make_counts()) if kind == "h5ad" else b"cell,CD3,CD4\nnobody,1,2\n")
    words = "is an HDF5 file" if kind == "h5ad" else "names none of the 120 cells: it has 'nobody' and 'CD3'"
    assert_refused(invoke("evaluate", path, "--proteins", other), 3, words)


def test_the_gradient_is_scored_and_shown(path):
    result = invoke("evaluate", path, "--gradient", "dose", "--starts", 1)
    assert "first component and gradient" in result.stderr
    scores = json.loads(result.stdout)["estimates"]["raw"]["scores"]
    assert {"gradient_component", "gradient_genes", "gradient_others"} <= scores.keys()
    named = evaluated(path, "--gradient", "dose", "--gradient-genes", "gene1,gene2")
    assert [row["gene"] for row in named["details"]["gradient_genes"]["genes"]] == ["gene1", "gene2"]
