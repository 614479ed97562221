"""Learn an estimate: gate, calibration and weights from folds of a sample of cells, then one fit of everything.

A fold hides entries and thins the molecules of the others. Its fit is judged twice: at the hidden entries, which say
whether a gene has structure (the gate), and by the molecules that were taken out, which say how much to believe the
gated model of a gene. The second needs the first from all folds, so predictions are kept until the gate is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.centre import gene_centre
from scinfill.models.estimate.choices import THINNED_SHARE
from scinfill.models.estimate.detected import learn_detected
from scinfill.models.estimate.gate import (
    HELD_OUT_SHARE,
    Gate,
    Moments,
    draw_folds,
    gate_from_moments,
    heldout_moments,
    learn_gate,
)
from scinfill.models.estimate.local_calibration import Priors, calibrate, choose_priors, totals_of_groups
from scinfill.models.estimate.shrinkage import GRID, choose_weights, loglikelihood_grid
from scinfill.models.estimate.values import ExpectedCounts, GatedModel, ImputedValues, Shrunk, gated_model
from scinfill.models.observations import Observations
from scinfill.models.recipe import Prediction, Recipe, SampleFit, StartingRecipe
from scinfill.models.sampling import FEWEST_FOLDS, LEARNING_CELLS, MOST_FOLDS, SAMPLE_CELLS, sample_cells
from scinfill.numerics.masking import split
from scinfill.numerics.sparse import column_sums
from scinfill.progress import track

Floats = NDArray[np.float32]


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
    batch_offsets
        (n_batches, n_genes) β; None without batches.
    """

    estimate: ImputedValues
    gate: Gate | None = None
    observed_weight: Floats | None = None
    details: dict[str, Any] = field(default_factory=dict)
    batch_offsets: Floats | None = None

    @property
    def groups(self) -> NDArray[np.integer] | None:
        """(n_cells,) a group of similar cells for each, where the estimate was calibrated in groups."""
        model = self.estimate.model if isinstance(self.estimate, Shrunk) else self.estimate
        return model.local.group[:, 0] if isinstance(model, GatedModel) and model.local is not None else None


def learn_prediction(recipe: Recipe, data: Observations, *, rng: np.random.Generator) -> Learned:
    """Fit once and take the prediction for the estimate, as the papers do: not gated, not clipped."""
    return Learned(recipe.fit(data, rng=rng), details={"recipe": str(recipe)})


def learn_model(
    recipe: Recipe,
    data: Observations,
    *,
    gated: bool,
    calibrate: bool = True,
    rng: np.random.Generator,
    max_folds: int = MOST_FOLDS,
) -> Learned:
    """Learn the estimate ``model``: the gated prediction alone; of counts (Poisson loss), calibrated group by group.

    The squared loss fits the means of log2 values, which no factor on counts can put right.
    """
    sample, rows = _sample(data, rng)
    if recipe.loss == "squared":
        gate = _gate(recipe, sample, rng, max_folds) if gated else None
        model = gated_model(recipe.fit(data, rng=rng), recipe.loss, data, _slope(data, gate), match_totals=False)
        return Learned(
            model, gate, details=_details(recipe, gate) | _batch_details(model), batch_offsets=_offsets(model)
        )
    if calibrate:
        gate, fits = _learn_from_folds(recipe, sample, rng, gated=gated, max_folds=max_folds)
        priors, start = _priors(fits, sample, gate, rng), _start(fits, rows)
        del fits  # of all genes they are large
    else:
        gate, priors, start = _gate(recipe, sample, rng, max_folds) if gated else None, None, None
    model = _fit_calibrated(recipe, data, gate, priors, start=start, rng=rng)
    details = _details(recipe, gate, priors) | _batch_details(model)
    return Learned(model, gate, details=details, batch_offsets=_offsets(model))


def learn_shrunk(
    recipe: Recipe,
    data: Observations,
    *,
    gated: bool,
    calibrate: bool = True,
    rng: np.random.Generator,
    max_folds: int = MOST_FOLDS,
) -> Learned:
    """Learn the estimate ``shrunk``: one weight a gene between the gated, calibrated model and what was seen."""
    sample, rows = _sample(data, rng)
    gate, fits = _learn_from_folds(recipe, sample, rng, gated=gated, max_folds=max_folds)
    priors = _priors(fits, sample, gate, rng) if calibrate else None
    weight, start = _observed_weights(fits, sample), _start(fits, rows)
    del fits  # of all genes they are large
    model = _fit_calibrated(recipe, data, gate, priors, start=start, rng=rng)
    details = _details(recipe, gate, priors) | {"mean_observed_weight": float(weight.mean())} | _batch_details(model)
    return Learned(Shrunk(model, data, weight), gate, weight, details, _offsets(model))


def learn_detection(recipes: Sequence[Recipe], data: Observations, *, rng: np.random.Generator) -> Learned:
    """Learn the estimate ``detected`` from fits of different zero weights and sizes."""
    estimate = learn_detected(recipes, data, _sample(data, rng)[0], rng)
    details = {"recipes": estimate.recipes, "heldout_rmse": estimate.heldout_error}
    return Learned(estimate, details=details, batch_offsets=estimate.batch_offsets())


def _batch_details(model: GatedModel) -> dict[str, Any]:
    return {} if model.batches is None else {"batch_ridge": model.batches.ridge}


def _offsets(model: GatedModel) -> Floats | None:
    return None if model.batches is None else model.batches.offsets


def _details(recipe: Recipe, gate: Gate | None, priors: Priors | None = None) -> dict[str, Any]:
    details: dict[str, Any] = {"recipe": str(recipe)}
    if gate is not None:
        details |= {"genes_gated_shut": int(np.sum(gate.slope == 0)), "mean_gate": float(gate.slope.mean())}
    if priors is not None:
        details["genes_calibrated"] = priors.n_calibrated
    return details


def _sample(data: Observations, rng: np.random.Generator) -> tuple[Observations, NDArray[np.intp] | None]:
    """Return a sample of cells and its rows; None means all cells."""
    rows = sample_cells(data, SAMPLE_CELLS, rng)
    return data if rows is None else data.cells(rows), rows


def _n_folds(sample: Observations, max_folds: int) -> int:
    return int(np.clip(LEARNING_CELLS // sample.shape[0], FEWEST_FOLDS, max_folds))


def _hide(sample: Observations, rng: np.random.Generator, *, gated: bool, max_folds: int) -> list[csr_array | None]:
    """Return the entries that are hidden from each fit, or nothing for each."""
    n_folds = _n_folds(sample, max_folds)
    at_once = sample.shape[0] >= LEARNING_CELLS
    if not gated:
        return [None] * (1 if at_once else n_folds)
    if at_once:
        return list(draw_folds(sample.shape, n_folds=1, rng=rng, share=n_folds * HELD_OUT_SHARE))
    return list(draw_folds(sample.shape, n_folds=n_folds, rng=rng))


def _gate(recipe: Recipe, sample: Observations, rng: np.random.Generator, max_folds: int) -> Gate:
    """Learn the gate alone, from fits that see all molecules of the entries that are not hidden."""
    return learn_gate(recipe, sample, n_folds=_n_folds(sample, max_folds), rng=rng)


def _slope(data: Observations, gate: Gate | None) -> Floats:
    return np.ones(data.shape[1], np.float32) if gate is None else gate.slope


def _start(fits: Sequence["ThinnedFit"], rows: NDArray[np.intp] | None) -> SampleFit | None:
    """Return what the fit of everything may start from: the fold of many cells, which hides all folds at once.

    Small data have several folds, and their last fit is short: it starts afresh.
    """
    return SampleFit(fits[0].prediction, rows, 1 - THINNED_SHARE) if len(fits) == 1 else None


def _fit_calibrated(
    recipe: Recipe,
    data: Observations,
    gate: Gate | None,
    priors: Priors | None,
    *,
    start: SampleFit | None,
    rng: np.random.Generator,
) -> GatedModel:
    if start is not None and isinstance(recipe, StartingRecipe):
        prediction = recipe.fit_from(start, data, rng=rng)
    else:
        prediction = recipe.fit(data, rng=rng)
    model = gated_model(prediction, recipe.loss, data, _slope(data, gate), match_totals=True)
    if priors is None or priors.n_calibrated == 0:
        return model
    return calibrate(model, totals_of_groups(model, data, _slope(data, gate), rng=rng), priors)


@dataclass
class ThinnedFit:
    """A fit to 90 % of the molecules, and the others, which judge what is made of it.

    Attributes
    ----------
    prediction
        As it was fitted.
    model
        Gated, every gene's total that of what was kept; calibrated once it is known how.
    kept
        What was fitted, and the entries that were hidden from the fit.
    taken
        (n_cells, n_genes) molecules that neither the fit nor the gate saw.
    """

    prediction: Prediction
    model: GatedModel
    kept: Observations
    taken: csr_array


@dataclass(frozen=True)
class Fold:
    """A fit that saw neither the hidden entries nor the molecules taken from the others, before the gate is known.

    Attributes
    ----------
    prediction
        Of what was kept.
    kept, taken
        As in :class:`ThinnedFit`.
    moments
        What the hidden entries say of every gene; None where none were hidden.
    """

    prediction: Prediction
    kept: Observations
    taken: csr_array
    moments: Moments | None


def _learn_from_folds(
    recipe: Recipe, sample: Observations, rng: np.random.Generator, *, gated: bool, max_folds: int
) -> tuple[Gate | None, list[ThinnedFit]]:
    """Fit every fold once; return the gate of all of them, and the gated model of each with what judges it."""
    hidden = _hide(sample, rng, gated=gated, max_folds=max_folds)
    folds = [_fit_fold(recipe, sample, entries, rng) for entries in track(hidden, "learn gate and weights")]
    moments = [fold.moments for fold in folds if fold.moments is not None]
    gate = gate_from_moments(sum(moments[1:], moments[0])) if moments else None
    slope = _slope(sample, gate)
    models = (gated_model(fold.prediction, recipe.loss, fold.kept, slope, match_totals=True) for fold in folds)
    return gate, [
        ThinnedFit(fold.prediction, model, fold.kept, fold.taken) for fold, model in zip(folds, models, strict=True)
    ]


def _fit_fold(recipe: Recipe, sample: Observations, hidden: csr_array | None, rng: np.random.Generator) -> Fold:
    """Fit what is left of a sample when entries are hidden and a tenth of the molecules is taken out."""
    kept, taken = sample.thinned_counts(THINNED_SHARE, rng)
    if recipe.loss == "squared":
        kept = kept.with_log_values()
    visible = (kept if hidden is None else kept.without(hidden)).with_log_values()
    prediction = recipe.fit(visible, rng=rng, held_out=hidden)
    if hidden is None:
        return Fold(prediction, kept, taken, None)
    if recipe.loss == "poisson":
        fitted_centre = gene_centre(recipe.loss, visible, hidden, zero_weight=1.0)
        del visible  # of all genes it is large
        moments = heldout_moments(recipe.loss, prediction, sample, hidden, fitted_centre=fitted_centre)
    else:  # log2 values of fewer molecules are no multiple of those of all, so the truth is thinned too
        moments = heldout_moments(recipe.loss, prediction, kept, hidden)
    return Fold(prediction, kept, split(taken, hidden)[0], moments)


def _priors(fits: Sequence[ThinnedFit], sample: Observations, gate: Gate | None, rng: np.random.Generator) -> Priors:
    """Choose how groups are calibrated by the molecules that the fits did not see, and calibrate these."""
    slope = _slope(sample, gate)
    totals = [totals_of_groups(fit.model, fit.kept, slope, rng=rng) for fit in fits]
    tests = [(several, fit.taken) for several, fit in zip(totals, fits, strict=True)]
    priors = choose_priors(tests, slope, column_sums(sample.molecules()[0]))
    for fit, several in zip(fits, totals, strict=True):
        fit.model = calibrate(fit.model, several, priors)
    return priors


def _observed_weights(fits: Sequence[ThinnedFit], sample: Observations) -> Floats:
    """Weigh each gene's model against what was seen by the molecules that the fits did not see."""
    n_genes = sample.shape[1]
    loglikelihood, molecules = np.zeros((len(GRID), n_genes)), np.zeros(n_genes)
    for fit in fits:
        counts, size_factor = fit.kept.molecules()
        loglikelihood += loglikelihood_grid(ExpectedCounts(fit.model, size_factor), counts, fit.taken)
        molecules += fit.taken.sum(axis=0)
    return choose_weights(loglikelihood, molecules, sample.molecules()[0].sum(axis=0))
