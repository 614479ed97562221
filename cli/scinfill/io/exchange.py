"""Matrix Market files, by which programs in other languages take part."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import io, sparse
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.io import matrix_market
from scinfill.io.streams import display, new_folder

COUNTS = "counts.mtx"
LOG2 = "log2.mtx"
GENES = "genes.txt"
CELLS = "cells.txt"


def write_folder(
    target: str | Path, *, counts: csr_array | None, log2: csr_array, genes: Iterable[str], cells: Iterable[str]
) -> None:
    """Write matrices with genes in rows, as R programs expect them, and the names, one a line.

    The folder appears, whole, when all is written.

    Parameters
    ----------
    counts, log2
        (n_cells, n_genes).

    Raises
    ------
    DataError
        A name does not fit on a line.
    """
    with new_folder(target) as folder:
        _write_names(folder / GENES, genes, "gene")
        _write_names(folder / CELLS, cells, "cell")
        if counts is not None:
            _write_matrix(folder / COUNTS, counts.T.tocoo().astype(np.int64), "integer")
        _write_matrix(folder / LOG2, log2.T.tocoo(), "real")


def _write_matrix(path: Path, matrix: sparse.coo_array, field: str) -> None:
    with path.open("wb") as handle:  # given the path, SciPy fails at letters that a plain locale does not have
        io.mmwrite(handle, matrix, field=field)


def _write_names(path: Path, names: Iterable[str], what: str) -> None:
    lines = list(names)
    broken = next((name for name in lines if "\n" in name or "\r" in name), None)
    if broken is not None:
        raise DataError(f"{what} name {broken!r} holds a line break; rename it")
    path.write_text("".join(f"{name}\n" for name in lines), encoding="utf-8")


def read_matrix(source: str | Path, shape: tuple[int, int]) -> csr_array:
    """Read a Matrix Market file with genes in rows as (n_cells, n_genes) = ``shape``, float32.

    Raises
    ------
    InputError
        There is no such file.
    DataError
        It cannot be read, or holds another shape.
    ResourceError
        It does not fit into memory.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{display(source)} cannot be read: it is no file")
    n_genes, n_cells, _ = matrix_market.info(path)
    if (n_cells, n_genes) != shape:
        raise DataError(
            f"{display(source)} is {n_genes} genes x {n_cells} cells, the table {shape[1]} genes x {shape[0]} cells"
        )
    return sparse.csr_array(matrix_market.read(path).T, dtype=np.float32)
