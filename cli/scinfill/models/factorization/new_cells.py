"""New cells in a factorisation that is fixed: Z of each is solved against μ and D, whatever stands beside it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scinfill.models.cell_blocks import cell_blocks, rows_of_block
from scinfill.models.factorization.alternating import BlockLoss, Factors, Penalty, alternate
from scinfill.models.factorization.cell_readers import PoissonReader, SquaredReader
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.observations import Observations, padded
from scinfill.models.recipe import CellReader, Loss
from scinfill.numerics.exact import exact_product
from scinfill.numerics.parallel import map_in_order

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

REFIT_ROUNDS = 3
"""After which D has forgotten cells that no longer take part: with Z where it was, each is nearly a regression."""
START_CELLS = 2_000
"""Training cells, at most, from which first guesses are learned."""
START_RIDGE = 1e-4
"""Of the regression by which they are learned, a share of the mean square of what it regresses on."""
BATCH_RIDGE = 4.0
"""On the offsets of batches in these rounds."""


class ExactFactors(Factors):
    """Factors of which no predicted value depends on the cells beside it, to the last bit."""

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) predicted values."""
        return exact_product(self.cells[rows], self.genes.T) + self.offset

    def project(self, rows: slice, mean: Floats, directions: Floats) -> Floats:
        """Return (block − mean)·directions, (n_rows, n_directions): linear in Z, so that no gene is looked at."""
        parts = np.column_stack([self.genes, self.offset - mean]).astype(np.float64).T @ directions
        return exact_product(np.column_stack([self.cells[rows], np.ones(len(self.cells[rows]), np.float32)]), parts)


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
    starts
        (2, rank + 2, rank) the linear maps by which a first guess of Z is made of either half of the genes
        (:meth:`scinfill.models.factorization.cell_readers.PoissonReader.guess`); None: Z starts at zero.
    """

    loss: Loss
    offset: Floats
    genes: Floats
    ridge: float
    zero_weight: float = 1.0
    batches: Floats | None = None
    gene_weights: Floats | None = None
    starts: Floats | None = None

    @property
    def n_factors(self) -> int:
        """Columns of Z."""
        return self.genes.shape[1]

    def reader(self, known: Mask, half: Mask) -> CellReader:
        """Return what solves Z by the known genes; see :class:`scinfill.models.recipe.FixedModel`."""
        if self.loss == "squared":
            return SquaredReader(
                self.offset, self.genes, self.ridge, self.zero_weight, self.gene_weights, self.batches, known, half
            )
        return self._poisson_reader(known, half)

    def _poisson_reader(self, known: Mask, half: Mask) -> PoissonReader:
        return PoissonReader(
            self.offset, self.genes, self.ridge, self.batches, known=known, half=half, starts=self.starts
        )

    def with_starts(self, data: Observations, half: Mask) -> "FixedFactors":
        """Return the same with first guesses, learned from what either half of the genes makes of some cells.

        Parameters
        ----------
        data
            (n_cells, n_genes) training cells, of whose batches only those that the model has count.
        half
            (n_genes,) one half of the genes.
        """
        if self.loss == "squared":
            return self
        reader = self._poisson_reader(np.ones(data.shape[1], np.bool_), half)
        chosen = np.arange(0, data.shape[0], -(-data.shape[0] // START_CELLS))
        codes = None if data.batches is None or self.batches is None else data.batches.codes[chosen]
        n_features, n_rows = self.n_factors + 2, rows_of_block(data.shape[1])

        def moments(rows: NDArray[np.intp]) -> NDArray[np.float64]:
            block, some = padded(data, chosen[rows], n_rows), None if codes is None else codes[rows]
            pairs = zip(reader.features(block), reader.halves(block, some), strict=True)
            parts = [(seen[: len(rows)].astype(np.float64), made.cells[: len(rows)]) for seen, made in pairs]
            return np.stack([seen.T @ np.column_stack([seen, cells]) for seen, cells in parts])

        blocks = cell_blocks((len(chosen), data.shape[1]), codes)
        total = sum(map_in_order(moments, blocks), np.zeros((2, n_features, n_features + self.n_factors)))
        gram, cross = total[:, :, :n_features], total[:, :, n_features:]
        ridge = START_RIDGE * np.trace(gram, axis1=1, axis2=2)[:, None, None] / n_features * np.eye(n_features)
        return replace(self, starts=np.linalg.solve(gram + ridge + 1e-9 * np.eye(n_features), cross).astype(np.float32))

    def refitted(self, data: Observations, cells: Floats) -> "FixedFactors":
        """Return μ and D after REFIT_ROUNDS more rounds with other cells, (n_cells, n_genes), whose Z starts there."""
        loss = self._loss_of(data if self.batches is not None else replace(data, batches=None))
        factors = Factors(self.offset, cells, self.genes, self.batches, self.gene_weights)
        refitted = alternate(loss, factors, ridge=Penalty(self.ridge, BATCH_RIDGE), n_rounds=REFIT_ROUNDS, label="fit")
        return replace(self, offset=refitted.offset, genes=refitted.genes, batches=refitted.batches)

    def prediction(
        self, data: Observations, known: Mask, codes: NDArray[np.intp] | None, factors: Floats
    ) -> ExactFactors:
        """Return μ, Z and D."""
        del data, known, codes
        return ExactFactors(self.offset, factors, self.genes)

    def _loss_of(self, data: Observations) -> BlockLoss:
        return PoissonLoss(data) if self.loss == "poisson" else SquaredLoss(data, self.zero_weight)
