"""Matrix Market files from anyone, plain or gzip: sizes are looked at before anything is allocated."""

from pathlib import Path
from typing import NamedTuple

from scipy import io, sparse

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import LONGEST_ENTRY, LONGEST_HEADER, check_length, check_matrix_header
from scinfill.io.streams import display

REAL_FIELDS = ("real", "integer", "unsigned-integer")
BYTES_PER_ENTRY = 24
"""A stored entry while it is read: coordinates and value, then the compressed rows."""


class Info(NamedTuple):
    """What the header says."""

    n_rows: int
    n_columns: int
    n_entries: int


def info(path: Path) -> Info:
    """Read the header.

    Raises
    ------
    DataError
        Not a Matrix Market file, or one of other than real numbers.
    """
    with path.open("rb") as handle:
        check_matrix_header(handle, path)
    try:
        n_rows, n_columns, n_entries, _, field, _ = io.mminfo(path)
    except (ValueError, OSError, EOFError, OverflowError, TypeError) as error:
        raise _unusable(path, error) from error
    if field not in REAL_FIELDS:
        raise DataError(f"{display(path)} holds a {field} matrix, not real numbers")
    return Info(n_rows, n_columns, n_entries)


def read(path: Path) -> sparse.coo_array:
    """Read the matrix.

    Raises
    ------
    DataError
        It does not hold what its header says.
    ResourceError
        It does not fit into memory.
    """
    n_entries = info(path).n_entries
    memory.require(BYTES_PER_ENTRY * n_entries, f"reading {display(path)}")
    with path.open("rb") as handle:
        check_length(handle, LONGEST_HEADER + LONGEST_ENTRY * n_entries, path)
    try:
        return sparse.coo_array(io.mmread(path, spmatrix=False))
    except (ValueError, OSError, EOFError, OverflowError, TypeError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> DataError:
    return DataError(f"{display(path)} is not a usable Matrix Market file: {one_line(error)}")
