"""The estimate of cells that took no part in the training, from what a model keeps of it: nothing about any cell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scinfill.models.batch_effect import BatchEffect
from scinfill.models.cell_blocks import cell_blocks, rows_of_block
from scinfill.models.estimate.grouping import Grouping
from scinfill.models.estimate.model_fit import (
    Doubles,
    FitScale,
    Floats,
    GatedReader,
    HalfDeviance,
    Mask,
    depth_of,
    halves_of,
    learn_fit_scale,
)
from scinfill.models.estimate.uncertainty import PosteriorSpread, posterior_spread
from scinfill.models.estimate.values import GatedModel, ImputedValues, LocalFactors, Shrunk
from scinfill.models.observations import Observations, padded
from scinfill.models.recipe import ExactPrediction, FixedModel, Prediction
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.exact import exact_product
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import column_sums

Codes = NDArray[np.intp]

ReferenceCells = Sequence[tuple[FixedModel, NDArray[np.intp]]]
"""Models, with the rows of the training cells that each reads."""

REFERENCE_CELLS = 5_000
"""Training cells, at most, with which new ones are compared."""
REFERENCE_FOLDS = 5
"""Parts of the training cells, of which one is read by a model of the others."""


def folds_of(n_cells: int) -> list[NDArray[np.intp]]:
    """Return the rows of each of REFERENCE_FOLDS parts, spread over all; none of too few cells."""
    if n_cells < REFERENCE_FOLDS**2:
        return []
    return [np.arange(fold, n_cells, REFERENCE_FOLDS) for fold in range(REFERENCE_FOLDS)]


def others_than(rows: NDArray[np.intp], n_cells: int) -> NDArray[np.intp]:
    """Return all other rows."""
    return np.setdiff1d(np.arange(n_cells), rows)


@dataclass(frozen=True)
class TrainedModel:
    """Everything that the estimates ``shrunk`` and ``model`` need of a training.

    Attributes
    ----------
    fixed
        The factorisation or the network.
    base, gain, rate_scale
        The gate; see :class:`scinfill.models.estimate.values.GatedModel`.
    mean
        (n_genes,) counts per unit size factor over the training cells; without counts the mean log2 value.
    fit_scale
        What a cell's deviance is compared with.
    groupings, group_factors
        What assigns a cell to groups, and (n_groups, n_genes) what rates are multiplied by in the groups of all
        groupings; none without local calibration.
    offsets
        (n_batches, n_genes) β; None without batches.
    observed_weight
        (n_genes,) w_g of ``shrunk``; None for ``model``.
    posterior_shape
        (n_genes,) a_g of the posterior, with ``observed_weight``.
    """

    fixed: FixedModel
    base: Floats
    gain: Floats
    rate_scale: Floats | None
    mean: Floats
    fit_scale: FitScale
    groupings: tuple[Grouping, ...] = ()
    group_factors: Floats | None = None
    offsets: Floats | None = None
    observed_weight: Floats | None = None
    posterior_shape: Doubles | None = None

    def gated(self, prediction: Prediction) -> GatedModel:
        """Return the gated model of a prediction, without groups and batches."""
        return GatedModel(prediction, self.fixed.loss, self.base, self.gain, self.rate_scale)


@dataclass(frozen=True)
class NewCells:
    """Cells as a model sees them.

    Attributes
    ----------
    estimate
        Their imputed values, by blocks.
    fit
        (n_cells,) how well the model knows them: 0 as a training cell on average; not a number for empty cells.
    spread
        Of their posterior; None unless the estimate is ``shrunk``.
    """

    estimate: ImputedValues
    fit: Doubles
    spread: PosteriorSpread | None


def trained_model(
    fixed: FixedModel, reference: ReferenceCells, estimate: ImputedValues, data: Observations
) -> TrainedModel:
    """Return what of a training new cells need.

    Parameters
    ----------
    fixed
        The factorisation or network of the estimate.
    reference
        Training cells that tell how well a known cell is known, each read by a model of which it was no part where
        cells leave their mark on a model.
    estimate
        ``shrunk`` or ``model`` of the training cells.
    data
        (n_cells, n_genes) the training cells.
    """
    model = estimate.model if isinstance(estimate, Shrunk) else estimate
    if not isinstance(model, GatedModel):
        raise TypeError("only gated models are kept")
    mean = mean_expression(data)
    offsets = None if model.batches is None else model.batches.offsets
    codes = None if data.batches is None or offsets is None else data.batches.codes
    gated = replace(model, local=None, batches=None)
    everything, half = np.ones(data.shape[1], np.bool_), halves_of(mean)
    readers = [(GatedReader(other, gated, offsets, everything, half), rows) for other, rows in reference]
    kept = TrainedModel(
        fixed,
        model.base,
        model.gain,
        model.rate_scale,
        mean,
        learn_fit_scale(readers, data, codes),
        offsets=offsets,
    )
    if model.local is not None:
        kept = replace(kept, groupings=model.local.groupings, group_factors=model.local.factor)
    if isinstance(estimate, Shrunk):
        shape = posterior_spread(estimate).shape_parameter
        kept = replace(kept, observed_weight=estimate.observed_weight, posterior_shape=shape)
    return kept


def mean_expression(data: Observations) -> Floats:
    """Return (n_genes,) counts per unit size factor; without counts the mean log2 value."""
    if data.counts is None:
        return (column_sums(data.log_values) / data.shape[0]).astype(np.float32)
    counts, size_factor = data.molecules()
    return (column_sums(counts) / size_factor.sum()).astype(np.float32)


def impute_new_cells(
    model: TrainedModel, data: Observations, measured: Mask, codes: Codes | None, *, removed: bool
) -> NewCells:
    """Impute cells by a model that stays as it is: what a cell gets depends on that cell alone, to the last bit.

    Parameters
    ----------
    model
        The model.
    data
        (n_cells, n_genes) with the model's genes in its order.
    measured
        (n_genes,) genes that the data have; the others take no part and are predicted.
    codes
        (n_cells,) batches as positions in ``model.offsets``; None for cells of the average batch.
    removed
        Whether values are those of the average batch.
    """
    prediction, fit = _read(model, data, measured, codes)
    gated = model.gated(prediction)
    if model.offsets is not None and codes is not None:
        gated = replace(gated, batches=BatchEffect(codes, model.offsets, gated.loss, removed=removed))
    if model.group_factors is not None:
        gated = replace(gated, local=_local_factors(model.groupings, model.group_factors, prediction))
    if model.observed_weight is None:
        return NewCells(gated, fit, None)
    # Of a gene that was not measured nothing was seen: it is the model's word alone.
    estimate = Shrunk(gated, data, np.where(measured, model.observed_weight, np.float32(0)))
    if model.posterior_shape is None:
        return NewCells(estimate, fit, None)
    return NewCells(estimate, fit, PosteriorSpread(estimate, model.posterior_shape, measured))


def _read(
    model: TrainedModel, data: Observations, measured: Mask, codes: Codes | None
) -> tuple[ExactPrediction, Doubles]:
    """Read every cell once: by either half of its genes to see how well it is known, then by all."""
    n_cells, n_genes = data.shape
    gated = model.gated(_Nothing((0, n_genes)))
    reader = GatedReader(model.fixed, gated, model.offsets, measured, halves_of(model.mean))
    deviances, n_rows = HalfDeviance(reader, model.fit_scale.dispersion), rows_of_block(n_genes)
    blocks = cell_blocks(data.shape, codes)

    def visit(rows: NDArray[np.intp]) -> tuple[Floats, Doubles]:
        block, some = padded(data, rows, n_rows), None if codes is None else codes[rows]
        halves = reader.cells.halves(block, some)
        kept, deviance = reader.cells.whole(block, some, halves), deviances.of(halves, block, some)
        return kept[: len(rows)], deviance[: len(rows)]

    factors = np.zeros((n_cells, model.fixed.n_factors), np.float32)
    deviance = np.zeros(n_cells)
    for rows, (kept, found) in zip(blocks, map_in_order(visit, blocks), strict=True):
        factors[rows], deviance[rows] = kept, found
    depth = depth_of(data)
    fit = np.where(np.isfinite(depth), model.fit_scale.standardise(deviance, depth), np.nan)
    return model.fixed.prediction(data, measured, codes, factors), fit


def _local_factors(groupings: Sequence[Grouping], factor: Floats, prediction: ExactPrediction) -> LocalFactors:
    """Assign cells to the groups of the training, by the numbers that these have among all groupings."""
    firsts = np.cumsum([0, *(len(grouping.centres) for grouping in groupings)])
    slices = row_slices(*prediction.shape)

    def assign(rows: slice) -> NDArray[np.integer]:
        place = prediction.project(rows, groupings[0].mean, groupings[0].components)
        several = [grouping.nearest(place, product=exact_product) for grouping in groupings]
        return np.column_stack([group + first for group, first in zip(several, firsts, strict=False)]).astype(np.int16)

    return LocalFactors(np.concatenate(list(map_in_order(assign, slices))), factor, tuple(groupings))


@dataclass(frozen=True)
class _Nothing:
    """Stands for a prediction where none is read."""

    shape: tuple[int, int]

    def block(self, rows: slice) -> Floats:
        """Return no cells."""
        del rows
        return np.zeros(self.shape, np.float32)
