import numpy as np
import pytest

from scinfill.errors import DataError
from scinfill.evaluation.numerics.variation import (
    coefficient_of_variation,
    decile_of_genes,
    expression_bins,
    share_of_zeros,
)


def test_variation_is_taken_on_the_linear_scale():
    linear = np.array([[1.0, 0.0], [3.0, 0.0]])
    cv = coefficient_of_variation(np.log2(1 + linear))
    assert cv[0] == pytest.approx(np.sqrt(2) / 2)
    assert np.isnan(cv[1])


def test_a_constant_gene_has_none_at_all():
    """The mean of equal numbers may differ from them in the last place, and 1e-16 is not a variation."""
    constants = np.random.default_rng(0).random(500).astype(np.float32)
    assert np.all(coefficient_of_variation(np.tile(constants, (112, 1))) == 0)


def test_library_depth_does_not_change_it():
    linear = np.random.default_rng(0).gamma(2, 5, size=(50, 8))
    once, twice = (coefficient_of_variation(np.log2(1 + scale * linear)) for scale in (1, 2))
    np.testing.assert_allclose(once, twice)


def test_one_cell_has_no_variation():
    with pytest.raises(DataError, match="two cells"):
        coefficient_of_variation(np.ones((1, 3)))


def test_bins_keep_unseen_genes_apart():
    bins = expression_bins(np.array([0.0, 5, 1, 3, 0, 2]), n_bins=2)
    assert bins.tolist() == [0, 2, 1, 2, 0, 1]


def test_share_of_zeros():
    np.testing.assert_allclose(share_of_zeros(np.array([[0.0, 0.2], [0.05, 1]]), threshold=0.1), [1, 0])


def test_deciles_are_even_and_ordered():
    deciles = decile_of_genes(np.arange(100)[::-1])
    assert np.bincount(deciles).tolist() == [10] * 10
    assert deciles[0] == 9
    assert deciles[-1] == 0
