"""Estimate how many counts stand for one molecule: about one where molecules were counted (UMI), many for reads.

PCR makes many copies of a molecule, so copies change every count but no zero: a cell has none of a gene's reads when it
has none of its molecules. Zeros therefore tell how many molecules there were, and counts how often each was counted.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.sparse import column_counts, column_sums


def counts_per_molecule(counts: csr_array) -> float:
    """Return the counts of a typical gene over the molecules that its zeros imply.

    Poisson draws of mean λ are zero with probability exp(−λ), so a gene that a share p of the cells has holds
    λ = −log(1 − p) molecules a cell. The ratio of its mean count to λ is near 1 for molecules, a little more where
    cells differ (mixtures of Poisson draws have more zeros than one draw of their mean), and the mean number of reads
    of a sequenced molecule for reads. The result is the median of this ratio over genes, each weighing p·(1 − p), which
    is the variance of one cell's answer to "is there any?": genes with few zeros or few non-zeros say little.

    Parameters
    ----------
    counts
        (n_cells, n_genes), canonical CSR. Cells without any count are left out.

    Returns
    -------
    The ratio; NaN where there is no count.

    Notes
    -----
    Half a cell without the gene is added to every gene, so that a gene without zeros has a finite λ.

    References
    ----------
    Townes & Irizarry, Quantile normalization of single-cell RNA-seq read counts without unique molecular identifiers,
    Genome Biology 21:160 (2020): PCR distorts the non-zero counts and leaves the zeros as they are.
    """
    n_cells = int(np.count_nonzero(np.diff(counts.indptr)))
    n_with_gene = column_counts(counts)
    seen = n_with_gene > 0
    share = n_with_gene[seen] / (n_cells + 0.5)
    mean = column_sums(counts)[seen] / max(n_cells, 1)
    return _weighted_median(mean / -np.log1p(-share), share * (1 - share))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the smallest value at or below which half of the weight lies; NaN of nothing."""
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(up_to, up_to[-1] / 2)])
