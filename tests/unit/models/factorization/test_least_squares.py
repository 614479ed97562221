import numpy as np
import pytest

from scinfill.models.factorization.arrays import HOST
from scinfill.models.factorization.least_squares import column_pairs, solve_packed


def systems(n, k, *, dtype=np.float64, seed=0):
    """Return random positive definite matrices, packed and whole, and right-hand sides."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n, k, k + 3))
    whole = half @ half.transpose(0, 2, 1)
    return whole[:, *column_pairs(k)].astype(dtype), whole, rng.normal(size=(n, k)).astype(dtype)


@pytest.mark.parametrize("k", [1, 2, 5, 11, 21])
@pytest.mark.parametrize("n", [1, 7])
def test_each_row_is_solved(n, k):
    packed, whole, gradient = systems(n, k)
    ridge = np.linspace(0.5, 3, k)
    trace = np.trace(whole, axis1=1, axis2=2)[:, None, None]
    expected = np.linalg.solve(whole + np.diag(ridge) + 1e-6 * trace * np.eye(k), gradient[:, :, None])[:, :, 0]
    np.testing.assert_allclose(solve_packed(packed, gradient, ridge), expected, rtol=1e-8)


def test_the_guard_changes_a_well_posed_solution_little():
    packed, whole, gradient = systems(20, 6)
    expected = np.linalg.solve(whole + np.eye(6), gradient[:, :, None])[:, :, 0]
    np.testing.assert_allclose(solve_packed(packed, gradient, np.ones(6)), expected, rtol=1e-3, atol=1e-4)


def test_single_precision_stays_single_and_close():
    packed, whole, gradient = systems(50, 10, dtype=np.float32)
    ridge = np.full(10, 5, np.float32)
    solution = solve_packed(packed, gradient, ridge)
    assert solution.dtype == np.float32
    expected = np.linalg.solve(whole + 5 * np.eye(10), gradient[:, :, None].astype(float))[:, :, 0]
    np.testing.assert_allclose(solution, expected, rtol=2e-3, atol=1e-4)


def test_the_arguments_are_left_alone():
    packed, _, gradient = systems(4, 3)
    before = packed.copy(), gradient.copy()
    solve_packed(packed, gradient, np.ones(3))
    np.testing.assert_array_equal(packed, before[0])
    np.testing.assert_array_equal(gradient, before[1])


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_a_row_that_nothing_is_known_of_stays_where_it_is(ridge):
    solution = solve_packed(np.zeros((3, 6)), np.zeros((3, 3)), np.full(3, ridge))
    np.testing.assert_array_equal(solution, 0)


def test_a_singular_row_is_solved_in_what_it_knows():
    """One observation, three unknowns, no ridge: the residual vanishes and nothing explodes."""
    design = np.array([1.0, 2.0, -1.0])
    packed = np.outer(design, design)[column_pairs(3)][None]
    solution = solve_packed(packed, 4 * design[None], np.zeros(3))
    assert np.abs(solution).max() < 10
    np.testing.assert_allclose(solution @ design, 4, rtol=1e-4)


def test_pair_products_are_the_packed_outer_products():
    design = np.random.default_rng(0).normal(size=(6, 4))
    expected = np.einsum("ni,nj->nij", design, design)[:, *column_pairs(4)]
    np.testing.assert_array_equal(HOST.pair_products(design), expected)
