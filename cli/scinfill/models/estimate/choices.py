"""Settings chosen from what was held out: molecules where there are some, entries otherwise. Never from labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from scinfill.models.estimate.gate import draw_folds
from scinfill.models.estimate.shrinkage import loglikelihood_grid
from scinfill.models.estimate.values import ExpectedCounts, gated_model
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.models.recipe import Recipe, predicted_at
from scinfill.numerics.masking import values_at
from scinfill.progress import track

THINNED_SHARE = 0.1
"""Share of the molecules that is held out to choose and to weigh."""
RANKS = (3, 5, 10, 15, 20, 30)
LEAST_GAIN = 1e-5
"""Share of a squared error: what gains less is not told from rounding, and the smaller of two equal fits is taken."""

BATCH_RIDGES = (16.0, 4.0, 1.0)
"""Penalties on the offsets of batches: the prior standard deviations of a log rate are .25, .5 and 1."""

SomeRecipe = TypeVar("SomeRecipe", bound=Recipe)
AnyFactorization = PoissonFactorization | SquaredFactorization


def feasible_ranks(shape: tuple[int, int], ranks: Iterable[int] = RANKS) -> list[int]:
    """Return the ranks that a matrix of this shape can have, at least one."""
    largest = max(1, min(shape) - 1)
    return [rank for rank in ranks if rank <= largest] or [largest]


def best_by_molecules(recipes: Sequence[SomeRecipe], data: Observations, rng: np.random.Generator) -> SomeRecipe:
    """Return the recipe whose fit to 90 % of the molecules, mixed with what was seen, best predicts the other 10 %.

    The mixture takes each gene's best weight, as the estimate ``shrunk`` will. The recipes come in order of
    size; the search stops at the first that is worse than the one before.
    """
    if len(recipes) == 1:
        return recipes[0]
    kept, taken = data.thinned(THINNED_SHARE, rng)
    counts, size_factor = kept.molecules()
    open_gate = np.ones(data.shape[1], np.float32)

    def loss(recipe: Recipe) -> float:
        model = gated_model(recipe.fit(kept, rng=rng), recipe.loss, kept, open_gate, match_totals=True)
        return -float(loglikelihood_grid(ExpectedCounts(model, size_factor), counts, taken).max(axis=0).sum())

    return _first_minimum(recipes, loss)


def best_by_entries(recipes: Sequence[SomeRecipe], data: Observations, rng: np.random.Generator) -> SomeRecipe:
    """Return the recipe that best predicts a tenth of all entries, zeros among them, from the others."""
    if len(recipes) == 1:
        return recipes[0]
    (held_out,) = draw_folds(data.shape, n_folds=1, rng=rng)
    if held_out.nnz == 0:  # a tenth of hardly any entries tells nothing
        return recipes[0]
    visible = data.without(held_out)
    truth = values_at(data.log_values, held_out)

    def loss(recipe: Recipe) -> float:
        return float(np.mean((predicted_at(recipe.fit(visible, rng=rng, held_out=held_out), held_out) - truth) ** 2))

    return _first_minimum(recipes, loss, least_gain=LEAST_GAIN)


def with_batch_ridge(recipe: AnyFactorization, data: Observations, rng: np.random.Generator) -> AnyFactorization:
    """Return the factorisation with the best penalty on the offsets of batches, as the rank is chosen."""
    if data.batches is None:
        return recipe
    choose = best_by_molecules if recipe.loss == "poisson" else best_by_entries
    return choose([replace(recipe, batch_ridge=ridge) for ridge in BATCH_RIDGES], data, rng)


def _first_minimum(
    recipes: Sequence[SomeRecipe], loss: Callable[[SomeRecipe], float], *, least_gain: float = 0.0
) -> SomeRecipe:
    """Return the last of the recipes that each gain more than a share ``least_gain`` on the one before."""
    best, *others = recipes
    lowest = loss(best)
    for recipe in track(others, "choose settings"):
        value = loss(recipe)
        if lowest - value <= least_gain * abs(lowest):
            break
        best, lowest = recipe, value
    return best
