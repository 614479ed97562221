"""The estimate ``detected``: the value that would have been seen here, had the gene been detected.

Several fits of the squared loss, from blind to zeros (the papers) to fully zero-aware, are combined with
non-negative weights, and one monotone curve maps the sum to the truth. Weights and curve are learned at
seen entries that the fits did not see, so the data say how much of each fit to believe.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import BatchedPrediction
from scinfill.models.observations import Observations, pattern_of
from scinfill.models.recipe import Prediction, Recipe, predicted_at
from scinfill.numerics.masking import values_at
from scinfill.progress import track

Floats = NDArray[np.float32]

HELD_OUT_SHARE = 0.1
"""Share of the seen entries that is held out to learn the weights and the curve."""
SMALLEST_WEIGHT = 0.02
"""Fits with less are left out: they cost a fit and change nothing."""


@dataclass(frozen=True)
class CellFloor:
    """The value of a single count in each cell, log2(1 + 1/s): what a barely detected gene shows."""

    floor: Floats
    n_genes: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return len(self.floor), self.n_genes

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes)."""
        return np.broadcast_to(self.floor[rows, None], (len(self.floor[rows]), self.n_genes))


@dataclass(frozen=True)
class Detected:
    """curve(Σ_k weight_k · prediction_k).

    Attributes
    ----------
    predictions, weights
        The fits that take part, and the share of each.
    curve_from, curve_to
        Nodes of the isotonic curve; constant beyond its ends.
    heldout_error
        Root mean squared error at the entries that chose weights and curve.
    recipes
        The share of every recipe that was tried, by its settings.
    """

    predictions: Sequence[Prediction]
    weights: Sequence[float]
    curve_from: Floats
    curve_to: Floats
    heldout_error: float
    recipes: dict[str, float]

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) log2 values."""
        blocks = [prediction.block(rows) for prediction in self.predictions]
        total = np.zeros(blocks[0].shape)
        for weight, block in zip(self.weights, blocks, strict=True):
            total += weight * block
        return np.interp(total, self.curve_from, self.curve_to).astype(np.float32)

    def batch_offsets(self) -> Floats | None:
        """Return the offsets of batches below the curve, (n_batches, n_genes); None without batches."""
        pairs = zip(self.predictions, self.weights, strict=True)
        parts = [weight * fit.offsets for fit, weight in pairs if isinstance(fit, BatchedPrediction)]
        return np.sum(parts, axis=0, dtype=np.float32) if parts else None


def learn_detected(
    recipes: Sequence[Recipe], data: Observations, sample: Observations, rng: np.random.Generator
) -> Detected:
    """Learn weights and curve on ``sample``, then fit the recipes that matter to ``data``."""
    from scipy.optimize import nnls
    from sklearn.isotonic import IsotonicRegression

    held_out = hold_out_seen(sample.log_values, HELD_OUT_SHARE, rng)
    visible = sample.without(held_out)
    truth = values_at(sample.log_values, held_out)
    guesses = np.column_stack(
        [
            *[predicted_at(recipe.fit(visible, rng=rng), held_out) for recipe in track(recipes, "choose fits")],
            *[predicted_at(floor, held_out) for floor in cell_floor(sample)],
        ]
    )
    weights, _ = nnls(guesses.astype(np.float64), truth.astype(np.float64))
    weights = np.where(weights < SMALLEST_WEIGHT, 0, weights)
    combined = guesses @ weights
    curve = IsotonicRegression(out_of_bounds="clip").fit(combined, truth)
    error = float(np.sqrt(np.mean((curve.predict(combined) - truth) ** 2)))
    shares = dict(zip(map(str, recipes), map(float, weights), strict=False))
    matter = [recipe.fit(data, rng=rng) for recipe, weight in zip(recipes, weights, strict=False) if weight > 0]
    floors = [floor for floor, weight in zip(cell_floor(data), weights[len(recipes) :], strict=True) if weight > 0]
    return Detected(
        [*matter, *floors],
        [float(weight) for weight in weights if weight > 0],
        np.asarray(curve.X_thresholds_, np.float32),
        np.asarray(curve.y_thresholds_, np.float32),
        error,
        shares,
    )


def cell_floor(data: Observations) -> list[CellFloor]:
    """Return the floor of every cell; nothing where the size factors are not known."""
    if data.size_factor is None:
        return []
    return [CellFloor(np.log2(1 + 1 / data.size_factor).astype(np.float32), data.shape[1])]


def hold_out_seen(values: csr_array, share: float, rng: np.random.Generator) -> csr_array:
    """Return a pattern of a random share of the stored entries, at least one."""
    chosen = rng.random(values.nnz) < share
    if not chosen.any():
        chosen[rng.integers(values.nnz)] = True
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))[chosen]
    return pattern_of(rows, values.indices[chosen], values.shape)
