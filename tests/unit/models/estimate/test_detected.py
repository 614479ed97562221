"""Several fits, one curve: the value that would have been seen, had the gene been detected."""

import numpy as np
import pytest

from _models import Given, Oracle, low_rank_world, observations
from scinfill.models.estimate import detected
from scinfill.models.estimate.detected import (
    HELD_OUT_SHARE,
    SMALLEST_WEIGHT,
    CellFloor,
    Detected,
    cell_floor,
    hold_out_seen,
    learn_detected,
)
from scinfill.models.factorization.recipes import SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.numerics.masking import values_at

RECIPES = [
    SquaredFactorization(2, zero_weight=0.0),
    SquaredFactorization(2, zero_weight=0.1),
    SquaredFactorization(4, zero_weight=0.3),
]


@pytest.fixture(scope="module")
def world():
    return low_rank_world(200, 60, rank=2, mean=1.0)


@pytest.fixture(scope="module")
def learned(world):
    return learn_detected(RECIPES, world.data, world.data, np.random.default_rng(0))


def test_the_curve_rises(learned):
    assert np.all(np.diff(learned.curve_from) >= 0)
    assert np.all(np.diff(learned.curve_to) >= 0)
    assert learned.curve_to.min() >= 0


def test_shares_are_never_negative_and_small_ones_cost_no_fit(learned):
    assert set(learned.recipes) == {str(recipe) for recipe in RECIPES}
    assert all(share == 0 or share >= SMALLEST_WEIGHT for share in learned.recipes.values())
    fits = [weight for weight, part in zip(learned.weights, learned.predictions, strict=True) if not is_floor(part)]
    assert fits == [share for share in learned.recipes.values() if share > 0]


def is_floor(prediction):
    return isinstance(prediction, CellFloor)


def test_values_are_the_curve_of_the_weighted_sum(learned):
    rows = slice(3, 40)
    total = sum(w * p.block(rows).astype(float) for w, p in zip(learned.weights, learned.predictions, strict=True))
    expected = np.interp(total, learned.curve_from, learned.curve_to)
    # The curve has steep steps, where rounding shows.
    np.testing.assert_allclose(learned.block(rows), expected, rtol=1e-3)
    assert learned.block(rows).dtype == np.float32


def test_beyond_its_ends_the_curve_is_flat():
    estimate = Detected([Given(np.array([[-9.0, 0.5, 99.0]]))], [1.0], np.array([0, 1.0]), np.array([2, 4.0]), 0.0, {})
    np.testing.assert_array_equal(estimate.block(slice(0, 1)), [[2, 3, 4]])


def test_a_seen_value_that_was_hidden_is_guessed_better_than_by_its_genes_mean(world):
    """Also than by the mean of the gene's seen values, which asks the same question."""
    held_out = hold_out_seen(world.data.log_values, 0.1, np.random.default_rng(7))
    truth = values_at(world.data.log_values, held_out)
    visible = world.data.without(held_out)
    estimate = learn_detected(RECIPES, visible, visible, np.random.default_rng(0))
    guess = estimate.block(slice(0, 200))[held_out.nonzero()]
    error = np.sqrt(np.mean((guess - truth) ** 2))
    values = visible.log_values.toarray()
    gene_mean = values.mean(axis=0)[held_out.nonzero()[1]]
    seen_mean = (values.sum(axis=0) / np.maximum((values > 0).sum(axis=0), 1))[held_out.nonzero()[1]]
    assert error < 0.7 * np.sqrt(np.mean((gene_mean - truth) ** 2))
    assert error < 0.95 * np.sqrt(np.mean((seen_mean - truth) ** 2))
    assert error == pytest.approx(estimate.heldout_error, rel=0.15)


def test_the_useful_fit_gets_the_weight(world):
    truth = world.data.log_values.toarray()
    noise = np.abs(np.random.default_rng(0).normal(size=truth.shape))
    learned = learn_detected(
        [Oracle(noise, "squared"), Oracle(truth, "squared")], world.data, world.data, np.random.default_rng(0)
    )
    assert len(learned.predictions) == 1
    assert learned.weights[0] == pytest.approx(1, rel=1e-3)
    assert learned.heldout_error < 1e-3


def test_what_it_learned_from_was_not_in_the_fit(world, monkeypatch):
    fitted_to = []

    class Recording(Oracle):
        def fit(self, data, *, rng, held_out=None):
            fitted_to.append(data)
            return super().fit(data, rng=rng, held_out=held_out)

    held = []
    monkeypatch.setattr(detected, "hold_out_seen", lambda *args: held.append(hold_out_seen(*args)) or held[-1])
    learn_detected([Recording(world.rate, "squared")], world.data, world.data, np.random.default_rng(0))
    first, last = fitted_to
    assert held[0].nnz == pytest.approx(HELD_OUT_SHARE * world.data.log_values.nnz, rel=0.1)
    assert not values_at(first.log_values, held[0]).any()
    assert not values_at(first.counts, held[0]).any()
    assert last is world.data


def test_same_seed_same_bytes(world, learned):
    again = learn_detected(RECIPES, world.data, world.data, np.random.default_rng(0))
    assert again.block(slice(0, 200)).tobytes() == learned.block(slice(0, 200)).tobytes()
    other = learn_detected(RECIPES, world.data, world.data, np.random.default_rng(1))
    assert other.block(slice(0, 200)).tobytes() != learned.block(slice(0, 200)).tobytes()


def test_the_floor_of_a_cell_is_a_single_count():
    data = observations(np.array([[1, 0], [5, 1]]), np.array([0.5, 2.0]))
    (floor,) = cell_floor(data)
    assert floor.shape == (2, 2)
    np.testing.assert_allclose(floor.block(slice(0, 2)), np.log2([[3, 3], [1.5, 1.5]]), rtol=1e-6)
    np.testing.assert_allclose(data.log_values.toarray()[[0, 1], [0, 1]], floor.block(slice(0, 2))[:, 0], rtol=1e-6)


def test_without_counts_there_is_no_floor(world):
    values_only = Observations(world.data.log_values)
    assert cell_floor(values_only) == []
    estimate = learn_detected(RECIPES, values_only, values_only, np.random.default_rng(0))
    assert np.isfinite(estimate.block(slice(0, 200))).all()


def test_learning_on_a_sample_predicts_all_cells(world):
    sample = world.data.cells(np.arange(0, 200, 2))
    estimate = learn_detected(RECIPES, world.data, sample, np.random.default_rng(0))
    assert estimate.block(slice(0, 200)).shape == (200, 60)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_seen_entries_are_hidden_and_no_others(world, share):
    values = world.data.log_values
    held_out = hold_out_seen(values, share, np.random.default_rng(0))
    assert held_out.nnz == pytest.approx(share * values.nnz, rel=0.1)
    assert np.all(values_at(values, held_out) > 0)
    assert held_out.has_canonical_format


def test_at_least_one_entry_is_hidden():
    assert hold_out_seen(observations(np.array([[0, 0], [3.0, 0]])).log_values, 1e-9, np.random.default_rng(0)).nnz == 1


@pytest.mark.parametrize(
    "counts",
    [
        np.array([[3.0, 0.0], [1.0, 2.0]]),
        np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        np.full((10, 4), 2.0),
        np.eye(8),
    ],
    ids=["two by two", "a single value", "constant", "one value a gene"],
)
def test_poor_data_give_finite_values(counts):
    data = observations(counts)
    estimate = learn_detected(RECIPES, data, data, np.random.default_rng(0))
    values = estimate.block(slice(0, len(counts)))
    assert values.shape == counts.shape
    assert np.isfinite(values).all()
    assert values.min() >= 0
