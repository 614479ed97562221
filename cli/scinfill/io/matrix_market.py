"""Matrix Market files from anyone, plain or gzip: sizes are looked at before anything is allocated."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from scipy import io, sparse

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import LONGEST_ENTRY, LONGEST_HEADER, check_length, check_matrix_header, unpack
from scinfill.io.streams import display

LONGEST_BANNER = 2**10
SYNONYMS = {b"float": b"real", b"double": b"real"}
"""Number types that programs write (STARsolo: float) and the format calls otherwise."""
REAL_FIELDS = ("real", "integer", "unsigned-integer")
BYTES_PER_ENTRY = 24
"""A stored entry while it is read: coordinates and value, then the compressed rows."""


class Info(NamedTuple):
    """Contents of the header."""

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
    with _readable(path) as text:
        n_rows, n_columns, n_entries, _, field, _ = io.mminfo(text)
    if field not in REAL_FIELDS:
        raise DataError(f"{display(path)} holds a {field} matrix, not real numbers; write the counts with their values")
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
    with _readable(path) as text:
        return sparse.coo_array(io.mmread(text, spmatrix=False))


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """Yield what SciPy reads; it goes by the suffix of a path, and knows no synonyms."""
    try:
        with path.open("rb") as handle:
            text = unpack(handle)
            banner = text.readline(LONGEST_BANNER)
            words = banner.split()
            known = [SYNONYMS.get(word.lower(), word) for word in words]
            if text is handle and known == words and path.suffix not in (".gz", ".bz2"):
                yield path  # read by several threads
            else:
                yield _Text(text, b" ".join(known) + b"\n")
    except (ValueError, OSError, EOFError, OverflowError, TypeError) as error:
        raise DataError(f"{display(path)} is not a usable Matrix Market file: {one_line(error)}") from error


class _Text:
    """A stream that begins with a line of ours. It cannot seek: SciPy ends the process where that fails."""

    def __init__(self, text: BinaryIO, line: bytes) -> None:
        self._text = text
        self._line = line

    def read(self, size: int = -1) -> bytes:
        """Return the line first, then what follows."""
        if self._line:
            piece = self._line if size < 0 else self._line[:size]
            self._line = self._line[len(piece) :]
            return piece
        return self._text.read(size)
