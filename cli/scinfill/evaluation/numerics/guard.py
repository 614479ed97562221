"""Tests for invented signal: genes without structure must not gain any, and library size must not look like biology."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.numerics.differential import rank_sum_z, two_sided_p

CORRELATION_THRESHOLD = 0.3
ALPHA = 0.05
FEWEST_CELLS = 20
"""A label with fewer cells has no large and small half worth testing."""

Floats = NDArray[np.floating]


def correlated_partners(values: Floats, *, threshold: float = CORRELATION_THRESHOLD) -> NDArray[np.float64]:
    """Share of all other genes with which each gene has ``|r|`` above a threshold; a constant gene has it with none.

    Parameters
    ----------
    values
        Log expression of genes drawn independently of each other, (n_cells, n_genes).

    Returns
    -------
    (n_genes,); its mean is the share of pairs that correlate.
    """
    n_cells, n_genes = values.shape
    if n_genes < 2 or n_cells < 2:
        raise DataError(f"correlated pairs need two genes and two cells; received {n_genes} and {n_cells}")
    varies = np.ptp(values, axis=0) > 0
    share = np.zeros(n_genes)
    if varies.sum() < 2:
        return share
    correlations = np.asarray(np.corrcoef(values[:, varies].astype(np.float64), rowvar=False))
    np.fill_diagonal(correlations, 0)
    share[varies] = np.count_nonzero(np.abs(correlations) > threshold, axis=1) / (n_genes - 1)
    return share


def called_differential(values: Floats, codes: NDArray[np.integer], *, alpha: float = ALPHA) -> NDArray[np.bool_]:
    """Tell which genes a user would call differentially expressed between labels.

    Wilcoxon rank-sum test of every label against all other cells; a gene is called when any of its
    p-values, Bonferroni-corrected for genes × labels, is at most ``alpha``.

    Parameters
    ----------
    values
        Expression, (n_cells, n_genes).
    codes
        Label of every cell; at least two labels.

    Returns
    -------
    (n_genes,)
    """
    labels = np.unique(codes)
    if labels.size < 2:
        raise DataError(f"differential expression needs two labels; received {labels.size}")
    # Two labels are one test, not two.
    groups = codes[:, None] == labels if labels.size > 2 else (codes == labels[0])[:, None]
    p = two_sided_p(rank_sum_z(values, groups))
    return np.asarray((p * p.size <= alpha).any(axis=1))


def cells_of_largest_labels(codes: NDArray[np.integer], n_labels: int = 2) -> NDArray[np.intp]:
    """Return the cells of the largest labels, in order; of two labels of one size the first code wins."""
    labels, sizes = np.unique(codes, return_counts=True)
    if labels.size < n_labels:
        raise DataError(f"differential expression needs {n_labels} labels; received {labels.size}")
    largest = labels[np.argsort(-sizes, kind="stable")[:n_labels]]
    return np.flatnonzero(np.isin(codes, largest))


@dataclass(frozen=True)
class SizeLeak:
    """Genes called different between the large and the small cells of one label.

    Attributes
    ----------
    by_gene
        Share of the labels in which each gene is called, (n_genes,).
    by_label
        Share of the genes called in each label that was tested.
    """

    by_gene: NDArray[np.float64]
    by_label: dict[int, float]

    @property
    def share(self) -> float:
        """Share of genes called, mean over labels."""
        return float(self.by_gene.mean())


def library_size_leak(
    values: Floats, codes: NDArray[np.integer], sizes: Floats, *, alpha: float = ALPHA, fewest_cells: int = FEWEST_CELLS
) -> SizeLeak:
    """Test the larger half of a label's cells against its smaller half, gene by gene.

    After normalisation few genes should differ (raw data: 1 to 4 %); low-rank models often learn
    library size as if it were biology. Wilcoxon test, Bonferroni-corrected over genes; mean over labels.

    Parameters
    ----------
    values
        Log expression, (n_cells, n_genes).
    codes
        Label of every cell.
    sizes
        Library size or size factor of every cell.
    """
    called: dict[int, NDArray[np.bool_]] = {}
    for code in np.unique(codes):
        cells = np.flatnonzero(codes == code)
        if cells.size < fewest_cells:
            continue
        large = sizes[cells] > np.median(sizes[cells])
        if not large.any():
            continue
        called[int(code)] = called_differential(values[cells], large.astype(np.int64), alpha=alpha)
    if not called:
        raise DataError(
            f"a leak of library size needs a label of {fewest_cells} cells of different size; there is none"
        )
    return SizeLeak(
        by_gene=np.mean(list(called.values()), axis=0),
        by_label={code: float(genes.mean()) for code, genes in called.items()},
    )
