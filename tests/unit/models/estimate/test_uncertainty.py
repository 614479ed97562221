"""The spread against draws from the posterior it stands for."""

import numpy as np
import pytest

from _models import Given, low_rank_world, observations
from scinfill.models.estimate.uncertainty import posterior_moments, posterior_spread
from scinfill.models.estimate.values import ExpectedCounts, Shrunk, gated_model

N_DRAWS = 40_000


def shrunk(world, weight, *, slope=1.0):
    n_genes = world.rate.shape[1]
    slopes = np.full(n_genes, slope, np.float32)
    model = gated_model(Given(np.log(world.rate)), "poisson", world.data, slopes, match_totals=True)
    return Shrunk(model, world.data, np.broadcast_to(np.asarray(weight, np.float32), (n_genes,)).copy())


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.3, 3.0, 50.0])
def test_it_is_the_distance_of_posterior_draws_from_the_estimate(mean):
    world = low_rank_world(12, 10, mean=mean)
    weight = np.linspace(0.02, 0.9, 10)
    estimate = shrunk(world, weight)
    counts, size_factor = world.data.molecules()
    rate = estimate.model.rate(slice(0, 12)).astype(float)
    expected = ExpectedCounts(estimate.model, size_factor).block(slice(0, 12)).astype(float)
    a = rate.mean(axis=0) * (1 - weight) / weight
    draws = np.random.default_rng(0).gamma(
        a + counts.toarray(), expected / (a + expected), size=(N_DRAWS, *world.rate.shape)
    )
    distance = np.log2(1 + draws / size_factor[:, None]) - estimate.block(slice(0, 12))
    monte_carlo = np.sqrt(np.mean(distance**2, axis=0))
    np.testing.assert_allclose(posterior_spread(estimate).block(slice(0, 12)), monte_carlo, rtol=0.04, atol=0.003)


def test_it_covers_what_was_held_out():
    """Draw the truth from the posterior's own prior: the estimate misses it by as much as the spread says."""
    rng = np.random.default_rng(0)
    world = low_rank_world(3000, 10, mean=4.0)
    shape = 3.0
    true_rate = world.rate * rng.gamma(shape, 1 / shape, world.rate.shape)
    size_factor = world.data.size_factor
    data = observations(rng.poisson(size_factor[:, None] * true_rate), size_factor)
    slopes = np.ones(10, np.float32)
    model = gated_model(Given(np.log(world.rate)), "poisson", data, slopes, match_totals=True)
    mean = model.rate(slice(0, 3000)).mean(axis=0)
    estimate = Shrunk(model, data, (mean / (mean + shape)).astype(np.float32))
    missed = np.log2(1 + true_rate) - estimate.block(slice(0, 3000))
    said = posterior_spread(estimate).block(slice(0, 3000))
    np.testing.assert_allclose(np.sqrt(np.mean(missed**2)), np.sqrt(np.mean(said**2)), rtol=0.1)


def test_all_weight_on_the_model_leaves_no_spread_around_it():
    world = low_rank_world(20, 8)
    estimate = shrunk(world, 0.0)
    np.testing.assert_allclose(posterior_spread(estimate).block(slice(0, 20)), 0, atol=0.01)


def test_all_weight_on_what_was_seen_leaves_its_poisson_spread():
    world = low_rank_world(30, 5, mean=60)
    counts, size_factor = world.data.molecules()
    said = posterior_spread(shrunk(world, 1.0)).block(slice(0, 30))
    # d log2(1 + C/s) = dC / (C + s) / ln 2, with dC = √C
    expected = np.sqrt(counts.toarray()) / (counts.toarray() + size_factor[:, None]) / np.log(2)
    np.testing.assert_allclose(said, expected, rtol=0.25)


@pytest.mark.parametrize("mean", [1e-6, 0.03, 1.0, 250.0, 1e6, 1e11], ids="mean {:g}".format)
@pytest.mark.parametrize("shape", [0.1, 0.7, 4.3, 900.0], ids="shape {:g}".format)
def test_moments_are_those_of_draws_inside_the_tables_and_beyond(shape, mean):
    draws = np.log2(1 + np.random.default_rng(0).gamma(shape, mean / shape, 400_000))
    said = posterior_moments(*(np.full((1, 1), value, np.float32) for value in (shape, mean)))
    np.testing.assert_allclose(np.ravel(said), [draws.mean(), draws.std()], rtol=0.02, atol=0.002)


def test_the_more_molecules_the_surer():
    spreads = [
        posterior_spread(shrunk(low_rank_world(50, 10, mean=m), 0.3)).block(slice(0, 50)).mean() for m in (3, 30, 300)
    ]
    assert spreads == sorted(spreads, reverse=True)


def test_blocks_are_rows_of_the_whole():
    spread = posterior_spread(shrunk(low_rank_world(), 0.2))
    np.testing.assert_array_equal(spread.block(slice(7, 19)), spread.block(slice(0, 60))[7:19])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_poor_data_give_finite_spreads(weight, slope):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, size=(20, 8))
    counts[3] = 0
    counts[:, 5] = 0
    world = low_rank_world(20, 8)
    world = type(world)(observations(counts), world.rate)
    spread = posterior_spread(shrunk(world, weight, slope=slope)).block(slice(0, 20))
    assert spread.dtype == np.float32
    assert np.isfinite(spread).all()
    assert spread.min() >= 0
