"""Rank-sum tests of sparse counts, a block of genes at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from scinfill.numerics.normalization import normalize
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import by_row_blocks, column_counts, with_data

ENTRIES_PER_BLOCK = 2**21
"""Stored entries ranked together: with all that is made on the way some 150 MiB, whatever the size of the table."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One group of cells against others.

    Attributes
    ----------
    cells
        Both sides, (n_cells,), in ascending order.
    members
        Which of these are the group, (n_cells,). Both sides hold a cell.
    """

    cells: NDArray[np.intp]
    members: NDArray[np.bool_]


def rank_sum_z(counts: csr_array, size_factor: Doubles, comparisons: list[Comparison]) -> Doubles:
    """Standardised Wilcoxon rank-sum (Mann-Whitney U) statistic of counts / size_factor, of every gene and comparison.

    The zeros of a gene are one tie, so only stored entries are sorted. With ``R`` the ranks over the cells of a
    comparison, mean ranks at ties, and ``g`` the 0/1 membership, ``z = sqrt(N − 1)·corr(R, g)``. It equals
    ``scipy.stats.mannwhitneyu`` (asymptotic, without continuity correction), and a logarithm would not change it.

    Parameters
    ----------
    counts
        Canonical, (n_cells, n_genes).
    size_factor
        (n_cells,).
    comparisons
        In the order of the result's rows.

    Returns
    -------
    (n_comparisons, n_genes), positive where the group is higher; 0 for a gene that is constant over its cells.
    """
    together = all(np.array_equal(one.cells, comparisons[0].cells) for one in comparisons)

    def of_genes(genes: slice) -> Doubles:
        # Equal ratios of different counts and depths may differ in their last digit: in float32 they are ties.
        values = with_data(normalize(columns_between(counts, genes), size_factor), np.float32)
        if together:  # one ranking serves every group
            members = np.column_stack([one.members for one in comparisons])
            return _block_z(csc_array(values[comparisons[0].cells]), members)
        alone = (_block_z(csc_array(values[one.cells]), one.members[:, None]) for one in comparisons)
        return np.vstack(list(alone))

    blocks = list(gene_blocks(column_counts(counts)))
    return np.concatenate(list(map_in_order(of_genes, blocks)), axis=1)


def gene_blocks(n_entries: NDArray[np.integer]) -> Iterator[slice]:
    """Cut the genes into slices of few stored entries together, given the number of each gene, (n_genes,)."""
    ends = np.concatenate([[0], np.cumsum(n_entries)])
    start = 0
    while start < len(n_entries):
        enough = int(np.searchsorted(ends, ends[start] + ENTRIES_PER_BLOCK, side="right")) - 1
        stop = max(enough, start + 1)
        yield slice(start, stop)
        start = stop


def columns_between(matrix: csr_array, columns: slice) -> csr_array:
    """Return neighbouring columns."""
    parts = by_row_blocks(matrix, lambda rows: matrix[rows, columns], n_columns=columns.stop - columns.start)
    return csr_array((parts.data.copy(), parts.indices.copy(), parts.indptr), shape=parts.shape)


def _block_z(values: csc_array, members: NDArray[np.bool_]) -> Doubles:
    """Return z, (n_groups, n_genes), of values (n_cells, n_genes) and members (n_cells, n_groups)."""
    n_cells, n_genes = values.shape
    ends = values.indptr
    gene = np.repeat(np.arange(n_genes), np.diff(ends))
    order = np.concatenate([start + values.data[start:end].argsort() for start, end in pairwise(ends)])
    ranks = _mean_ranks(values.data[order], gene) - ends[gene]
    # The zeros stand below all others at the mean rank (n_zero + 1) / 2; measured from there the ranks are sparse.
    n_zero = n_cells - np.diff(ends)
    ranks += n_zero[gene] - (n_zero[gene] + 1) / 2
    centred = members - members.mean(axis=0)
    directions = centred / np.sqrt((centred**2).sum(axis=0))
    aligned = csc_array((ranks, values.indices[order], ends), shape=values.shape).T @ directions
    total, squares = (np.bincount(gene, weights, n_genes) for weights in (ranks, ranks**2))
    spread = np.sqrt(np.maximum(squares - total**2 / n_cells, 0))
    varies = spread > 1e-9 * np.sqrt(squares)
    z = np.divide(aligned.T, spread, out=np.zeros((members.shape[1], n_genes)), where=varies)
    return np.asarray(z * np.sqrt(n_cells - 1))


def _mean_ranks(values: NDArray[np.float32], gene: NDArray[np.intp]) -> Doubles:
    """Return the ranks, from 1 on, of entries sorted by gene and value; those of one gene and value share the mean."""
    changes = np.ones(len(values), bool)
    changes[1:] = (values[1:] != values[:-1]) | (gene[1:] != gene[:-1])
    first = np.flatnonzero(changes)
    length = np.diff(np.append(first, len(values)))
    return np.asarray(np.repeat(first + (length + 1) / 2, length))
