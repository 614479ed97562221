"""Spread of genes within one kind of cell, and zeros that should stay zeros."""

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError

Floats = NDArray[np.floating]


def coefficient_of_variation(log_values: Floats, *, base: float = 2.0) -> NDArray[np.float64]:
    """Divide every gene's standard deviation by its mean on the linear scale ``base**x − 1``.

    The papers' code takes base e out of base-2 logarithms and plots the square under this name; this is neither.

    Parameters
    ----------
    log_values
        ``log(1 + x)`` expression of cells of one label, (n_cells, n_genes); at least two cells.

    Returns
    -------
    (n_genes,); NaN where the mean is not positive, exactly 0 for a constant gene.
    """
    if log_values.shape[0] < 2:
        raise DataError(f"variation needs two cells of one label; received {log_values.shape[0]}")
    linear = np.power(base, log_values, dtype=np.float64) - 1
    means = linear.mean(axis=0)
    # The mean of equal values may miss them by rounding, and a spread of 1e-16 would pass for a very small one.
    spread = np.where(np.ptp(linear, axis=0) == 0, 0, linear.std(axis=0, ddof=1))
    return np.asarray(np.divide(spread, means, out=np.full(means.shape, np.nan), where=means > 0))


def expression_bins(bulk: Floats, n_bins: int) -> NDArray[np.int64]:
    """Bin genes by bulk expression: 0 for genes that bulk does not see, 1 to ``n_bins`` equal shares of the rest.

    Parameters
    ----------
    bulk
        Bulk expression, any increasing scale with zero for none, (n_genes,).
    """
    bins = np.zeros(bulk.size, dtype=np.int64)
    expressed = np.flatnonzero(bulk > 0)
    order = expressed[np.argsort(bulk[expressed], kind="stable")]
    bins[order] = 1 + np.arange(order.size) * n_bins // max(1, order.size)
    return bins


def share_of_zeros(log_values: Floats, *, threshold: float) -> NDArray[np.float64]:
    """Share of cells in which each gene is at most ``threshold``, (n_genes,)."""
    return np.asarray((log_values <= threshold).mean(axis=0))


def decile_of_genes(gene_means: Floats) -> NDArray[np.int64]:
    """Decile (0 = lowest) of every gene's mean expression; ties keep their order, so that the deciles are even."""
    position = np.empty(gene_means.size, dtype=np.int64)
    position[np.argsort(gene_means, kind="stable")] = np.arange(gene_means.size)
    return position * 10 // gene_means.size
