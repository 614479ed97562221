"""Counts as text: tab, comma, semicolon or space between fields, plain or gzip, with or without a corner field."""

import csv
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import check_is_text, unpack
from scinfill.io.streams import display

VALUES_PER_BLOCK = 2**22
"""Values parsed at once: a text table is mostly zeros, which are dropped block by block."""
BYTES_PER_VALUE = 20
"""A parsed value, its copy as an array, and its coordinates if it is not zero."""
SEPARATORS = "\t,; "
"""In the order in which they are tried; a space stands for any white space."""
NOTE = "#"
"""Begins lines that are no rows, unless a name and numbers follow."""
MOST_NOTES = 10_000
NUMBER = re.compile(r"[-+]?[0-9]*[.,]?[0-9]*(?:[eE][-+]?[0-9]+)?")
WORDS = re.compile(r'"([^"]*)"|(\S+)')
"""A quoted name, which may hold spaces, or a word."""
WHAT_A_TABLE_IS = "a table has names in its first row and column, and numbers"
GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:[.,' \u00a0\u202f][0-9]{3})+")
"""What may be a number of thousands: 1,234 or 2.000."""
MARKED = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)+(?:[eE][-+]?[0-9]+)?")
"""A number with a comma or point inside."""
FIELD = re.compile(rf';"?({MARKED.pattern})"?(?=[;\r\n]|\Z)')
LINE_OF_NOTES = re.compile(r"^#[^\r\n]*", re.MULTILINE)
MOST_PROBED = 2**24
"""Characters below the header in which the decimal mark is looked for."""
FILL = "fill empty fields with 0 (pandas: table.fillna(0))"
PLAIN_NUMBERS = "write numbers without thousands separators and with a decimal point"
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
        No separator, rows of different length, or a field that is empty or not a number (its row and column are named).
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
            blocks.append(sparse.csr_array(_numbers(block, layout, source)))
    return AnnData(X=sparse.vstack(blocks, format="csr"), obs=pd.DataFrame(index=rows), var=pd.DataFrame(index=columns))


@contextmanager
def _as_text(handle: BinaryIO, source: str | Path) -> Iterator[TextIO]:
    stream = unpack(handle)
    check_is_text(stream, source)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        if _is_text_of_one_byte(error.object):
            raise DataError(
                f"{display(source)} is text, but not in UTF-8 (byte {error.object[error.start]:#04x}); save it as UTF-8"
            ) from error
        raise DataError(f"{display(source)} is neither HDF5 nor text; {WHAT_A_TABLE_IS}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{display(source)} cannot be unpacked: {one_line(error)}; copy it again") from error
    finally:
        text.detach()


def _is_text_of_one_byte(text: bytes) -> bool:
    """Whether bytes are mostly plain letters, without what only binary data has."""
    plain = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in text)
    controls = sum(byte < 32 and byte not in b"\t\r\n" for byte in text)
    return controls == 0 and 2 * plain > len(text)


class _Layout(NamedTuple):
    """Layout of a table: its separator, the names of its columns, and whether all its lines end with a separator."""

    separator: str
    decimal: str
    columns: list[str]
    open_end: bool


class _Rows(io.TextIOBase):
    """The rows of a table without the notes between and below them, for a parser that reads piece by piece."""

    def __init__(self, text: TextIO, layout: _Layout) -> None:
        self._text = text
        self._separator = layout.separator
        self._n_fields = 1 + len(layout.columns) + layout.open_end

    def read(self, size: int | None = -1, /) -> str:
        """Return whole lines, some more characters than asked for; nothing at the end alone."""
        while lines := self._text.read(-1 if size is None else size):
            if not lines.endswith("\n"):
                lines += self._text.readline(LONGEST_ROW)
            if NOTE in lines:
                lines = LINE_OF_NOTES.sub(self._row_or_nothing, lines)
            if lines.strip("\r\n"):
                return lines
        return ""

    def _row_or_nothing(self, line: re.Match[str]) -> str:
        fields = _fields(line.group(), self._separator)
        is_row = len(fields) == self._n_fields and any(map(_is_number, fields[1:]))
        return line.group() if is_row else ""


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
    columns = header if len(fields) == len(header) + 1 else header[1:]
    open_end = len(columns) > 1 and not columns[-1].strip() and not fields[-1].strip()
    if len(fields) == len(header) + 1 and not fields[-1].strip() and not open_end:
        raise DataError(
            f"{display(source)}: the first row ends with an empty field and the header does not; delete the separators "
            f"at the ends of the rows, or {FILL}"
        )
    decimal = _decimal(text, source) if separator == ";" else "."
    return _Layout(separator, decimal, columns[:-1] if open_end else columns, open_end)


def _decimal(text: TextIO, source: str | Path) -> str:
    """Return the decimal mark of fields between semicolons, told from many rows, and leave ``text`` where it is."""
    start = text.tell()
    marked = FIELD.findall(text.read(MOST_PROBED) + _line(text, source))
    text.seek(start)
    if marked and all(map(GROUPED.fullmatch, marked)):
        raise DataError(
            f"{display(source)}: numbers such as {marked[0]} may be thousands or have decimals; {PLAIN_NUMBERS}"
        )
    return "," if any("," in field for field in marked) else "."


def _first_lines(text: TextIO, source: str | Path) -> tuple[str, str]:
    """Return the header and the first row, and leave ``text`` at that row.

    Notes and empty lines are passed over; the last note above a row is the header where that row follows at once.
    """
    note, place, names = "", 0, _line(text, source)
    for _ in range(MOST_NOTES):
        if not _is_empty(names) and not names.startswith(NOTE):
            break
        note = names if names.startswith(NOTE) else note
        place, names = text.tell(), _line(text, source)
    start, first = text.tell(), _line(text, source)
    marked = note.lstrip(NOTE).strip()
    if marked and _is_row_below(names, marked):
        start, first, names = place, names, marked
    for _ in range(MOST_NOTES):
        if not _is_empty(first) and not (first.startswith(NOTE) and not _is_row_below(first, names)):
            break
        start, first = text.tell(), _line(text, source)
    text.seek(start)
    return names, first


def _is_empty(line: str) -> bool:
    """Whether a line, which is not the end of the text, holds nothing."""
    return bool(line) and not line.strip(" \r\n")


def _line(text: TextIO, source: str | Path) -> str:
    line = text.readline(LONGEST_ROW)
    if len(line) == LONGEST_ROW:
        raise DataError(f"{display(source)} is not a table: its first rows have more than {LONGEST_ROW} characters")
    return line


def _is_row_below(line: str, header: str) -> bool:
    """Whether a line holds a name and numbers, as many as the header names."""
    separator = _separator(header, line)
    if separator is None:
        return False
    fields = _fields(line, separator)
    fits = len(fields) > 1 and len(fields) - len(_fields(header, separator)) in (0, 1)
    return fits and all(not field.strip() or _is_number(field) for field in fields[1:])


def _is_number(field: str) -> bool:
    return bool(field.strip()) and NUMBER.fullmatch(field.strip()) is not None


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
    n_columns = len(layout.columns) + layout.open_end
    try:
        yield from pd.read_csv(
            cast("TextIO", _Rows(text, layout)),
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


def _numbers(block: pd.DataFrame, layout: _Layout, source: str | Path) -> np.ndarray:
    """Return the values; name the first field that is empty or not a number."""
    if layout.open_end:
        beyond = block.iloc[:, -1].notna().to_numpy()
        if beyond.any():
            row = int(beyond.argmax())
            raise DataError(
                f"{display(source)}: row {block.index[row]!r} holds {block.iloc[row, -1]} in the last column, which "
                f"has no name; name it in the header"
            )
        block = block.iloc[:, :-1]
    for position, dtype in enumerate(block.dtypes):
        if dtype.kind not in "biuf":
            values = block.iloc[:, position]
            pointed = (
                values.astype(str).str.translate({ord("."): "_", ord(","): "."}) if layout.decimal == "," else values
            )
            numeric = pd.to_numeric(pointed, errors="coerce")
            wrong = (numeric.isna() & values.notna()).to_numpy()
            row = int(wrong.argmax())
            if wrong.any():
                raise DataError(
                    f"{display(source)}: row {block.index[row]!r}, column {layout.columns[position]!r} "
                    f"holds {values.iloc[row]!r}, not a number; {_remedy(str(values.iloc[row]), position, block)}"
                )
            block.isetitem(position, numeric)
    numbers = block.to_numpy()
    empty = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(0, dtype=bool)
    if empty.any():
        row, position = divmod(int(empty.argmax()), numbers.shape[1])
        raise DataError(
            f"{display(source)}: row {block.index[row]!r}, column {layout.columns[position]!r} is empty or NA; {FILL}"
        )
    return numbers


def _remedy(field: str, position: int, block: pd.DataFrame) -> str:
    """Return what to do about a field that is not a number."""
    if GROUPED.fullmatch(field) or MARKED.fullmatch(field):
        return PLAIN_NUMBERS
    numbered = [[str(number + first) for number in range(len(block))] for first in (0, 1)]
    if position == 0 and list(map(str, block.index)) in numbered:
        return "save the table without its index of numbers before the names (pandas: index=False; R: row.names=FALSE)"
    return "leave that row or column out"
