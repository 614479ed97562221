"""Genes in which nothing but library size varies over cells: any structure found in them is invented."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csc_array, csr_array

from scinfill.numerics.sparse import entry_blocks


def draw_null_genes(
    counts: csr_array, size_factor: NDArray[np.float64], n_null: int, rng: np.random.Generator
) -> csr_array:
    """Draw negative-binomial counts with mean and dispersion of real genes chosen at random.

    Permuted copies of genes would not do: they lose the tie to library size, and with it a leak of library
    size into the estimate.

    Parameters
    ----------
    counts
        (n_cells, n_genes) of real genes.
    size_factor
        (n_cells,) A cell without counts stays empty.
    n_null
        How many to draw; a real gene serves twice only where there are too few.

    Returns
    -------
    int64 CSR (n_cells, n_null).
    """
    n_cells, n_genes = counts.shape
    exposure = np.where(np.diff(counts.indptr) > 0, size_factor, 0)
    rate, dispersion = negative_binomial_moments(counts, exposure)
    models = rng.choice(n_genes, n_null, replace=n_null > n_genes)
    columns = []
    for gene in models:
        expected = exposure * rate[gene]
        if dispersion[gene] > 0:
            expected = expected * rng.gamma(1 / dispersion[gene], dispersion[gene], n_cells)
        columns.append(csc_array(rng.poisson(expected)[:, np.newaxis]))
    return csr_array(sparse.hstack(columns, format="csr"))


def negative_binomial_moments(
    counts: csr_array, exposure: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rate m and dispersion φ of every gene, with μ = exposure · m and variance μ + φμ².

    φ solves Σ (c − μ)² = Σ (μ + φμ²); a gene that varies less than Poisson gets 0.
    """
    n_genes = counts.shape[1]
    totals, squares, products = np.zeros(n_genes), np.zeros(n_genes), np.zeros(n_genes)
    for rows in entry_blocks(counts.indptr):
        block = counts[rows].astype(np.float64)
        totals += block.sum(axis=0)
        squares += np.bincount(block.indices, weights=block.data**2, minlength=n_genes)
        products += block.T @ exposure[rows]
    rate = totals / exposure.sum()
    expected_squares = (exposure**2).sum() * rate**2
    excess = squares - 2 * rate * products + expected_squares - totals  # Σ μ is the gene's total
    dispersion = np.divide(excess, expected_squares, out=np.zeros_like(rate), where=expected_squares > 0)
    return rate, np.maximum(dispersion, 0)
