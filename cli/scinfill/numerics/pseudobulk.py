"""Tests between groups whose units are replicates, such as donors, not cells (pseudobulk)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_array

from scinfill.numerics.sparse import entry_blocks

FEWEST_CELLS = 3
"""A replicate with fewer cells on one side is left out there."""
FEWEST_REPLICATES = 2
PRIOR_COUNT = 0.5
"""Added to counts before the logarithm, for a library of average depth, as edgeR's cpm(log=TRUE) does."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Pseudobulk:
    """Cells summed up by replicate on one side of a comparison.

    Attributes
    ----------
    n_cells, depth
        (n_replicates,): cells, and the sum of their size factors.
    counts
        (n_replicates, n_genes).
    """

    n_cells: Doubles
    depth: Doubles
    counts: Doubles

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Replicates with enough cells, (n_replicates,)."""
        return (self.n_cells >= FEWEST_CELLS) & (self.depth > 0)


@dataclass(frozen=True)
class ReplicateTest:
    """A t-test of every gene, (n_genes,).

    Attributes
    ----------
    t, p
        Two-sided; t is 0 and p 1 where nothing varies.
    half_width
        Half the width of the 95 % interval of the mean log2 difference.
    """

    t: Doubles
    p: Doubles
    half_width: Doubles


def sums_by(counts: csr_array, members: csr_array) -> Doubles:
    """Return the sums of the rows of each unit, (n_units, n_genes), for 0/1 ``members``, (n_cells, n_units)."""
    total = np.zeros((members.shape[1], counts.shape[1]))
    for rows in entry_blocks(counts.indptr):
        total += (members[rows].T @ counts[rows]).toarray()
    return total


def compare(group: Pseudobulk, others: Pseudobulk) -> ReplicateTest | None:
    """Compare log2 means of replicates; None where there are fewer than two on a side.

    Paired where two or more replicates have both sides, over those; otherwise Welch's test between the replicates
    of one side and of the other.
    """
    both = group.usable & others.usable
    paired = int(both.sum()) >= FEWEST_REPLICATES
    of_group, of_others = (both, both) if paired else (group.usable, others.usable)
    if min(int(of_group.sum()), int(of_others.sum())) < FEWEST_REPLICATES:
        return None
    depth = float(np.concatenate([group.depth[of_group], others.depth[of_others]]).mean())
    first, second = _log2_means(group, of_group, depth), _log2_means(others, of_others, depth)
    with np.errstate(all="ignore"):  # a gene that does not vary: no t
        found = (
            stats.ttest_rel(first, second, axis=0)
            if paired
            else stats.ttest_ind(first, second, axis=0, equal_var=False)
        )
        interval = found.confidence_interval(0.95)
    t, p = np.nan_to_num(found.statistic, posinf=0, neginf=0), np.asarray(found.pvalue)
    varies = np.isfinite(found.statistic)
    width = np.where(varies, (interval.high - interval.low) / 2, 0)
    return ReplicateTest(np.asarray(t), np.where(varies, p, 1), np.asarray(width))


def _log2_means(side: Pseudobulk, replicates: NDArray[np.bool_], depth: float) -> Doubles:
    """Return log2 of counts per size factor, (n_replicates, n_genes)."""
    means = side.counts[replicates] / side.depth[replicates, None]
    return np.asarray(np.log2(means + PRIOR_COUNT / depth))
