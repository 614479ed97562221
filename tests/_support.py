"""What tests share: small tables, the command line in and out of process, and how a refusal looks."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from click.testing import CliRunner, Result
from scipy import sparse

from scinfill.commands import main
from scinfill.methods.autoimpute import AutoImpute
from scinfill.methods.deepmc import DeepMc
from scinfill.models.estimate.learning import FEWEST_FOLDS

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SCINFILL_SHARED_DATA", ROOT.parent / "shared" / "data"))
SHARED_TABLES = (
    "blakeley.h5ad",
    "preimplantation_deng.h5ad",
    "scmix_3lines_celseq2.h5ad",
    "tung_partial.h5ad",
    "zeisel_subset.h5ad",
)
LOG_READERS = ("mask", "impute-deepmc", "impute-baseline", "impute-auto")
"""Verbs that read log2 values."""
READERS = ("preprocess", *LOG_READERS, "evaluate")
"""Verbs that read a table and need no other option."""
FILE_READERS = (*READERS, "reconstruct", "export", "adopt", "rerun", "inspect", "markers", "join", "split")
"""Verbs that read an H5AD file, with what they need beside it."""
COUNTS_READERS = ("preprocess", "inspect", "join")
"""Verbs that read counts in any form."""
FOLDER_WRITERS = ("export", "split")
"""Verbs that make a folder."""
NEEDED = {
    "adopt": ("--matrix", "absent.mtx", "--method", "other"),
    "rerun": ("--input", "absent.h5ad"),
    "markers": ("--groupby", "cell_type"),
}
"""Looked at after the file itself."""
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def shared(name: str) -> Path:
    """Return a file of real data, or skip the test where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"real data {name} is not there; SCINFILL_SHARED_DATA names its folder")
    return path


def make_counts(n_cells: int = 40, n_genes: int = 30, *, seed: int = 0, n_spikes: int = 0) -> AnnData:
    """Return counts of two cell types with something in every slot that verbs must leave alone."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n_cells) % 2
    rate = rng.gamma(0.8, 4, size=(2, n_genes))[kind] * rng.lognormal(0, 0.4, size=(n_cells, 1))
    names = [f"gene{number}" for number in range(n_genes - n_spikes)] + [f"ERCC-{n:05d}" for n in range(n_spikes)]
    adata = AnnData(
        X=sparse.csr_matrix(rng.poisson(rate).astype(np.int32)),
        obs=pd.DataFrame(
            {"cell_type": pd.Categorical(np.array(["a", "b"])[kind]), "age": rng.normal(size=n_cells)},
            index=[f"cell{number}" for number in range(n_cells)],
        ),
        var=pd.DataFrame({"symbol": [name.upper() for name in names], "length": np.arange(n_genes)}, index=names),
    )
    adata.uns["source"] = {"made": "here", "numbers": np.arange(3)}
    adata.obsm["X_place"] = rng.normal(size=(n_cells, 2))
    adata.varm["loadings"] = rng.normal(size=(n_genes, 3))
    adata.obsp["near"] = sparse.eye(n_cells, format="csr")
    adata.varp["alike"] = sparse.eye(n_genes, format="csr")
    adata.layers["spliced"] = adata.X.copy()
    return adata


def make_droplets(n_empty: int = 400, n_cells: int = 40) -> AnnData:
    """Return an unfiltered table: cells of :func:`make_counts` among barcodes that hold a count or two, or none."""
    cells = make_counts(n_cells)
    rng = np.random.default_rng(1)
    soup = sparse.csr_matrix(rng.poisson(0.04, size=(n_empty, cells.n_vars)).astype(np.int32))
    empty = AnnData(soup, obs=pd.DataFrame(index=[f"empty{n}" for n in range(n_empty)]), var=cells.var)
    together = anndata.concat([empty, cells], join="outer", merge="same")
    together.obs["age"] = np.arange(together.n_obs)
    together.obsm["X_place"] = rng.normal(size=(together.n_obs, 2))
    together.obsp["near"] = sparse.random(together.n_obs, together.n_obs, 0.01, format="csr", random_state=0)
    together.layers["spliced"] = together.X.copy()
    together.raw = together
    return together


@contextmanager
def with_short_training() -> Iterator[None]:
    """Let AutoImpute's default train for a few steps, and both methods refit as they do large data."""
    usual = AutoImpute._network

    def short(*args):
        return replace(usual(*args), max_steps=24, learning_rate=0.02)

    with (
        patch.object(AutoImpute, "_network", short),
        patch.object(AutoImpute, "max_folds", FEWEST_FOLDS),
        patch.object(DeepMc, "max_folds", FEWEST_FOLDS),
    ):
        yield


def to_bytes(adata: AnnData) -> bytes:
    """Return the table as an H5AD file in memory, written by anndata itself."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        anndata.io.write_elem(file, "/", adata)
    return buffer.getvalue()


def from_bytes(content: bytes) -> AnnData:
    """Read a table from bytes with anndata itself."""
    with h5py.File(io.BytesIO(content), "r") as file:
        return anndata.io.read_elem(file)


def dense(matrix) -> np.ndarray:
    """Return any matrix as an array."""
    return matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)


def assert_same(first, second, slot: str) -> None:
    """Compare anything a slot may hold, and name the slot where it differs."""
    if isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first, second, obj=slot)
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), slot
        for key, value in first.items():
            assert_same(value, second[key], f"{slot}/{key}")
    elif sparse.issparse(first) or isinstance(first, np.ndarray):
        assert first.dtype == second.dtype, slot
        np.testing.assert_array_equal(dense(first), dense(second), err_msg=slot)
    else:
        assert first == second, slot


def assert_adata_equal(first: AnnData, second: AnnData, *, without: tuple[str, ...] = ()) -> None:
    """Compare two tables slot by slot; ``without`` names slots or ``slot/key`` to leave out."""
    for slot in ("obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers"):
        if slot in without:
            continue
        one, other = getattr(first, slot), getattr(second, slot)
        if slot not in ("obs", "var"):
            one, other = dict(one), dict(other)
            for key in [key for key in (*one, *other) if f"{slot}/{key}" in without]:
                one.pop(key, None)
                other.pop(key, None)
        assert_same(one, other, slot)
    if "X" not in without:
        assert_same(first.X, second.X, "X")


def invoke(*args: object, stdin: bytes | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def command(*args: object) -> list[str]:
    """Return the command line of a real process."""
    return [sys.executable, "-m", "scinfill", *map(str, args)]


def start(*args: object, stdin: object = subprocess.DEVNULL, **options) -> subprocess.Popen:
    """Start the command line as a real process, which inherits nothing from how the tests were started."""
    return subprocess.Popen(command(*args), stdin=stdin, **options)


def run(*args: object, **options) -> subprocess.CompletedProcess:
    """Run the command line as a real process and keep what it says."""
    return _ended(command(*args), **options)


def run_program(program: str, *args: object, **options) -> subprocess.CompletedProcess:
    """Run a few lines of Python as a real process and keep what they say."""
    return _ended([sys.executable, "-c", program, *map(str, args)], **options)


def _ended(call: list[str], **options) -> subprocess.CompletedProcess:
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(call, capture_output=True, check=False, **options)


def invoke_to(out: Path, verb: str, *args: object, stdin: bytes | None = None) -> Result:
    """Run a verb with what it needs, into a file that holds something, or into a folder that is not there."""
    target = out.with_name("folder") if verb in FOLDER_WRITERS else out
    out.write_bytes(b"earlier")
    return invoke(verb, *args, *NEEDED.get(verb, ()), "-o", target, stdin=stdin)


def assert_refused(result: Result | subprocess.CompletedProcess, exit_code: int, *words: str) -> None:
    """Check the contract of every failure: its exit code, one line, nothing on stdout, no traceback."""
    if isinstance(result, Result):
        code, stdout, stderr = result.exit_code, result.stdout_bytes, result.stderr
    else:
        code, stdout, stderr = result.returncode, result.stdout, result.stderr.decode()
    assert code == exit_code, stderr
    assert stdout == b""
    lines = [line for line in stderr.splitlines() if ": warning: " not in line]
    assert len(lines) == 1, stderr
    assert "error: " in lines[0]
    for word in words:
        assert word in lines[0]
