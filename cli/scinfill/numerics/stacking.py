"""Matrices over one another, each with columns of its own, made a block of rows at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.blocks import walk
from scinfill.numerics.sparse import as_rows, column_counts, entry_blocks, stack_blocks

Part = tuple[Any, NDArray[np.intp]]
"""A matrix, and for every column of the result, (n_columns,), which of its columns that is; −1 for none."""


def stack_rows(parts: Sequence[Part]) -> csr_array | NDArray[Any]:
    """Return matrices over one another, (sum of n_rows, n_columns), zero where a matrix has no such column.

    An array where all of them are arrays, otherwise CSR with stored zeros as they are.
    """
    dtype = np.result_type(*(matrix.dtype for matrix, _ in parts))
    shape = (sum(matrix.shape[0] for matrix, _ in parts), len(parts[0][1]))
    if all(isinstance(matrix, np.ndarray) for matrix, _ in parts):
        return _stack_dense(parts, shape, dtype)
    rows = [(as_rows(matrix), columns) for matrix, columns in parts]
    n_entries = sum(int(column_counts(matrix)[columns[columns >= 0]].sum()) for matrix, columns in rows)
    blocks = (block for matrix, columns in rows for block in _in_columns(matrix, columns))
    return stack_blocks(blocks, shape, n_entries, dtype)


def _stack_dense(parts: Sequence[Part], shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    out = scratch.empty(shape, dtype)
    start = 0
    for matrix, columns in parts:
        there = columns >= 0
        for rows in walk(*matrix.shape):
            block = out[start + rows.start : start + rows.stop]
            block[:, ~there] = 0
            block[:, there] = matrix[rows][:, columns[there]]
        start += matrix.shape[0]
    return out


def _in_columns(matrix: csr_array, columns: NDArray[np.intp]) -> Iterator[csr_array]:
    """Yield blocks of rows with the columns where they are to be."""
    there = np.flatnonzero(columns >= 0)
    for rows in entry_blocks(matrix.indptr):
        block = matrix[rows][:, columns[there]]
        block.sum_duplicates()  # which sorts, and leaves stored zeros alone
        yield csr_array((block.data, there[block.indices], block.indptr), shape=(block.shape[0], len(columns)))
