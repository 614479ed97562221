"""Matrix Market files, by which programs in other languages take part."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import io, sparse
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.io import matrix_market
from scinfill.io.streams import STDIO, check_folder, display

COUNTS = "counts.mtx"
LOG2 = "log2.mtx"
GENES = "genes.txt"
CELLS = "cells.txt"


def check_new_folder(target: str | Path) -> None:
    """Refuse a folder that is there already: an export never mixes with what was there.

    Raises
    ------
    InputError
        Something of that name exists, or its parent does not or may not be written.
    """
    if str(target) == STDIO:
        raise InputError("a folder cannot go to standard output; name a new folder")
    path = Path(target)
    if path.exists() or path.is_symlink():
        raise InputError(f"{display(target)} exists already; name a new folder")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{display(target)}: there is no folder {str(path.absolute().parent)!r}")
    check_folder(path)


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
    check_new_folder(target)
    path = Path(target).absolute()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".scinfill-") as scratch:
        folder = Path(scratch) / "folder"
        folder.mkdir()
        _write_names(folder / GENES, genes, "gene")
        _write_names(folder / CELLS, cells, "cell")
        if counts is not None:
            io.mmwrite(folder / COUNTS, counts.T.tocoo().astype(np.int64), field="integer")
        io.mmwrite(folder / LOG2, log2.T.tocoo(), field="real")
        try:
            folder.rename(path)
        except OSError as error:
            if path.exists():  # another job was faster
                raise InputError(f"{display(target)} exists already; name a new folder") from error
            raise


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
