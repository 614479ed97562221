"""What comes after imputation: matrices of other programs, records, results, folders; each may be wrong as well."""

import json
import shutil

import numpy as np
import pytest
from scipy import io as matrix_market
from scipy import sparse

import scinfill
from _results import document
from _support import assert_refused, invoke, make_counts
from scinfill.io import h5ad, scores
from scinfill.methods import provenance

HEADER = "%%MatrixMarket matrix coordinate {field} general\n"
SHAPE = "26 40"
"""Genes x cells of the table."""


@pytest.fixture
def out(tmp_path):
    """An earlier output, which every failure leaves alone, and nothing beside it."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out").write_bytes(b"earlier")
    yield folder / "out"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"out": b"earlier"}


# --- adopt ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", 3, "not a usable Matrix Market file"),
        ("gene,cell\n1,2\n", 3, "not a usable Matrix Market file"),
        (HEADER + "10 40 1\n1 1 1\n", 3, "is 10 genes x 40 cells, the table 26 genes x 40 cells"),
        (HEADER + "1000000000000000 40 1\n1 1 1\n", 3, "is 1000000000000000 genes"),
        (HEADER + f"{SHAPE} 9\n1 1 1\n", 3, "Truncated"),
        (HEADER + f"{SHAPE} 999999999999\n1 1 1\n", 4, "of memory"),
        (HEADER + f"{SHAPE} 1\n99 1 1\n", 3, "out of bounds"),
        (HEADER + f"{SHAPE} 1\n-1 1 1\n", 3, "out of bounds"),
        (HEADER + f"{SHAPE} 1\n1 1 many\n", 3, "not a usable Matrix Market file"),
        (HEADER + f"{SHAPE} 1\n2 1 nan\n", 3, "cell 'cell0', gene 'gene"),
        (HEADER + f"{SHAPE} 1\n2 1 inf\n", 3, "cell 'cell0', gene 'gene"),
        (HEADER + f"{SHAPE} 1\n2 1 -3\n", 3, "cell 'cell0', gene 'gene"),
        (HEADER.format(field="complex") + f"{SHAPE} 1\n1 1 1 1\n", 3, "holds a complex matrix"),
    ],
    ids=[
        "empty",
        "another format",
        "other shape",
        "absurd shape",
        "cut",
        "absurd number",
        "row beyond",
        "row before",
        "text",
        "NaN",
        "infinite",
        "negative",
        "complex",
    ],
)
def test_a_foreign_matrix(table_file, tmp_path, out, text, code, word):
    matrix = tmp_path / "matrix.mtx"
    matrix.write_text(text.format(field="real"))
    result = invoke("adopt", table_file, "--matrix", matrix, "--method", "other", "-o", out)
    assert_refused(result, code, word)


@pytest.mark.parametrize("name", ["absent.mtx", "", "-"])
def test_no_foreign_matrix(table_file, tmp_path, monkeypatch, out, name):
    monkeypatch.chdir(tmp_path)
    assert_refused(invoke("adopt", table_file, "--matrix", name, "--method", "other", "-o", out), 2, "it is no file")


# --- export ---------------------------------------------------------------------------------------------------------


def test_an_export_into_what_is_there(table_file, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder", table_file.name):
        assert_refused(invoke("export", table_file, "-o", tmp_path / name), 2, name, "exists already")
    assert_refused(invoke("export", table_file, "-o", "-"), 2, "cannot go to standard output")
    assert_refused(invoke("export", table_file, "-o", table_file / "folder"), 2, "there is no folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_name_that_is_no_line_leaves_no_folder(table, tmp_path):
    table.var_names = ["two\nlines", *table.var_names[1:]]
    h5ad.write(table, tmp_path / "in.h5ad")
    assert_refused(invoke("export", tmp_path / "in.h5ad", "-o", tmp_path / "new"), 3, "gene name 'two\\nlines'")
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]


# --- reconstruct ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(originals):
    return scinfill.impute_deepmc(originals[0]["table"], rank=2, form="factors")


@pytest.fixture
def factors(made):
    return made.copy()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.obsm.pop("X_deepmc"), ["holds no factors", "impute-deepmc"]),
        (lambda table: table.varm.pop("deepmc"), ["holds no factors", "impute-deepmc"]),
        (lambda table: table.obsm.update(X_deepmc=np.zeros((40, 7), np.float32)), ["obsm['X_deepmc'] has 7 factors"]),
        (lambda table: table.varm.update(deepmc=sparse.csr_matrix((26, 2))), ["must be matrices of numbers"]),
        (lambda table: table.var.pop("model_gain"), ["var['model_gain'] is missing"]),
        (
            lambda table: table.var.__setitem__("model_gain", ["a"] * 26),
            ["var['model_gain'] holds values that are not numbers"],
        ),
        (lambda table: table.uns["scinfill"].update(model="nothing"), ["'nothing', which no version"]),
        (lambda table: table.uns.update(scinfill=np.arange(3)), ["uns['scinfill'] is not a record"]),
    ],
    ids=["no cells", "no genes", "other rank", "sparse", "no gain", "text", "no model", "no record"],
)
def test_damaged_factors(factors, tmp_path, out, spoil, words):
    spoil(factors)
    h5ad.write(factors, tmp_path / "in.h5ad")
    assert_refused(invoke("reconstruct", tmp_path / "in.h5ad", "-o", out), 3, *words)


@pytest.mark.parametrize("option", ["--genes", "--cells"])
def test_a_name_that_is_not_there(factors, tmp_path, out, option):
    h5ad.write(factors, tmp_path / "in.h5ad")
    assert_refused(invoke("reconstruct", tmp_path / "in.h5ad", option, "NOPE", "-o", out), 2, "NOPE", "1 of 1 names")


# --- rerun ----------------------------------------------------------------------------------------------------------


def damaged(content):
    """Return ways in which counts are unusable, with the word that tells them."""
    return {
        "cut": (content[: len(content) // 2], "truncated"),
        "empty": (b"", "empty"),
        "text": (b"these are no counts\n", "HDF5"),
    }


@pytest.mark.parametrize("way", ["cut", "empty", "text"])
def test_damaged_counts_for_a_repetition(table_file, counts_file, out, way):
    content, word = damaged(counts_file.read_bytes())[way]
    counts_file.write_bytes(content)
    assert_refused(invoke("rerun", table_file, "--input", counts_file, "-o", out), 3, "counts.h5ad", word)


def test_no_counts_for_a_repetition(table_file, tmp_path, out):
    assert_refused(invoke("rerun", table_file, "--input", tmp_path / "absent", "-o", out), 2, "absent", "No such file")
    assert_refused(invoke("rerun", table_file, "-o", out), 2, "--input")


@pytest.mark.parametrize(
    ("steps", "code", "word"),
    [
        (["not JSON"], 3, "not a record of scinfill steps"),
        (["[" * 100_000], 3, "not a record of scinfill steps"),
        (["{}"], 3, "step 1 names no verb"),
        (['{"command": "preprocess", "parameters": []}'], 3, "parameters of step 1"),
        (['{"command": "rm", "parameters": {"path": "/"}}'], 3, "step 1 is 'rm', which scinfill"),
        (['{"command": "os.system", "parameters": {}}'], 3, "step 1 is 'os.system', which scinfill"),
        (['{"command": "preprocess", "parameters": {"adata": 3}}'], 3, "has a parameter 'adata'"),
        (['{"command": "preprocess", "parameters": {"keep_genes": 3}}'], 3, "not usable"),
        (['{"command": "preprocess", "parameters": {"preset": "none"}}'], 2, "step 1 (preprocess): `preset='none'`"),
        (
            ['{"command": "preprocess", "parameters": {"n_genes": "all"}}'],
            2,
            "step 1 (preprocess): `n_genes` must be 1",
        ),
        (['{"command": "preprocess", "parameters": {"n_genes": -3}}'], 2, "step 1 (preprocess): `n_genes` must be 1"),
        (['{"command": "simulate", "parameters": {"n_cells": 1000000000000}}'], 2, "which reads nothing"),
        (['{"command": "adopt", "parameters": {"method": "x"}}'], 3, "another program, which cannot be repeated"),
    ],
)
def test_a_hostile_record_is_named_never_executed(table, counts_file, tmp_path, out, steps, code, word):
    table.uns["scinfill"]["steps"] = np.array(steps, dtype=object)
    h5ad.write(table, tmp_path / "in.h5ad")
    assert_refused(invoke("rerun", "-q", tmp_path / "in.h5ad", "--input", counts_file, "-o", out), code, word)


def test_an_absurd_world_in_a_record_is_a_lack_of_memory(table, tmp_path, out):
    step = provenance.steps(scinfill.simulate(n_cells=20, n_genes=10))[0]
    step["parameters"]["n_cells"] = 10**13
    table.uns["scinfill"]["steps"] = np.array([json.dumps(step)], dtype=object)
    h5ad.write(table, tmp_path / "in.h5ad")
    assert_refused(
        invoke("rerun", "-q", tmp_path / "in.h5ad", "-o", out), 4, "step 1 (simulate): simulating", "of memory"
    )


# --- simulate, demo -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("--cells", 10**9, "--genes", 10**6), 4, "of memory"),
        (("--cells", 1), 2, "--cells"),
        (("--cells", 3, "--types", 5), 2, "--types must be at least 1 and at most the cells"),
        (("--depth", 1e300), 2, "--depth"),
        (("--depth", "nan"), 2, "--depth must be positive"),
        (("--de-log2fc", 1e5), 2, "--de-log2fc"),
        (("--dropout", "nan"), 2, "--dropout must be a number"),
        (("--density", 0.1, "--depth", 10), 2, "give one of them"),
    ],
    ids=str,
)
def test_an_impossible_world(out, options, code, word):
    assert_refused(invoke("simulate", *options, "-o", out), code, word)


@pytest.mark.parametrize("place", ["counts.h5ad", "counts.h5ad/folder"])
def test_a_demonstration_where_a_file_is(counts_file, place):
    before = counts_file.read_bytes()
    assert invoke("demo", "-o", counts_file.parent / place).exit_code == 2
    assert counts_file.read_bytes() == before


# --- report ---------------------------------------------------------------------------------------------------------


def result(**changes):
    return json.dumps(document({"deepmc": {"poisson": -0.4}, "raw": {"poisson": -0.3}}) | changes)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not JSON"),
        ("\x00\x01", "not JSON"),
        ("[]", "a JSON list, not an object"),
        ("[" * 100_000, "not JSON"),
        ("{}", "not a result of `scinfill evaluate`"),
        (result(format="other"), "not a result of `scinfill evaluate`"),
        (result(format_version=99), "format version 99"),
        (result(estimates=[]), "in.json"),
        (result(estimates={"deepmc": 3}), "in.json"),
        (result(estimates={"deepmc": {"scores": {"poisson": "low"}}}), "in.json"),
        (result(data=3), "in.json"),
        (result(metrics=None), "in.json"),
        (result()[:-40], "not JSON"),
    ],
    ids=[
        "empty",
        "binary",
        "a list",
        "deep",
        "nothing",
        "another format",
        "another version",
        "no estimates",
        "a number for scores",
        "text for a score",
        "no data",
        "no metrics",
        "cut",
    ],
)
def test_results_that_are_none(tmp_path, out, text, word):
    (tmp_path / "in.json").write_text(text)
    assert_refused(invoke("report", tmp_path / "in.json", "-o", out), 3, "in.json", word)


def test_results_that_are_not_there(tmp_path, out):
    assert_refused(invoke("report", tmp_path / "absent.json", "-o", out), 2, "absent.json", "No such file")
    assert_refused(invoke("report", tmp_path, "-o", out), 2, "Is a directory")
    assert_refused(invoke("report", "-o", out, stdin=b""), 3, "standard input", "empty")


@pytest.mark.slow
def test_names_that_would_run_are_text_in_the_report(tmp_path):
    hostile = "<script>alert(1)</script>"
    made = document({hostile: {"poisson": -0.4}, "raw": {"poisson": -0.3}}, title=hostile)
    scores.write(made, tmp_path / "in.json")
    page = invoke("report", "-q", tmp_path / "in.json", "--title", hostile, "--missing", hostile).stdout
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_damaged_table_of_costs(tmp_path, out):
    (tmp_path / "in.json").write_text(result())
    (tmp_path / "costs.csv").write_bytes(b'name,seconds\n"deepmc,1\n')
    assert_refused(invoke("report", tmp_path / "in.json", "--cost", tmp_path / "costs.csv", "-o", out), 3, "costs.csv")


# --- the input as the output ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["reconstruct", "adopt", "rerun", "mask", "impute-deepmc"])
def test_the_input_may_be_the_output(factors, table, tmp_path, verb):
    path, matrix = tmp_path / "file.h5ad", tmp_path / "matrix.mtx"
    h5ad.write(factors if verb in ("reconstruct", "rerun") else table, path)
    matrix_market.mmwrite(matrix, table.X.T.tocoo())
    h5ad.write(make_counts(), tmp_path / "counts.h5ad")
    needed = {
        "adopt": ("--matrix", matrix, "--method", "copy"),
        "rerun": ("--input", tmp_path / "counts.h5ad"),
        "impute-deepmc": ("--rank", 2),
    }.get(verb, ())
    expected = tmp_path / "expected.h5ad"
    assert invoke(verb, "-q", path, *needed, "-o", expected).exit_code == 0
    shutil.copy(path, tmp_path / "before")
    assert invoke(verb, "-q", path, *needed, "-o", path).exit_code == 0
    assert path.read_bytes() == expected.read_bytes()
