"""The program by which scVI takes part: what it does around the training, and all of it where it is installed.

The packages that it needs are not the tests'.
"""

import shutil
import signal
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import numpy as np
import pytest
from scipy import io, sparse

import scinfill
from _support import ROOT
from scinfill.io import exchange

PROGRAM = ROOT / "containers" / "scvi" / "scinfill-scvi"
COUNTS = np.array([[1, 0, 3, 0], [2, 1, 0, 0], [0, 0, 0, 0], [5, 2, 2, 1]])


@pytest.fixture
def program(monkeypatch):
    """The program as a module, with a training that is over at once: each cell gets the mean profile."""
    spec = spec_from_loader("scinfill_scvi", SourceFileLoader("scinfill_scvi", str(PROGRAM)))
    module = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)

    def decoded(counts, epochs, seed, threads):
        module.asked = (epochs, seed, threads)
        profile = counts.sum(axis=0).A1 / counts.sum()
        return counts.sum(axis=1).A * profile

    monkeypatch.setattr(module, "decoded", decoded)
    monkeypatch.setattr(module.metadata, "version", lambda _name: "9.8.7")
    monkeypatch.setattr(module.signal, "signal", lambda number, handler: module.handlers.update({number: handler}))
    module.handlers = {}
    return module


@pytest.fixture
def folder(tmp_path):
    exchange.write_folder(
        tmp_path / "exported",
        counts=sparse.csr_array(COUNTS),
        log2=sparse.csr_array(np.log2(1 + COUNTS)),
        genes="wxyz",
        cells="abcd",
    )
    return tmp_path / "exported"


@pytest.fixture
def call(program, monkeypatch, capsys):
    """Call the program; return its exit code and what it said."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["scinfill-scvi", *map(str, words)])
        try:
            program.main()
        except SystemExit as end:
            said = capsys.readouterr()
            return end.code or 0, said.out + said.err
        return 0, capsys.readouterr().err

    return call


def test_it_gives_what_adopt_reads_and_nothing_to_a_cell_without_molecules(program, call, folder, tmp_path):
    assert call("--seed", 3, "--threads", 2, "--epochs", 7, folder, tmp_path / "out.mtx") == (0, "")
    assert program.asked == (7, 3, 2)
    expected = exchange.read_matrix(tmp_path / "out.mtx", COUNTS.shape).toarray()
    np.testing.assert_allclose(expected.sum(axis=1), COUNTS.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(expected[0], 4 * np.array([8, 3, 5, 1]) / 17, rtol=1e-6)


def test_it_says_which_version_of_scvi_it_runs(call):
    assert call("--version") == (0, "9.8.7\n")


def test_what_cannot_be_imputed_is_one_line_with_the_remedy(call, folder, tmp_path):
    exchange.write_folder(
        tmp_path / "few", counts=sparse.csr_array(COUNTS[1:3]), log2=sparse.csr_array((2, 4)), genes="wxyz", cells="bc"
    )
    code, said = call(tmp_path / "few", tmp_path / "out.mtx")
    assert (code, said) == (
        3,
        "scinfill-scvi: error: scVI needs 3 cells with counts or more; 1 of 2 have any: take more cells, "
        "or leave scvi out of --methods\n",
    )
    (folder / "counts.mtx").unlink()
    code, said = call(folder, tmp_path / "out.mtx")
    assert code == 3
    assert said.startswith(f"scinfill-scvi: error: there is no {folder}/counts.mtx: scVI needs counts")
    (folder / "counts.mtx").write_text("1,2\n")
    code, said = call(folder, tmp_path / "out.mtx")
    assert code == 3
    assert "counts.mtx cannot be read: " in said
    assert said.count("\n") == 1


def test_wrong_usage_is_said_as_such(call, folder, tmp_path):
    code, said = call("--epochs", 0, folder, tmp_path / "out.mtx")
    assert code == 2
    assert said.endswith("argument --epochs: must be a whole number, 1 or more; received '0'\n")
    code, said = call(folder, tmp_path / "nowhere" / "out.mtx")
    assert code == 2
    assert "nowhere/out.mtx cannot be written: No such file or directory" in said


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ValueError("Expected parameter loc\nof distribution"), 1),
        (MemoryError("no room"), 4),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 4),
    ],
)
def test_a_training_that_fails_leaves_one_line_and_no_file(program, call, folder, tmp_path, monkeypatch, failure, code):
    def fail(*_):
        raise failure

    monkeypatch.setattr(program, "decoded", fail)
    ended, said = call(folder, tmp_path / "out.mtx")
    assert ended == code
    assert (
        said
        == f"scinfill-scvi: error: scVI did not finish: {type(failure).__name__}: {' '.join(str(failure).split())}\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"exported"}


def test_values_that_are_not_finite_are_refused(program, call, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "decoded", lambda counts, *_: np.full(counts.shape, np.nan))
    code, said = call(folder, tmp_path / "out.mtx")
    assert code == 3
    assert "its training diverged; give another --seed" in said
    assert not (tmp_path / "out.mtx").exists()


def test_it_ends_as_told_to(program, call):
    """Lightning listens to both signals as well, and would end as if nothing had happened."""
    call("--version")
    call("nowhere", "out.mtx")
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(SystemExit) as end:
            program.handlers[number](number, None)
        assert end.value.code == 128 + number


@pytest.mark.slow
def test_scvi_itself(tmp_path):
    """The same seed gives the same bytes; a cell's expected counts come to its molecules; structure is found."""
    installed = shutil.which("scinfill-scvi")
    if installed is None:
        pytest.skip(
            "scinfill-scvi is not installed (pip install ./containers/scvi: 6 GB, in an environment of its own)"
        )
    world = scinfill.preprocess(scinfill.simulate(n_cells=150, n_genes=100, seed=1))
    scinfill.export(world, tmp_path / "exported")
    for name in ("one.mtx", "two.mtx"):
        command = [installed, "--epochs", "100", "--seed", "5", tmp_path / "exported", tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.mtx").read_bytes() == (tmp_path / "two.mtx").read_bytes()
    counts = world.layers["counts"].toarray()
    expected = io.mmread(tmp_path / "one.mtx").toarray().T
    np.testing.assert_allclose(expected.sum(axis=1), counts.sum(axis=1), rtol=1e-3)
    truth, seen, told = (each / each.sum(axis=1, keepdims=True) for each in (world.layers["truth"], counts, expected))
    mean = np.broadcast_to(counts.sum(axis=0) / counts.sum(), counts.shape)
    errors = [np.abs(each - truth).mean() for each in (told, mean, seen)]
    assert errors[0] < min(errors[1:])
