"""The per-gene gate: how much of what a model says about a gene is supported by held-out entries.

A smoother always predicts something, also for a gene without structure, and so invents correlation and
differential expression. Here every gene's prediction is regressed on entries the fit did not see; a gene
whose slope is not clearly above zero is predicted by its mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import batch_centre
from scinfill.models.centre import LARGEST_LOG_RATE, gene_centre
from scinfill.models.observations import Observations, pattern_by_row
from scinfill.models.recipe import Loss, Prediction, Recipe
from scinfill.models.requirements import MOMENTS
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.masking import split
from scinfill.numerics.parallel import generators, map_in_order
from scinfill.numerics.sparse import rows_view
from scinfill.progress import track

T_THRESHOLD = 3.0
"""A slope must exceed this many standard errors; about one null gene in a thousand does."""
HELD_OUT_SHARE = 0.1
"""Share of all entries, zeros and non-zeros, in each fold."""


@dataclass(frozen=True)
class Gate:
    """Support for each gene's prediction by held-out entries.

    Attributes
    ----------
    slope
        (n_genes,) 0..1; the share of the model's deviation from the gene mean to keep.
    r_squared
        (n_genes,) share of the held-out variance that the gated prediction explains; negative where it harms.
    """

    slope: NDArray[np.float32]
    r_squared: NDArray[np.float32]


@dataclass(frozen=True)
class Moments:
    """Weighted second moments of centred predictions p and truths t at held-out entries, for each gene."""

    predicted: NDArray[np.float64]
    cross: NDArray[np.float64]
    truth: NDArray[np.float64]
    n_entries: NDArray[np.float64]

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.predicted + other.predicted,
            self.cross + other.cross,
            self.truth + other.truth,
            self.n_entries + other.n_entries,
        )


def learn_gate(
    recipe: Recipe, data: Observations, *, n_folds: int, rng: np.random.Generator, zero_weight: float = 1.0
) -> Gate:
    """Hide ``n_folds`` disjoint tenths of the entries in turn, refit, and regress truth on prediction gene by gene."""
    folds = draw_folds(data.shape, n_folds=n_folds, rng=rng)
    moments = []
    for held_out in track(folds, "gate"):
        prediction = recipe.fit(data.without(held_out), rng=rng, held_out=held_out)
        moments.append(heldout_moments(recipe.loss, prediction, data, held_out, zero_weight=zero_weight))
    return gate_from_moments(sum(moments[1:], moments[0]))


def gate_from_moments(moments: Moments) -> Gate:
    """Regress through the origin: b = Σpt/Σpp, kept (clipped to 0..1) where b exceeds T_THRESHOLD standard errors."""
    predicted = np.maximum(moments.predicted, 1e-12)
    slope = moments.cross / predicted
    residual = np.maximum(moments.truth - slope * moments.cross, 1e-12)
    # A single entry lies on a line through the origin whatever it is, so it says nothing.
    variance = np.where(moments.n_entries > 1, residual / np.maximum(moments.n_entries - 1, 1) / predicted, np.inf)
    kept = np.where(slope > T_THRESHOLD * np.sqrt(variance), np.clip(slope, 0, 1), 0)
    explained = 2 * kept * moments.cross - kept**2 * moments.predicted
    r_squared = explained / np.maximum(moments.truth, 1e-12)
    return Gate(kept.astype(np.float32), r_squared.astype(np.float32))


def draw_folds(
    shape: tuple[int, int], *, n_folds: int, rng: np.random.Generator, share: float = HELD_OUT_SHARE
) -> list[csr_array]:
    """Draw disjoint random patterns, each of a ``share`` of all entries, a block of rows at a time."""
    n_genes = shape[1]

    def draw(block: tuple[slice, np.random.Generator]) -> list[tuple[NDArray[np.intp], NDArray[np.int32]]]:
        rows, generator = block
        n_rows = rows.stop - rows.start
        chance = generator.random(n_rows * n_genes, dtype=np.float32)
        hidden = np.flatnonzero(chance < n_folds * share)
        fold_of = np.minimum(chance[hidden] / share, n_folds - 1).astype(np.int8)
        folds = (hidden[fold_of == fold] for fold in range(n_folds))
        return [(np.bincount(fold // n_genes, minlength=n_rows), (fold % n_genes).astype(np.int32)) for fold in folds]

    slices = row_slices(*shape)
    blocks = list(map_in_order(draw, list(zip(slices, generators(rng, len(slices)), strict=True))))
    folds = (zip(*parts, strict=True) for parts in zip(*blocks, strict=True))
    return [pattern_by_row(np.concatenate(sizes), np.concatenate(columns), shape) for sizes, columns in folds]


Doubles = NDArray[np.float64]


class CentredEntries(NamedTuple):
    """The held-out entries of a block of cells.

    Attributes
    ----------
    row, column
        Their cells (in the whole matrix) and genes.
    predicted, truth
        Minus the gene's mean (in the cell's batch).
    weight
        What each counts for.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    predicted: Doubles
    truth: Doubles
    weight: Doubles


def heldout_moments(
    loss: Loss,
    prediction: Prediction,
    data: Observations,
    held_out: csr_array,
    *,
    zero_weight: float = 1.0,
    fitted_centre: NDArray[np.floating] | None = None,
) -> Moments:
    """Sum the weighted products of centred prediction and centred truth over the held-out entries of each gene.

    Where molecules of ``data`` were taken out before the fit (Poisson loss), ``fitted_centre`` (n_genes,) are the mean
    rates of what it saw: a gene's predicted rates are multiplied by the mean rate of all molecules over that of those.
    """
    entries = _centred_entries(loss, prediction, data, held_out, zero_weight=zero_weight, fitted_centre=fitted_centre)
    if data.batches is not None:
        return _moments_within_batches(loss, data, entries)

    def moments(rows: slice) -> Moments:
        _, column, p, t, weight = entries(rows)

        def by_gene(values: Doubles) -> Doubles:
            return np.bincount(column, values, data.shape[1]).astype(np.float64)

        return Moments(
            by_gene(weight * p * p),
            by_gene(weight * p * t),
            by_gene(weight * t * t),
            by_gene((weight > 0).astype(np.float64)),
        )

    total, *others = map_in_order(moments, row_slices(*data.shape))
    return sum(others, total)


def _moments_within_batches(loss: Loss, data: Observations, entries: Callable[[slice], CentredEntries]) -> Moments:
    """Sum the products of what is left of prediction and truth within batches: their means in each are taken out.

    What a batch's mean misses is common to prediction and truth, and would count as structure otherwise.
    """
    batches, n_genes = data.batches, data.shape[1]
    assert batches is not None  # noqa: S101 - whoever calls has looked
    n_sums = batches.n_batches * n_genes

    def sums(rows: slice) -> Doubles:
        row, column, p, t, weight = entries(rows)
        size = data.molecules()[1][row] if loss == "poisson" else np.ones(len(p))
        products = (p * p, p * t, t * t, size * p, size * t, size * size)
        parts = [weight * product for product in products] + [(weight > 0).astype(np.float64)]
        return np.stack([np.bincount(batches.codes[row] * n_genes + column, part, n_sums) for part in parts])

    total = sum(map_in_order(sums, row_slices(*data.shape)), np.zeros((MOMENTS, n_sums)))
    pp, pt, tt, p, t, size, n = total.reshape(MOMENTS, batches.n_batches, n_genes)
    size = np.maximum(size, 1e-12)
    # Regress both on the batch's mean, and keep the residuals' moments; each mean costs one degree of freedom.
    within = pp - p * p / size, pt - p * t / size, tt - t * t / size, np.maximum(n - 1, 0)
    return Moments(*(part.sum(axis=0) for part in within))


def _centred_entries(
    loss: Loss,
    prediction: Prediction,
    data: Observations,
    held_out: csr_array,
    *,
    zero_weight: float,
    fitted_centre: NDArray[np.floating] | None,
) -> Callable[[slice], CentredEntries]:
    """Return the function from a block of cells to its held-out entries."""
    # One walk along both matrices divides what was seen from the truth.
    seen, hidden = split(data.log_values if loss == "squared" else data.molecules()[0], held_out)
    visible = replace(data, log_values=seen) if loss == "squared" else replace(data, counts=seen)
    centre = gene_centre(loss, visible, held_out, zero_weight=zero_weight)
    scale = 1.0 if fitted_centre is None else centre / fitted_centre
    log_scale = np.broadcast_to(np.log(scale), len(centre))
    if data.batches is not None:
        centre = batch_centre(loss, visible, held_out, zero_weight=zero_weight)

    def entries(rows: slice) -> CentredEntries:
        row, column = rows_view(held_out, rows).nonzero()
        predicted = prediction.block(rows)[row, column] + log_scale[column]
        truth = hidden.data[held_out.indptr[rows.start] : held_out.indptr[rows.stop]].astype(np.float64)
        row += rows.start
        middle = centre[column] if data.batches is None else centre[data.batches.codes[row], column]
        if loss == "squared":
            # Weights 1 on non-zeros and ``zero_weight`` on zeros.
            weight = np.where(truth > 0, 1.0, zero_weight)
            return CentredEntries(row, column, predicted - middle, truth - middle, weight)
        # Counts and expected counts, centred by the size factor times the gene's mean rate B, weights 1/B.
        exposure = data.molecules()[1][row]
        mean, expected = exposure * middle, exposure * np.exp(np.minimum(predicted, LARGEST_LOG_RATE))
        return CentredEntries(row, column, expected - mean, truth - mean, 1 / mean)

    return entries
