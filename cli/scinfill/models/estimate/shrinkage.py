"""One weight a gene between the model and what was seen, learned from molecules held out by thinning.

x̂ = (1 − w_g)·λ/s + w_g·C/s. The exact posterior mean trusts large cells more than small ones and so
turns library size into differential expression; one weight a gene does not.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.recipe import Prediction
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.masking import values_at
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import rows_view

GRID = np.array([0, 0.005, 0.01, 0.02, 0.05, 0.12, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0])
NEIGHBOURS = 50
"""Genes of similar mean whose held-out likelihood steadies the choice of a gene with few molecules."""
BORROWED_MOLECULES = 200.0
"""The neighbours' advice counts as much as this many held-out molecules."""


def loglikelihood_grid(expected: Prediction, kept: csr_array, taken: csr_array) -> NDArray[np.float64]:
    """Return (n_weights, n_genes): Σ y·log((1 − w)·λ + w·C) over cells, for every weight of GRID.

    Parameters
    ----------
    expected
        Blocks of λ, the model's expected counts for what was kept; every gene's total equals the observed one, so
        the part Σ μ of the Poisson deviance is the same for every weight and is left out.
    kept, taken
        (n_cells, n_genes) counts the fit saw, and the held-out molecules y. Only non-zeros of y contribute.
    """
    seen_at_taken = values_at(kept, taken)

    def part(rows: slice) -> NDArray[np.float64]:
        held = rows_view(taken, rows).tocoo()
        row, column = held.coords
        model = expected.block(rows)[row, column].astype(np.float64)
        seen = seen_at_taken[taken.indptr[rows.start] : taken.indptr[rows.stop]]
        mixtures = ((1 - weight) * model + weight * seen for weight in GRID)
        return np.stack(
            [np.bincount(column, held.data * np.log(mixture + 1e-6), minlength=kept.shape[1]) for mixture in mixtures]
        )

    return sum(map_in_order(part, row_slices(*kept.shape)), np.zeros((len(GRID), kept.shape[1])))


def choose_weights(
    loglikelihood: NDArray[np.float64], molecules: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Pick each gene's best weight of GRID from :func:`loglikelihood_grid`; see :func:`best_for_genes`."""
    return GRID[best_for_genes(loglikelihood, molecules, mean)].astype(np.float32)


def best_for_genes(
    loglikelihood: NDArray[np.float64], molecules: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the position of each gene's best setting, steadied by the genes nearest to it in mean expression.

    Parameters
    ----------
    loglikelihood
        (n_settings, n_genes) of held-out molecules.
    molecules
        (n_genes,) how many those are.
    mean
        (n_genes,) mean expression, which orders the genes.
    """
    order = np.argsort(mean, kind="stable")
    around = _running_sum(loglikelihood[:, order]) / np.maximum(_running_sum(molecules[order][None]), 1)
    borrowed = np.empty_like(around)
    borrowed[:, order] = around
    return np.argmax(loglikelihood + BORROWED_MOLECULES * borrowed, axis=0)


def _running_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over a window of NEIGHBOURS columns, cut at the ends."""
    cumulative = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    centre = np.arange(values.shape[1])
    low = np.maximum(centre - NEIGHBOURS // 2, 0)
    high = np.minimum(centre + NEIGHBOURS // 2 + 1, values.shape[1])
    return cumulative[:, high] - cumulative[:, low]
