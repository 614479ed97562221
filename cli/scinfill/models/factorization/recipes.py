"""The default deepMc recipes: factorisations with gene offsets and a ridge, one for each loss."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.centre import gene_centre
from scinfill.models.devices import Device
from scinfill.models.factorization import alternating
from scinfill.models.factorization.alternating import BlockLoss, Factors
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
class PoissonFactorization:
    """C ~ Poisson(s · exp(μ + Z·D)) with a ridge on Z and D."""

    rank: int
    ridge: float = 5.0
    n_rounds: int = 6
    device: Device = "cpu"
    loss: Literal["poisson"] = "poisson"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes that a fit takes beside the data."""
        return _memory(data, self.rank)

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Factors:
        """Fit counts; see :class:`scinfill.models.recipe.Recipe`."""

        def begin(part: Observations) -> Factors:
            factors = alternating.start(part.log_values, rank=self.rank, rng=rng)
            mean_rate = gene_centre("poisson", part, None, zero_weight=1.0)
            return replace(factors, offset=np.log(mean_rate).astype(np.float32))

        arrays = arrays_for(self.device)

        def loss(part: Observations, pattern: csr_array | None) -> PoissonLoss:
            return PoissonLoss(part, pattern, arrays=arrays)

        return _fit(data, held_out, loss, begin, ridge=self.ridge, n_rounds=self.n_rounds, rng=rng)


@dataclass(frozen=True)
class SquaredFactorization:
    """X ≈ μ + Z·D, weight 1 on non-zeros and ``zero_weight`` on zeros (0: as the papers, 1: zeros are data)."""

    rank: int
    zero_weight: float = 1.0
    ridge: float = 20.0
    n_rounds: int = 12
    device: Device = "cpu"
    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes that a fit takes beside the data."""
        return _memory(data, self.rank)

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Factors:
        """Fit log2 values; see :class:`scinfill.models.recipe.Recipe`."""
        arrays = arrays_for(self.device)

        def loss(part: Observations, pattern: csr_array | None) -> SquaredLoss:
            return SquaredLoss(part, self.zero_weight, pattern, arrays=arrays)

        def begin(part: Observations) -> Factors:
            return alternating.start(part.log_values, rank=self.rank, rng=rng)

        return _fit(data, held_out, loss, begin, ridge=self.ridge, n_rounds=self.n_rounds, rng=rng)


def _memory(data: Observations, rank: int) -> int:
    """Add up the factors of all cells, the genes' systems, a sample and blocks."""
    n_cells, n_genes = data.shape
    columns = rank + 1
    systems = 2 * n_genes * (columns * (columns + 1) // 2 + columns) * DOUBLE
    return n_cells * (3 * rank + 10) * SINGLE + systems + sample_bytes(data, SAMPLE_CELLS) + BLOCKS


def _fit(
    data: Observations,
    held_out: csr_array | None,
    make_loss: Callable[[Observations, csr_array | None], BlockLoss],
    begin: Callable[[Observations], Factors],
    *,
    ridge: float,
    n_rounds: int,
    rng: np.random.Generator,
) -> Factors:
    """Settle on a sample of cells, then let all of them have their say."""
    rows = sample_cells(data, SAMPLE_CELLS, rng)
    sample = data if rows is None else data.cells(rows)
    sample_held_out = held_out if rows is None or held_out is None else held_out[rows]
    loss = make_loss(sample, sample_held_out)
    factors = alternating.alternate(loss, begin(sample), ridge=ridge, n_rounds=n_rounds, label="fit")
    if rows is None:
        return factors
    guessed = replace(factors, cells=guess_cells(data.log_values, rows, factors))
    return alternating.alternate(
        make_loss(data, held_out), guessed, ridge=ridge, n_rounds=FULL_ROUNDS, label="fit all cells"
    )


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
