"""Offsets of batches beside the factors, for both losses."""

from dataclasses import replace

import numpy as np
import pytest

from _models import everything, low_rank_world, observations, some_held_out, with_other_values
from scinfill.models.batch_effect import BatchedPrediction, mean_offsets
from scinfill.models.factorization.alternating import Penalty, alternate
from scinfill.models.factorization.arrays import HOST
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.recipe import SampleFit
from scinfill.numerics.batches import Batches

RECIPES = [PoissonFactorization(2), SquaredFactorization(2), SquaredFactorization(2, zero_weight=0.1)]
NAMES = ["poisson", "squared", "zero weight .1"]


def batched_world(n_cells=240, n_genes=40, *, spread=0.6, mean=3.0, seed=0):
    """Return observations of two batches and the true difference of their log rates, (n_genes,)."""
    rng = np.random.default_rng(seed)
    world = low_rank_world(n_cells, n_genes, mean=mean, seed=seed)
    _, size_factor = world.data.molecules()
    codes = (np.arange(n_cells) % 3 == 0).astype(np.intp)
    difference = rng.normal(0, spread, n_genes)
    rate = world.rate * np.exp(codes[:, None] * difference)
    data = observations(rng.poisson(size_factor[:, None] * rate), size_factor)
    return replace(data, batches=Batches(codes, 2)), difference


def fitted(recipe, data, *, held_out=None):
    return recipe.fit(data, rng=np.random.default_rng(0), held_out=held_out)


@pytest.mark.parametrize("zero_weight", [0.0, 0.1, 1.0])
def test_no_round_of_the_squared_loss_raises_the_penalised_objective(zero_weight):
    """The step for μ, D and all offsets is their exact minimum together."""
    data, _ = batched_world(mean=0.8)
    weight = np.where(data.log_values.toarray() > 0, 1.0, zero_weight)
    loss, penalty = SquaredLoss(data, zero_weight), Penalty(2.0, 3.0)

    def objective(factors):
        predicted = factors.block(everything(data.shape)).astype(float) + factors.batches[data.batches.codes]
        ridge = 2 * (np.sum(factors.cells**2) + np.sum(factors.genes**2)) + 3 * np.sum(factors.batches**2)
        return np.sum(weight * (data.log_values.toarray() - predicted) ** 2) + ridge

    factors = SquaredFactorization(3, zero_weight=zero_weight).start(data, np.random.default_rng(0))
    before = first = objective(factors)
    for _ in range(12):
        factors = alternate(loss, factors, ridge=penalty, n_rounds=1, label="fit")
        after = objective(factors)
        assert after <= before * (1 + 1e-5)
        before = after
    assert before < first


def test_the_offsets_are_the_true_differences_of_log_rates():
    data, difference = batched_world(1200)
    offsets = fitted(PoissonFactorization(2, batch_ridge=1.0), data).offsets
    assert np.sqrt(np.mean((offsets[1] - offsets[0] - difference) ** 2)) < 0.3 * np.std(difference)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_offsets_have_mean_zero_over_cells(recipe):
    data, _ = batched_world()
    prediction = fitted(recipe, data)
    assert isinstance(prediction, BatchedPrediction)
    np.testing.assert_allclose(data.batches.mean_over_cells(prediction.offsets), 0, atol=1e-5)
    values = prediction.block(everything(data.shape))
    structure = prediction.structure.block(everything(data.shape))
    np.testing.assert_allclose(values, structure + prediction.offsets[data.batches.codes], rtol=1e-5, atol=1e-5)


def test_batches_of_other_composition_keep_what_sets_types_apart():
    """The means of batches differ by their types; the offsets, fitted beside the factors, do not."""
    rng = np.random.default_rng(2)
    codes = np.repeat([0, 1], 150)
    kind = rng.random(300) < np.where(codes == 0, 0.8, 0.2)
    profile = np.exp(rng.normal(1, 0.3, 400) + np.outer(kind, rng.normal(0, 1, 400)))
    data = replace(observations(rng.poisson(profile)), batches=Batches(codes.astype(np.intp), 2))
    offsets = fitted(PoissonFactorization(2, batch_ridge=64.0), data).offsets
    of_means = mean_offsets("poisson", data, None, ridge=64.0, zero_weight=1.0)
    assert np.std(offsets[1] - offsets[0]) < 0.3 * np.std(of_means[1] - of_means[0])


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_nothing_is_learned_from_what_is_held_out(recipe):
    data, _ = batched_world()
    held_out = some_held_out(data.shape)
    one, other = data.without(held_out), replace(with_other_values(data, held_out), batches=data.batches)
    first, second = (
        fitted(recipe, part.without(held_out), held_out=held_out).block(everything(data.shape)) for part in (one, other)
    )
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_block_size_changes_rounding_only(monkeypatch, recipe):
    data, _ = batched_world(60, 30)
    expected = fitted(recipe, data).block(everything(data.shape))
    monkeypatch.setattr("scinfill.models.factorization.arrays.HOST", replace(HOST, block_bytes=4 * 30 * 7))
    monkeypatch.setattr("scinfill.models.factorization.alternating.FEWEST_ROWS", 1)
    np.testing.assert_allclose(fitted(recipe, data).block(everything(data.shape)), expected, rtol=5e-3, atol=5e-3)


def test_a_fit_may_start_from_one_of_fewer_molecules_with_its_offsets():
    data, _ = batched_world(300, 40)
    recipe = PoissonFactorization(2)
    whole = fitted(recipe, data)
    kept, _ = data.thinned(0.1, np.random.default_rng(0))
    started = recipe.fit_from(SampleFit(fitted(recipe, kept), None, 0.9), data, rng=np.random.default_rng())
    np.testing.assert_allclose(started.offsets, whole.offsets, atol=0.1)
    difference = started.block(everything(data.shape)) - whole.block(everything(data.shape))
    assert np.sqrt(np.mean(difference**2)) < 0.1
    assert np.mean(difference) == pytest.approx(0, abs=0.01)


def test_cells_beside_the_sample_are_guessed_within_batches(monkeypatch):
    data, difference = batched_world(900)
    whole = fitted(PoissonFactorization(2), data)
    monkeypatch.setattr("scinfill.models.factorization.recipes.SAMPLE_CELLS", 300)
    sampled = fitted(PoissonFactorization(2), data)
    assert np.sqrt(np.mean((sampled.offsets - whole.offsets) ** 2)) < 0.2 * np.std(difference)
    assert np.sqrt(np.mean((sampled.offsets[1] - sampled.offsets[0] - difference) ** 2)) < 0.3 * np.std(difference)
