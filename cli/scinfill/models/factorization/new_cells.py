"""New cells in a factorisation that is fixed: Z of each is solved against μ and D, whatever stands beside it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scinfill.models.factorization.alternating import BlockLoss, Factors, Penalty, alternate
from scinfill.models.factorization.arrays import HOST, Arrays
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction
from scinfill.numerics.exact import EXACT_NUMPY, exact_product

Floats = NDArray[np.float32]

EXACT = replace(HOST, xp=EXACT_NUMPY)
"""Numpy, with products that do not depend on what stands beside a cell."""
REFIT_ROUNDS = 3
"""After which D has forgotten cells that no longer take part: with Z where it was, each is nearly a regression."""
BATCH_RIDGE = 4.0
"""On the offsets of batches in these rounds."""
MAX_STEPS = 30
"""Of Newton; cells like those of the training need four to eight."""
SETTLED = 0.03
"""A cell stays where it is once a step moved none of its log rates by more: the next would move them by its square."""


class ExactFactors(Factors):
    """Factors of which no predicted value depends on the cells beside it, to the last bit."""

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) predicted values."""
        return exact_product(self.cells[rows], self.genes.T) + self.offset


@dataclass(frozen=True)
class FixedFactors:
    """μ and D of a factorisation; see :class:`scinfill.models.recipe.FixedModel`.

    Attributes
    ----------
    loss
        Of the fit.
    offset
        (n_genes,) μ.
    genes
        (n_genes, rank) Dᵀ.
    ridge
        Penalty on Z.
    zero_weight
        Weight of zeros in the squared loss.
    batches
        (n_batches, n_genes) β, which join μ; None without batches.
    gene_weights
        (n_genes,) what each gene counts where Z is solved; None: all the same.
    """

    loss: Loss
    offset: Floats
    genes: Floats
    ridge: float
    zero_weight: float = 1.0
    batches: Floats | None = None
    gene_weights: Floats | None = None

    @property
    def n_factors(self) -> int:
        """Columns of Z."""
        return self.genes.shape[1]

    def read(
        self,
        block: Observations,
        known: NDArray[np.bool_],
        codes: NDArray[np.intp] | None,
        start: Floats | None = None,
    ) -> Floats:
        """Return Z of cells, (n_rows, rank): damped Newton steps until a cell settles. One without counts stays at 0.

        Each cell stops by itself, so that its bytes do not depend on how long its neighbours take.
        """
        n_rows = block.shape[0]
        moving = np.diff(block.log_values.indptr) > 0
        offset = self.offset if self.batches is None or codes is None else self.offset + self.batches[codes[0]]
        genes, weights = self.genes, self.gene_weights
        if not known.all():
            columns = np.flatnonzero(known)
            block, offset, genes = block.genes(columns), offset[columns], genes[columns]
            weights = None if weights is None else weights[columns]
        cells = np.zeros((n_rows, self.n_factors), np.float32) if start is None else start.copy()
        cells[~moving] = 0
        loss = self._loss_of(block, EXACT)
        factors = Factors(offset, cells, genes, gene_weights=weights)
        for _ in range(MAX_STEPS):
            step, bound = _newton_step(loss, factors, np.float32(self.ridge))
            factors.cells[moving] += step[moving]
            moving &= bound > SETTLED
            if np.isinf(loss.largest_step) or not moving.any():
                break
        return factors.cells

    def refitted(self, data: Observations, cells: Floats) -> "FixedFactors":
        """Return μ and D after REFIT_ROUNDS more rounds with other cells, (n_cells, n_genes), whose Z starts there."""
        loss = self._loss_of(data if self.batches is not None else replace(data, batches=None), HOST)
        factors = Factors(self.offset, cells, self.genes, self.batches, self.gene_weights)
        refitted = alternate(loss, factors, ridge=Penalty(self.ridge, BATCH_RIDGE), n_rounds=REFIT_ROUNDS, label="fit")
        return replace(self, offset=refitted.offset, genes=refitted.genes, batches=refitted.batches)

    def values(self, state: Floats) -> Floats:
        """Return (n_rows, n_genes) μ + Z·D."""
        return ExactFactors(self.offset, state, self.genes).block(slice(None))

    def prediction(
        self, data: Observations, known: NDArray[np.bool_], codes: NDArray[np.intp] | None, factors: Floats
    ) -> Prediction:
        """Return μ, Z and D."""
        del data, known, codes
        return ExactFactors(self.offset, factors, self.genes)

    def _loss_of(self, data: Observations, arrays: Arrays) -> BlockLoss:
        if self.loss == "poisson":
            return PoissonLoss(data, arrays=arrays)
        return SquaredLoss(data, self.zero_weight, arrays=arrays)


def _newton_step(loss: BlockLoss, factors: Factors, ridge: np.float32) -> tuple[Floats, Floats]:
    """Return a step of every cell's Z, (n_rows, rank), and more than it moves any predicted value, (n_rows,)."""
    cells, genes = factors.cells, factors.genes
    system = loss.cell_system(slice(0, len(cells)), factors)
    # Solve (H + ρI)·step = g − ρ·z for every cell.
    penalty = np.full(cells.shape[1], ridge, np.float32)
    step = np.asarray(loss.arrays.solve(system.curvature, system.gradient - ridge * cells, penalty), np.float32)
    bound = np.linalg.norm(step, axis=1) * np.linalg.norm(genes, axis=1).max(initial=0)  # Cauchy and Schwarz
    far = bound > loss.largest_step
    if far.any():
        # Shorten steps that go too far for Newton's quadratic; whether a cell's does is its own affair.
        reach = np.abs(exact_product(step, genes.T)).max(axis=1, initial=0)
        share = np.minimum(np.float32(1), np.float32(loss.largest_step) / np.maximum(reach, np.float32(1e-12)))
        share[~far] = 1
        step, bound = step * share[:, None], bound * share
    return step, bound
