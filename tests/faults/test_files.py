"""Paths and files as users have them: missing, cut, of another kind, linked, shared, read-only."""

import json
import os
import shutil
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest

from _loaded import ended, start_loaded
from _support import (
    COUNTS_READERS,
    FILE_READERS,
    assert_adata_equal,
    assert_refused,
    command,
    invoke,
    invoke_to,
    make_counts,
    run,
)
from scinfill.io import h5ad


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out.h5ad").write_bytes(b"earlier")
    yield folder / "out.h5ad"
    assert [path.name for path in folder.iterdir()] == ["out.h5ad"]


def refused(verb, path, out, code, *words):
    """Check that a verb refuses a file and leaves the earlier output."""
    assert_refused(invoke_to(out, verb, path), code, *words)
    assert out.read_bytes() == b"earlier"


@pytest.mark.parametrize("verb", FILE_READERS)
def test_missing(verb, tmp_path, out):
    refused(verb, tmp_path / "absent.h5ad", out, 2, "absent.h5ad", "No such file")


@pytest.mark.parametrize("verb", FILE_READERS)
def test_a_folder(verb, tmp_path, out):
    refused(verb, tmp_path, out, 2, "not a 10x folder" if verb in COUNTS_READERS else "Is a directory")


@pytest.mark.parametrize("verb", FILE_READERS)
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"this is no table\n", "HDF5"),
        (b"\x89HDF\r\n\x1a\n", "damaged HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(2000), "damaged HDF5 file"),
        (b"PK\x03\x04" + bytes(range(256)) * 9, "HDF5"),
    ],
    ids=["0 bytes", "text", "signature alone", "signature and zeros", "zip"],
)
def test_not_hdf5(verb, tmp_path, out, content, word):
    path = tmp_path / "in.h5ad"
    path.write_bytes(content)
    refused(verb, path, out, 3, "in.h5ad", word)


@pytest.mark.parametrize("verb", FILE_READERS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(verb, counts_file, out, share):
    content = counts_file.read_bytes()
    counts_file.write_bytes(content[: int(share * len(content))])
    refused(verb, counts_file, out, 3, f"truncated: {int(share * len(content))} of {len(content)} bytes")


def test_a_truncated_stream(counts_file):
    content = counts_file.read_bytes()
    assert_refused(invoke("preprocess", stdin=content[: len(content) // 2]), 3, "standard input", "truncated")


@pytest.mark.parametrize("verb", FILE_READERS)
def test_another_kind_of_hdf5(verb, tmp_path, out):
    path = tmp_path / "weather.h5"
    with h5py.File(path, "w") as file:
        file["temperature"] = np.eye(3)
    refused(verb, path, out, 3, "not an AnnData", "temperature")


@pytest.mark.parametrize("verb", [verb for verb in FILE_READERS if verb not in COUNTS_READERS])
def test_a_10x_file_names_the_verb_that_reads_it(verb, tmp_path, out):
    path = tmp_path / "raw.h5"
    with h5py.File(path, "w") as file:
        file.create_group("matrix")
    refused(verb, path, out, 3, "`scinfill preprocess` reads it")


@pytest.mark.parametrize("verb", [verb for verb in FILE_READERS if verb not in COUNTS_READERS])
def test_a_loom_file_says_how_to_convert_it(verb, tmp_path, out):
    path = tmp_path / "cells.loom"
    with h5py.File(path, "w") as file:
        for part in ("row_attrs", "col_attrs"):
            file.create_group(part)
    refused(verb, path, out, 3, "is a loom file; convert it")


def test_an_input_folder_that_leads_nowhere(tmp_path, out):
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, word in (("link", "No such file"), ("loop", "Too many levels of symbolic links")):
        refused("mask", tmp_path / name, out, 2, word)


def test_a_file_that_another_program_has_open_for_reading(counts_file, tmp_path):
    with h5py.File(counts_file, "r"):
        assert invoke("preprocess", counts_file, "-o", tmp_path / "out.h5ad").exit_code == 0


def test_a_file_that_another_program_is_still_writing(tmp_path, out):
    path = tmp_path / "in.h5ad"
    with h5py.File(path, "w") as file:
        file["obs"] = np.arange(10)
        file.flush()
        refused("preprocess", path, out, 3, "in.h5ad")


@pytest.mark.parametrize("name", ["with space.h5ad", "Größe µ.h5ad", "two\nlines.h5ad", "-dash.h5ad", "a.b.c.h5ad"])
def test_strange_paths(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_counts().write_h5ad(tmp_path / name)
    result = invoke("preprocess", "-o", tmp_path / f"out {name}", "--", name)
    assert result.exit_code == 0, result.stderr
    assert_refused(invoke("preprocess", "--", f"absent {name}"), 2)


def test_the_input_is_the_output(table_file, table):
    assert invoke("mask", table_file, "-o", table_file).exit_code == 0
    assert "heldout" in h5ad.read(table_file).layers


def test_links_are_followed_and_stay(table_file, tmp_path):
    source, target = tmp_path / "in-link", tmp_path / "out-link"
    source.symlink_to(table_file)
    real = tmp_path / "real.h5ad"
    real.write_bytes(b"earlier")
    target.symlink_to(real)
    assert invoke("mask", source, "-o", target).exit_code == 0
    assert target.is_symlink()
    assert "heldout" in h5ad.read(real).layers


def test_a_link_to_the_input_as_output(table_file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(table_file)
    assert invoke("mask", table_file, "-o", link).exit_code == 0
    assert link.is_symlink()
    assert "heldout" in h5ad.read(table_file).layers


def test_another_name_of_the_input_keeps_its_content(table_file, tmp_path):
    """The output has the name alone; what the other name leads to was never the output."""
    other = tmp_path / "other.h5ad"
    other.hardlink_to(table_file)
    before = table_file.read_bytes()
    assert invoke("mask", table_file, "-o", other).exit_code == 0
    assert table_file.read_bytes() == before
    assert "heldout" in h5ad.read(other).layers


@pytest.mark.slow
def test_named_pipes_in_and_out(counts_file, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    os.mkfifo(source)
    os.mkfifo(target)
    received = []
    ends = [
        threading.Thread(target=lambda: source.write_bytes(counts_file.read_bytes())),
        threading.Thread(target=lambda: received.append(target.read_bytes())),
    ]
    for end in ends:
        end.start()
    done = run("preprocess", source, "-o", target)
    for end in ends:
        end.join()
    assert done.returncode == 0, done.stderr
    assert received[0] == invoke("preprocess", counts_file).stdout_bytes


@pytest.mark.slow
def test_two_jobs_to_one_output(table_file, tmp_path):
    """One of them wins whole, and neither leaves anything behind."""
    out = tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    jobs = [start_loaded("mask", table_file, "--seed", seed, "-o", out) for seed in (1, 2)]
    assert [ended(job) for job in jobs] == [0, 0]
    whole = [invoke("mask", table_file, "--seed", seed).stdout_bytes for seed in (1, 2)]
    assert out.read_bytes() in whole
    assert list(out.parent.iterdir()) == [out]


# --- permissions ------------------------------------------------------------------------------------------------


def without_privileges(call):
    """Run a program so that permissions hold for it: root keeps its files but loses the power to ignore their modes."""
    powers = "-dac_override,-dac_read_search"
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root ignores permissions, and there is no setpriv to take that power away")
        call = ["setpriv", "--bounding-set", powers, "--inh-caps", powers, *call]
    return subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def run_without_privileges(*args):
    """Run a verb in that way."""
    return without_privileges(command(*args))


@pytest.mark.slow
def test_a_read_only_input_folder_works(tmp_path, counts_file):
    inside, results = tmp_path / "inside", tmp_path / "results"
    inside.mkdir()
    results.mkdir()
    counts_file = counts_file.rename(inside / "counts.h5ad")
    counts_file.chmod(0o444)
    inside.chmod(0o555)
    done = run_without_privileges("preprocess", counts_file, "-o", results / "out.h5ad")
    assert done.returncode == 0, done.stderr


def test_a_read_only_output_folder_is_refused_before_any_work(tmp_path):
    """The input does not even exist: the output is looked at first."""
    results = tmp_path / "results"
    results.mkdir()
    results.chmod(0o555)
    done = run_without_privileges("preprocess", tmp_path / "absent.h5ad", "-o", results / "out.h5ad")
    assert_refused(done, 2, "out.h5ad", "cannot be written", "Permission denied")


WRITING = [
    ("simulate", "-o", "{}/out"),
    ("evaluate", "absent", "-o", "{}/out"),
    ("evaluate", "absent", "--table", "{}/genes.csv", "-o", os.devnull),
    ("report", "absent", "-o", "{}/out"),
    ("report", "absent", "--figures", "{}/figures", "-o", os.devnull),
    ("inspect", "absent", "-o", "{}/out"),
    ("export", "absent", "-o", "{}/new"),
    ("split", "absent", "-o", "{}/new"),
    ("join", "absent", "-o", "{}/out"),
    ("adopt", "absent", "--matrix", "absent", "--method", "x", "-o", "{}/out"),
    ("rerun", "absent", "-o", "{}/out"),
    ("demo", "-o", "{}"),
    ("demo", "-o", "{}/new/folder"),
]
ONE_BY_ONE = """
import json, sys
from click.testing import CliRunner
from scinfill.commands import main

ends = [CliRunner().invoke(main, call) for call in json.loads(sys.argv[1])]
print(json.dumps([[end.exit_code, end.stdout, end.stderr] for end in ends]))
"""


@pytest.fixture(scope="module")
def said_of_a_read_only_folder(tmp_path_factory):
    """How each call ends in one process for which permissions hold."""
    results = tmp_path_factory.mktemp("results")
    results.chmod(0o555)
    calls = [[argument.format(results) for argument in arguments] for arguments in WRITING]
    done = without_privileges([sys.executable, "-c", ONE_BY_ONE, json.dumps(calls)])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(WRITING)), ids=[" ".join(arguments) for arguments in WRITING])
def test_every_verb_looks_at_its_output_first(said_of_a_read_only_folder, number):
    code, stdout, stderr = said_of_a_read_only_folder[number]
    done = subprocess.CompletedProcess(WRITING[number], code, stdout.encode(), stderr.encode())
    assert_refused(done, 2, "cannot be written", "Permission denied")


def test_a_write_protected_output_is_refused(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "out.h5ad").write_bytes(b"precious")
    (results / "out.h5ad").chmod(0o444)
    done = run_without_privileges("preprocess", tmp_path / "absent.h5ad", "-o", results / "out.h5ad")
    assert_refused(done, 2, "out.h5ad", "write-protected")
    assert (results / "out.h5ad").read_bytes() == b"precious"


@pytest.mark.slow
def test_an_unreadable_input(tmp_path, counts_file):
    counts_file.chmod(0o000)
    assert_refused(
        run_without_privileges("preprocess", counts_file, "-o", tmp_path / "out"), 2, "counts.h5ad", "Permission denied"
    )


@pytest.mark.slow
def test_what_came_out_is_what_went_in(counts_file, tmp_path):
    """Whatever the road, the content is the same."""
    invoke("preprocess", counts_file, "-o", tmp_path / "a.h5ad")
    (tmp_path / "b.h5ad").write_bytes(invoke("preprocess", stdin=counts_file.read_bytes()).stdout_bytes)
    assert_adata_equal(h5ad.read(tmp_path / "a.h5ad"), h5ad.read(tmp_path / "b.h5ad"))
