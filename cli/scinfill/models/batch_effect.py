"""Batches as offsets of genes: what a model says of a cell is moved by the same amount in all cells of a batch.

Poisson loss: log λ = log s + μ_g + β_{b(c),g} + z_c·d_g, so that rates are multiplied by exp(β). Squared loss: the log2
values are moved by β. Over the cells β has mean zero for every gene, so the average batch is the one with β = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.centre import column_weights, gene_centre
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction
from scinfill.numerics.batches import Batches, Doubles
from scinfill.numerics.sparse import column_sums

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BatchedPrediction:
    """A prediction that knows no batches, and the offsets of batches beside it.

    Attributes
    ----------
    structure
        (n_cells, n_genes) what all batches have in common.
    codes
        (n_cells,) the batch of every cell.
    offsets
        (n_batches, n_genes) β.
    ridge
        The penalty with which β was fitted.
    """

    structure: Prediction
    codes: NDArray[np.intp]
    offsets: Floats
    ridge: float

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.structure.shape

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) predicted values in the cells' own batches."""
        values = self.structure.block(rows)
        values += self.offsets[self.codes[rows]]
        return values


@dataclass(frozen=True)
class BatchEffect:
    """What batches do to the values of a model, and whether it is taken out of them.

    Attributes
    ----------
    codes
        (n_cells,) the batch of every cell.
    offsets
        (n_batches, n_genes) β.
    loss
        Of the model: whether β is a logarithm of rates or a difference of log2 values.
    ridge
        The penalty with which β was fitted; not a number where it is not known.
    removed
        Whether values are those of the average batch instead of the cell's own.
    """

    codes: NDArray[np.intp]
    offsets: Floats
    loss: Loss
    ridge: float = float("nan")
    removed: bool = False

    def of(self, rows: slice) -> Floats:
        """Return β of some cells, (n_rows, n_genes)."""
        return self.offsets[self.codes[rows]]

    def factors(self, rows: slice) -> Floats:
        """Return exp(β) of some cells, (n_rows, n_genes)."""
        return np.exp(self.offsets)[self.codes[rows]]

    def move(self, rates: Floats, offsets: Floats) -> Floats:
        """Return rates of cells with these offsets as they would be in the average batch."""
        if self.loss == "poisson":
            return np.asarray(rates * np.exp(-offsets), np.float32)
        return np.maximum((1 + rates) * np.exp2(-offsets) - 1, 0, dtype=np.float32)


def mean_offsets(
    loss: Loss, data: Observations, held_out: csr_array | None, *, ridge: float, zero_weight: float
) -> Floats:
    """Return the offsets of the batches' means, (n_batches, n_genes): those of genes without any structure.

    They are drawn towards zero as by ``ridge`` molecules (cells: squared loss) of the gene's mean over all batches.
    """
    batches = _batches(data)
    centre = gene_centre(loss, data, held_out, zero_weight=zero_weight)
    weight = column_weights(loss, data, held_out, zero_weight=zero_weight)
    seen = batches.column_sums(data.log_values if loss == "squared" else data.molecules()[0])
    if loss == "poisson":
        offsets = np.log((seen + ridge) / (centre * weight + ridge))
    else:
        offsets = (seen - weight * centre) / (weight + ridge)
    return centre_offsets(offsets, batches)


def centre_offsets(offsets: NDArray[np.floating], batches: Batches) -> Floats:
    """Return offsets whose mean over the cells is zero for every gene."""
    return (offsets - batches.mean_over_cells(offsets)).astype(np.float32)


def centre_beside(
    loss: Loss, data: Observations, offsets: Floats, *, held_out: csr_array | None = None, zero_weight: float = 1.0
) -> Doubles:
    """Return each gene's mean in the average batch, (n_genes,), so that its total is the observed one."""
    weight = column_weights(loss, data, held_out, zero_weight=zero_weight)
    if loss == "poisson":
        expected = np.sum(weight * np.exp(offsets.astype(np.float64)), axis=0)
        return np.maximum(column_sums(data.molecules()[0]), 0.5) / np.maximum(expected, 1e-12)
    moved = column_sums(data.log_values) - np.sum(weight * offsets, axis=0)
    return np.asarray(moved / np.maximum(weight.sum(axis=0), 1e-12))


def batch_centre(loss: Loss, data: Observations, held_out: csr_array | None, *, zero_weight: float) -> Doubles:
    """Return each gene's mean in every batch, (n_batches, n_genes), drawn a little towards its mean over all."""
    offsets = mean_offsets(loss, data, held_out, ridge=1.0, zero_weight=zero_weight)
    centre = centre_beside(loss, data, offsets, held_out=held_out, zero_weight=zero_weight)
    return centre * np.exp(offsets) if loss == "poisson" else centre + offsets


def batch_effect(prediction: BatchedPrediction, loss: Loss, data: Observations, slope: Floats) -> BatchEffect:
    """Return the model's offsets for genes whose gate is open, and those of the batches' means for all others."""
    of_means = mean_offsets(loss, data, None, ridge=prediction.ridge, zero_weight=1.0)
    batches = _batches(data)
    offsets = np.where(slope > 0, prediction.offsets, of_means)
    return BatchEffect(batches.codes, offsets, loss, prediction.ridge)


def _batches(data: Observations) -> Batches:
    if data.batches is None:
        raise ValueError("batches are needed here")
    return data.batches
