"""Counts as text: tab, comma, semicolon or space between fields, plain or gzip, with or without a corner field."""

import csv
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import check_is_text, unpacked
from scinfill.io.streams import display

VALUES_PER_BLOCK = 2**22
"""Values parsed at once: a text table is mostly zeros, which are dropped block by block."""
BYTES_PER_VALUE = 20
"""A parsed value, its copy as an array, and its coordinates if it is not zero."""
SEPARATORS = "\t,; "
"""In the order in which they are tried; a space stands for any white space."""
NOTE = "#"
"""Begins lines above the header."""
MOST_NOTES = 10_000
NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]*(?:[eE][-+]?[0-9]+)?")
WORDS = re.compile(r'"([^"]*)"|(\S+)')
"""A quoted name, which may hold spaces, or a word."""
WHAT_A_TABLE_IS = "a table has names in its first row and column, and numbers"
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
        layout = _layout(text, source)
        columns = layout.columns
        if not columns:
            raise DataError(f"{display(source)}: the first row names no columns; {WHAT_A_TABLE_IS}")
        rows, blocks = [], []
        for block in _blocks(text, layout, source):
            memory.require(block.size * BYTES_PER_VALUE, f"reading {display(source)} on")
            rows.extend(block.index.astype(str))
            blocks.append(sparse.csr_array(_numbers(block, columns, source)))
    return AnnData(X=sparse.vstack(blocks, format="csr"), obs=pd.DataFrame(index=rows), var=pd.DataFrame(index=columns))


@contextmanager
def _as_text(handle: BinaryIO, source: str | Path) -> Iterator[TextIO]:
    stream = unpacked(handle)
    check_is_text(stream, source)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise DataError(f"{display(source)} is neither HDF5 nor text; {WHAT_A_TABLE_IS}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{display(source)} cannot be unpacked: {one_line(error)}; copy it again") from error
    finally:
        text.detach()


class _Layout(NamedTuple):
    """How a table is written, and the names of its columns."""

    separator: str
    decimal: str
    columns: list[str]


def _layout(text: TextIO, source: str | Path) -> _Layout:
    """Look at the lines above the first row, and leave ``text`` at it.

    R writes no corner field: the header is then one field shorter than the rows.
    """
    names, first = _first_lines(text, source)
    separator = _separator(names, first)
    if separator is None or (separator == " " and not first.strip()):
        nothing = "neither HDF5 nor a table: no tab, comma, semicolon or space in its first row"
        raise DataError(f"{display(source)} is {nothing if names else 'empty'}; {WHAT_A_TABLE_IS}")
    if not first.strip():
        raise DataError(f"{display(source)} holds a header and no rows; {WHAT_A_TABLE_IS}")
    header, fields = _fields(names, separator), _fields(first, separator)
    if fields and len(fields) not in (len(header), len(header) + 1):
        raise DataError(
            f"{display(source)}: the header has {len(header)} fields, the first row has {len(fields)}; "
            f"the header needs as many as a row, or one less"
        )
    decimal = "," if separator == ";" and "," in first else "."
    return _Layout(separator, decimal, header if len(fields) == len(header) + 1 else header[1:])


def _first_lines(text: TextIO, source: str | Path) -> tuple[str, str]:
    """Return the header and the first row, and leave ``text`` at that row.

    Notes above the header are passed over; the last of them is the header where a row follows at once.
    """
    note, place, names = "", 0, _line(text, source)
    for _ in range(MOST_NOTES):
        if not names.startswith(NOTE):
            break
        note, place, names = names, text.tell(), _line(text, source)
    start, first = text.tell(), _line(text, source)
    marked = note.lstrip(NOTE).strip()
    if marked and _is_row_below(names, marked):
        start, first, names = place, names, marked
    text.seek(start)
    return names, first


def _line(text: TextIO, source: str | Path) -> str:
    line = text.readline(LONGEST_ROW)
    if len(line) == LONGEST_ROW:
        raise DataError(f"{display(source)} is not a table: its first rows have more than {LONGEST_ROW} characters")
    return line


def _is_row_below(line: str, header: str) -> bool:
    """Whether a line holds a name and numbers, as many as the header names."""
    separator = _separator(header, line)
    fields = [] if separator is None else _fields(line, separator)
    return len(fields) > 1 and all(NUMBER.fullmatch(field.strip()) for field in fields[1:])


def _separator(header: str, row: str) -> str | None:
    """Return what cuts header and row into fields that fit together, or else what is there at all."""
    there = [mark for mark in SEPARATORS if mark in header.strip()] or [mark for mark in SEPARATORS if mark in row]
    for mark in there:
        n_fields = len(_fields(row, mark))
        if n_fields > 1 and n_fields - len(_fields(header, mark)) in (0, 1):
            return mark
    return there[0] if there else None


def _fields(line: str, separator: str) -> list[str]:
    if separator == " ":  # any white space
        return [quoted or bare for quoted, bare in WORDS.findall(line)]
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])


def _blocks(text: TextIO, layout: _Layout, source: str | Path) -> Iterator[pd.DataFrame]:
    n_columns = len(layout.columns)
    try:
        yield from pd.read_csv(
            text,
            sep=r"\s+" if layout.separator == " " else layout.separator,
            decimal=layout.decimal,
            header=None,
            index_col=0,
            names=range(n_columns + 1),  # pandas would rename columns that repeat; the checks must see them
            converters={0: str},
            chunksize=max(1, VALUES_PER_BLOCK // n_columns),
        )
    except pd.errors.ParserError as error:
        raise DataError(f"{display(source)}: {one_line(error)}; every row needs as many fields as the first") from error


def _numbers(block: pd.DataFrame, columns: list[str], source: str | Path) -> np.ndarray:
    """Return the values; name the first field that is not a number."""
    for position, dtype in enumerate(block.dtypes):
        if dtype.kind not in "biuf":
            values = block.iloc[:, position]
            wrong = pd.to_numeric(values, errors="coerce").isna().to_numpy()
            row = int(wrong.argmax())
            raise DataError(
                f"{display(source)}: row {block.index[row]!r}, column {columns[position]!r} "
                f"holds {values.iloc[row]!r}, not a number; leave that row or column out"
            )
    return block.to_numpy()
