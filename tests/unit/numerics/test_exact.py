"""Exact products: near the true ones, and a row is the same whatever stands around it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scinfill.numerics.exact import exact_product, multiply_rounded, round_columns


def matrices(n_rows: int, n_inner: int, n_columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.normal(size=(n_rows, n_inner)) * rng.lognormal(0, 2, size=(n_rows, 1))
    return left.astype(np.float32), rng.normal(size=(n_inner, n_columns)).astype(np.float32)


@pytest.mark.parametrize("shape", [(7, 1000, 76), (300, 10, 500), (1, 1, 1), (40, 20_000, 3)])
def test_products_are_near_the_true_ones(shape):
    left, right = matrices(*shape)
    true = left.astype(np.float64) @ right.astype(np.float64)
    scale = np.abs(left).max(axis=1, keepdims=True) * np.abs(right).max(axis=0) * np.sqrt(shape[1])
    assert (np.abs(exact_product(left, right) - true) <= 1e-5 * scale).all()


@given(n_rows=st.integers(1, 60), n_inner=st.integers(1, 200), n_columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_row_does_not_depend_on_the_others(n_rows, n_inner, n_columns, seed):
    left, right = matrices(n_rows, n_inner, n_columns, seed)
    whole = exact_product(left, right)
    order = np.random.default_rng(seed).permutation(n_rows)
    np.testing.assert_array_equal(exact_product(left[order], right), whole[order])
    np.testing.assert_array_equal(exact_product(left[-1:], right), whole[-1:])


def test_the_order_of_the_sum_does_not_matter():
    left, right = matrices(20, 777, 30)
    order = np.random.default_rng(1).permutation(777)
    np.testing.assert_array_equal(exact_product(left[:, order], right[order]), exact_product(left, right))


def test_a_row_of_zeros_gives_zeros():
    left, right = matrices(3, 5, 4)
    left[1] = 0
    assert (exact_product(left, right)[1] == 0).all()
    assert exact_product(left, right * 0).any() == np.False_


@given(n_rows=st.integers(1, 40), n_inner=st.integers(2, 200), n_columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_right_side_is_rounded_once_for_all_of_its_products(n_rows, n_inner, n_columns, seed):
    left, right = matrices(n_rows, n_inner, n_columns, seed)
    rounded = round_columns(right)
    np.testing.assert_array_equal(multiply_rounded(left, rounded), exact_product(left, right))
    by_columns = multiply_rounded(left, rounded, by_columns=True)
    np.testing.assert_array_equal(by_columns, exact_product(left, right))
    some = n_inner // 2  # of the same right side: whatever the order, too
    order = np.random.default_rng(seed).permutation(some)
    whole = multiply_rounded(left[:, :some], rounded[:some])
    np.testing.assert_array_equal(multiply_rounded(left[:, order], rounded[order]), whole)


@pytest.mark.parametrize("n_inner", [3, 1000])
def test_single_and_double_precision_round_to_the_same_numbers(n_inner):
    left, right = matrices(9, n_inner, 5)
    np.testing.assert_array_equal(exact_product(left, right), exact_product(left.astype(float), right.astype(float)))
