"""Means of groups of cells on the count scale, log2 fold changes between them, and how far those may be wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.blocks import row_slices
from scinfill.numerics.normalization import normalize
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import entry_blocks

PSEUDOCOUNT = 0.01
"""Added to both means of a fold change, in counts of a cell of median depth, so that it is finite."""
FEWEST_MOLECULES = 10
"""Genes with fewer counts on one side say nothing of how far the estimate is from the counts."""
GENES_PER_BIN = 50
MOST_BINS = 5
"""Bins of expression in which the model's error for a group is learned."""
LN2 = float(np.log(2))

Doubles = NDArray[np.float64]
Block = Callable[[slice], NDArray[np.floating]]


@dataclass(frozen=True)
class GroupSums:
    """Sums over the cells of each group, (n_groups, n_genes), or of one side of a comparison, (n_genes,).

    Attributes
    ----------
    n_cells, inverse_depth
        Cells, and the sum of 1 / size_factor: one number a group.
    counts, counts_squared
        Sums of counts / size_factor, and of its square.
    noise
        Sum of counts / size_factor², the Poisson variance of counts / size_factor.
    seen
        Number of cells in which the gene was seen.
    estimate, estimate_squared
        Sums of 2^x − 1, and of its square.
    posterior
        Sum of the variances of the cells' estimates; zero where it is not known.
    """

    n_cells: Doubles
    inverse_depth: Doubles
    counts: Doubles
    counts_squared: Doubles
    noise: Doubles
    seen: Doubles
    estimate: Doubles
    estimate_squared: Doubles
    posterior: Doubles

    def side(self, groups: NDArray[np.bool_]) -> "GroupSums":
        """Return the sums over all cells of some groups, as one side of a comparison."""
        return GroupSums(*(values[groups].sum(axis=0) for values in vars(self).values()))

    @property
    def mean(self) -> Doubles:
        """Mean of the estimate; an estimate that may be negative has at least 0."""
        return np.maximum(self.estimate / self.n_cells, 0)

    @property
    def mean_counts(self) -> Doubles:
        """Mean of counts / size_factor."""
        return self.counts / self.n_cells

    @property
    def share_seen(self) -> Doubles:
        """Share of the cells in which the gene was seen."""
        return self.seen / self.n_cells

    def variance(self) -> Doubles:
        """Return the squared standard error of the mean over cells like these.

        The larger of two: the spread of the counts, and the spread that the estimate, its posterior and the Poisson
        noise of the counts come to together, which holds also where few or none were seen.
        """
        n = float(self.n_cells)
        of_counts = _variance(self.counts, self.counts_squared, n)
        expected = self.mean * (self.inverse_depth / n)
        of_estimate = _variance(self.estimate, self.estimate_squared, n) + self.posterior / n + expected
        return np.maximum(of_counts, of_estimate) / n


def _variance(total: Doubles, squares: Doubles, n: float) -> Doubles:
    return np.maximum(squares - total**2 / n, 0) / (n - 1)


def group_sums(
    counts: csr_array,
    size_factor: Doubles,
    members: csr_array,
    estimate: Block | None,
    spread: Block | None = None,
) -> GroupSums:
    """Walk over the cells once and sum them up by group.

    Parameters
    ----------
    counts, size_factor
        (n_cells, n_genes) and (n_cells,).
    members
        0/1, (n_cells, n_groups).
    estimate
        From a slice of cells to log2(1 + mean count / size_factor), (n_rows, n_genes); None: the counts are all
        that is known.
    spread
        From a slice of cells to the standard deviation of ``estimate``.
    """
    shape = (members.shape[1], counts.shape[1])
    sums = {name: np.zeros(shape) for name in ("counts", "counts_squared", "noise", "seen")}
    for rows in entry_blocks(counts.indptr):
        values, of_rows = normalize(counts[rows], size_factor[rows]), members[rows].T
        per_entry = np.repeat(1 / size_factor[rows], np.diff(values.indptr))
        for name, data in (
            ("counts", values.data),
            ("counts_squared", values.data**2),
            ("noise", values.data * per_entry),
            ("seen", np.ones(values.nnz)),
        ):
            sums[name] += (of_rows @ csr_array((data, values.indices, values.indptr), shape=values.shape)).toarray()
    known = _estimate_sums(counts.shape, members, estimate, spread) if estimate is not None else None
    if known is None:
        known = {
            "estimate": sums["counts"],
            "estimate_squared": sums["counts_squared"],
            "posterior": np.zeros(shape),
        }
    return GroupSums(
        n_cells=np.asarray(members.sum(axis=0), np.float64),
        inverse_depth=members.T @ (1 / size_factor),
        **sums,
        **known,
    )


def _estimate_sums(
    shape: tuple[int, int], members: csr_array, estimate: Block, spread: Block | None
) -> dict[str, Doubles]:
    names = ("estimate", "estimate_squared", "posterior")

    def of_block(rows: slice) -> list[Doubles]:
        power = np.exp2(estimate(rows), dtype=np.float64)
        # d(2^x − 1) = ln 2 · 2^x · dx
        variance = np.zeros_like(power) if spread is None else (LN2 * power * spread(rows)) ** 2
        return [members[rows].T @ values for values in (power - 1, (power - 1) ** 2, variance)]

    sums = {name: np.zeros((members.shape[1], shape[1])) for name in names}
    for block in map_in_order(of_block, row_slices(*shape)):
        for name, total in zip(names, block, strict=True):
            sums[name] += total
    return sums


@dataclass(frozen=True)
class FoldChange:
    """One side over the other, (n_genes,).

    Attributes
    ----------
    log2fc
        Log2 ratio of the means of the estimate.
    log2fc_counts
        Log2 ratio of the means of counts / size_factor.
    variance
        Squared standard error of ``log2fc``, of the cells and their molecules.
    disagreement
        τ², the squared error of the estimate's group means that the noise of the counts does not explain, of genes of
        similar expression.
    """

    log2fc: Doubles
    log2fc_counts: Doubles
    variance: Doubles
    disagreement: Doubles


def fold_change(group: GroupSums, others: GroupSums, genes: NDArray[np.intp]) -> FoldChange:
    """Compare two sides.

    A model's error for a group is shared by the group's cells, so no posterior of single cells knows it. It is learned
    from ``genes`` of similar expression together: the mean squared difference between the fold changes of estimate and
    counts, less what the molecules' noise explains.
    """
    log2fc = _log2(group.mean) - _log2(others.mean)
    log2fc_counts = _log2(group.mean_counts) - _log2(others.mean_counts)
    variance = sum(_of_log2(side.variance(), side.mean) for side in (group, others))
    noise = sum(_of_log2(side.noise / side.n_cells**2, side.mean_counts) for side in (group, others))
    expected = np.minimum(*(side.mean * side.n_cells**2 / side.inverse_depth for side in (group, others)))
    telling = genes[expected[genes] >= FEWEST_MOLECULES]
    excess = ((log2fc - log2fc_counts) ** 2 - noise)[telling]
    return FoldChange(log2fc, log2fc_counts, np.asarray(variance), _by_expression(excess, expected[telling], expected))


def _by_expression(excess: Doubles, expression: Doubles, everywhere: Doubles) -> Doubles:
    """Return the mean excess, 0 or more, over genes of similar expression; the least expressed share the lowest bin."""
    if not len(excess):
        return np.zeros_like(everywhere)
    n_bins = int(np.clip(len(excess) // GENES_PER_BIN, 1, MOST_BINS))
    inner = np.quantile(expression, np.arange(1, n_bins) / n_bins)
    bins = np.searchsorted(inner, expression, side="right")
    n_genes = np.bincount(bins, minlength=n_bins)
    means = np.bincount(bins, excess, n_bins) / np.maximum(n_genes, 1)
    return np.asarray(np.maximum(means, 0)[np.searchsorted(inner, everywhere, side="right")])


def _log2(mean: Doubles) -> Doubles:
    return np.asarray(np.log2(mean + PSEUDOCOUNT))


def _of_log2(variance: Doubles, mean: Doubles) -> Doubles:
    """Return the variance of log2(mean + pseudocount) from that of the mean, as of a log-normal distribution.

    For small errors this is the delta method, which gives absurd widths where the error exceeds the mean.
    """
    return np.asarray(np.log1p(variance / (mean + PSEUDOCOUNT) ** 2) / LN2**2)
