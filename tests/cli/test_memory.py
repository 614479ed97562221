"""``--max-memory``: a promise that is kept, or refused before any work."""

import os
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pytest

import scinfill
from _support import assert_refused, invoke
from scinfill import memory
from scinfill.commands._options import Bytes
from scinfill.io import h5ad
from scinfill.numerics import scratch

GIB = 2**30
CHAIN = (("preprocess",), ("mask", "--fraction", "0.2"), ("impute-deepmc", "--rank", "3"))


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    path = tmp_path_factory.mktemp("memory") / "counts.h5ad"
    h5ad.write(scinfill.simulate(n_cells=400, n_genes=120, seed=1), path)
    return path


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 * GIB), ("1.5GiB", 3 * GIB // 2), ("800m", 800 * 2**20), ("2048", 2048), ("7kB", 7168)]
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert Bytes().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "much", "0", "-1G", "4X", "G"])
def test_what_is_no_size_is_refused(text, counts):
    assert_refused(invoke("preprocess", str(counts), "--max-memory", text), 2, "is not an amount of memory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("impute-deepmc", ()),
        ("impute-deepmc", ("--preset", "paper")),
        ("impute-auto", ()),
        ("impute-auto", ("--preset", "paper", "--hidden", "10000000")),
        ("impute-baseline", ("--method", "svd")),
    ],
)
def test_a_job_that_cannot_fit_is_refused_before_it_starts(verb, options, counts, tmp_path, monkeypatch):
    table, target = tmp_path / "log.h5ad", tmp_path / "imputed.h5ad"
    h5ad.write(scinfill.preprocess(h5ad.read(counts)), table)
    target.write_bytes(b"earlier")
    monkeypatch.setattr(memory, "resident", lambda: GIB)
    result = invoke(verb, str(table), "-o", str(target), *options, "--max-memory", str(GIB + 2**20), "--quiet")
    assert_refused(result, 4, f"{verb}", "of 400 cells x", "GiB of memory (1.0 GiB are in use), --max-memory allows")
    assert target.read_bytes() == b"earlier"


@pytest.mark.slow
def test_arrays_in_files_give_the_same_bytes(counts, tmp_path, monkeypatch):
    batches = ("impute-deepmc", "--rank", "3", "--batch", "cell_type", "--batch-effect", "remove")
    files = {}
    for share in (scratch.LARGE_SHARE, 2**60):
        monkeypatch.setattr(scratch, "LARGE_SHARE", share)
        source = counts
        for number, (verb, *options) in enumerate((*CHAIN, batches)):
            target = tmp_path / f"{share}-{number}.h5ad"
            assert invoke(verb, str(source), "-o", str(target), *options).exit_code == 0
            files.setdefault((number, verb), []).append(target.read_bytes())
            source = target
    for verb, (in_memory, in_files) in files.items():
        assert in_memory == in_files, verb


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory was used")
def test_a_matrix_of_more_than_the_memory_passes(tmp_path):
    """Peak memory of the whole process stays at a promise that is smaller than the matrix."""
    rng = np.random.default_rng(0)
    n_cells, n_genes = 160_000, 400
    dense = anndata.AnnData(rng.poisson(0.25, (n_cells, n_genes)).astype(np.float64))
    dense.X = dense.X.astype(np.float64)
    source = tmp_path / "counts.h5ad"
    h5ad.write(dense, source)
    size = source.stat().st_size
    del dense
    limit = 440 * 2**20
    assert size > limit
    program = (
        "import sys; from scinfill.commands import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for verb, *options in (*CHAIN[:2], ("impute-deepmc", "--rank", "3", "--form", "factors"), ("evaluate",)):
        target = tmp_path / f"{verb}.out"
        done = subprocess.run(
            [sys.executable, "-c", program, verb, source, "-o", target, *options, "--max-memory", str(limit)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) * 1024 <= 1.1 * limit, verb
        source = target
