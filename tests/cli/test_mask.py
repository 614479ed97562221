import pytest

import scinfill
from _support import assert_adata_equal, assert_refused, from_bytes, invoke, to_bytes
from scinfill.io import h5ad


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5ad"


def test_file_to_file(table, table_file, out):
    result = invoke("mask", table_file, "-o", out)
    assert (result.exit_code, result.stdout_bytes) == (0, b"")
    assert_adata_equal(h5ad.read(out), scinfill.mask(table))


@pytest.mark.slow
def test_pipe_to_pipe_gives_the_same_bytes(table, table_file, out):
    invoke("mask", table_file, "-o", out)
    result = invoke("mask", stdin=table_file.read_bytes())
    assert result.stdout_bytes == out.read_bytes()
    assert_adata_equal(from_bytes(result.stdout_bytes), scinfill.mask(table))


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--mode", "nonzero"], {"mode": "nonzero"}),
        (["--mode", "entries"], {"mode": "entries"}),
        (["--mode", "thin"], {"mode": "thin"}),
        (["--mode", "halves"], {"mode": "halves"}),
        (["--fraction", 0.35], {"fraction": 0.35}),
        (["--seed", 7], {"seed": 7}),
        (["--null-genes", 4], {"null_genes": 4}),
        (["--fraction", 0, "--null-genes", 4], {"fraction": 0.0, "null_genes": 4}),
        (["--layer", "log2"], {"layer": "log2"}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_every_option_reaches_the_method(table, out, options, settings):
    table.layers["log2"] = table.X.copy()
    result = invoke("mask", "-o", out, *options, stdin=to_bytes(table))
    assert result.exit_code == 0, result.stderr
    assert_adata_equal(h5ad.read(out), scinfill.mask(table, **settings))


@pytest.mark.parametrize(
    "options",
    [
        ["--mode", "all"],
        ["--mode", "halves", "--fraction", "0.1"],
        ["--fraction", "0"],
        ["--fraction", "1"],
        ["--fraction", "10%"],
        ["--seed", "-1"],
        ["--null-genes", "-1"],
        ["--layer", "absent"],
    ],
    ids=" ".join,
)
def test_wrong_usage(table_file, options):
    assert_refused(invoke("mask", table_file, *options), 2)


def test_raw_counts_name_the_remedy(counts_file):
    assert_refused(invoke("mask", counts_file), 3, "raw counts", "`scinfill preprocess`")


def test_masking_twice(table_file, out):
    invoke("mask", table_file, "-o", out)
    before = out.read_bytes()
    assert_refused(invoke("mask", out, "-o", out), 3, "masked already")
    assert out.read_bytes() == before


def test_thinning_without_counts(table, out):
    del table.layers["counts"]
    assert_refused(invoke("mask", "--mode", "thin", "-o", out, stdin=to_bytes(table)), 3, "layers['counts']")
    assert not out.exists()
