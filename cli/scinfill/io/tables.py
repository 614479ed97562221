"""Counts as text: comma or tab between fields, plain or gzip, header with or without a corner field."""

import csv
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.hdf5 import is_hdf5, one_line
from scinfill.io.packed import unpacked
from scinfill.io.streams import display

VALUES_PER_BLOCK = 2**22
"""Values parsed at once: a text table is mostly zeros, which are dropped block by block."""
BYTES_PER_VALUE = 20
"""A parsed value, its copy as an array, and its coordinates if it is not zero."""
LONGEST_ROW = 2**28
"""A row of a million fields is far below this; a compressed file of nothing else is not read into memory."""


def read(handle: BinaryIO, source: str | Path) -> AnnData:
    """Read a table of numbers with names in its first row and column; rows become observations.

    Parameters
    ----------
    handle
        The open file, at its start.
    source
        Its name in messages.

    Raises
    ------
    DataError
        No separator, rows of different length, or a field that is not a number (its row and column are named).
    """
    with _as_text(handle, source) as text:
        separator, columns = _header(text, source)
        if not columns:
            raise DataError(f"{display(source)}: the first row names no columns")
        rows, blocks = [], []
        for block in _blocks(text, separator, len(columns), source):
            memory.require(block.size * BYTES_PER_VALUE, f"reading {display(source)} on")
            rows.extend(block.index.astype(str))
            blocks.append(sparse.csr_array(_numbers(block, columns, source)))
    return AnnData(X=sparse.vstack(blocks, format="csr"), obs=pd.DataFrame(index=rows), var=pd.DataFrame(index=columns))


@contextmanager
def _as_text(handle: BinaryIO, source: str | Path) -> Iterator[TextIO]:
    stream = unpacked(handle)
    if stream is not handle and _is_hdf5(stream):
        raise DataError(f"{display(source)} is a compressed HDF5 file; unpack it first (gunzip)")
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise DataError(f"{display(source)} is neither HDF5 nor text") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{display(source)} cannot be unpacked: {one_line(error)}") from error
    finally:
        text.detach()


def _is_hdf5(stream: BinaryIO) -> bool:
    """Look at the first bytes; what cannot be unpacked shows itself when it is read as text."""
    try:
        return is_hdf5(stream)
    except (OSError, EOFError, zlib.error):
        return False


def _header(text: TextIO, source: str | Path) -> tuple[str, list[str]]:
    """Return the separator and the names of the value columns; leave ``text`` at its first row.

    R writes no corner field: the header is then one field shorter than the rows.
    """
    names = text.readline(LONGEST_ROW)
    start = text.tell()
    first = text.readline(LONGEST_ROW)
    if LONGEST_ROW in (len(names), len(first)):
        raise DataError(f"{display(source)} is not a table: its first rows have more than {LONGEST_ROW} characters")
    text.seek(start)
    separator = "\t" if "\t" in names else ","
    if separator not in names + first:
        what = "neither HDF5 nor a table: no tab and no comma in its first row" if names else "empty"
        raise DataError(f"{display(source)} is {what}")
    if not first.strip():
        raise DataError(f"{display(source)} holds a header and no rows")
    header, fields = (next(csv.reader([line.rstrip("\r\n")], delimiter=separator), []) for line in (names, first))
    if fields and len(fields) not in (len(header), len(header) + 1):
        raise DataError(f"{display(source)}: the header has {len(header)} fields, the first row has {len(fields)}")
    return separator, header if len(fields) == len(header) + 1 else header[1:]


def _blocks(text: TextIO, separator: str, n_columns: int, source: str | Path) -> Iterator[pd.DataFrame]:
    try:
        yield from pd.read_csv(
            text,
            sep=separator,
            header=None,
            index_col=0,
            names=range(n_columns + 1),  # pandas would rename columns that repeat; the checks must see them
            converters={0: str},
            chunksize=max(1, VALUES_PER_BLOCK // n_columns),
        )
    except pd.errors.ParserError as error:
        raise DataError(f"{display(source)}: {one_line(error)}") from error


def _numbers(block: pd.DataFrame, columns: list[str], source: str | Path) -> np.ndarray:
    """Return the values; name the first field that is not a number."""
    for position, dtype in enumerate(block.dtypes):
        if dtype.kind not in "biuf":
            values = block.iloc[:, position]
            wrong = pd.to_numeric(values, errors="coerce").isna().to_numpy()
            row = int(wrong.argmax())
            raise DataError(
                f"{display(source)}: row {block.index[row]!r}, column {columns[position]!r} "
                f"holds {values.iloc[row]!r}, not a number"
            )
    return block.to_numpy()
