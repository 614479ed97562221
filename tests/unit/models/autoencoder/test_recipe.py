"""The default autoencoder as a recipe: what it finds, what it must not see, and that it repeats itself."""

from dataclasses import replace

import numpy as np
import pytest

from _models import everything, low_rank_world, observations, some_held_out, with_other_values
from scinfill.errors import ResourceError
from scinfill.models.autoencoder.recipe import AutoencoderRecipe
from scinfill.models.centre import gene_centre
from scinfill.models.devices import computing_on
from scinfill.models.recipe import SampleFit

POISSON = AutoencoderRecipe("poisson", hidden_units=(32,), learning_rate=5e-3, ridge=20.0, max_steps=400)
SQUARED = replace(POISSON, loss="squared")
RECIPES = [POISSON, SQUARED, replace(SQUARED, zero_weight=0.1), replace(SQUARED, zero_weight=0.0)]
NAMES = ["poisson", "squared", "zero weight .1", "zero weight 0"]
BRIEF = [replace(recipe, max_steps=20) for recipe in RECIPES]


def fitted(recipe, data, *, seed=0, held_out=None):
    return recipe.fit(data, rng=np.random.default_rng(seed), held_out=held_out)


def values(prediction):
    return prediction.block(slice(0, prediction.shape[0]))


@pytest.fixture(scope="module")
def world():
    return low_rank_world(150, 60, mean=3.0)


@pytest.mark.slow
def test_poisson_rates_come_closer_to_the_truth_than_the_gene_means(world):
    log_rate = values(fitted(POISSON, world.data))
    mean = np.log(gene_centre("poisson", world.data, None, zero_weight=1.0))
    error, baseline = (np.mean((guess - np.log(world.rate)) ** 2) for guess in (log_rate, mean))
    assert error < 0.5 * baseline


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [POISSON, SQUARED], ids=["poisson", "squared"])
def test_a_fit_from_a_fit_of_fewer_molecules_is_as_good_in_fewer_steps(recipe, world):
    """It starts at what the first learned, at the height of all molecules; errors scatter with the seed."""
    truth = np.log(world.rate) if recipe.loss == "poisson" else np.log2(1 + world.rate)
    errors, looks = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        kept = world.data.thinned_counts(0.1, rng)[0].with_log_values()
        start = SampleFit(fitted(recipe, kept, seed=seed), None, 0.9)
        fits = fitted(recipe, world.data, seed=seed), recipe.fit_from(start, world.data, rng=rng)
        errors.append([np.mean((values(fit) - truth) ** 2) for fit in fits])
        looks.append([len(fit.heldout_loss) for fit in fits])
    afresh, started = np.mean(errors, axis=0)
    assert started < 1.15 * afresh
    looks_afresh, looks_started = np.sum(looks, axis=0)
    assert looks_started < 0.7 * looks_afresh


def test_molecules_that_a_first_fit_did_not_see_are_made_up_for(world):
    """Without a step of its own, a fit from one of half the molecules expects twice as many."""
    half = fitted(replace(POISSON, max_steps=20), world.data)
    started = replace(POISSON, max_steps=1).fit_from(
        SampleFit(half, None, 0.5), world.data, rng=np.random.default_rng()
    )
    np.testing.assert_allclose(values(started) - values(half), np.log(2), atol=1e-4)


@pytest.mark.slow
def test_squared_values_come_closer_to_the_truth_than_the_gene_means(world):
    held_out = some_held_out(world.data.shape)
    prediction = values(fitted(SQUARED, world.data.without(held_out), held_out=held_out))
    truth = world.data.log_values.toarray()[held_out.nonzero()]
    mean = gene_centre("squared", world.data, None, zero_weight=1.0)
    error = np.mean((prediction[held_out.nonzero()] - truth) ** 2)
    baseline = np.mean((mean[held_out.nonzero()[1]] - truth) ** 2)
    assert error < 0.85 * baseline


@pytest.mark.slow
def test_a_zero_blind_fit_predicts_what_is_seen():
    """With weight 0 on zeros a rare gene is predicted at the height it has where it is seen, not near zero."""
    data = low_rank_world(80, 30, mean=0.3).data
    seen = data.log_values.sum(axis=0) / np.maximum(np.diff(data.log_values.tocsc().indptr), 1)
    blind, aware = (values(fitted(replace(SQUARED, zero_weight=weight), data)).mean() for weight in (0.0, 1.0))
    assert blind == pytest.approx(seen.mean(), rel=0.2)
    assert aware == pytest.approx(data.log_values.toarray().mean(), rel=0.2)


def test_noise_is_left_at_the_gene_means():
    rng = np.random.default_rng(0)
    data = observations(rng.poisson(np.full((200, 50), 2.0)))
    log_rate = values(fitted(replace(POISSON, ridge=100.0), data))
    assert log_rate.std(axis=0).max() < 0.15


@pytest.mark.parametrize("recipe", BRIEF, ids=NAMES)
def test_hidden_entries_change_nothing(recipe, world):
    """Neither as input nor in the loss: other values there give the same bytes."""
    held_out = some_held_out(world.data.shape)
    first, second = (
        values(fitted(recipe, data.without(held_out), held_out=held_out))
        for data in (world.data, with_other_values(world.data, held_out))
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("recipe", BRIEF, ids=NAMES)
def test_same_seed_same_bytes(recipe, world):
    first, again, other = (values(fitted(recipe, world.data, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_blocks_are_parts_of_the_whole(world):
    prediction = fitted(BRIEF[0], world.data)
    whole = values(prediction)
    np.testing.assert_allclose(prediction.block(slice(7, 20)), whole[7:20], rtol=1e-5, atol=1e-5)
    assert prediction.shape == whole.shape == world.data.shape
    assert whole.dtype == np.float32


def test_a_block_may_be_changed_by_who_asked_for_it(world):
    prediction = fitted(BRIEF[0], world.data)
    before = values(prediction)
    block = prediction.block(slice(0, 10))
    block += 1
    np.testing.assert_array_equal(values(prediction), before)


@pytest.mark.slow
def test_layers_can_be_stacked(world):
    recipe = replace(POISSON, hidden_units=(32, 8), learning_rate=2e-2)
    prediction = fitted(recipe, world.data)
    assert [weight.shape for weight in prediction.weights[::2]] == [(60, 32), (32, 8), (8, 32), (32, 60)]
    assert min(prediction.heldout_loss) < prediction.heldout_loss[0]


@pytest.mark.parametrize("recipe", BRIEF, ids=NAMES)
@pytest.mark.parametrize("shape", [(2, 5), (5, 1), (3, 2)])
def test_tiny_tables_give_finite_values(recipe, shape):
    data = observations(np.random.default_rng(0).poisson(1.0, size=shape))
    assert np.isfinite(values(fitted(recipe, data))).all()


@pytest.mark.parametrize("recipe", BRIEF, ids=NAMES)
def test_silent_genes_and_cells_and_huge_counts_give_finite_values(recipe):
    counts = np.random.default_rng(0).poisson(2.0, size=(20, 10))
    counts[:, 3] = 0
    counts[4] = 0
    counts[5, 5] = 2_000_000
    assert np.isfinite(values(fitted(recipe, observations(counts)))).all()


def test_data_are_not_changed(world):
    before = world.data.log_values.copy(), world.data.counts.copy()
    fitted(BRIEF[0], world.data)
    for matrix, copy in zip((world.data.log_values, world.data.counts), before, strict=True):
        np.testing.assert_array_equal(matrix.toarray(), copy.toarray())


def test_a_gpu_that_is_not_there_is_refused(world):
    with computing_on("auto") as tf:
        if tf.config.list_physical_devices("GPU"):
            pytest.skip("this machine has a GPU")
    with pytest.raises(ResourceError, match="`device='gpu'`"):
        fitted(replace(BRIEF[0], device="gpu"), world.data)


def test_squared_loss_needs_no_counts(world):
    data = replace(world.data, counts=None, size_factor=None)
    np.testing.assert_array_equal(values(fitted(BRIEF[1], data)), values(fitted(BRIEF[1], world.data)))


def test_rows_of_any_kind_are_read(world):
    prediction = fitted(BRIEF[0], world.data)
    np.testing.assert_allclose(prediction.block(everything(prediction.shape)), values(prediction), rtol=1e-5, atol=1e-5)
