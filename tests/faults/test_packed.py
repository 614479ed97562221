"""Compressed text that inflates without end: it is noticed while it is measured, not when memory is full."""

import gzip
import json

import pytest

from _support import assert_refused, invoke

CHUNK = b"%" * 2**20


@pytest.fixture
def tenx_folder(tmp_path):
    """A small 10x folder."""
    folder = tmp_path / "tenx"
    folder.mkdir()
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 3 2\n1 1 3\n2 3 4\n")
    (folder / "features.tsv").write_text("ENSG1\tA\tGene Expression\nENSG2\tB\tGene Expression\n")
    (folder / "barcodes.tsv").write_text("c1\nc2\nc3\n")
    return folder


def endless(path, start=b"", *, megabytes):
    """Write a file of a few kilobytes that inflates to so many megabytes on one line."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(megabytes):
            file.write(CHUNK)
    return path


HEADER = b"%%MatrixMarket matrix coordinate real general\n"


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (HEADER, "its size does not follow its comments"),
        (HEADER + b"26 40 3\n1 1 ", "holds more than 1.0 MiB of text"),
        (b"", "its size does not follow its comments"),
    ],
    ids=["comments", "an entry", "the banner"],
)
def test_a_matrix_that_inflates_without_end(table_file, tmp_path, start, word):
    bomb = endless(tmp_path / "matrix.mtx.gz", start, megabytes=3)
    assert_refused(invoke("adopt", table_file, "--matrix", bomb, "--method", "other"), 3, "matrix.mtx.gz", word)


@pytest.mark.parametrize("name", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
@pytest.mark.parametrize("verb", ["preprocess", "inspect"])
def test_a_10x_folder_that_inflates_without_end(tenx_folder, monkeypatch, verb, name):
    monkeypatch.setattr("scinfill.io.mex.LARGEST_LIST", 2**20)
    (tenx_folder / name).unlink()
    endless(tenx_folder / f"{name}.gz", megabytes=3)
    assert_refused(invoke(verb, tenx_folder), 3, f"{name}.gz")


def test_a_sound_10x_folder_is_read(tenx_folder):
    result = invoke("inspect", tenx_folder)
    assert (result.exit_code, json.loads(result.stdout)["cells"]) == (0, 3)


@pytest.mark.parametrize("option", ["--bulk", "--de-truth"])
def test_a_bulk_table_that_inflates_without_end(table_file, tmp_path, monkeypatch, option):
    monkeypatch.setattr("scinfill.io.bulk.LARGEST_LIST", 2**20)
    bomb = endless(tmp_path / "bulk.csv.gz", b"gene,a\n", megabytes=3)
    assert_refused(invoke("evaluate", "-q", table_file, option, bomb), 3, "bulk.csv.gz", "holds more than 1.0 MiB")


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b" + bytes(50), gzip.compress(b"x" * 10**5, mtime=0)[:-20]])
def test_broken_packing_is_named(table_file, tmp_path, content):
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    assert_refused(invoke("evaluate", "-q", table_file, "--bulk", path), 3, "broken.gz", "cannot be unpacked")
    assert_refused(invoke("adopt", table_file, "--matrix", path, "--method", "x"), 3, "broken.gz")
