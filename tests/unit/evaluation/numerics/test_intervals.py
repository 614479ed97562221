import numpy as np
import pytest

from scinfill.evaluation.numerics.intervals import (
    bootstrap_interval,
    mean,
    median,
    pooled_sums,
    ratio_of_sums,
    root_ratio_of_sums,
    value_of,
)


def interval(units, statistic=mean):
    return bootstrap_interval(units, statistic, np.random.default_rng(0))


def test_interval_of_a_mean_is_as_wide_as_theory_says():
    units = np.random.default_rng(1).normal(5, 2, size=(200, 1))
    low, high = interval(units)
    assert low < units.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * units.std() / np.sqrt(200), rel=0.2)


def test_paired_difference_is_narrower_than_its_parts():
    rng = np.random.default_rng(2)
    common = rng.normal(0, 5, size=300)
    units = np.column_stack([common + rng.normal(0, 0.1, size=300), common])
    low, high = interval(units, lambda pairs, times: mean(pairs, times) - mean(pairs[:, 1:], times))
    assert high - low < 0.1
    wide_low, wide_high = interval(units)
    assert wide_high - wide_low > 0.5


def test_two_units_have_no_interval():
    assert interval(np.ones((2, 1))) is None


def test_interval_that_is_not_a_number_is_none():
    assert (
        interval(np.column_stack([np.ones(5), np.zeros(5)]), lambda units, weights: np.full(len(weights), np.nan))
        is None
    )


def test_same_generator_same_interval():
    units = np.random.default_rng(3).normal(size=(50, 1))
    assert interval(units) == interval(units)


def test_statistics_of_sums():
    units = np.array([[4.0, 1.0], [12.0, 3.0]])
    assert value_of(ratio_of_sums, units) == 4
    assert value_of(root_ratio_of_sums, units) == 2


@pytest.mark.parametrize("n_units", [5, 6])
@pytest.mark.parametrize(
    ("statistic", "plain"),
    [
        (mean, lambda units: units[:, 0].mean()),
        (median, lambda units: np.median(units[:, 0])),
        (ratio_of_sums, lambda units: units[:, 0].sum() / units[:, 1].sum()),
        (root_ratio_of_sums, lambda units: np.sqrt(units[:, 0].sum() / units[:, 1].sum())),
    ],
)
def test_weights_count_units_as_often_as_they_were_drawn(statistic, plain, n_units):
    rng = np.random.default_rng(5)
    units = rng.gamma(2, 1, size=(n_units, 2)).round(1)
    draws = rng.integers(n_units, size=(40, n_units))
    weights = np.array([np.bincount(draw, minlength=n_units) for draw in draws], np.float64)
    np.testing.assert_allclose(statistic(units, weights), [plain(units[draw]) for draw in draws])


def test_a_median_leaves_out_what_is_not_a_number():
    units = np.array([[1.0], [np.nan], [3.0], [2.0]])
    np.testing.assert_array_equal(median(units, np.array([[1.0, 1, 1, 1], [1, 9, 0, 0], [0, 1, 0, 0]])), [2, 1, np.nan])


def test_pooled_units_keep_the_interval():
    rng = np.random.default_rng(4)
    units = np.column_stack([rng.gamma(2, 1, size=20_000), np.ones(20_000)])
    low, high = interval(pooled_sums(units), ratio_of_sums)
    assert high - low == pytest.approx(2 * 1.96 * units[:, 0].std() / np.sqrt(20_000), rel=0.2)


def test_pooling_pairs_the_same_units():
    units = np.arange(6000.0)[:, None]
    np.testing.assert_allclose(pooled_sums(2 * units), 2 * pooled_sums(units))


def test_a_ratio_of_nothing_is_not_a_number_and_no_warning():
    assert np.isnan(value_of(ratio_of_sums, np.zeros((3, 2))))
