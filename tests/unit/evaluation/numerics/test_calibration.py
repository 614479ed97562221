import numpy as np
import pytest
from scipy.stats import kstest

from scinfill.evaluation.numerics.calibration import coverage, model_rate, predictive, randomised_pit

FRACTION = 0.1


@pytest.fixture
def world():
    """Counts from the very model: gamma rates around a model's mean, Poisson molecules, a tenth held out."""
    rng = np.random.default_rng(0)
    sizes = rng.gamma(5, 0.2, size=400)
    rate = np.tile(rng.gamma(2, 5, size=60), (400, 1))
    weights = rng.uniform(0.05, 0.9, size=60)
    prior_shape = rate[0] * (1 - weights) / weights
    expected = rng.gamma(prior_shape, rate * sizes[:, None] / prior_shape)
    total = rng.poisson(expected / (1 - FRACTION))
    heldout = rng.binomial(total, FRACTION)
    return rate, total - heldout, sizes, weights, heldout


def test_intervals_of_the_true_model_cover_what_they_say(world):
    rate, kept, sizes, weights, heldout = world
    distribution = predictive(rate, kept, sizes, weights, rate.mean(axis=0), fraction=FRACTION)
    pit = randomised_pit(distribution, heldout, np.random.default_rng(1))
    assert kstest(pit.ravel(), "uniform").pvalue > 1e-3
    for level, share in coverage(pit).items():
        assert share == pytest.approx(level, abs=0.012)


def test_a_poisson_around_the_model_is_too_narrow_here(world):
    rate, kept, sizes, _, heldout = world
    distribution = predictive(rate, kept, sizes, np.zeros(60), rate.mean(axis=0), fraction=FRACTION)
    pit = randomised_pit(distribution, heldout, np.random.default_rng(1))
    assert kstest(pit.ravel(), "uniform").pvalue < 1e-6
    assert coverage(pit)[0.9] < 0.89


def test_model_is_recovered_from_the_shrunk_mean(world):
    rate, kept, sizes, weights, _ = world
    shrunk = (1 - weights) * rate + weights * kept / sizes[:, None]
    np.testing.assert_allclose(model_rate(shrunk, kept, sizes, weights), rate)


def test_predictive_mean_is_the_posterior_mean(world):
    rate, kept, sizes, weights, _ = world
    distribution = predictive(rate, kept, sizes, weights, rate.mean(axis=0), fraction=FRACTION)
    expected = rate * sizes[:, None]
    prior_shape = rate.mean(axis=0) * (1 - weights) / weights
    posterior = (prior_shape + kept) * expected / (prior_shape + expected)
    np.testing.assert_allclose(distribution.mean, posterior / 9)


def test_weight_one_trusts_the_counts_alone():
    kept = np.array([[0.0], [18.0]])
    sizes = np.array([1.0, 2.0])
    weights = np.array([1.0])
    rate = model_rate(kept / sizes[:, None], kept, sizes, weights)
    distribution = predictive(rate, kept, sizes, weights, rate.mean(axis=0), fraction=FRACTION)
    np.testing.assert_allclose(distribution.mean, [[0], [2]])
    np.testing.assert_allclose(distribution.cdf(np.array([[0], [10**6]])), 1)


def test_weight_zero_is_a_poisson_around_the_model():
    rate = np.array([[4.5]])
    one = np.ones(1)
    distribution = predictive(rate, np.array([[7.0]]), 2 * one, 0 * one, rate[0], fraction=FRACTION)
    assert distribution.mean[0, 0] == pytest.approx(1)
    assert distribution.cdf(np.zeros((1, 1)))[0, 0] == pytest.approx(np.exp(-1))


def test_nothing_is_below_zero_molecules(world):
    rate, kept, sizes, weights, _ = world
    distribution = predictive(rate, kept, sizes, weights, rate.mean(axis=0), fraction=FRACTION)
    assert not distribution.cdf(np.full(rate.shape, -1)).any()


def test_coverage_counts_the_middle():
    assert coverage(np.linspace(0, 1, 100_001)) == pytest.approx({0.5: 0.5, 0.9: 0.9, 0.99: 0.99}, abs=1e-4)
