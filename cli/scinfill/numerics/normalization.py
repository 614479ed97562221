"""Library sizes, size factors and the logarithm, with exact inverses where they exist."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.sparse import entry_blocks, product, row_of_entry, row_sums, rows_view


def library_sizes(counts: csr_array, genes: ArrayLike) -> NDArray[np.float64]:
    """Return the total of every cell, (n_cells,), over the genes of a boolean mask (n_genes,)."""
    return product(counts, np.asarray(genes, dtype=np.float64))


def size_factors(library_size: NDArray[np.float64], of_cells: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return library size / median, so that ``counts / size_factor`` is "divide, multiply by the median".

    Empty cells carry no information on depth: they stay out of the median and get 1.

    Parameters
    ----------
    library_size
        (n_cells,).
    of_cells
        Whose median; all that are not empty if not given. Droplets without a cell must not set the scale.
    """
    seen = library_size > 0
    typical = seen if of_cells is None else seen & of_cells
    factors = np.ones_like(library_size)
    if typical.any():
        factors[seen] = library_size[seen] / np.median(library_size[typical])
    return factors


def normalize(counts: csr_array, size_factor: NDArray[np.float64]) -> csr_array:
    """Return counts / size_factor, float64, with the pattern of ``counts``."""
    per_entry = np.repeat(size_factor, np.diff(counts.indptr))
    return csr_array((counts.data / per_entry, counts.indices, counts.indptr), shape=counts.shape)


def log2_counts(counts: csr_array, size_factor: NDArray[np.float64]) -> csr_array:
    """Return log2(1 + counts / size_factor), float32, with its own copy of the pattern of ``counts``."""
    values = log2_data(counts, size_factor)
    return csr_array((values, scratch.copy(counts.indices), counts.indptr.copy()), shape=counts.shape)


def log2_data(counts: csr_array, size_factor: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return log2(1 + counts / size_factor) of the stored entries, (nnz,); the float64 steps see a block of rows."""
    values = scratch.empty(counts.nnz, np.float32)
    for rows in entry_blocks(counts.indptr):
        block = normalize(rows_view(counts, rows), size_factor[rows])
        values[counts.indptr[rows.start] : counts.indptr[rows.stop]] = np.log2(1 + block.data)
    return values


def solve_size_factors(log_values: csr_array, counts: csr_array) -> NDArray[np.float64]:
    """Return s of every cell from log2(1 + counts / s) and counts: s = Σ counts / Σ (2^x − 1).

    A cell without counts gets 1.
    """
    totals = row_sums(counts)
    unlogged = np.zeros(log_values.shape[0])
    for rows in entry_blocks(log_values.indptr):
        block = rows_view(log_values, rows)
        unlogged[rows] = np.bincount(
            row_of_entry(block.indptr),
            weights=np.expm1(block.data.astype(np.float64) * np.log(2)),
            minlength=block.shape[0],
        )
    solvable = (totals > 0) & (unlogged > 0)
    return np.divide(totals, unlogged, out=np.ones_like(totals), where=solvable)


def whole_multiples(values: csr_array, base: float | None) -> float:
    """Return the share of values that are whole multiples of the smallest in their cell once unlogged with ``base``.

    Counts divided by a size factor are multiples of a single count, so the right base (None: no logarithm was taken)
    gives a share near 1 and a wrong one hardly any. Large multiples prove nothing in float32 and are left out, and
    so are whole numbers, which are multiples of one another without any logarithm.
    """
    some = values[: next(iter(entry_blocks(values.indptr))).stop]
    cells = np.flatnonzero(np.diff(some.indptr))
    smallest = np.repeat(np.minimum.reduceat(some.data, some.indptr[cells]), np.diff(some.indptr)[cells])
    if base is None:
        multiple = some.data / smallest
    else:
        multiple = np.expm1(some.data * np.log(base)) / np.expm1(smallest * np.log(base))
    telling = multiple[(multiple > 1.001) & (multiple < 100) & (some.data % 1 != 0)]
    return float(np.mean(abs(telling - np.round(telling)) < 1e-3)) if len(telling) else 0.0
