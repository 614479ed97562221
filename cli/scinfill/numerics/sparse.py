"""One form for every matrix: canonical CSR, without a copy where it already is that."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse
from scipy.sparse import csr_array

from scinfill.numerics.blocks import row_slices

ENTRIES_PER_BLOCK = 2**22
"""Stored entries looked at together: temporary arrays stay small beside the matrix."""


def canonical(matrix: Any, dtype: DTypeLike | None = None) -> csr_array:  # noqa: ANN401 - dense or any sparse format
    """Return ``matrix`` as CSR of ``dtype`` with sorted indices, no duplicates and no stored zeros.

    Without a ``dtype`` 32 and 64 bit numbers stay as they are, and others become float64.
    Arrays are shared with ``matrix`` where they need no change, so treat the result as read-only;
    ``matrix`` itself never changes.
    """
    dtype = _computable(matrix.dtype) if dtype is None else np.dtype(dtype)
    if not sparse.issparse(matrix):
        return _from_dense(np.asarray(matrix), dtype)
    rows = with_data(matrix.tocsr(), dtype)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    if np.count_nonzero(rows.data) < rows.nnz:
        rows = rows.copy()
        rows.eliminate_zeros()
    return rows


def _computable(dtype: np.dtype) -> np.dtype:
    """Return the form of a type that SciPy computes with."""
    native = dtype.newbyteorder("=")
    return native if native.kind in "iuf" and native.itemsize in (4, 8) else np.dtype(np.float64)


def _from_dense(matrix: NDArray[Any], dtype: np.dtype) -> csr_array:
    """Convert a block of rows at a time: the positions of the non-zeros cost more than the matrix."""
    blocks = [csr_array(matrix[rows].astype(dtype, copy=False)) for rows in row_slices(*matrix.shape)]
    return csr_array(sparse.vstack(blocks, format="csr")) if blocks else csr_array(matrix.shape, dtype=dtype)


def with_data(matrix: csr_array, dtype: DTypeLike) -> csr_array:
    """Return ``matrix`` with values of another type, sharing positions, which SciPy's ``astype`` would copy."""
    return csr_array((matrix.data.astype(dtype, copy=False), matrix.indices, matrix.indptr), shape=matrix.shape)


def whole_numbers(counts: csr_array) -> csr_array:
    """Return counts as int32, or int64 where one is too large, whatever type the file had."""
    fits = counts.nnz == 0 or counts.data.max() <= np.iinfo(np.int32).max
    return with_data(counts, np.int32 if fits else np.int64)


def row_of_entry(indptr: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the row of every stored entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def entry_blocks(indptr: NDArray[np.integer]) -> Iterator[slice]:
    """Cut the rows of a CSR matrix into slices of about ``ENTRIES_PER_BLOCK`` stored entries."""
    n_rows = len(indptr) - 1
    start = 0
    while start < n_rows:
        enough = int(np.searchsorted(indptr, indptr[start] + ENTRIES_PER_BLOCK, side="right")) - 1
        stop = min(max(enough, start + 1), n_rows)
        yield slice(start, stop)
        start = stop


def position(matrix: csr_array, entry: int) -> tuple[int, int]:
    """Return row and column of a stored entry."""
    row = int(np.searchsorted(matrix.indptr, entry, side="right")) - 1
    return row, int(matrix.indices[entry])
