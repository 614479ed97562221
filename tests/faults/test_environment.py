"""The machine's side: full disks, signals, sudden death, strange locales, no home."""

import os
import resource
import signal
import subprocess
import time

import pytest

from _support import assert_refused, command, invoke, make_counts, run
from scinfill.io import h5ad

SMALL_DISK = 256 * 2**10


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB, for root only."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def large_file(tmp_path):
    """A table whose result is larger than the small disk."""
    path = tmp_path / "large.h5ad"
    make_counts(600, 300).write_h5ad(path)
    return path


@pytest.mark.parametrize("earlier", [None, b"earlier"], ids=["new", "earlier output"])
def test_a_full_disk_leaves_no_part(large_file, small_disk, earlier):
    out = small_disk / "out.h5ad"
    if earlier:
        out.write_bytes(earlier)
    done = run("preprocess", "-q", large_file, "-o", out)
    assert_refused(done, 4, "no space left for", "out.h5ad")
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == ({"out.h5ad": earlier} if earlier else {})


def test_a_disk_that_fills_while_a_layer_is_written_block_by_block(large_file, small_disk, tmp_path):
    """The dense layer alone is larger than the disk."""
    table = tmp_path / "table.h5ad"
    assert run("preprocess", "-q", "--n-genes", 150, large_file, "-o", table).returncode == 0
    done = run("impute-baseline", "-q", table, "-o", small_disk / "out.h5ad")
    assert_refused(done, 4, "no space left for", "out.h5ad")
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_full_already(large_file, small_disk):
    (small_disk / "rest").write_bytes(bytes(SMALL_DISK - 4096))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "more").write_bytes(bytes(2**20))
    assert_refused(run("preprocess", "-q", large_file, "-o", small_disk / "out.h5ad"), 4, "No space left")
    assert not (small_disk / "out.h5ad").exists()


def test_no_space_for_what_comes_through_a_pipe(large_file, small_disk):
    environment = {**os.environ, "TMPDIR": str(small_disk)}
    with large_file.open("rb") as source:
        done = run("preprocess", "-q", stdin=source, env=environment)
    assert_refused(done, 4, "no space left for a copy of standard input", "TMPDIR")
    assert list(small_disk.iterdir()) == []


def test_no_space_for_what_goes_through_a_pipe(large_file, small_disk):
    done = run("preprocess", "-q", large_file, env={**os.environ, "TMPDIR": str(small_disk)})
    assert_refused(done, 4, "no space left for standard output", "TMPDIR")


def test_a_limit_on_the_size_of_files(large_file, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_DISK, SMALL_DISK))

    out = tmp_path / "out.h5ad"
    assert_refused(run("preprocess", "-q", large_file, "-o", out, preexec_fn=limit), 4, "no space left", "too large")
    assert not out.exists()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
    ids=["TERM", "INT"],
)
def test_a_signal_ends_it_with_its_code_and_no_part(tmp_path, number, code, word):
    """Sent while the verb waits for its input: opening the pipe to write returns once the verb reads it."""
    pipe, out = tmp_path / "in", tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    os.mkfifo(pipe)
    process = subprocess.Popen(command("preprocess", pipe, "-o", out), stderr=subprocess.PIPE)
    with pipe.open("wb"):
        process.send_signal(number)
        said = process.communicate()[1].decode()
    assert process.returncode == code
    assert "Traceback" not in said
    assert word in said
    assert out.read_bytes() == b"earlier"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
def test_ended_at_any_moment_the_output_is_whole_or_the_earlier_one(large_file, tmp_path, number):
    """Runs ended at different moments of their work, the last ones while they write."""
    out = tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    started = time.monotonic()
    assert run("preprocess", large_file, "-o", out).returncode == 0
    duration, whole = time.monotonic() - started, out.read_bytes()
    for part in range(6):
        out.write_bytes(b"earlier")
        process = subprocess.Popen(command("preprocess", "-q", large_file, "-o", out), stderr=subprocess.DEVNULL)
        time.sleep(duration * (0.55 + part / 12))
        process.send_signal(number)
        process.wait()
        assert out.read_bytes() in (b"earlier", whole)
        assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(
    "changes",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LANG": "de_DE.ISO-8859-1"},
        {"TMPDIR": "/absent"},
        {"COLUMNS": "1"},
        {"TERM": "dumb"},
        {"PYTHONWARNINGS": "error"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_strange_surroundings(counts_file, tmp_path, changes):
    out = tmp_path / "Größe.h5ad"
    done = run("preprocess", counts_file, "-o", out, env={**os.environ, **changes})
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == invoke("preprocess", counts_file).stdout_bytes


def test_nothing_in_the_environment(counts_file, tmp_path):
    """No HOME, no PATH, no USER."""
    done = run("preprocess", counts_file, "-o", tmp_path / "out.h5ad", env={}, cwd="/")
    assert done.returncode == 0, done.stderr


def test_errors_in_a_plain_locale(tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert_refused(run("preprocess", tmp_path / "Größe.h5ad", env=environment), 2, "No such file")


def test_many_threads_and_few_give_the_same_bytes(large_file):
    results = [run("preprocess", large_file, "--threads", threads).stdout for threads in (1, 2)]
    assert results[0] == results[1]


def test_the_clock_leaves_no_trace(counts_file, tmp_path):
    """Two runs at different times write the same bytes."""
    first, second = tmp_path / "first.h5ad", tmp_path / "second.h5ad"
    assert run("preprocess", counts_file, "-o", first).returncode == 0
    time.sleep(1.1)
    assert run("preprocess", counts_file, "-o", second).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    assert h5ad.read(first).n_obs == 40
