import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scinfill.numerics.rounding import is_fractional, rounded_at_random, snap_whole
from scinfill.numerics.sparse import canonical


@given(st.integers(0, 100_000))
def test_what_float32_makes_of_a_whole_number_is_that_number(count):
    back = np.expm1(np.log1p(np.array([count], np.float32))) * np.float32(1.1) / np.float32(1.1)
    assert not is_fractional(back).any()


@pytest.mark.parametrize("value", [0.5, 0.01, 1e-5, 0.999, 1.001, 1000.1])
def test_fractions_are_fractions(value):
    assert is_fractional(np.array([value])).all()


def test_snapping_leaves_whole_numbers_and_no_stored_zeros():
    values = canonical(np.array([[1.0000002, 0, 2.9999], [1e-7, 5, 0]]))
    found = snap_whole(values)
    np.testing.assert_array_equal(found.toarray(), [[1, 0, 3], [0, 5, 0]])
    assert found.nnz == 3
    assert values.nnz == 4


def test_exact_counts_are_not_copied():
    for dtype in (np.float32, np.float64, np.int64):
        values = canonical(np.array([[1, 0], [2, 3]]), dtype)
        assert snap_whole(values) is values


@given(st.floats(0.01, 20), st.integers(0, 5))
def test_a_fraction_becomes_a_whole_number_beside_it(value, seed):
    found = rounded_at_random(canonical(np.full((3, 3), value)), np.random.default_rng(seed)).toarray()
    assert set(np.unique(found)) <= {np.floor(value), np.ceil(value), np.rint(value)}


def test_the_mean_of_every_fraction_stays():
    fractions = np.array([0.1, 0.4, 0.97, 2.5, 7.25])
    values = canonical(np.tile(fractions, (20_000, 1)))
    means = rounded_at_random(values, np.random.default_rng(0)).toarray().mean(axis=0)
    np.testing.assert_allclose(means, fractions, atol=5 * 0.5 / np.sqrt(20_000))


def test_rounding_invents_no_correlation():
    values = canonical(np.full((20_000, 4), 0.5))
    found = np.corrcoef(rounded_at_random(values, np.random.default_rng(0)).toarray(), rowvar=False)
    assert abs(found[np.triu_indices(4, 1)]).max() < 0.04


def test_whole_numbers_stay_whatever_the_seed():
    values = canonical(np.array([[1.0, 2.9999999], [7, 0]]))
    for seed in range(20):
        found = rounded_at_random(values, np.random.default_rng(seed)).toarray()
        np.testing.assert_array_equal(found, [[1, 3], [7, 0]])


def test_the_input_stays():
    values = canonical(np.array([[0.5, 1.5], [2.5, 0]]))
    before = values.toarray()
    rounded_at_random(values, np.random.default_rng(0))
    np.testing.assert_array_equal(values.toarray(), before)
