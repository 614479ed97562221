"""The default deepMc recipes: factorisations with gene offsets and a ridge, one for each loss."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import BatchedPrediction, centre_beside, centre_offsets, mean_offsets
from scinfill.models.centre import gene_centre
from scinfill.models.devices import Device
from scinfill.models.factorization import alternating
from scinfill.models.factorization.alternating import BlockLoss, Factors, Penalty, alternate
from scinfill.models.factorization.arrays import arrays_for
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction, SampleFit
from scinfill.models.requirements import BLOCKS, DOUBLE, SINGLE, sample_bytes
from scinfill.models.sampling import SAMPLE_CELLS, sample_cells
from scinfill.numerics.batches import Batches
from scinfill.numerics.blocks import FEWEST_ROWS, row_slices
from scinfill.numerics.parallel import IN_FLIGHT
from scinfill.numerics.sparse import product

LEAST_NOISE = 0.1
"""Share of the genes' mean unexplained variance that is added to each: no gene decides alone."""
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
    batch_ridge
        Penalty on the offsets of batches, where the data have batches.
    """

    rank: int
    ridge: float
    n_rounds: int
    device: Device
    loss: Loss
    batch_ridge: float = field(default=4.0, kw_only=True, repr=False)

    @abstractmethod
    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return the factors that a fit of ``data`` starts from."""

    @abstractmethod
    def loss_of(self, data: Observations, held_out: csr_array | None) -> BlockLoss:
        """Return the loss over the entries of ``data`` that are not held out."""

    def weigh_genes(self, data: Observations, held_out: csr_array | None, factors: Factors) -> Factors:
        """Return the factors of a fit with what each gene shall count, where the loss has such weights."""
        del data, held_out
        return factors

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of the factors of all cells, the genes' systems, a sample and blocks."""
        n_cells, n_genes = data.shape
        columns = self.rank + 1
        n_batches = 0 if data.batches is None else data.batches.n_batches
        systems = 2 * n_genes * (columns * (columns + 1) // 2 + columns * (1 + n_batches)) * DOUBLE
        blocks = max(BLOCKS, 2 * IN_FLIGHT * FEWEST_ROWS * n_genes * SINGLE)
        return n_cells * (3 * self.rank + 10) * SINGLE + systems + sample_bytes(data, SAMPLE_CELLS) + blocks

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Prediction:
        """Fit ``data``; see :class:`scinfill.models.recipe.Recipe`."""
        # Fit μ, D and Z to a sample of cells.
        rows = sample_cells(data, SAMPLE_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        sample_held_out = held_out if rows is None or held_out is None else held_out[rows]
        loss = self.loss_of(sample, sample_held_out)
        penalty = Penalty(self.ridge, self.batch_ridge)
        factors = alternate(loss, self.start(sample, rng), ridge=penalty, n_rounds=self.n_rounds, label="fit")
        weighted = self.weigh_genes(sample, sample_held_out, factors)
        if weighted is not factors:
            factors = alternate(loss, weighted, ridge=penalty, n_rounds=self.n_rounds, label="fit with genes weighted")
        return self._prediction(data, factors if rows is None else self._fit_all(data, held_out, factors, rows))

    def fit_from(self, start: SampleFit, data: Observations, *, rng: np.random.Generator) -> Prediction:
        """Fit ``data`` from the factors of a sample; see :class:`scinfill.models.recipe.StartingRecipe`."""
        del rng  # the guesses of the other cells draw nothing
        fitted = start.prediction
        offsets = fitted.offsets if isinstance(fitted, BatchedPrediction) else None
        structure = fitted.structure if isinstance(fitted, BatchedPrediction) else fitted
        if not isinstance(structure, Factors):
            raise TypeError("a fit of factors starts from factors")
        scale = np.float32(np.log(start.share)) if self.loss == "poisson" else 0
        factors = replace(structure, offset=structure.offset - scale, batches=offsets)
        return self._prediction(data, self._fit_all(data, None, factors, start.rows))

    def _fit_all(
        self, data: Observations, held_out: csr_array | None, factors: Factors, rows: NDArray[np.intp] | None
    ) -> Factors:
        """Guess Z of the cells that are not in the sample, and let all cells take part in the last rounds."""
        if rows is not None:
            factors = replace(factors, cells=guess_cells(data.log_values, rows, factors, data.batches))
        penalty = Penalty(self.ridge, self.batch_ridge)
        return alternate(
            self.loss_of(data, held_out), factors, ridge=penalty, n_rounds=FULL_ROUNDS, label="fit all cells"
        )

    def _prediction(self, data: Observations, factors: Factors) -> Prediction:
        """Return the factors, and beside them the offsets of batches where there are any."""
        if data.batches is None or factors.batches is None:
            return factors
        offsets = centre_offsets(factors.batches, data.batches)
        shift = data.batches.mean_over_cells(factors.batches)
        structure = replace(factors, offset=(factors.offset + shift).astype(np.float32), batches=None)
        return BatchedPrediction(structure, data.batches.codes, offsets, self.batch_ridge)


@dataclass(frozen=True)
class PoissonFactorization(Factorization):
    """C ~ Poisson(s · exp(μ + Z·D)) with a ridge on Z and D."""

    ridge: float = 5.0
    n_rounds: int = 6
    device: Device = "cpu"
    loss: Literal["poisson"] = "poisson"

    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return leading components of the log2 values as Z, and the genes' mean log rates as μ."""
        factors = alternating.start(data.log_values, rank=self.rank, rng=rng, batches=data.batches)
        if data.batches is None:
            mean_rate = gene_centre("poisson", data, None, zero_weight=1.0)
            return replace(factors, offset=np.log(mean_rate).astype(np.float32))
        offsets = mean_offsets("poisson", data, None, ridge=self.batch_ridge, zero_weight=1.0)
        mean_rate = centre_beside("poisson", data, offsets)
        return replace(factors, offset=np.log(mean_rate).astype(np.float32), batches=offsets)

    def loss_of(self, data: Observations, held_out: csr_array | None) -> PoissonLoss:
        """Return the Poisson loss on counts."""
        return PoissonLoss(data, held_out, arrays=arrays_for(self.device))


@dataclass(frozen=True)
class SquaredFactorization(Factorization):
    """X ≈ μ + Z·D, weight 1 on non-zeros and ``zero_weight`` on zeros (0: as the papers, 1: zeros are data).

    ``by_noise``: a second fit weighs each gene by the inverse of the variance that the first could not explain. Genes
    differ widely in it, most of all in reads, and without weights the noisiest have most to say on where a cell lies.
    """

    zero_weight: float = 1.0
    by_noise: bool = False
    ridge: float = 20.0
    n_rounds: int = 12
    device: Device = "cpu"
    loss: Literal["squared"] = "squared"

    def start(self, data: Observations, rng: np.random.Generator) -> Factors:
        """Return leading components of the log2 values as Z."""
        factors = alternating.start(data.log_values, rank=self.rank, rng=rng, batches=data.batches)
        if data.batches is None:
            return factors
        return replace(factors, batches=np.zeros((data.batches.n_batches, data.shape[1]), np.float32))

    def loss_of(self, data: Observations, held_out: csr_array | None) -> SquaredLoss:
        """Return the squared loss on log2 values."""
        return SquaredLoss(data, self.zero_weight, held_out, arrays=arrays_for(self.device))

    def weigh_genes(self, data: Observations, held_out: csr_array | None, factors: Factors) -> Factors:
        """Return the factors with the inverse of each gene's unexplained variance."""
        if not self.by_noise:
            return factors
        prediction = self._prediction(data, factors)
        unexplained, total_weight = np.zeros(data.shape[1]), np.zeros(data.shape[1])
        for rows in row_slices(*data.shape):
            values = data.log_values[rows].toarray()
            weight = np.where(values > 0, 1, self.zero_weight)
            if held_out is not None:
                weight[held_out[rows].nonzero()] = 0
            unexplained += (weight * np.square(values - prediction.block(rows))).sum(axis=0)
            total_weight += weight.sum(axis=0)
        variance = unexplained / np.maximum(total_weight, 1)
        weights = 1 / np.maximum(variance + LEAST_NOISE * variance.mean(), 1e-6)
        return replace(factors, gene_weights=weights.astype(np.float32))


def guess_cells(
    log_values: csr_array, rows: NDArray[np.intp], factors: Factors, batches: Batches | None = None
) -> NDArray[np.float32]:
    """Return Z of all cells from what is known of some: the best linear map from X·D to Z in the sample.

    Parameters
    ----------
    log_values
        (n_cells, n_genes).
    rows
        The sample's cells.
    factors
        Fitted to the sample.
    batches
        The map is then one within batches: in each, X·D and Z are taken from their means in the sample.
    """
    if batches is not None:
        return _guess_cells_within(product(log_values, factors.genes), rows, factors, batches)
    scores = np.column_stack([product(log_values, factors.genes), np.ones(log_values.shape[0], np.float32)])
    slopes, *_ = np.linalg.lstsq(scores[rows], factors.cells, rcond=None)
    cells = (scores @ slopes).astype(np.float32)
    cells[rows] = factors.cells
    return cells


def _guess_cells_within(
    scores: NDArray[np.float32], rows: NDArray[np.intp], factors: Factors, batches: Batches
) -> NDArray[np.float32]:
    """Return Z of all cells by the best linear map within batches; a batch without a cell in the sample has mean 0."""
    of_sample = batches.cells(rows)
    member = np.maximum(of_sample.sizes, 1)[:, None].astype(np.float32)
    score_means = np.stack([of_sample.totals(column) for column in scores[rows].T], axis=1) / member
    cell_means = np.stack([of_sample.totals(column) for column in factors.cells.T], axis=1) / member
    # A batch that the sample lacks is centred on its own cells.
    for batch in np.flatnonzero((of_sample.sizes == 0) & (batches.sizes > 0)):
        score_means[batch] = scores[batches.codes == batch].mean(axis=0)
    centred_scores = scores - score_means[batches.codes]
    centred_cells = factors.cells - cell_means[of_sample.codes]
    slopes, *_ = np.linalg.lstsq(centred_scores[rows], centred_cells, rcond=None)
    cells = (centred_scores @ slopes + cell_means[batches.codes]).astype(np.float32)
    cells[rows] = factors.cells
    return cells
