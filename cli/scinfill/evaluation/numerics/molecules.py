"""Scores of predicted molecules against molecules held out by binomial thinning (molecular cross-validation).

Truth and prediction come a block of rows at a time, so that no dense cells × genes matrix is formed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError

EPSILON = 1e-6
"""Inside the logarithm, as in the Open Problems benchmark: a predicted 0 is wrong, not infinitely wrong."""
TARGET_SUM = 1e4

Floats = NDArray[np.floating]
Block = tuple[Floats, Floats]
"""Held-out molecules and expected molecules of some cells, (n_rows, n_genes) each."""


def poisson_loss(expected: Floats, heldout: Floats) -> NDArray[np.float64]:
    """Entrywise ``mu − y·log(mu + ε)``, mu the expected and y the held-out molecules.

    The order matters: called the other way round, as in the public leaderboard, all zeros look
    almost perfect and the true rates look worse than raw counts.
    """
    loss = np.array(expected, dtype=np.float64)
    seen = np.asarray(heldout) > 0  # few entries: most logarithms would be multiplied by zero
    loss[seen] -= heldout[seen] * np.log(expected[seen] + EPSILON)
    return loss


def exchanged_loss(expected: Floats, heldout: Floats) -> NDArray[np.float64]:
    """Entrywise :func:`poisson_loss` with its arguments exchanged: ``y − mu·log(y + ε)``."""
    loss = np.asarray(expected, dtype=np.float64) * -np.log(EPSILON)
    seen = np.asarray(heldout) > 0
    loss[seen] = heldout[seen] - expected[seen] * np.log(heldout[seen] + EPSILON)
    return loss


def log_cp10k(molecules: Floats) -> NDArray[np.float64]:
    """``log(1 + counts per 10,000)`` of every cell; a cell without molecules stays zero."""
    totals = molecules.sum(axis=1, keepdims=True, dtype=np.float64)
    scaled = molecules * (TARGET_SUM / np.where(totals > 0, totals, 1))
    return np.log1p(scaled, out=scaled, where=scaled > 0)


@dataclass(frozen=True)
class MoleculeScores:
    """Mean losses; lower is better for every number, and every gene weighs the same.

    Attributes
    ----------
    poisson_by_cell
        Mean of :func:`poisson_loss` over the genes of each cell, (n_cells,).
    mse_by_cell
        Mean squared difference of :func:`log_cp10k`, (n_cells,).
    swapped_by_cell
        The Poisson loss with its two arguments exchanged, as the Open Problems denoising task computes it, (n_cells,).
        Shown for comparison with their table; it rewards predicting too little.
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


def score_molecules(blocks: Iterable[Block]) -> MoleculeScores:
    """Score predicted molecules, block by block.

    Parameters
    ----------
    blocks
        Pairs of held-out and expected molecules, together all cells in order. Expected means on the depth
        of the held-out molecules; values below zero count as zero.

    Raises
    ------
    DataError
        When there is no cell or no gene.
    """
    by_cell: list[NDArray[np.float64]] = []
    loss_by_gene: NDArray[np.float64] | float = 0.0
    for heldout, raw_expected in blocks:
        if heldout.size == 0:
            continue
        expected = np.maximum(raw_expected, 0)
        loss = poisson_loss(expected, heldout)
        swapped = exchanged_loss(expected, heldout)
        squared = (log_cp10k(expected) - log_cp10k(heldout)) ** 2
        by_cell.append(np.stack([matrix.mean(axis=1) for matrix in (loss, squared, swapped)]))
        loss_by_gene = loss_by_gene + loss.sum(axis=0)
    if not by_cell:
        raise DataError("held-out molecules need at least one cell and one gene; received none")
    poisson, squared, swapped = np.concatenate(by_cell, axis=1)
    return MoleculeScores(poisson, squared, swapped, np.asarray(loss_by_gene) / poisson.size)
