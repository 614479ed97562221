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
    by_size = np.argsort(row_sums(data.log_values if data.counts is None else data.counts), kind="stable")
    edges = np.linspace(0, total, n_cells + 1).astype(np.intp)
    return np.sort(by_size[rng.integers(edges[:-1], edges[1:])])
