"""Killed at any moment and started again, an imputer ends with the bytes of one that nobody killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import scinfill
from _loaded import end_loaded, ended, start_loaded
from _support import assert_refused, invoke, make_counts, start

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_training")]

SETTINGS = {
    "deepmc": ("impute-deepmc", "--ridge", 3),
    "deepmc in batches": ("impute-deepmc", "--rank", 3, "--batch", "cell_type"),
    "deepmc of the paper": ("impute-deepmc", "--preset", "paper", "--depth", 2, "--iterations", 500),
    "auto": ("impute-auto", "--hidden", 16, "--device", "cpu"),
    "auto of the paper": ("impute-auto", "--preset", "paper", "--hidden", 40, "--iterations", 100, "--device", "cpu"),
}
WRITES = {
    "deepmc": (1, 2, 10, 10),
    "deepmc in batches": (2, 10),
    "deepmc of the paper": (4, 20),
    "auto": (5, 60),
    "auto of the paper": (20,),
}
"""At which write to the folder each process in turn is killed; the first one says what the work is."""


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.h5ad"
    scinfill.preprocess(make_counts(150, 60, seed=3), n_genes=None).write_h5ad(path)
    return path


def run_until(n_writes, *arguments, number=signal.SIGKILL):
    """Run a verb until a signal ends it before a write is done; return what it said."""
    with tempfile.NamedTemporaryFile() as file:
        words = (*arguments, "--checkpoint-minutes", 0)
        code = end_loaded(n_writes, number, *words, said=Path(file.name))
        said = file.read().decode()
    assert code in (-number, 128 + number), said
    return said


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


@pytest.mark.parametrize("name", SETTINGS)
def test_killed_again_and_again(name, table_file, tmp_path):
    folder, out = tmp_path / "kept", tmp_path / "out.h5ad"
    arguments = (*SETTINGS[name], table_file, "-o", out, "--checkpoint", folder)
    for n_writes in WRITES[name]:
        kept = list(folder.glob("*.npz"))
        assert ("goes on from" in run_until(n_writes, *arguments)) == bool(kept)
        assert not out.exists()
    last = invoke(*arguments)
    assert last.exit_code == 0, last.stderr
    assert "goes on from" in last.stderr
    assert out.read_bytes() == invoke(*SETTINGS[name], table_file).stdout_bytes
    assert list(folder.iterdir()) == []


def test_killed_at_moments_that_nothing_chose(table_file, tmp_path):
    """By the clock: also while it reads, and writes its output. All of it in processes that refit as usual."""
    folder, out = tmp_path / "kept", tmp_path / "out.h5ad"
    arguments = (*SETTINGS["deepmc"], table_file, "-o", out, "--checkpoint", folder, "--checkpoint-minutes", 0)
    assert ended(start_loaded("simulate", "-o", tmp_path / "first.h5ad")) == 0  # the first one loads the libraries
    started = time.monotonic()
    assert ended(start_loaded(*arguments)) == 0
    duration, whole = time.monotonic() - started, out.read_bytes()
    for part in (0.2, 0.5, 0.8, 1.0):
        out.unlink(missing_ok=True)
        process = start_loaded(*arguments)
        time.sleep(duration * part)
        process.kill()
        ended(process)
        assert not out.exists() or out.read_bytes() == whole
    assert ended(start_loaded(*arguments)) == 0
    assert out.read_bytes() == whole
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def left_behind(table_file, tmp_path_factory):
    """A folder that a killed process left, and what that was asked."""
    folder = tmp_path_factory.mktemp("killed") / "kept"
    arguments = (*SETTINGS["deepmc"], table_file)
    run_until(12, *arguments, "--checkpoint", folder)
    assert any(name.startswith(".scinfill-") for name in content(folder))
    return arguments, folder


@pytest.fixture
def killed(left_behind, tmp_path):
    """The same as a test's own: what was asked, and the folder."""
    arguments, folder = left_behind
    shutil.copytree(folder, tmp_path / "kept")
    return (*arguments, "-o", tmp_path / "out.h5ad", "--checkpoint", tmp_path / "kept"), tmp_path / "kept"


def test_input_from_a_pipe_is_known_by_its_content(killed, table_file):
    _, folder = killed
    plain = invoke(*SETTINGS["deepmc"], table_file)
    done = invoke(*SETTINGS["deepmc"], "--checkpoint", folder, stdin=table_file.read_bytes())
    assert "goes on from" in done.stderr
    assert done.stdout_bytes == plain.stdout_bytes


def test_terminated_it_goes_on_as_well(table_file, tmp_path):
    folder = tmp_path / "kept"
    arguments = (*SETTINGS["deepmc"], table_file, "--checkpoint", folder)
    assert "terminated" in run_until(12, *arguments, number=signal.SIGTERM)
    assert not (folder / "lock").exists()
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
    with start("impute-deepmc", pipe, "--checkpoint", folder, stdout=subprocess.DEVNULL) as process:
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
