"""Genes that vary more than others of like mean: the rule of both papers' shipped data.

The bins, the score and the order of ties reproduce the published 1,000 genes of Blakeley, one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.normalization import normalize
from scinfill.numerics.sparse import entry_blocks, rows_view

QUANTILES = np.arange(10, 101, 5) / 100
"""Quantiles of the means: .10, .15, ... 1.00 (type 7); with both infinities they bound 20 bins, the last one empty."""
MAD_TO_SD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation, as R's ``mad`` has it."""


@dataclass(frozen=True)
class GeneMoments:
    """Moments of normalised values, on the linear scale.

    Attributes
    ----------
    mean
        (n_genes,)
    dispersion
        (n_genes,) variance (ddof 1) / mean, the Fano factor; 0 for a gene that is never seen.
    """

    mean: NDArray[np.float64]
    dispersion: NDArray[np.float64]

    def of(self, genes: NDArray[np.intp]) -> "GeneMoments":
        """Return the moments of some genes."""
        return GeneMoments(self.mean[genes], self.dispersion[genes])


def gene_moments(counts: csr_array, size_factor: NDArray[np.float64]) -> GeneMoments:
    """Return mean and dispersion of counts / size_factor, (n_cells, n_genes), without forming it.

    The second pass sums squares around the mean: the textbook difference of two large sums
    loses the digits that decide between neighbours in the ranking.
    """
    n_cells, n_genes = counts.shape
    total, squares, seen = np.zeros(n_genes), np.zeros(n_genes), np.zeros(n_genes)
    for genes, values in _normalized_blocks(counts, size_factor):
        total += np.bincount(genes, weights=values, minlength=n_genes)
        seen += np.bincount(genes, minlength=n_genes)
    mean = total / n_cells
    for genes, values in _normalized_blocks(counts, size_factor):
        squares += np.bincount(genes, weights=(values - mean[genes]) ** 2, minlength=n_genes)
    variance = (squares + (n_cells - seen) * mean**2) / max(1, n_cells - 1)
    return GeneMoments(mean, np.divide(variance, mean, out=np.zeros(n_genes), where=mean > 0))


def _normalized_blocks(
    counts: csr_array, size_factor: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.float64]]]:
    """Yield gene and normalised value of the stored entries, a block of rows at a time."""
    for rows in entry_blocks(counts.indptr):
        block = normalize(rows_view(counts, rows), size_factor[rows])
        yield block.indices, block.data


def dispersion_scores(moments: GeneMoments) -> NDArray[np.float64]:
    """Return how far each gene's dispersion lies from its bin: |dispersion − bin median| / (1.4826 · MAD).

    Bins of the mean are closed on the right. A bin without spread scores 0: the original divides by zero there.
    """
    edges = np.quantile(moments.mean, QUANTILES)
    bins = np.searchsorted(edges, moments.mean, side="left")
    scores = np.zeros_like(moments.mean)
    for number in np.unique(bins):
        genes = np.flatnonzero(bins == number)
        distance = np.abs(moments.dispersion[genes] - np.median(moments.dispersion[genes]))
        spread = MAD_TO_SD * np.median(distance)
        if spread > 0:
            scores[genes] = distance / spread
    return scores


def top_genes(scores: NDArray[np.float64], n_genes: int) -> NDArray[np.intp]:
    """Return the genes with the highest scores, highest first, ties in their original order."""
    return np.argsort(-scores, kind="stable")[:n_genes]
