"""Compute the imputed values of a block of cells from a model's prediction: the three named estimates."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import BatchedPrediction, BatchEffect, batch_effect, centre_beside
from scinfill.models.centre import LARGEST_LOG_RATE, gene_centre
from scinfill.models.estimate.grouping import Grouping
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import column_sums, rows_view

Floats = NDArray[np.float32]


class ImputedValues(Protocol):
    """Imputed values, a block of cells at a time."""

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) on the scale log2(1 + counts / size_factor), never negative."""
        ...


@dataclass(frozen=True)
class LocalFactors:
    """Factors by which the rates of a cell are multiplied: the mean over several groupings of its groups' factors.

    Attributes
    ----------
    group
        (n_cells, n_groupings) the cell's group in each grouping, as a row of ``factor``.
    factor
        (n_groups, n_genes) of the groups of all groupings; exactly 1 where the gate is shut.
    groupings
        What assigns a cell to its groups, where that is still known.
    """

    group: NDArray[np.integer]
    factor: Floats
    groupings: tuple[Grouping, ...] = ()

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes)."""
        first, *others = self.group[rows].T
        factor = self.factor[first]
        for group in others:
            factor += self.factor[group]
        factor /= self.group.shape[1]
        return factor


@dataclass(frozen=True)
class GatedModel:
    """The model's mean after the gate: base + gain · model, on the model's own scale, for each gene.

    Poisson loss: the scale is the rate per unit size factor, base = (1 − gate)·m·q and gain = gate·q with the
    gene's mean rate m and q such that the gene's total equals the observed one. Squared loss: log2 values,
    base = (1 − gate)·μ, gain = gate, and ``rate_scale`` is q (None: no matching of totals).
    ``local`` multiplies the rates of either loss, where totals are matched. With ``batches`` the prediction is what
    all batches have in common; their offsets multiply the rates (Poisson loss) or are added (squared).
    """

    prediction: Prediction
    loss: Loss
    base: Floats
    gain: Floats
    rate_scale: Floats | None = None
    local: LocalFactors | None = None
    batches: BatchEffect | None = None

    def block(self, rows: slice) -> Floats:
        """Return log2(1 + rate), in the average batch where batches are removed; the estimate ``model``."""
        average = self.batches is not None and self.batches.removed
        if self.loss == "squared" and self.rate_scale is None:
            return self._log_values(rows, average=average)
        rate = self.rate(rows, average=average)
        return np.log2(np.add(rate, 1, out=rate), out=rate)

    def rate(self, rows: slice, *, average: bool = False) -> Floats:
        """Return λ/s, (n_rows, n_genes), in the cells' own batches or in the average batch."""
        rate = self._uncalibrated_rate(rows, average=average)
        return rate if self.local is None else np.multiply(rate, self.local.block(rows), out=rate)

    def _uncalibrated_rate(self, rows: slice, *, average: bool) -> Floats:
        if self.loss == "poisson":
            rate = self.prediction.block(rows)
            np.exp(np.minimum(rate, LARGEST_LOG_RATE, out=rate), out=rate)
            rate *= self.gain
            rate += self.base
            if self.batches is not None and not average:
                rate *= self.batches.factors(rows)
            return rate
        rate = self._log_values(rows, average=average)
        np.exp2(np.minimum(rate, LARGEST_LOG_RATE / np.log(2), out=rate), out=rate)
        rate -= 1
        return rate if self.rate_scale is None else rate * self.rate_scale

    def _log_values(self, rows: slice, *, average: bool) -> Floats:
        values = self.prediction.block(rows)
        values *= self.gain
        values += self.base
        if self.batches is not None and not average:
            values += self.batches.of(rows)
        return np.maximum(values, 0, out=values)


def gated_model(
    prediction: Prediction, loss: Loss, data: Observations, slope: Floats, *, match_totals: bool
) -> GatedModel:
    """Apply the gate's slopes; ``match_totals`` rescales each gene's rates so that its total is the observed one."""
    batches = None
    if isinstance(prediction, BatchedPrediction):
        batches = batch_effect(prediction, loss, data, slope)
        prediction = prediction.structure
        centre = centre_beside(loss, data, batches.offsets).astype(np.float32)
    else:
        centre = gene_centre(loss, data, None, zero_weight=1.0).astype(np.float32)
    gated = GatedModel(prediction, loss, (1 - slope) * centre, slope.astype(np.float32), batches=batches)
    if not match_totals:
        return gated
    scale = total_scale(gated, data)
    if loss == "poisson":
        return replace(gated, base=gated.base * scale, gain=gated.gain * scale)
    return replace(gated, rate_scale=scale)


def total_scale(model: GatedModel, data: Observations) -> Floats:
    """Return q_g = Σ C / Σ λ over all cells."""
    counts, size_factor = data.molecules()
    weights = size_factor.astype(np.float32)
    parts = map_in_order(lambda rows: weights[rows] @ model.rate(rows), row_slices(*data.shape))
    expected = sum(parts, np.zeros(data.shape[1]))
    observed = column_sums(counts)
    return np.where(expected > 0, observed / np.maximum(expected, 1e-12), 1).astype(np.float32)


@dataclass(frozen=True)
class ExpectedCounts:
    """λ = s · rate, as blocks."""

    model: GatedModel
    size_factor: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.model.prediction.shape

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes)."""
        return self.model.rate(rows) * self.size_factor[rows, None].astype(np.float32)


@dataclass(frozen=True)
class Shrunk:
    """log2(1 + (1 − w_g)·λ/s + w_g·C/s); the estimate ``shrunk``.

    Where the effect of batches is removed, λ is that of the average batch, and C/s is moved as λ is.
    """

    model: GatedModel
    data: Observations
    observed_weight: Floats

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes)."""
        counts, size_factor = self.data.molecules()
        batches = self.model.batches
        removed = batches is not None and batches.removed
        rate = self.model.rate(rows, average=removed)
        rate *= 1 - self.observed_weight
        seen = rows_view(counts, rows)
        if batches is not None and batches.removed:
            row, column = seen.nonzero()
            rates = (seen.data / size_factor[rows][row]).astype(np.float32)
            moved = batches.move(rates, batches.offsets[batches.codes[rows][row], column])
            rate[row, column] += self.observed_weight[column] * moved
        else:
            add_scaled(rate, seen, size_factor[rows], self.observed_weight)
        return np.log2(np.add(rate, 1, out=rate), out=rate)


def add_scaled(block: Floats, counts: csr_array, size_factor: NDArray[np.float64], weight: Floats) -> None:
    """Add w_g · C / s to the stored entries of ``counts``, in place."""
    row, column = counts.nonzero()
    block[row, column] += weight[column] * counts.data / size_factor[row]


def without_batch_effect(estimate: ImputedValues) -> ImputedValues:
    """Return an estimate as its values would be in the average batch; one without offsets of batches as it is."""
    if isinstance(estimate, Shrunk):
        return replace(estimate, model=_removed(estimate.model))
    return _removed(estimate) if isinstance(estimate, GatedModel) else estimate


def _removed(model: GatedModel) -> GatedModel:
    return model if model.batches is None else replace(model, batches=replace(model.batches, removed=True))
