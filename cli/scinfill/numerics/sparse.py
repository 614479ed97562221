"""One form for every matrix: canonical CSR, without a copy where it already is that, made a block of rows at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse
from scipy.sparse import csr_array

from scinfill import memory
from scinfill.numerics import scratch
from scinfill.numerics.blocks import walk
from scinfill.numerics.parallel import map_in_order

BYTES_PER_CONVERTED_ENTRY = 24
"""A matrix stored by columns takes this while it is turned into rows: its own arrays, and both at once."""


def canonical(matrix: Any, dtype: DTypeLike | None = None) -> csr_array:  # noqa: ANN401 - dense or any sparse format
    """Return ``matrix`` as CSR of ``dtype`` with sorted indices, no duplicates and no stored zeros.

    Without a ``dtype`` 32 and 64 bit numbers stay as they are, and others become float64.
    Arrays are shared with ``matrix`` where they need no change, so treat the result as read-only;
    ``matrix`` itself never changes.
    """
    dtype = _computable(matrix.dtype) if dtype is None else np.dtype(dtype)
    if not sparse.issparse(matrix):
        return _from_dense(np.asarray(matrix), dtype)
    rows = with_data(as_rows(matrix), dtype)
    if all(_is_canonical(rows_view(rows, part)) for part in entry_blocks(rows.indptr)):
        return rows
    return by_row_blocks(rows, lambda part: _made_canonical(rows[part].copy()))


def as_rows(matrix: Any) -> csr_array:  # noqa: ANN401 - dense or any sparse format
    """Return ``matrix`` as CSR with its stored values as they are, sharing them where it is CSR."""
    if not sparse.issparse(matrix):
        return _from_dense(np.asarray(matrix), matrix.dtype)
    if matrix.format != "csr":
        memory.require(BYTES_PER_CONVERTED_ENTRY * matrix.nnz, f"turning a {matrix.format.upper()} matrix into CSR")
    return csr_array(matrix.tocsr())


def _is_canonical(rows: csr_array) -> bool:
    return bool(rows.has_canonical_format) and np.count_nonzero(rows.data) == rows.nnz


def _made_canonical(rows: csr_array) -> csr_array:
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows


def by_row_blocks(
    matrix: csr_array,
    block: Callable[[slice], csr_array],
    *,
    n_columns: int | None = None,
    max_entries: int | None = None,
    dtype: DTypeLike | None = None,
) -> csr_array:
    """Return the CSR matrix whose rows are computed block by block, so that nothing large is made on the way.

    Parameters
    ----------
    matrix
        Matrix whose rows, and their number of stored entries, give the blocks.
    block
        Function from a slice of rows to these rows.
    n_columns, most_entries, dtype
        Columns, largest number of entries and type of the result; as in ``matrix`` where not given.
    """
    shape = (matrix.shape[0], matrix.shape[1] if n_columns is None else n_columns)
    blocks = map(block, entry_blocks(matrix.indptr))
    return stack_blocks(blocks, shape, matrix.nnz if max_entries is None else max_entries, dtype or matrix.dtype)


def stack_blocks(blocks: Iterable[csr_array], shape: tuple[int, int], max_entries: int, dtype: DTypeLike) -> csr_array:
    """Return blocks of rows as one CSR matrix whose arrays may be larger than memory."""
    data, indices = scratch.empty(max_entries, dtype), scratch.empty(max_entries, position_type(max_entries))
    indptr = np.zeros(shape[0] + 1, indices.dtype)
    row = end = 0
    for block in blocks:
        n_rows, start = block.shape[0], end
        end += block.nnz
        data[start:end] = block.data
        indices[start:end] = block.indices
        indptr[row + 1 : row + 1 + n_rows] = start + block.indptr[1:]
        row += n_rows
    return csr_array((data[:end], indices[:end], indptr), shape=shape)


def rows_view(matrix: csr_array, rows: slice | NDArray[np.intp]) -> csr_array:
    """Return some rows to be read: for a slice a view on the arrays of ``matrix``, which SciPy would copy."""
    if not isinstance(rows, slice) or rows.step not in (None, 1):
        return matrix[rows]
    start, stop, _ = rows.indices(matrix.shape[0])
    indptr = matrix.indptr[start : stop + 1]
    entries = slice(indptr[0], indptr[-1])
    view = csr_array((len(indptr) - 1, matrix.shape[1]), dtype=matrix.dtype)
    # Set afterwards: what SciPy is given it copies where it is a small part of a large array.
    view.data, view.indices, view.indptr = matrix.data[entries], matrix.indices[entries], indptr - indptr[0]
    return view


def entries_where(matrix: csr_array, chosen: NDArray[np.bool_]) -> csr_array:
    """Return a block of rows with those of its stored entries that are ``chosen`` (nnz,)."""
    kept = np.flatnonzero(chosen)
    indptr = np.searchsorted(kept, matrix.indptr).astype(matrix.indptr.dtype)
    return csr_array((matrix.data[kept], matrix.indices[kept], indptr), matrix.shape)


def _computable(dtype: np.dtype) -> np.dtype:
    """Return the form of a type that SciPy computes with."""
    native = dtype.newbyteorder("=")
    return native if native.kind in "iuf" and native.itemsize in (4, 8) else np.dtype(np.float64)


def position_type(n_entries: int) -> type[np.signedinteger]:
    """Return the type for indices and indptr of so many stored entries; where the two differ, SciPy converts."""
    return np.int32 if n_entries < np.iinfo(np.int32).max else np.int64


def _from_dense(matrix: NDArray[Any], dtype: np.dtype) -> csr_array:
    """Convert a block of rows at a time: the positions of the non-zeros cost more than the matrix."""
    n_entries = sum(int(np.count_nonzero(matrix[rows])) for rows in walk(*matrix.shape))
    blocks = (csr_array(matrix[rows].astype(dtype, copy=False)) for rows in walk(*matrix.shape))
    return stack_blocks(blocks, matrix.shape, n_entries, dtype)


def with_data(matrix: csr_array, dtype: DTypeLike) -> csr_array:
    """Return ``matrix`` with values of another type, sharing positions, which SciPy's ``astype`` would copy."""
    return with_positions(scratch.convert(matrix.data, dtype), matrix)


def with_positions(data: NDArray[Any], pattern: csr_array) -> csr_array:
    """Return values (nnz,) at the stored entries of ``pattern``, sharing its positions."""
    return csr_array((data, pattern.indices, pattern.indptr), shape=pattern.shape)


def have_same_positions(one: csr_array, other: csr_array) -> bool:
    """Whether two matrices of one format store the same entries, in the same order."""
    if one.shape != other.shape or one.nnz != other.nnz:
        return False
    return one.indices is other.indices or (
        np.array_equal(one.indptr, other.indptr)
        and all(np.array_equal(one.indices[part], other.indices[part]) for part in scratch.chunks(one.nnz))
    )


def whole_numbers(counts: csr_array) -> csr_array:
    """Return counts as int32, or int64 where one is too large, whatever type the file had."""
    fits = largest(counts.data) <= np.iinfo(np.int32).max
    return with_data(counts, np.int32 if fits else np.int64)


def largest(values: NDArray[Any]) -> float:
    """Return the largest of some values, 0 of none."""
    return max((float(values[part].max()) for part in scratch.chunks(len(values))), default=0.0)


def row_of_entry(indptr: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the row of every stored entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def entry_blocks(indptr: NDArray[np.integer]) -> Iterator[slice]:
    """Cut the rows of a CSR matrix into slices to look at together, and let go of what has been seen."""
    n_rows = len(indptr) - 1
    start = 0
    while start < n_rows:
        enough = int(np.searchsorted(indptr, indptr[start] + scratch.ENTRIES_PER_CHUNK, side="right")) - 1
        stop = min(max(enough, start + 1), n_rows)
        yield slice(start, stop)
        scratch.release()
        start = stop


def column_sums(matrix: csr_array) -> NDArray[np.float64]:
    """Return the sum of every column, (n_columns,)."""
    totals = np.zeros(matrix.shape[1])
    for part in scratch.chunks(matrix.nnz):
        totals += np.bincount(matrix.indices[part], matrix.data[part], matrix.shape[1])
    return totals


def weighted_column_sums(matrix: csr_array, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of every column, (n_columns,), of rows that count ``weights`` (n_rows,)."""
    parts = (rows_view(matrix, rows).T @ weights[rows] for rows in entry_blocks(matrix.indptr))
    return sum(parts, np.zeros(matrix.shape[1]))


def row_sums(matrix: csr_array) -> NDArray[np.float64]:
    """Return the sum of every row, (n_rows,)."""
    return product(matrix, np.ones(matrix.shape[1]))


def column_counts(matrix: csr_array) -> NDArray[np.int64]:
    """Return how many entries of every column are stored, (n_columns,)."""
    parts = (matrix.indices[part] for part in scratch.chunks(matrix.nnz))
    return sum((np.bincount(part, minlength=matrix.shape[1]) for part in parts), np.zeros(matrix.shape[1], np.int64))


def product(matrix: csr_array, dense: NDArray[Any]) -> NDArray[Any]:
    """Return matrix @ dense, for a vector or a thin matrix."""
    out = np.empty((matrix.shape[0], *dense.shape[1:]), np.result_type(matrix.dtype, dense.dtype))
    slices = list(entry_blocks(matrix.indptr))
    for rows, part in zip(slices, map_in_order(lambda rows: rows_view(matrix, rows) @ dense, slices), strict=True):
        out[rows] = part
    return out


def transposed_product(matrix: csr_array, dense: NDArray[Any]) -> NDArray[Any]:
    """Return matrixᵀ @ dense, for a vector or a thin matrix."""
    parts = map_in_order(lambda rows: rows_view(matrix, rows).T @ dense[rows], list(entry_blocks(matrix.indptr)))
    total = np.zeros((matrix.shape[1], *dense.shape[1:]), np.result_type(matrix.dtype, dense.dtype))
    for part in parts:
        total += part
    return total


def rows_of(matrix: csr_array, rows: NDArray[np.intp]) -> csr_array:
    """Return some rows, in their order: walking past all of them keeps few pages of a large matrix."""
    if (np.diff(rows) < 0).any():
        order = np.argsort(rows, kind="stable")
        return rows_of(matrix, rows[order])[np.argsort(order)]

    def chosen_in(part: slice) -> csr_array:
        return matrix[rows[np.searchsorted(rows, part.start) : np.searchsorted(rows, part.stop)]]

    blocks = map_in_order(chosen_in, list(entry_blocks(matrix.indptr)))
    n_entries = int(np.diff(matrix.indptr)[rows].sum())
    return stack_blocks(blocks, (len(rows), matrix.shape[1]), n_entries, matrix.dtype)


def columns_of(matrix: csr_array, columns: NDArray[np.intp]) -> csr_array:
    """Return some columns, in their order."""
    n_entries = int(column_counts(matrix)[columns].sum())
    return by_row_blocks(
        matrix, lambda rows: rows_view(matrix, rows)[:, columns], n_columns=len(columns), max_entries=n_entries
    )


def beside(left: csr_array, right: csr_array) -> csr_array:
    """Return both matrices side by side."""
    return by_row_blocks(
        left,
        lambda rows: csr_array(sparse.hstack([left[rows], right[rows]], format="csr")),
        n_columns=left.shape[1] + right.shape[1],
        max_entries=left.nnz + right.nnz,
        dtype=np.result_type(left.dtype, right.dtype),
    )


def position(matrix: csr_array, entry: int) -> tuple[int, int]:
    """Return row and column of a stored entry."""
    row = int(np.searchsorted(matrix.indptr, entry, side="right")) - 1
    return row, int(matrix.indices[entry])
