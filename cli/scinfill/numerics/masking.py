"""Hiding values that are known, so that an estimate can be tested on them. Nothing is scored here.

A set of positions is a boolean CSR pattern, cells × genes, so no dense mask is ever formed.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.sparse import by_row_blocks, entry_blocks, position_type, row_of_entry, stack_blocks

SAFETY = 6
"""Standard deviations by which a sample is drawn too large at first; falling short has a chance of 1e-9."""


def sample_positions(total: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return ``size`` of ``total`` positions in ascending order; every such set is equally likely.

    Positions are first drawn independently, slightly too many, by their geometric gaps; then chance takes
    the surplus away. Time and memory grow with ``size``, not with ``total``.
    """
    if size == 0:
        return np.empty(0, dtype=np.int64)
    share = size / total
    chance = min(1.0, share + SAFETY * np.sqrt(share * (1 - share) / total) + SAFETY / total)
    positions = _independent_positions(total, chance, rng)
    while len(positions) < size:
        positions = _independent_positions(total, chance, rng)
    surplus = np.sort(rng.choice(len(positions), len(positions) - size, replace=False, shuffle=False))
    return _delete(positions, surplus)


def _independent_positions(total: int, chance: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Take every position with the same chance: the gap to the next one is geometric."""
    last, end = -1, 0
    expected = total * chance
    n_drawn = min(scratch.ENTRIES_PER_CHUNK, int(expected) + 1)
    positions = scratch.empty(int(expected + 2 * SAFETY * np.sqrt(expected)) + n_drawn + 1, np.int64)
    while last < total:
        block = last + np.cumsum(rng.geometric(chance, size=n_drawn))
        last = int(block[-1])
        positions[end : end + n_drawn] = block
        end += n_drawn
        scratch.release()
    return positions[: np.searchsorted(positions[:end], total)]


def _delete(values: NDArray[np.int64], gone: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return what is left of ``values`` without the places ``gone`` (ascending)."""
    left = scratch.empty(len(values) - len(gone), values.dtype)
    end = 0
    for part in scratch.chunks(len(values)):
        first, last = np.searchsorted(gone, [part.start, part.stop])
        block = np.delete(values[part], gone[first:last] - part.start)
        left[end : end + len(block)] = block
        end += len(block)
    return left


def hide_nonzeros(matrix: csr_array, fraction: float, rng: np.random.Generator) -> csr_array:
    """Choose floor(fraction · nnz) of the non-zeros, uniformly without replacement, as the papers do."""
    entries = sample_positions(matrix.nnz, _share(fraction, matrix.nnz), rng)
    columns = scratch.empty(len(entries), matrix.indices.dtype)
    for part in scratch.chunks(len(entries)):
        columns[part] = matrix.indices[entries[part]]
    return _pattern(columns, _n_below(entries, matrix.indptr), matrix.shape)


def hide_entries(shape: tuple[int, int], fraction: float, rng: np.random.Generator) -> csr_array:
    """Choose floor(fraction · cells · genes) of all entries, zeros as well, uniformly without replacement."""
    n_cells, n_genes = shape
    entries = sample_positions(n_cells * n_genes, _share(fraction, n_cells * n_genes), rng)
    columns = scratch.empty(len(entries), position_type(len(entries)))
    for part in scratch.chunks(len(entries)):
        columns[part] = entries[part] % n_genes
    return _pattern(columns, _n_below(entries, np.arange(n_cells + 1) * n_genes), shape)


def _n_below(entries: NDArray[np.int64], edges: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many of some ascending positions lie below each of some ascending edges."""
    below = np.zeros(len(edges), np.int64)
    for part in scratch.chunks(len(entries)):
        block = entries[part]
        first, last = np.searchsorted(edges, [block[0], block[-1] + 1])
        below[first:last] += np.searchsorted(block, edges[first:last])
        below[last:] += len(block)
    return below


def _share(fraction: float, total: int) -> int:
    """Return floor(fraction · total); .29 · 100 is 29 although its nearest double lies below."""
    return math.floor(fraction * total * (1 + 1e-12))


def _pattern(columns: NDArray[np.integer], indptr: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    return csr_array((scratch.full(len(columns), 1, np.bool_), columns, indptr.astype(columns.dtype)), shape=shape)


def split(matrix: csr_array, held_out: csr_array) -> tuple[csr_array, csr_array]:
    """Return the matrix without the held-out entries, and the held-out entries.

    Parameters
    ----------
    matrix
        Canonical CSR (n_cells, n_genes).
    held_out
        Pattern with sorted columns.

    Returns
    -------
    Canonical CSR, and CSR that stores every held-out position, also where the truth is zero.
    """
    truth = scratch.full(held_out.nnz, 0, matrix.dtype)

    def visible(rows: slice) -> csr_array:
        known, wanted = _keys(matrix, rows), _keys(held_out, rows)
        place = np.searchsorted(known, wanted)
        inside = place < len(known)
        found = np.flatnonzero(inside)[known[place[inside]] == wanted[inside]]
        truth[held_out.indptr[rows.start] + found] = matrix.data[matrix.indptr[rows.start] + place[found]]
        return _without(matrix[rows], place[found])

    blocks = entry_blocks(matrix.indptr.astype(np.int64) + held_out.indptr)
    kept = stack_blocks(map(visible, blocks), matrix.shape, matrix.nnz, matrix.dtype)
    return kept, csr_array((truth, held_out.indices, held_out.indptr), shape=held_out.shape)


def _keys(matrix: csr_array, rows: slice) -> NDArray[np.int64]:
    """Return one ascending number for the position of every stored entry of some rows."""
    entries = slice(matrix.indptr[rows.start], matrix.indptr[rows.stop])
    row = row_of_entry(matrix.indptr[rows.start : rows.stop + 1])
    return row * np.int64(matrix.shape[1]) + matrix.indices[entries]


def thin(counts: csr_array, fraction: float, rng: np.random.Generator) -> tuple[csr_array, csr_array]:
    """Take each molecule out with chance ``fraction``; return what is kept and what was taken.

    Where counts are Poisson the two are independent, so the second tests any model of the first
    (molecular cross-validation; Batson, Royer & Webber 2019).
    """
    taken = scratch.empty(counts.nnz, counts.dtype)
    for part in scratch.chunks(counts.nnz):
        taken[part] = rng.binomial(counts.data[part].astype(np.int64), fraction)
    kept = scratch.empty(counts.nnz, counts.dtype)
    for part in scratch.chunks(counts.nnz):
        np.subtract(counts.data[part], taken[part], out=kept[part])
    return _nonzeros(counts, kept), _nonzeros(counts, taken)


def _nonzeros(pattern: csr_array, data: NDArray[Any]) -> csr_array:
    """Return ``data`` in the pattern of a matrix, without its zeros."""
    whole = csr_array((data, pattern.indices, pattern.indptr), shape=pattern.shape)

    def block(rows: slice) -> csr_array:
        some = whole[rows]
        return _without(some, np.flatnonzero(some.data == 0))

    return by_row_blocks(whole, block)


def _without(matrix: csr_array, gone: NDArray[np.integer]) -> csr_array:
    """Return a matrix without the stored entries ``gone`` (ascending)."""
    indptr = matrix.indptr - np.searchsorted(gone, matrix.indptr).astype(matrix.indptr.dtype)
    return csr_array((np.delete(matrix.data, gone), np.delete(matrix.indices, gone), indptr), shape=matrix.shape)
