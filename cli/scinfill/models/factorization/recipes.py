"""The default deepMc recipes: factorisations with gene offsets and a ridge, one for each loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.centre import gene_centre
from scinfill.models.devices import Device
from scinfill.models.factorization import alternating
from scinfill.models.factorization.alternating import BlockLoss, Factors, alternate
from scinfill.models.factorization.arrays import arrays_for
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.observations import Observations
from scinfill.models.requirements import BLOCKS, DOUBLE, SINGLE, sample_bytes
from scinfill.models.sampling import SAMPLE_CELLS, sample_cells
from scinfill.numerics.sparse import product

FULL_ROUNDS = 2
"""Passes over all cells once the gene factors have settled on a sample."""


@dataclass(frozen=True)
class Factorization(ABC):
    """Gene offsets and factors with a ridge, settled on a sample of cells first where there are very many.

    Attributes
    ----------
    rank
        Columns of Z and D.
    ridge
        Penalty on Z and D.
    n_rounds
        Rounds of the fit, or of the fit of the sample.
    device
        ``auto`` takes a GPU if there is one.
    """

    rank: int
    ridge: float
    n_rounds: int
    device: Device

    @abstractmethod
    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return the factors that a fit of ``data`` starts from."""

    @abstractmethod
    def loss_of(self, data: Observations, held_out: csr_array | None) -> BlockLoss:
        """Return the loss over the entries of ``data`` that are not held out."""

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of the factors of all cells, the genes' systems, a sample and blocks."""
        n_cells, n_genes = data.shape
        columns = self.rank + 1
        systems = 2 * n_genes * (columns * (columns + 1) // 2 + columns) * DOUBLE
        return n_cells * (3 * self.rank + 10) * SINGLE + systems + sample_bytes(data, SAMPLE_CELLS) + BLOCKS

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Factors:
        """Fit ``data``; see :class:`scinfill.models.recipe.Recipe`."""
        # Fit μ, D and Z to a sample of cells.
        rows = sample_cells(data, SAMPLE_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        sample_held_out = held_out if rows is None or held_out is None else held_out[rows]
        loss = self.loss_of(sample, sample_held_out)
        factors = alternate(loss, self.start(sample, rng), ridge=self.ridge, n_rounds=self.n_rounds, label="fit")
        if rows is None:
            return factors
        # Guess Z of the other cells, and let all cells take part in the last rounds.
        guessed = replace(factors, cells=guess_cells(data.log_values, rows, factors))
        loss = self.loss_of(data, held_out)
        return alternate(loss, guessed, ridge=self.ridge, n_rounds=FULL_ROUNDS, label="fit all cells")


@dataclass(frozen=True)
class PoissonFactorization(Factorization):
    """C ~ Poisson(s · exp(μ + Z·D)) with a ridge on Z and D."""

    ridge: float = 5.0
    n_rounds: int = 6
    device: Device = "cpu"
    loss: Literal["poisson"] = "poisson"

    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return leading components of the log2 values as Z, and the genes' mean log rates as μ."""
        factors = alternating.start(data.log_values, rank=self.rank, rng=rng)
        mean_rate = gene_centre("poisson", data, None, zero_weight=1.0)
        return replace(factors, offset=np.log(mean_rate).astype(np.float32))

    def loss_of(self, data: Observations, held_out: csr_array | None) -> PoissonLoss:
        """Return the Poisson loss on counts."""
        return PoissonLoss(data, held_out, arrays=arrays_for(self.device))


@dataclass(frozen=True)
class SquaredFactorization(Factorization):
    """X ≈ μ + Z·D, weight 1 on non-zeros and ``zero_weight`` on zeros (0: as the papers, 1: zeros are data)."""

    zero_weight: float = 1.0
    ridge: float = 20.0
    n_rounds: int = 12
    device: Device = "cpu"
    loss: Literal["squared"] = "squared"

    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return leading components of the log2 values as Z."""
        return alternating.start(data.log_values, rank=self.rank, rng=rng)

    def loss_of(self, data: Observations, held_out: csr_array | None) -> SquaredLoss:
        """Return the squared loss on log2 values."""
        return SquaredLoss(data, self.zero_weight, held_out, arrays=arrays_for(self.device))


def guess_cells(log_values: csr_array, rows: NDArray[np.intp], factors: Factors) -> NDArray[np.float32]:
    """Return Z of all cells from what is known of some: the best linear map from X·D to Z in the sample.

    Parameters
    ----------
    log_values
        (n_cells, n_genes).
    rows
        The sample's cells.
    factors
        Fitted to the sample.
    """
    scores = np.column_stack([product(log_values, factors.genes), np.ones(log_values.shape[0], np.float32)])
    slopes, *_ = np.linalg.lstsq(scores[rows], factors.cells, rcond=None)
    cells = (scores @ slopes).astype(np.float32)
    cells[rows] = factors.cells
    return cells
