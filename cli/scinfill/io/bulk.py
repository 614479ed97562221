"""Bulk tables that cells are compared with: counts of genes in libraries, and genes known to differ."""

import io
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import LARGEST_LIST, check_length, unpack
from scinfill.io.streams import display, open_source

GENE = "gene"
IS_DE = "is_de"
WORDS = {"True": "1", "TRUE": "1", "False": "0", "FALSE": "0"}
LONGEST_HEADER = 2**20


def read_counts(source: str | Path) -> pd.DataFrame:
    """Read bulk counts, genes × libraries: gene names in the first column, library names in the first row.

    Raises
    ------
    DataError
        Not such a table, genes named twice, or values that are not counts.
    """
    table = _read(source)
    if table.shape[1] < 2:
        raise DataError(f"{display(source)} needs a column of gene names and one per library")
    bulk = _indexed(table, table.columns[0], source)
    numeric = bulk.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    wrong = ~(np.isfinite(numeric.to_numpy()) & (numeric.to_numpy() >= 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{display(source)}: gene {bulk.index[row]!r}, library {bulk.columns[column]!r} holds "
            f"{bulk.iat[row, column]!r}, not a count"
        )
    return numeric


def read_truth(source: str | Path) -> pd.Series:
    """Read which genes differ: columns ``gene`` and ``is_de`` (1, 0, or empty), others are ignored.

    Raises
    ------
    DataError
        Not such a table, or genes named twice.
    """
    table = _read(source)
    missing = [column for column in (GENE, IS_DE) if column not in table]
    if missing:
        raise DataError(
            f"{display(source)} has no column {missing[0]!r}; columns present: {', '.join(map(str, table.columns))}"
        )
    values = _indexed(table, GENE, source)[IS_DE]
    truth = pd.to_numeric(values.replace(WORDS), errors="coerce").astype(np.float64)
    wrong = values.notna() & ~truth.isin([0, 1])
    if wrong.any():
        gene = wrong.idxmax()
        raise DataError(f"{display(source)}: gene {gene!r} holds {values[gene]!r} in {IS_DE!r}, not 1, 0 or nothing")
    return truth


def _read(source: str | Path) -> pd.DataFrame:
    """Read a table of text, plain or gzip; its separator is a tab if the first row has one, else a comma."""
    with open_source(source) as handle:
        check_length(handle, LARGEST_LIST, source)
        try:
            with io.TextIOWrapper(unpack(handle), "utf-8-sig") as text:
                separator = "\t" if "\t" in text.readline(LONGEST_HEADER) else ","
                text.seek(0)
                return pd.read_csv(text, sep=separator, dtype=str)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise DataError(f"{display(source)} is not a table of text: {one_line(error)}") from error


def _indexed(table: pd.DataFrame, column: str, source: str | Path) -> pd.DataFrame:
    repeated = table[column][table[column].duplicated()]
    if len(repeated):
        raise DataError(f"{display(source)} names gene {repeated.iloc[0]!r} more than once")
    return table.set_index(column)
