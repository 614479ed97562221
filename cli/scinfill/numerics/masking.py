"""Hiding values that are known, so that an estimate can be tested on them. Nothing is scored here.

A set of positions is a boolean CSR pattern, cells × genes, so no dense mask is ever formed.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.sparse import ENTRIES_PER_BLOCK, entry_blocks, row_of_entry

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
    surplus = rng.choice(len(positions), len(positions) - size, replace=False, shuffle=False)
    return np.delete(positions, surplus)


def _independent_positions(total: int, chance: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Take every position with the same chance: the gap to the next one is geometric."""
    last = -1
    blocks = []
    while last < total:
        block = last + np.cumsum(rng.geometric(chance, size=min(ENTRIES_PER_BLOCK, int(total * chance) + 1)))
        last = int(block[-1])
        blocks.append(block)
    positions = np.concatenate(blocks)
    return positions[: np.searchsorted(positions, total)]


def hide_nonzeros(matrix: csr_array, fraction: float, rng: np.random.Generator) -> csr_array:
    """Choose floor(fraction · nnz) of the non-zeros, uniformly without replacement, as the papers do."""
    entries = sample_positions(matrix.nnz, _share(fraction, matrix.nnz), rng)
    indptr = np.searchsorted(entries, matrix.indptr)
    return _pattern(matrix.indices[entries], indptr, matrix.shape)


def hide_entries(shape: tuple[int, int], fraction: float, rng: np.random.Generator) -> csr_array:
    """Choose floor(fraction · cells · genes) of all entries, zeros as well, uniformly without replacement."""
    n_cells, n_genes = shape
    entries = sample_positions(n_cells * n_genes, _share(fraction, n_cells * n_genes), rng)
    indptr = np.searchsorted(entries, np.arange(n_cells + 1) * n_genes)
    return _pattern(entries % n_genes, indptr, shape)


def _share(fraction: float, total: int) -> int:
    """Return floor(fraction · total); .29 · 100 is 29 although its nearest double lies below."""
    return math.floor(fraction * total * (1 + 1e-12))


def _pattern(columns: NDArray[np.integer], indptr: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(columns), dtype=np.bool_), columns, indptr), shape=shape)


def split(matrix: csr_array, hidden: csr_array) -> tuple[csr_array, csr_array]:
    """Return the matrix without the hidden entries, and the hidden entries.

    Parameters
    ----------
    matrix
        Canonical CSR (n_cells, n_genes).
    hidden
        Pattern with sorted columns.

    Returns
    -------
    Canonical CSR, and CSR that stores every hidden position, also where the truth is zero.
    """
    truth = np.zeros(hidden.nnz, dtype=matrix.dtype)
    removed = [np.empty(0, dtype=np.int64)]
    for rows in entry_blocks(matrix.indptr.astype(np.int64) + hidden.indptr):
        known, wanted = _keys(matrix, rows), _keys(hidden, rows)
        place = np.searchsorted(known, wanted)
        inside = place < len(known)
        found = np.flatnonzero(inside)[known[place[inside]] == wanted[inside]]
        here = matrix.indptr[rows.start] + place[found]
        truth[hidden.indptr[rows.start] + found] = matrix.data[here]
        removed.append(here)
    kept = _without(matrix, matrix.data, np.concatenate(removed))
    return kept, csr_array((truth, hidden.indices, hidden.indptr), shape=hidden.shape)


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
    taken = np.empty_like(counts.data)
    for rows in entry_blocks(counts.indptr):
        entries = slice(counts.indptr[rows.start], counts.indptr[rows.stop])
        taken[entries] = rng.binomial(counts.data[entries].astype(np.int64), fraction)
    kept = counts.data - taken
    return _without(counts, kept, np.flatnonzero(kept == 0)), _without(counts, taken, np.flatnonzero(taken == 0))


def _without(matrix: csr_array, data: NDArray[Any], gone: NDArray[np.integer]) -> csr_array:
    """Return ``data`` in the pattern of ``matrix`` without the stored entries ``gone`` (ascending)."""
    indptr = matrix.indptr - np.searchsorted(gone, matrix.indptr).astype(matrix.indptr.dtype)
    return csr_array((np.delete(data, gone), np.delete(matrix.indices, gone), indptr), shape=matrix.shape)
