"""The machine's side: full disks, signals, sudden death, strange locales, no home."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scipy import io as matrix_market

import scinfill
from _loaded import ended, start_loaded
from _results import document
from _support import FOLDER_WRITERS, assert_refused, invoke, make_counts, run, run_program, start
from scinfill.io import h5ad, scores
from scinfill.models import devices

pytestmark = pytest.mark.slow

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
    assert invoke("preprocess", "-q", "--n-genes", 150, large_file, "-o", table).exit_code == 0
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


# --- a full disk, and every verb that writes -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """One small file of each kind that verbs read."""
    folder = tmp_path_factory.mktemp("inputs")
    table = scinfill.preprocess(make_counts(), n_genes=None)
    h5ad.write(make_counts(), folder / "counts.h5ad")
    h5ad.write(table, folder / "table.h5ad")
    h5ad.write(scinfill.impute_deepmc(table, rank=2, form="factors"), folder / "factors.h5ad")
    h5ad.write(scinfill.impute_baseline(scinfill.mask(table)), folder / "imputed.h5ad")
    matrix_market.mmwrite(folder / "matrix.mtx", table.X.T.tocoo())
    scores.write(document({"deepmc": {"poisson": -0.4}, "raw": {"poisson": -0.3}}), folder / "scores.json")
    return folder


def writing(inputs):
    """Return a command line of every verb that writes, but for where to."""
    counts, table, factors = (inputs / f"{name}.h5ad" for name in ("counts", "table", "factors"))
    return {
        "simulate": ("simulate", "--cells", 50, "--genes", 40),
        "preprocess": ("preprocess", counts),
        "mask": ("mask", table),
        "impute-deepmc": ("impute-deepmc", "--rank", 2, table),
        "impute-baseline": ("impute-baseline", table),
        "reconstruct": ("reconstruct", factors),
        "evaluate": ("evaluate", f"mine={inputs / 'imputed.h5ad'}"),
        "report": ("report", inputs / "scores.json"),
        "inspect": ("inspect", counts),
        "adopt": ("adopt", table, "--matrix", inputs / "matrix.mtx", "--method", "other"),
        "rerun": ("rerun", table, "--input", counts),
        "markers": ("markers", table, "--groupby", "cell_type"),
        "export": ("export", table),
        "split": ("split", table, "--by", "cell_type"),
        "join": ("join", f"a={counts}", f"b={counts}"),
    }


WRITERS = tuple(writing(Path()))


@pytest.fixture
def full_disk(small_disk):
    """A disk without a single byte left."""
    with (small_disk / "rest").open("wb", buffering=0) as file:
        while file.write(bytes(4096)) and shutil.disk_usage(small_disk).free:
            pass
    return small_disk


@pytest.mark.parametrize("verb", WRITERS)
def test_a_full_disk_under_every_verb(inputs, full_disk, verb):
    result = invoke(*writing(inputs)[verb], "-q", "-o", full_disk / "out")
    assert_refused(result, 4, "no space left" if "no space left" in result.stderr else "No space left")
    assert [path.name for path in full_disk.iterdir()] == ["rest"]


@pytest.mark.parametrize("verb", [verb for verb in WRITERS if verb not in FOLDER_WRITERS])
def test_no_space_for_the_copy_that_goes_to_a_pipe(inputs, full_disk, monkeypatch, verb):
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    result = invoke(*writing(inputs)[verb], "-q", "-o", "-")
    assert_refused(result, 4, "no space left for standard output", "TMPDIR")


def test_a_demonstration_on_a_full_disk(full_disk):
    result = invoke("demo", "-q", "--cells", 50, "--genes", 60, "-o", full_disk)
    assert_refused(result, 4, "o space left")
    assert [path.name for path in full_disk.iterdir()] == ["rest"]


def test_figures_and_tables_on_a_full_disk(inputs, full_disk):
    """What comes beside the output."""
    figures = invoke("report", "-q", inputs / "scores.json", "-o", os.devnull, "--figures", full_disk)
    assert_refused(figures, 4, "o space left")
    genes = invoke(
        "evaluate", "-q", f"mine={inputs / 'imputed.h5ad'}", "-o", os.devnull, "--table", full_disk / "genes.csv"
    )
    assert_refused(genes, 4, "o space left")
    assert [path.name for path in full_disk.iterdir()] == ["rest"]


def test_a_limit_on_the_size_of_files(large_file, tmp_path):
    limited = (
        "import resource, sys\n"
        "from scinfill.commands import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({SMALL_DISK}, {SMALL_DISK}))\n"
        "main(sys.argv[1:])"
    )
    out = tmp_path / "out.h5ad"
    done = run_program(limited, "preprocess", "-q", large_file, "-o", out)
    assert_refused(done, 4, "no space left", "too large")
    assert not out.exists()


@pytest.fixture
def as_at_a_terminal():
    """Processes obey signals: a shell that starts the tests in the background has them ignore SIGINT, as nohup SIGHUP.

    The program keeps to what its parent decided, as programs do: ``scinfill ... &`` in a script outlives Ctrl-C.
    """
    usual = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, usual)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for number, handler in before.items():
        signal.signal(number, handler)


ENDS = pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
    ids=["TERM", "INT"],
)


@ENDS
@pytest.mark.usefixtures("as_at_a_terminal")
def test_a_signal_ends_it_with_its_code_and_no_part(tmp_path, number, code, word):
    """Sent while the verb waits for its input: opening the pipe to write returns once the verb reads it."""
    pipe, out = tmp_path / "in", tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    os.mkfifo(pipe)
    process = start("preprocess", pipe, "-o", out, stderr=subprocess.PIPE)
    with pipe.open("wb"):
        process.send_signal(number)
        said = process.communicate()[1].decode()
    assert process.returncode == code
    assert "Traceback" not in said
    assert word in said
    assert out.read_bytes() == b"earlier"
    assert list(out.parent.iterdir()) == [out]


WITHOUT_END = """
import signal, sys
from scinfill.commands import main
from scinfill.io import h5ad
from scinfill.numerics import simulation

usual = simulation.sample_counts

def for_ever(*args, **options):
    print("simulates", file=sys.stderr, flush=True)
    while True:
        usual(*args, **options)

def wait(*args, **options):
    while True:
        signal.pause()

simulation.sample_counts, h5ad.write = for_ever, wait
main(sys.argv[1:])
"""
"""A command line that comes to no end, however late it is told to stop, and also says when it simulates."""


@pytest.mark.parametrize("verb", ["impute-deepmc", "impute-auto", "simulate"])
@ENDS
@pytest.mark.usefixtures("as_at_a_terminal")
def test_a_signal_in_the_middle_of_work(tmp_path, verb, number, code, word):
    """Sent once the verb says what it fits or simulates."""
    table, out = tmp_path / "table.h5ad", tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    h5ad.write(scinfill.preprocess(make_counts(600, 200), n_genes=None), table)
    call = [sys.executable, "-c", WITHOUT_END, verb, *(() if verb == "simulate" else (table,)), "-o", out]
    with subprocess.Popen(call, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        begun = next((line for line in process.stderr if "estimate" in line or "simulates" in line), None)
        process.send_signal(number)
        said = process.communicate()[1]
    assert begun is not None
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"scinfill {verb}: error: {word}"
    assert out.read_bytes() == b"earlier"
    assert list(out.parent.iterdir()) == [out]


def test_a_reader_that_goes_away():
    """More than a pipe holds is left to write."""
    call = ("simulate", "--cells", 500, "--genes", 400)
    with start(*call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def exported(table, out):
    assert ended(start_loaded("export", table, "-o", out)) == 0
    return out


def test_an_export_ended_at_any_moment_is_whole_or_not_there(large_file, tmp_path):
    table, out = tmp_path / "table.h5ad", tmp_path / "results" / "folder"
    out.parent.mkdir()
    assert invoke("preprocess", "-q", large_file, "-o", table).exit_code == 0
    shutil.rmtree(exported(table, out))  # the first one loads the libraries
    started = time.monotonic()
    exported(table, out)
    duration = time.monotonic() - started
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    for part in range(4):
        shutil.rmtree(out, ignore_errors=True)
        process = start_loaded("export", table, "-o", out)
        time.sleep(duration * (0.4 + part / 6))
        process.kill()
        ended(process)
        assert not out.exists() or {path.name: path.read_bytes() for path in out.iterdir()} == whole


def test_two_exports_to_one_folder(inputs, tmp_path):
    out = tmp_path / "results" / "folder"
    out.parent.mkdir()
    words = [tmp_path / f"said{number}" for number in range(3)]
    jobs = [start_loaded("export", inputs / "table.h5ad", "-o", out, said=said) for said in words]
    codes = [ended(job) for job in jobs]
    ends = [(said.read_text(), code) for said, code in zip(words, codes, strict=True)]
    assert sorted(codes) == [0, 2, 2], ends
    assert all("exists already" in said for said, code in ends if code)
    assert sorted(path.name for path in out.iterdir()) == ["cells.txt", "counts.mtx", "genes.txt", "log2.mtx"]
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_ended_at_any_moment_the_output_is_whole_or_the_earlier_one(large_file, tmp_path, end):
    """Runs ended at different moments of their work, the last ones while they write."""
    out = tmp_path / "results" / "out.h5ad"
    out.parent.mkdir()
    for _ in range(2):  # the first one loads the libraries
        started = time.monotonic()
        assert ended(start_loaded("preprocess", large_file, "-o", out)) == 0
    duration, whole = time.monotonic() - started, out.read_bytes()
    for part in range(6):
        out.write_bytes(b"earlier")
        process = start_loaded("preprocess", large_file, "-o", out)
        time.sleep(duration * (0.3 + part / 8))
        getattr(process, end)()
        ended(process)
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


ONE_BY_ONE = """
import sys
from scinfill.commands import main

for call in (argument.splitlines() for argument in sys.argv[1:]):
    print(f"== {call[0]}", file=sys.stderr, flush=True)
    try:
        main(call)
    except SystemExit as end:
        print(f"ended with {end.code or 0}", file=sys.stderr, flush=True)
"""
"""Calls one after the other in a process of their own: what surrounds a process surrounds each of them."""


@pytest.fixture(scope="module")
def said_in_a_bare_container(inputs, tmp_path_factory):
    """What every verb says where there is no home, no path, a plain locale; and the folder of what they wrote."""
    surroundings = {"HOME": "/proc/absent", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    folder = tmp_path_factory.mktemp("bare") / "Größe"
    folder.mkdir()
    calls = {**writing(inputs), "impute-auto": ("impute-auto", "--hidden", 4, inputs / "table.h5ad")}
    lines = ("\n".join(map(str, (*call, "-o", folder / verb))) for verb, call in calls.items())
    done = run_program(ONE_BY_ONE, *lines, env=surroundings, cwd="/")
    parts = done.stderr.decode().split("== ")
    return {part.partition("\n")[0]: part for part in parts}, folder


@pytest.mark.parametrize("verb", [*WRITERS, "impute-auto"])
def test_every_verb_with_nothing_around_it(said_in_a_bare_container, verb):
    """It works, and no library complains."""
    parts, folder = said_in_a_bare_container
    said, out = parts[verb], folder / verb
    assert "ended with 0" in said
    assert "rror" not in said
    assert "atplotlib" not in said
    assert "WARNING" not in said
    assert "Warning" not in said
    assert out.is_dir() if verb in FOLDER_WRITERS else out.stat().st_size


def test_errors_in_a_plain_locale(tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert_refused(run("preprocess", tmp_path / "Größe.h5ad", env=environment), 2, "No such file")


def test_many_threads_and_few_give_the_same_bytes(large_file):
    results = [invoke("preprocess", large_file, "--threads", threads).stdout_bytes for threads in (1, 2)]
    assert results[0] == results[1]


def test_the_clock_leaves_no_trace(counts_file, tmp_path):
    """Two runs at different times write the same bytes."""
    first, second = tmp_path / "first.h5ad", tmp_path / "second.h5ad"
    assert invoke("preprocess", counts_file, "-o", first).exit_code == 0
    time.sleep(1.1)
    assert run("preprocess", counts_file, "-o", second).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    assert h5ad.read(first).n_obs == 40


@pytest.mark.parametrize(
    "options",
    [
        ("impute-deepmc", "--rank", 2),
        ("impute-auto", "--hidden", 4),
        ("impute-auto", "--hidden", 4, "--preset", "paper"),
        ("impute-deepmc", "--preset", "paper"),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_a_gpu_that_is_not_there(inputs, tmp_path, monkeypatch, options):
    """Also where it would stay idle: what was asked for is never quietly something else."""
    out, usual = tmp_path / "out", devices._start_tensorflow
    monkeypatch.setattr(devices, "_start_tensorflow", lambda **_: (usual(hide_gpus=True)[0], False))
    refused = invoke(*options, "-q", "--device", "gpu", inputs / "table.h5ad", "-o", out)
    assert_refused(refused, 4, "sees no GPU here; use --device auto")
    assert not out.exists()
