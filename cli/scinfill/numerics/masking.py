"""Hiding values that are known, so that an estimate can be tested on them. Nothing is scored here.

A set of positions is a boolean CSR pattern, cells × genes, so no dense mask is ever formed.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.parallel import generators, map_in_order
from scinfill.numerics.sparse import entries_where, entry_blocks, position_type, rows_view, stack_blocks

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
    truth = values_at(matrix, held_out)
    return without(matrix, held_out), csr_array((truth, held_out.indices, held_out.indptr), shape=held_out.shape)


def without(matrix: csr_array, held_out: csr_array) -> csr_array:
    """Return canonical CSR without the entries of a pattern."""

    def visible(rows: slice) -> csr_array:
        known = rows_view(matrix, rows)
        is_hidden = np.zeros(math.prod(known.shape), np.bool_)
        is_hidden[places(rows_view(held_out, rows))] = True
        return entries_where(known, ~is_hidden[places(known)])

    return stack_blocks(map_in_order(visible, row_slices(*matrix.shape)), matrix.shape, matrix.nnz, matrix.dtype)


def values_at(matrix: csr_array, pattern: csr_array) -> NDArray[Any]:
    """Return what canonical CSR holds at the stored entries of a pattern, in their order; zeros included."""
    values = scratch.empty(pattern.nnz, matrix.dtype)

    def look_up(rows: slice) -> None:
        # A table of a block of all entries: writing and reading by position beats any search in sorted ones.
        known = rows_view(matrix, rows)
        table = np.zeros(math.prod(known.shape), matrix.dtype)
        table[places(known)] = known.data
        wanted = slice(pattern.indptr[rows.start], pattern.indptr[rows.stop])
        values[wanted] = table[places(rows_view(pattern, rows))]

    for _ in map_in_order(look_up, row_slices(*matrix.shape)):
        pass
    return values


def places(block: csr_array) -> NDArray[np.intp]:
    """Return where a block's stored entries lie when its rows are laid end to end."""
    return np.repeat(np.arange(block.shape[0]) * block.shape[1], np.diff(block.indptr)) + block.indices


def thin(counts: csr_array, fraction: float, rng: np.random.Generator) -> tuple[csr_array, csr_array]:
    """Take each molecule out with chance ``fraction``; return what is kept and what was taken.

    Where counts are Poisson the two are independent, so the second tests any model of the first
    (molecular cross-validation; Batson, Royer & Webber 2019).
    """
    taken = scratch.empty(counts.nnz, counts.dtype)

    def draw(block: tuple[slice, np.random.Generator]) -> None:
        part, generator = block
        some = counts.data[part]
        # Mostly there is one molecule, and then a uniform number is enough; the others of an entry are binomial.
        first = (generator.random(len(some), dtype=np.float32) < fraction) & (some >= 1)
        drawn = first.astype(some.dtype)
        several = np.flatnonzero(some > 1)
        drawn[several] += generator.binomial(some[several].astype(np.int64) - 1, fraction).astype(some.dtype)
        taken[part] = drawn

    parts = list(scratch.chunks(counts.nnz))
    for _ in map_in_order(draw, list(zip(parts, generators(rng, len(parts)), strict=True))):
        pass
    kept = scratch.empty(counts.nnz, counts.dtype)
    for part in parts:
        np.subtract(counts.data[part], taken[part], out=kept[part])
        scratch.release()
    return _nonzeros(counts, kept), _nonzeros(counts, taken)


def _nonzeros(pattern: csr_array, data: NDArray[Any]) -> csr_array:
    """Return ``data`` in the pattern of a matrix, without its zeros."""
    whole = csr_array((data, pattern.indices, pattern.indptr), shape=pattern.shape)

    def block(rows: slice) -> csr_array:
        some = rows_view(whole, rows)
        return entries_where(some, some.data != 0)

    blocks = map_in_order(block, list(entry_blocks(whole.indptr)))
    return stack_blocks(blocks, whole.shape, int(np.count_nonzero(data)), whole.dtype)
