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
    return np.asarray(expected - heldout * np.log(expected + EPSILON), dtype=np.float64)


def log_cp10k(molecules: Floats) -> NDArray[np.float64]:
    """``log(1 + counts per 10,000)`` of every cell; a cell without molecules stays zero."""
    totals = molecules.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.log1p(molecules * (TARGET_SUM / np.where(totals > 0, totals, 1)))


@dataclass(frozen=True)
class MoleculeScores:
    """Means over all entries; lower is better for every number.

    Attributes
    ----------
    poisson
        Mean of :func:`poisson_loss`.
    mse_log_cp10k
        Mean squared difference of :func:`log_cp10k`.
    poisson_swapped
        The Poisson loss with its two arguments exchanged, as the Open Problems denoising task computes it.
        Shown for comparison with their table; it rewards predicting too little.
    poisson_by_gene
        Mean loss of each gene, (n_genes,).
    poisson_by_cell
        Mean loss of each cell, (n_cells,): what paired differences between two predictions are made of.
    """

    poisson: float
    mse_log_cp10k: float
    poisson_swapped: float
    poisson_by_gene: NDArray[np.float64]
    poisson_by_cell: NDArray[np.float64]


def score_molecules(blocks: Iterable[Block]) -> MoleculeScores:
    """Score predicted molecules, block by block.

    Parameters
    ----------
    blocks
        Pairs of held-out and expected molecules, together all cells in order. Expected means on the depth
        of the held-out molecules; values below zero count as zero.
    """
    losses_by_cell: list[NDArray[np.float64]] = []
    loss_by_gene: NDArray[np.float64] | float = 0.0
    squared = swapped = 0.0
    entries = 0
    for heldout, raw_expected in blocks:
        expected = np.maximum(raw_expected, 0)
        loss = poisson_loss(expected, heldout)
        losses_by_cell.append(loss.mean(axis=1))
        loss_by_gene = loss_by_gene + loss.sum(axis=0)
        swapped += float(poisson_loss(heldout, expected).sum())
        squared += float(((log_cp10k(expected) - log_cp10k(heldout)) ** 2).sum())
        entries += loss.size
    if entries == 0:
        raise DataError("held-out molecules need at least one cell and one gene; received none")
    by_cell = np.concatenate(losses_by_cell)
    return MoleculeScores(
        poisson=float(by_cell.mean()),
        mse_log_cp10k=squared / entries,
        poisson_swapped=swapped / entries,
        poisson_by_gene=np.asarray(loss_by_gene) / by_cell.size,
        poisson_by_cell=by_cell,
    )
