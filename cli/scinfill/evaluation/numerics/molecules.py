"""Scores of predicted molecules against molecules held out by binomial thinning (molecular cross-validation).

Truth and prediction come a block of rows at a time, so that no dense cells × genes matrix is formed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import row_of_entry

EPSILON = 1e-6
"""Inside the logarithm, as in the Open Problems benchmark: a predicted 0 is wrong, not infinitely wrong."""
TARGET_SUM = 1e4

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
Block = tuple[csr_array, Floats]
"""Held-out molecules (CSR) and expected molecules of some cells, (n_rows, n_genes) each."""


@dataclass(frozen=True)
class MoleculeScores:
    """Mean losses; lower is better for every number, and every gene weighs the same.

    Attributes
    ----------
    poisson_by_cell
        Mean over the genes of each cell of μ − y·log(μ + ε), μ the expected and y the held-out molecules, (n_cells,).
        The order matters: exchanged, all zeros look almost perfect and the true rates look worse than raw counts.
    mse_by_cell
        Mean squared difference of log(1 + counts per 10,000), (n_cells,).
    swapped_by_cell
        The Poisson loss with its two arguments exchanged, y − μ·log(y + ε), as the Open Problems denoising task
        computes it, (n_cells,). Shown for comparison with their table; it rewards predicting too little.
    poisson_by_gene
        Mean Poisson loss of each gene over the cells, (n_genes,).
    """

    poisson_by_cell: NDArray[np.float64]
    mse_by_cell: NDArray[np.float64]
    swapped_by_cell: NDArray[np.float64]
    poisson_by_gene: NDArray[np.float64]

    @property
    def poisson(self) -> float:
        """Mean Poisson loss over all entries."""
        return float(self.poisson_by_cell.mean())

    @property
    def mse_log_cp10k(self) -> float:
        """Mean squared difference of log1p CP10k over all entries."""
        return float(self.mse_by_cell.mean())

    @property
    def poisson_swapped(self) -> float:
        """Mean of the exchanged loss over all entries."""
        return float(self.swapped_by_cell.mean())


def score_molecules(block: Callable[[slice], Block], shape: tuple[int, int]) -> MoleculeScores:
    """Score predicted molecules, blocks of cells side by side.

    Parameters
    ----------
    block
        From some cells to their held-out molecules y and expected molecules μ, on the depth of those held out; values
        below zero count as zero.
    shape
        (n_cells, n_genes).

    Raises
    ------
    DataError
        When there is no cell or no gene.
    """
    if min(shape) == 0:
        raise DataError(f"held-out molecules need at least one cell and one gene; received {shape}")
    slices = row_slices(*shape)
    by_cell, loss_by_gene = [], np.zeros(shape[1])
    for of_cells, of_genes in map_in_order(lambda rows: _score_block(*block(rows)), slices):
        by_cell.append(of_cells)
        loss_by_gene += of_genes
    poisson, squared, swapped = np.concatenate(by_cell, axis=1)
    return MoleculeScores(poisson, squared, swapped, loss_by_gene / shape[0])


def _score_block(heldout: csr_array, raw_expected: Floats) -> tuple[Doubles, Doubles]:
    """Return three means over the genes of each cell (3, n_rows), and the Poisson loss summed over cells (n_genes,).

    Most y are zero: what depends on y is computed where it is not, and added to what y = 0 would give.
    """
    n_rows, n_genes = heldout.shape
    expected = np.maximum(raw_expected, 0, dtype=np.float64)
    row, column, y = row_of_entry(heldout.indptr), heldout.indices, heldout.data.astype(np.float64)
    mu, totals = expected[row, column], expected.sum(axis=1)
    # Poisson loss μ − y·log(μ + ε), and with its arguments exchanged y − μ·log(y + ε).
    gained = y * np.log(mu + EPSILON)
    poisson = totals - np.bincount(row, gained, n_rows)
    exchanged = y - mu * (np.log(y + EPSILON) - np.log(EPSILON))
    swapped = np.bincount(row, exchanged, n_rows) - totals * np.log(EPSILON)
    # Squared difference of log(1 + counts per 10,000) of every cell; a cell without molecules stays zero.
    difference = np.log1p(expected * _per_total(totals)[:, None])
    difference[row, column] -= np.log1p(y * _per_total(heldout.sum(axis=1, dtype=np.float64))[row])
    squared = np.einsum("ij,ij->i", difference, difference)
    return np.stack([poisson, squared, swapped]) / n_genes, expected.sum(axis=0) - np.bincount(column, gained, n_genes)


def _per_total(totals: Doubles) -> Doubles:
    return TARGET_SUM / np.where(totals > 0, totals, 1)
