"""Samples over the whole range of library sizes, and of gene totals: what is learned of all needs no more."""

import numpy as np
from numpy.typing import NDArray

from scinfill.models.observations import Observations
from scinfill.numerics.sparse import column_sums, row_sums

SAMPLE_CELLS = 10_000
"""Gates, weights and curves are learned on at most this many cells."""
LEARNING_CELLS = 5_000
"""Small data are refitted more often: folds × cells stays near this. From so many cells on, one fit hides all folds."""
FEWEST_FOLDS, MOST_FOLDS = 2, 10
"""With ten folds every entry is hidden once."""
RANK_CELLS, RANK_GENES = 4_000, 3_000
"""Ranks are chosen on at most so many cells and genes: as many structures fit these as fit all of them."""


def sample_cells(data: Observations, n_cells: int, rng: np.random.Generator) -> NDArray[np.intp] | None:
    """Return the sorted rows of a sample, one drawn from each stratum of library size; None means all cells."""
    total = data.shape[0]
    if total <= n_cells:
        return None
    sizes = row_sums(data.log_values if data.counts is None else data.counts)
    # Batch by batch, so that each has its share of the sample over the whole range of its library sizes.
    by_size = np.argsort(sizes, kind="stable") if data.batches is None else np.lexsort((sizes, data.batches.codes))
    return _draw_from_strata(by_size, n_cells, rng)


def sample_genes(data: Observations, n_genes: int, rng: np.random.Generator) -> NDArray[np.intp] | None:
    """Return the sorted columns of a sample, one drawn from each stratum of gene totals; None means all genes."""
    if data.shape[1] <= n_genes:
        return None
    totals = column_sums(data.log_values if data.counts is None else data.counts)
    return _draw_from_strata(np.argsort(totals, kind="stable"), n_genes, rng)


def _draw_from_strata(order: NDArray[np.intp], n_drawn: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Cut an order into strata of equal size and return one member of each, sorted."""
    edges = np.linspace(0, len(order), n_drawn + 1).astype(np.intp)
    return np.sort(order[rng.integers(edges[:-1], edges[1:])])
