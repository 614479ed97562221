"""A sample of cells over the whole range of library sizes: what is learned per gene needs no more."""

import numpy as np
from numpy.typing import NDArray

from scinfill.models.observations import Observations
from scinfill.numerics.sparse import row_sums

SAMPLE_CELLS = 10_000
"""Ranks, gates, weights and curves are learned on at most this many cells."""


def sample_cells(data: Observations, n_cells: int, rng: np.random.Generator) -> NDArray[np.intp] | None:
    """Return the sorted rows of a sample, one drawn from each stratum of library size; None means all cells."""
    total = data.shape[0]
    if total <= n_cells:
        return None
    sizes = row_sums(data.log_values if data.counts is None else data.counts)
    # Batch by batch, so that each has its share of the sample over the whole range of its library sizes.
    by_size = np.argsort(sizes, kind="stable") if data.batches is None else np.lexsort((sizes, data.batches.codes))
    edges = np.linspace(0, total, n_cells + 1).astype(np.intp)
    return np.sort(by_size[rng.integers(edges[:-1], edges[1:])])
