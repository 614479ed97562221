"""How an estimate is learned: gate and weights on a sample of cells, then one fit of everything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinfill.models.estimate.choices import THINNED_SHARE
from scinfill.models.estimate.detected import learn_detected
from scinfill.models.estimate.gate import Gate, learn_gate
from scinfill.models.estimate.shrinkage import GRID, choose_weights, loglikelihood_grid
from scinfill.models.estimate.values import ExpectedCounts, GatedModel, ImputedValues, Shrunk, gated_model
from scinfill.models.observations import Observations
from scinfill.models.recipe import Recipe
from scinfill.models.sampling import SAMPLE_CELLS, sample_cells
from scinfill.progress import track

Floats = NDArray[np.float32]

LEARNING_CELLS = 5_000
"""Small data are refitted more often: folds × cells stays near this."""
FEWEST_FOLDS = 2


@dataclass(frozen=True)
class Effort:
    """How often small data are refitted at most, according to what a fit costs.

    Attributes
    ----------
    max_folds
        Folds of the gate; with ten, every entry is held out once.
    max_splits
        Splits of the molecules, to weigh the model against what was seen.
    """

    max_folds: int = 10
    max_splits: int = 3


THOROUGH = Effort()


@dataclass(frozen=True)
class Learned:
    """An estimate of every value, and what was learned of each gene on the way.

    Attributes
    ----------
    estimate
        Imputed values by blocks of cells.
    gate
        None for ``detected`` and where the gate was switched off.
    observed_weight
        (n_genes,) w_g; None unless the estimate is ``shrunk``.
    details
        What was chosen and measured on the way, for the record.
    """

    estimate: ImputedValues
    gate: Gate | None = None
    observed_weight: Floats | None = None
    details: dict[str, Any] = field(default_factory=dict)


def learn_prediction(recipe: Recipe, data: Observations, *, rng: np.random.Generator) -> Learned:
    """Fit once and take the prediction for the estimate, as the papers do: not gated, not clipped."""
    return Learned(recipe.fit(data, rng=rng), details={"recipe": str(recipe)})


def learn_model(
    recipe: Recipe, data: Observations, *, gated: bool, rng: np.random.Generator, effort: Effort = THOROUGH
) -> Learned:
    """Learn the estimate ``model``: the gated prediction alone."""
    gate = _gate(recipe, _sample(data, rng), rng, effort) if gated else None
    match_totals = recipe.loss == "poisson"
    model = _fit_gated(recipe, data, gate, rng, match_totals=match_totals)
    return Learned(model, gate, details=_details(recipe, gate))


def learn_shrunk(
    recipe: Recipe, data: Observations, *, gated: bool, rng: np.random.Generator, effort: Effort = THOROUGH
) -> Learned:
    """Learn the estimate ``shrunk``: one weight a gene between the gated model and what was seen."""
    sample = _sample(data, rng)
    gate = _gate(recipe, sample, rng, effort) if gated else None
    weight = _observed_weights(recipe, sample, gate, rng, effort)
    model = _fit_gated(recipe, data, gate, rng, match_totals=True)
    details = _details(recipe, gate) | {"mean_observed_weight": float(weight.mean())}
    return Learned(Shrunk(model, data, weight), gate, weight, details)


def learn_detection(recipes: Sequence[Recipe], data: Observations, *, rng: np.random.Generator) -> Learned:
    """Learn the estimate ``detected`` from fits of different zero weights and sizes."""
    estimate = learn_detected(recipes, data, _sample(data, rng), rng)
    return Learned(estimate, details={"recipes": estimate.recipes, "heldout_rmse": estimate.heldout_error})


def _details(recipe: Recipe, gate: Gate | None) -> dict[str, Any]:
    details: dict[str, Any] = {"recipe": str(recipe)}
    if gate is not None:
        details |= {"genes_gated_shut": int(np.sum(gate.slope == 0)), "mean_gate": float(gate.slope.mean())}
    return details


def _sample(data: Observations, rng: np.random.Generator) -> Observations:
    rows = sample_cells(data, SAMPLE_CELLS, rng)
    return data if rows is None else data.cells(rows)


def _gate(recipe: Recipe, sample: Observations, rng: np.random.Generator, effort: Effort) -> Gate:
    n_folds = int(np.clip(LEARNING_CELLS // sample.shape[0], FEWEST_FOLDS, effort.max_folds))
    return learn_gate(recipe, sample, n_folds=n_folds, rng=rng)


def _fit_gated(
    recipe: Recipe, data: Observations, gate: Gate | None, rng: np.random.Generator, *, match_totals: bool
) -> GatedModel:
    slope = np.ones(data.shape[1], np.float32) if gate is None else gate.slope
    return gated_model(recipe.fit(data, rng=rng), recipe.loss, data, slope, match_totals=match_totals)


def _observed_weights(
    recipe: Recipe, sample: Observations, gate: Gate | None, rng: np.random.Generator, effort: Effort
) -> Floats:
    """Refit on 90 % of the molecules, as often as the data are small, and weigh by the other 10 %."""
    n_splits = int(np.clip(LEARNING_CELLS // sample.shape[0], 1, effort.max_splits))
    n_genes = sample.shape[1]
    loglikelihood, molecules = np.zeros((len(GRID), n_genes)), np.zeros(n_genes)
    for _ in track(range(n_splits), "weigh model against counts"):
        kept, taken = sample.thinned(THINNED_SHARE, rng)
        counts, size_factor = kept.molecules()
        model = _fit_gated(recipe, kept, gate, rng, match_totals=True)
        loglikelihood += loglikelihood_grid(ExpectedCounts(model, size_factor), counts, taken)
        molecules += taken.sum(axis=0)
    return choose_weights(loglikelihood, molecules, sample.molecules()[0].sum(axis=0))
