import numpy as np
import pytest

from scinfill.numerics.normalization import (
    library_sizes,
    log2_counts,
    normalize,
    size_factors,
    solve_size_factors,
    whole_multiples,
)
from scinfill.numerics.sparse import canonical

COUNTS = canonical(np.array([[4, 0, 6], [0, 0, 0], [20, 10, 10], [1, 1, 3]]), np.float64)


def test_library_size_counts_the_genes_asked_for():
    np.testing.assert_array_equal(library_sizes(COUNTS, [True, True, True]), [10, 0, 40, 5])
    np.testing.assert_array_equal(library_sizes(COUNTS, [True, False, False]), [4, 0, 20, 1])


def test_the_median_cell_has_size_one_and_an_empty_cell_too():
    np.testing.assert_array_equal(size_factors(np.array([10.0, 0, 40, 5])), [1, 1, 4, 0.5])


def test_sizes_of_nothing_but_empty_cells():
    np.testing.assert_array_equal(size_factors(np.zeros(3)), np.ones(3))


def test_logarithm_of_normalised_counts(monkeypatch):
    """Also where a block holds one row only."""
    factors = np.array([1, 1, 4, 0.5])
    expected = np.log2(1 + COUNTS.toarray() / factors[:, np.newaxis])
    np.testing.assert_allclose(log2_counts(COUNTS, factors).toarray(), expected, rtol=1e-6)
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", 1)
    np.testing.assert_allclose(log2_counts(COUNTS, factors).toarray(), expected, rtol=1e-6)
    np.testing.assert_allclose(normalize(COUNTS, factors).toarray(), COUNTS.toarray() / factors[:, np.newaxis])


def test_the_logarithm_shares_nothing_with_the_counts():
    values = log2_counts(COUNTS, np.ones(4))
    assert not np.shares_memory(values.indices, COUNTS.indices)
    assert not np.shares_memory(values.indptr, COUNTS.indptr)


def test_size_factors_are_found_again():
    factors = np.array([0.3, 1, 2.5, 7])
    solved = solve_size_factors(log2_counts(COUNTS, factors), COUNTS)
    np.testing.assert_allclose(solved, [0.3, 1, 2.5, 7], rtol=1e-6)


@pytest.mark.parametrize("base", [2, np.e, 10])
def test_the_right_base_gives_whole_multiples(base):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.5, size=(50, 40)) / rng.lognormal(size=(50, 1))
    values = canonical(np.log1p(counts) / np.log(base), np.float32)
    shares = {other: whole_multiples(values, other) for other in (2, np.e, 10)}
    assert shares.pop(base) > 0.99
    assert max(shares.values()) < 0.1


def test_values_that_were_never_logged_have_whole_multiples_without_a_base():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.5, size=(50, 40)) / rng.lognormal(size=(50, 1))
    assert whole_multiples(canonical(counts, np.float32), None) > 0.99


def test_droplets_without_a_cell_do_not_set_the_scale():
    totals = np.array([1.0, 1, 1, 0, 100, 300])
    np.testing.assert_allclose(size_factors(totals, totals > 50), [0.005, 0.005, 0.005, 1, 0.5, 1.5])


def test_values_that_never_were_counts_have_no_whole_multiples():
    values = canonical(np.random.default_rng(0).random((50, 40)) * 10, np.float32)
    assert whole_multiples(values, 2) < 0.1
