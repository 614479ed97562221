"""Killed at any moment and started again, an imputer ends with the bytes of one that nobody killed."""

import os
import signal
import subprocess
import time

import pytest

import scinfill
from _support import assert_refused, command, invoke, make_counts, run

SETTINGS = {
    "deepmc": ("impute-deepmc", "--ridge", 3),
    "deepmc of the paper": ("impute-deepmc", "--preset", "paper", "--depth", 2, "--iterations", 500),
    "auto": ("impute-auto", "--hidden", 16, "--device", "cpu"),
    "auto of the paper": ("impute-auto", "--preset", "paper", "--hidden", 40, "--iterations", 800, "--device", "cpu"),
}
WRITES = {"deepmc": (1, 10, 10, 10), "deepmc of the paper": (4, 20), "auto": (5, 60), "auto of the paper": (20,)}
"""After how many writes to the folder, of those that the test sees, each process in turn is killed."""


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.h5ad"
    scinfill.preprocess(make_counts(150, 60, seed=3), n_genes=None).write_h5ad(path)
    return path


def start(*arguments, **options):
    return subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def end(process, number=signal.SIGKILL):
    """End a process and return what it said."""
    process.send_signal(number)
    said = process.communicate()[1].decode()
    assert process.returncode in (-number, 128 + number), said
    return said


def wait_for_writes(process, folder, n_writes):
    """Wait until the folder changed so often; every state is a new file."""
    seen = set()
    while len(seen) < n_writes:
        assert process.poll() is None, f"it ended after {len(seen)} of {n_writes} writes"
        try:
            seen |= {(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()}
        except FileNotFoundError:  # not made yet, or just replaced
            continue
        time.sleep(0.001)


@pytest.mark.parametrize("name", SETTINGS)
def test_killed_again_and_again(name, table_file, tmp_path):
    folder, out = tmp_path / "kept", tmp_path / "out.h5ad"
    plain = run(*SETTINGS[name], table_file)
    assert plain.returncode == 0, plain.stderr
    arguments = (*SETTINGS[name], table_file, "-o", out, "--checkpoint", folder)
    for n_writes in WRITES[name]:
        kept = list(folder.glob("*.npz"))
        with start(*arguments, "--checkpoint-minutes", 0) as process:
            wait_for_writes(process, folder, n_writes + len(kept))
            assert ("goes on from" in end(process)) == bool(kept)
        assert not out.exists()
    last = run(*arguments)
    assert last.returncode == 0, last.stderr
    assert b"goes on from" in last.stderr
    assert out.read_bytes() == plain.stdout
    assert list(folder.iterdir()) == []


def test_killed_at_moments_that_nothing_chose(table_file, tmp_path):
    """By the clock: also while it loads, reads, and writes its output."""
    folder, out = tmp_path / "kept", tmp_path / "out.h5ad"
    arguments = (*SETTINGS["deepmc"], table_file, "-o", out, "--checkpoint", folder, "--checkpoint-minutes", 0)
    started = time.monotonic()
    assert run(*arguments).returncode == 0
    duration, whole = time.monotonic() - started, out.read_bytes()
    for part in (0.4, 0.7, 0.9, 1.0):
        out.unlink(missing_ok=True)
        process = start(*arguments)
        time.sleep(duration * part)
        process.kill()
        process.communicate()
        assert not out.exists() or out.read_bytes() == whole
    assert run(*arguments).returncode == 0
    assert out.read_bytes() == whole
    assert list(folder.iterdir()) == []


@pytest.fixture
def killed(table_file, tmp_path):
    """A folder that a killed process left, what it was asked, and the folder's content."""
    folder = tmp_path / "kept"
    arguments = (*SETTINGS["deepmc"], table_file, "-o", tmp_path / "out.h5ad", "--checkpoint", folder)
    with start(*arguments, "--checkpoint-minutes", 0) as process:
        wait_for_writes(process, folder, 12)
        end(process)
    return arguments, folder


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_input_from_a_pipe_is_known_by_its_content(killed, table_file):
    _, folder = killed
    plain = run(*SETTINGS["deepmc"], table_file)
    done = run(*SETTINGS["deepmc"], "--checkpoint", folder, input=table_file.read_bytes())
    assert b"goes on from" in done.stderr
    assert done.stdout == plain.stdout


def test_terminated_it_goes_on_as_well(table_file, tmp_path):
    folder = tmp_path / "kept"
    arguments = (*SETTINGS["deepmc"], table_file, "--checkpoint", folder)
    with start(*arguments, "--checkpoint-minutes", 0) as process:
        wait_for_writes(process, folder, 12)
        assert "terminated" in end(process, signal.SIGTERM)
    assert "lock" not in content(folder)
    assert invoke(*arguments).stdout_bytes == invoke(*SETTINGS["deepmc"], table_file).stdout_bytes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("--seed", 1), "made with seed 0, now 1;"),
        (("--ridge", 4), "made with ridge 3.0, now 4.0;"),
        (("--no-gate",), "made with gate True, now False;"),
        (("--estimate", "detected"), "made with estimate shrunk, now detected, with loss poisson, now squared;"),
    ],
)
def test_other_settings_are_refused(killed, changes, words):
    arguments, folder = killed
    before = content(folder)
    assert_refused(invoke(*arguments, *changes, "-q"), 2, words)
    assert content(folder) == before


def test_what_changes_no_fit_may_change(killed, table_file):
    arguments, _ = killed
    changes = ("--uncertainty", "--keep", "max", "--counts", "umi", "--estimate", "shrunk", "--threads", 1, "-o", "-")
    plain = invoke(*SETTINGS["deepmc"], table_file, *changes)
    assert invoke(*arguments, *changes).stdout_bytes == plain.stdout_bytes


def test_other_data_are_refused(killed, tmp_path):
    arguments, folder = killed
    other = tmp_path / "other.h5ad"
    scinfill.preprocess(make_counts(150, 60, seed=4), n_genes=None).write_h5ad(other)
    before = content(folder)
    assert_refused(invoke(arguments[0], other, "--checkpoint", folder, *arguments[1:3], "-q"), 2, "from other data;")
    assert content(folder) == before


def test_another_verb_is_refused(killed, table_file):
    _, folder = killed
    refused = invoke("impute-auto", table_file, "--checkpoint", folder, "-q")
    assert_refused(refused, 2, "with command impute-deepmc, now impute-auto")


def test_damage_is_refused(killed, tmp_path):
    arguments, folder = killed
    damaged = sorted(folder.glob("*.npz"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    before = content(folder)
    assert_refused(invoke(*arguments, "-q"), 3, damaged.name, "is damaged", "delete this file to do that fit again")
    assert content(folder) == before
    assert not (tmp_path / "out.h5ad").exists()
    damaged.unlink()
    assert invoke(*arguments, "-o", "-").stdout_bytes == invoke(*arguments[:-2], "-o", "-").stdout_bytes


def test_two_jobs_to_one_folder(table_file, tmp_path):
    """The first one waits for its input, the folder its own already."""
    pipe, folder = tmp_path / "in", tmp_path / "kept"
    os.mkfifo(pipe)
    with start("impute-deepmc", pipe, "--checkpoint", folder) as process:
        with pipe.open("wb") as stream:
            assert_refused(invoke("impute-deepmc", table_file, "--checkpoint", folder), 2, "in use by another job")
            stream.write(table_file.read_bytes())
        process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("verb", ["impute-deepmc", "impute-auto"])
def test_a_folder_that_cannot_be_is_refused_before_any_work(verb, tmp_path):
    """Before the input is looked at, which is not there."""
    (tmp_path / "file").write_text("mine")
    refused = invoke(verb, tmp_path / "absent.h5ad", "--checkpoint", tmp_path / "file")
    assert_refused(refused, 2, "--checkpoint", "is not a folder to write to: it is a file")
    refused = invoke(verb, tmp_path / "absent.h5ad", "--checkpoint", tmp_path)
    assert_refused(refused, 2, "holds 'file', which is no part of a checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
