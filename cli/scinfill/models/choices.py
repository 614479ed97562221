"""Settings chosen from what was held out: molecules where there are some, entries otherwise. Never from labels."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.estimates import ExpectedCounts, gated_model
from scinfill.models.gate import draw_folds
from scinfill.models.observations import Observations
from scinfill.models.recipe import Recipe
from scinfill.models.shrinkage import loglikelihood_grid
from scinfill.numerics.blocks import row_slices
from scinfill.progress import track

THINNED_SHARE = 0.1
"""Of the molecules, held out to choose and to weigh."""
RANKS = (3, 5, 10, 15, 20, 30)

SomeRecipe = TypeVar("SomeRecipe", bound=Recipe)


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

    def loss(recipe: Recipe) -> float:
        model = gated_model(
            recipe.fit(kept, rng=rng), recipe.loss, kept, np.ones(data.shape[1], np.float32), match_totals=True
        )
        expected = ExpectedCounts(model, _size_factor(kept))
        return -float(loglikelihood_grid(expected, _counts(kept), taken).max(axis=0).sum())

    return _first_minimum(recipes, loss)


def best_by_entries(recipes: Sequence[SomeRecipe], data: Observations, rng: np.random.Generator) -> SomeRecipe:
    """Return the recipe that best predicts a tenth of all entries, zeros among them, from the others."""
    if len(recipes) == 1:
        return recipes[0]
    (hidden,) = draw_folds(data.shape, n_folds=1, rng=rng)
    visible = data.without(hidden)

    def loss(recipe: Recipe) -> float:
        prediction = recipe.fit(visible, rng=rng, hidden=hidden)
        return sum(
            float(np.sum((_at(prediction.block(rows), hidden[rows]) - _seen(data.log_values[rows], hidden[rows])) ** 2))
            for rows in row_slices(*data.shape)
        )

    return _first_minimum(recipes, loss)


def _first_minimum(recipes: Sequence[SomeRecipe], loss) -> SomeRecipe:  # noqa: ANN001
    best, lowest = recipes[0], np.inf
    for recipe in track(recipes, "choose settings"):
        value = loss(recipe)
        if value >= lowest:
            break
        best, lowest = recipe, value
    return best


def _at(block: NDArray[np.float32], pattern: csr_array) -> NDArray[np.float32]:
    return block[pattern.nonzero()]


def _seen(values: csr_array, pattern: csr_array) -> NDArray[np.float32]:
    return np.asarray(values[pattern.nonzero()]).ravel()


def _counts(data: Observations) -> csr_array:
    if data.counts is None:
        raise ValueError("held-out molecules need counts")
    return data.counts


def _size_factor(data: Observations) -> NDArray[np.float64]:
    if data.size_factor is None:
        raise ValueError("held-out molecules need size factors")
    return data.size_factor
