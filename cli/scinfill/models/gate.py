"""The per-gene gate: how much of what a model says about a gene do held-out entries support?

A smoother always predicts something, also for a gene without structure, and so invents correlation and
differential expression. Here every gene's prediction is regressed on entries the fit did not see; a gene
whose slope is not clearly above zero stays at its mean (design section 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction, Recipe
from scinfill.numerics.blocks import row_slices
from scinfill.progress import track

T_THRESHOLD = 3.0
"""A slope must exceed this many standard errors; about one null gene in a thousand does."""
HIDDEN_SHARE = 0.1
"""Of all entries, zeros and non-zeros, in each fold."""


@dataclass(frozen=True)
class Gate:
    """What held-out entries say of each gene.

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


def open_gate() -> float:
    """Return the slope of ``--no-gate``: the model's prediction as it is."""
    return 1.0


def learn_gate(
    recipe: Recipe, data: Observations, *, n_folds: int, rng: np.random.Generator, zero_weight: float = 1.0
) -> Gate:
    """Hide ``n_folds`` disjoint tenths of the entries in turn, refit, and regress truth on prediction gene by gene."""
    folds = draw_folds(data.shape, n_folds=n_folds, rng=rng)
    total: Moments | None = None
    for hidden in track(folds, "gate"):
        prediction = recipe.fit(data.without(hidden), rng=rng, hidden=hidden)
        moments = heldout_moments(recipe.loss, prediction, data, hidden, zero_weight=zero_weight)
        total = moments if total is None else total + moments
    if total is None:
        raise ValueError("a gate needs at least one fold")
    return gate_from_moments(total)


def gate_from_moments(moments: Moments) -> Gate:
    """Regress through the origin: b = Σpt/Σpp, kept (clipped to 0..1) where b exceeds T_THRESHOLD standard errors."""
    predicted = np.maximum(moments.predicted, 1e-12)
    slope = moments.cross / predicted
    residual = np.maximum(moments.truth - slope * moments.cross, 1e-12)
    variance = residual / np.maximum(moments.n_entries - 1, 1) / predicted
    kept = np.where(slope > T_THRESHOLD * np.sqrt(variance), np.clip(slope, 0, 1), 0)
    explained = 2 * kept * moments.cross - kept**2 * moments.predicted
    r_squared = explained / np.maximum(moments.truth, 1e-12)
    return Gate(kept.astype(np.float32), r_squared.astype(np.float32))


def draw_folds(shape: tuple[int, int], *, n_folds: int, rng: np.random.Generator) -> list[csr_array]:
    """Draw disjoint random patterns, each of a HIDDEN_SHARE of all entries, a block of rows at a time."""
    n_cells, n_genes = shape
    rows_of: list[list[NDArray[np.intp]]] = [[] for _ in range(n_folds)]
    columns_of: list[list[NDArray[np.intp]]] = [[] for _ in range(n_folds)]
    for rows in row_slices(n_cells, n_genes):
        part = rng.random((rows.stop - rows.start, n_genes), dtype=np.float32) / HIDDEN_SHARE
        for fold in range(n_folds):
            row, column = np.nonzero((part >= fold) & (part < fold + 1))
            rows_of[fold].append(row + rows.start)
            columns_of[fold].append(column)
    return [_pattern(np.concatenate(r), np.concatenate(c), shape) for r, c in zip(rows_of, columns_of, strict=True)]


def _pattern(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]) -> csr_array:
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    return csr_array((np.ones(len(columns), np.float32), columns.astype(np.int32), indptr.astype(np.int32)), shape)


def heldout_moments(
    loss: Loss, prediction: Prediction, data: Observations, hidden: csr_array, *, zero_weight: float = 1.0
) -> Moments:
    """Sum the weighted products of centred prediction and centred truth over the hidden entries of each gene.

    Poisson loss: counts and expected counts, centred by the size factor times the gene's mean rate B, weights 1/B.
    Squared loss: log2 values, centred by the gene's weighted mean, weights 1 on non-zeros and ``zero_weight`` on zeros.
    """
    centred = _centred_counts if loss == "poisson" else _centred_values
    centre = gene_centre(loss, data.without(hidden), hidden, zero_weight=zero_weight)
    sums = np.zeros((4, data.shape[1]))
    for rows in row_slices(*data.shape):
        row, column = hidden[rows].nonzero()
        p, t, weight = centred(prediction.block(rows), data, rows, row, column, centre, zero_weight)
        for total, values in zip(sums, (weight * p * p, weight * p * t, weight * t * t, weight > 0), strict=True):
            total += np.bincount(column, values, minlength=data.shape[1])
    return Moments(*sums)


Centred = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _centred_counts(block, data, rows, row, column, centre, _zero_weight) -> Centred:  # noqa: ANN001
    exposure = data.size_factor[rows][row]
    mean = exposure * centre[column]
    expected = exposure * np.exp(np.minimum(block[row, column].astype(np.float64), 30))
    seen = np.asarray(data.counts[rows][row, column]).ravel()
    return expected - mean, seen - mean, 1 / mean


def _centred_values(block, data, rows, row, column, centre, zero_weight) -> Centred:  # noqa: ANN001
    seen = np.asarray(data.log_values[rows][row, column]).ravel()
    mean = centre[column]
    return block[row, column] - mean, seen - mean, np.where(seen > 0, 1.0, zero_weight)


def gene_centre(
    loss: Loss, data: Observations, hidden: csr_array | None, *, zero_weight: float
) -> NDArray[np.float64]:
    """Return each gene's mean over the entries that are not hidden: a rate per unit size factor, or a log2 value."""
    n_cells, n_genes = data.shape
    hidden_by_gene = np.zeros(n_genes) if hidden is None else np.bincount(hidden.indices, minlength=n_genes)
    if loss == "poisson":
        exposure = np.full(n_genes, data.size_factor.sum())
        if hidden is not None:
            exposure -= hidden.T @ data.size_factor
        return np.maximum(data.counts.sum(axis=0), 0.5) / np.maximum(exposure, 1e-12)
    seen = np.bincount(data.log_values.indices, minlength=n_genes)
    weight = seen + zero_weight * (n_cells - hidden_by_gene - seen)
    return data.log_values.sum(axis=0) / np.maximum(weight, 1e-12)
