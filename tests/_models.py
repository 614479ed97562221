"""Small worlds for the models: what is true is known, and everything that may go wrong is there."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.observations import Observations, pattern_of
from scinfill.numerics.normalization import log2_counts
from scinfill.numerics.sparse import canonical


@dataclass(frozen=True)
class World:
    """Counts drawn from a low-rank rate.

    Attributes
    ----------
    data
        What a model sees.
    rate
        (n_cells, n_genes) true rate per unit size factor.
    """

    data: Observations
    rate: np.ndarray


def observations(counts: np.ndarray, size_factor: np.ndarray | None = None) -> Observations:
    """Return counts as a model sees them; size factors are 1 unless given."""
    size_factor = np.ones(len(counts)) if size_factor is None else size_factor
    rows = canonical(csr_array(counts), np.float32)
    return Observations(log2_counts(rows, size_factor), rows, size_factor)


def low_rank_world(n_cells: int = 60, n_genes: int = 40, *, rank: int = 2, mean: float = 2.0, seed: int = 0) -> World:
    """Return Poisson counts around exp(μ + Z·D) with different library sizes."""
    rng = np.random.default_rng(seed)
    structure = rng.normal(size=(n_cells, rank)) @ rng.normal(0, 0.7, size=(rank, n_genes)) / np.sqrt(rank)
    rate = np.exp(np.log(mean) + rng.normal(0, 0.5, n_genes) + structure)
    size_factor = rng.lognormal(0, 0.4, n_cells)
    return World(observations(rng.poisson(size_factor[:, None] * rate), size_factor), rate)


def some_held_out(shape: tuple[int, int], *, share: float = 0.1, seed: int = 5) -> csr_array:
    """Return a random pattern over all entries, zeros too."""
    return pattern_of(*np.nonzero(np.random.default_rng(seed).random(shape) < share), shape)


def with_other_values(data: Observations, held_out: csr_array) -> Observations:
    """Return the same observations with other values wherever ``held_out`` says."""
    counts, size_factor = data.molecules()
    changed = counts.toarray()
    changed[held_out.nonzero()] = changed[held_out.nonzero()] * 3 + 7
    return observations(changed, size_factor)


@dataclass(frozen=True)
class Given:
    """A prediction that is given."""

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.values.shape

    def block(self, rows: slice) -> np.ndarray:
        """Return a copy: whoever asks may change it."""
        return self.values[rows].astype(np.float32)


@dataclass(frozen=True)
class Oracle:
    """A recipe whose prediction is given."""

    values: np.ndarray
    loss: Literal["poisson", "squared"] = "poisson"

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Given:
        """Learn nothing."""
        del rng, held_out
        assert data.shape == self.values.shape
        return Given(self.values)


def everything(shape: tuple[int, int]) -> slice:
    """Return the slice of all cells."""
    return slice(0, shape[0])
