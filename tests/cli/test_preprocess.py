import gzip
import json
import os

import anndata
import numpy as np
import pytest

import scinfill
from _support import (
    assert_adata_equal,
    assert_refused,
    from_bytes,
    invoke,
    make_counts,
    make_droplets,
    shared,
    to_bytes,
)
from scinfill.io import h5ad


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5ad"


def test_file_to_file(counts, counts_file, out):
    result = invoke("preprocess", counts_file, "-o", out)
    assert (result.exit_code, result.stdout_bytes) == (0, b"")
    assert_adata_equal(h5ad.read(out), scinfill.preprocess(counts))


def test_pipe_to_pipe_gives_the_same_bytes(counts, counts_file, out):
    invoke("preprocess", counts_file, "-o", out)
    result = invoke("preprocess", stdin=counts_file.read_bytes())
    assert result.exit_code == 0
    assert result.stdout_bytes == out.read_bytes()
    assert_adata_equal(from_bytes(result.stdout_bytes), scinfill.preprocess(counts))


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--min-counts", 5], {"min_counts": 5}),
        (["--min-cells", 10], {"min_cells": 10}),
        (["--n-genes", 6], {"n_genes": 6}),
        (["--n-genes", "all"], {"n_genes": None}),
        (["--layer", "spliced"], {"layer": "spliced"}),
        (["--keep-spike-ins"], {"keep_spike_ins": True}),
        (["--min-total-counts", 60], {"min_total_counts": 60}),
        (["--round", "--seed", 3], {"round_counts": True, "seed": 3}),
        (["--spike-ins", "gene1[0-9]"], {"spike_ins": "gene1[0-9]"}),
        (["--preset", "paper"], {"preset": "paper"}),
        (["--unique-names"], {"unique_names": True}),
        (["--n-genes", 3, "--keep-genes", "gene2,gene9"], {"n_genes": 3, "keep_genes": ["gene2", "gene9"]}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_every_option_reaches_the_method(tmp_path, out, options, settings):
    counts = make_counts(n_spikes=5)
    counts.write_h5ad(tmp_path / "in.h5ad")
    result = invoke("preprocess", tmp_path / "in.h5ad", "-o", out, *options)
    assert result.exit_code == 0, result.stderr
    assert_adata_equal(h5ad.read(out), scinfill.preprocess(counts, **settings))


def test_genes_in_rows(counts, tmp_path, out):
    """A table as R writes it."""
    frame = counts.to_df().astype(int).T
    text = ",".join(frame.columns) + "\n" + frame.to_csv(header=False)
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(text.encode()))
    result = invoke("preprocess", "--transpose", tmp_path / "in.csv.gz", "-o", out)
    assert result.exit_code == 0, result.stderr
    expected = scinfill.preprocess(counts)
    back = h5ad.read(out)
    np.testing.assert_array_equal(back.X.toarray(), expected.X.toarray())
    assert back.var_names.tolist() == expected.var_names.tolist()


def test_a_table_from_standard_input(counts, out):
    result = invoke("preprocess", "-", "-o", out, stdin=counts.to_df().to_csv(sep="\t").encode())
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(h5ad.read(out).X.toarray(), scinfill.preprocess(counts).X.toarray())


def test_the_same_file_in_and_out(counts, counts_file):
    assert invoke("preprocess", counts_file, "-o", counts_file).exit_code == 0
    assert_adata_equal(h5ad.read(counts_file), scinfill.preprocess(counts))


def test_what_it_says(counts_file, out):
    result = invoke("preprocess", counts_file, "-o", out)
    assert result.stderr.splitlines()[0].startswith("scinfill preprocess: all ")
    assert "chosen by dispersion" in result.stderr.splitlines()[1]


@pytest.mark.parametrize(("flag", "lines"), [("--quiet", 0), ("-q", 0), ("--verbose", 2), ("-v", 2)])
def test_how_much_it_says(counts_file, out, flag, lines):
    assert len(invoke("preprocess", counts_file, "-o", out, flag).stderr.splitlines()) == lines


def test_messages_as_json(counts_file, out):
    result = invoke("preprocess", counts_file, "-o", out, "--log-json")
    levels = [json.loads(line)["level"] for line in result.stderr.splitlines()]
    assert levels == ["info", "info"]


def test_threads_change_nothing(counts_file, out):
    before = dict(os.environ)
    results = [invoke("preprocess", counts_file, "--threads", n).stdout_bytes for n in (1, 2)]
    assert results[0] == results[1] != b""
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "options",
    [
        ["--min-counts", "0"],
        ["--min-cells", "x"],
        ["--n-genes", "0"],
        ["--n-genes", "-1"],
        ["--n-genes", "some"],
        ["--preset", "papers"],
        ["--threads", "0"],
        ["--min-total-counts", "-1"],
        ["--spike-ins", "("],
        ["--spike-ins", "^SIRV", "--keep-spike-ins"],
        ["--bogus"],
        ["--layer", "absent"],
        ["-o", "absent/folder/out.h5ad"],
        ["-o", "."],
    ],
    ids=" ".join,
)
def test_wrong_usage(counts_file, options):
    assert_refused(invoke("preprocess", counts_file, *options), 2)


def test_two_inputs(counts_file):
    assert_refused(invoke("preprocess", counts_file, counts_file), 2)


def test_a_missing_file(tmp_path, out):
    assert_refused(invoke("preprocess", tmp_path / "absent.h5ad", "-o", out), 2, "absent.h5ad", "No such file")
    assert not out.exists()


def test_an_empty_pipe():
    assert_refused(invoke("preprocess", stdin=b""), 3, "standard input is empty")


def test_a_folder_that_is_not_10x(tmp_path):
    assert_refused(invoke("preprocess", tmp_path), 2, "not a 10x folder", "matrix.mtx")


def test_logged_data_names_the_layer(table):
    assert_refused(invoke("preprocess", stdin=to_bytes(table)), 3, "already logged", "--layer", "counts")


@pytest.mark.slow
def test_an_unfiltered_matrix_and_its_way(out):
    droplets = to_bytes(make_droplets())
    assert_refused(invoke("preprocess", stdin=droplets), 3, "unfiltered", "--min-total-counts 20 keeps 40")
    result = invoke("preprocess", "--min-total-counts", 20, "-o", out, stdin=droplets)
    assert result.exit_code == 0, result.stderr
    assert "40 of 440 cells have 20 counts or more" in result.stderr
    assert h5ad.read(out).n_obs == 40


@pytest.mark.slow
def test_fractions_and_their_way(counts, out):
    counts.X = counts.X.multiply(np.linspace(0.8, 0.99, counts.n_vars)).tocsr()
    assert_refused(invoke("preprocess", stdin=to_bytes(counts)), 3, "SoupX", "`scinfill preprocess --round`")
    result = invoke("preprocess", "--round", "-o", out, stdin=to_bytes(counts))
    assert result.exit_code == 0, result.stderr
    assert "100.0 % of the non-zeros are fractions" in result.stderr
    assert invoke("rerun", out, "--input", "-", "-o", out, stdin=to_bytes(counts)).exit_code == 0


def test_an_earlier_output_survives(counts_file, out):
    out.write_bytes(b"earlier")
    assert_refused(invoke("preprocess", counts_file, "--min-cells", 1000, "-o", out), 3, "no gene")
    assert out.read_bytes() == b"earlier"


def test_the_published_table_of_the_papers(out):
    """The command line of the issue: R-style, genes in rows."""
    raw = shared("golden/blakeley_raw_counts.csv")
    assert invoke("preprocess", "--transpose", raw, "-o", out).exit_code == 0
    header = shared("golden/blakeley_processed_log2.csv").read_text().splitlines()[0].split(",")
    assert set(anndata.read_h5ad(out).var_names) == set(header)


@pytest.mark.parametrize(
    "content",
    ["gene2\ngene9\n", "# mine\r\ngene2\r\n\r\ngene9", "gene2,gene9", '"gene2"\t"gene9"\n', "\ufeffgene2\ngene9"],
    ids=["lines", "notes", "commas", "quotes and tabs", "byte order mark"],
)
def test_names_from_a_file(counts, counts_file, tmp_path, content):
    names = tmp_path / "names.txt"
    names.write_bytes(content.encode())
    result = invoke("preprocess", counts_file, "--n-genes", 3, "--keep-genes", names, "-q")
    assert result.exit_code == 0, result.stderr
    expected = scinfill.preprocess(counts, n_genes=3, keep_genes=["gene2", "gene9"])
    assert_adata_equal(from_bytes(result.stdout_bytes), expected)


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", 3, "holds no name"),
        (b"# none\n", 3, "holds no name"),
        (b"\xff\xfe\x00", 3, "not text"),
        (None, 2, "'names.txt'"),
    ],
)
def test_names_that_cannot_be_read(counts_file, tmp_path, monkeypatch, content, code, word):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    assert_refused(invoke("preprocess", counts_file, "--keep-genes", "names.txt"), code, word)


def test_more_names_than_a_path_may_have_letters(counts_file):
    names = ",".join(f"gene{number}" for number in range(30)) * 2
    assert invoke("preprocess", counts_file, "-q", "--keep-genes", names).exit_code == 0
