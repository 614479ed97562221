"""What a model sees, and how some of it is taken away."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from _models import low_rank_world, observations, some_held_out
from scinfill.models.observations import Observations, pattern_of
from scinfill.numerics.masking import split


@pytest.fixture
def data():
    return low_rank_world(30, 20).data


def test_hidden_entries_vanish_from_values_and_counts(data):
    held_out = some_held_out(data.shape, share=0.3)
    visible = data.without(held_out)
    for part in ("log_values", "counts"):
        expected = np.where(held_out.toarray() > 0, 0, getattr(data, part).toarray())
        np.testing.assert_array_equal(getattr(visible, part).toarray(), expected)
        assert getattr(visible, part).has_canonical_format
        assert np.all(getattr(visible, part).data != 0)
    assert visible.size_factor is data.size_factor


def test_hiding_leaves_the_original_alone(data):
    before = data.log_values.copy()
    data.without(some_held_out(data.shape))
    np.testing.assert_array_equal(before.toarray(), data.log_values.toarray())


def test_a_stored_zero_in_the_pattern_hides_too():
    """Masks of zeros are stored zeros: the pattern counts, not its values."""
    pattern = csr_array((np.zeros(1, np.float32), np.array([1]), np.array([0, 1, 1])), (2, 2))
    np.testing.assert_array_equal(split(csr_array(np.ones((2, 2), np.float32)), pattern)[0].toarray(), [[1, 0], [1, 1]])


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_thinning_splits_the_molecules(data, fraction):
    kept, taken = data.thinned(fraction, np.random.default_rng(0))
    counts, size_factor = kept.molecules()
    np.testing.assert_array_equal((counts + taken).toarray(), data.counts.toarray())
    assert taken.sum() / data.counts.sum() == pytest.approx(fraction, rel=0.15)
    np.testing.assert_allclose(
        kept.log_values.toarray(), np.log2(1 + counts.toarray() / size_factor[:, None]), rtol=1e-6
    )
    assert np.all(counts.data > 0)
    assert np.all(taken.data > 0)
    assert size_factor is data.size_factor


def test_the_two_parts_are_independent_for_poisson_counts():
    counts = np.random.default_rng(0).poisson(10, size=(4000, 3))
    kept, taken = observations(counts).thinned(0.3, np.random.default_rng(1))
    for gene in range(3):
        assert abs(np.corrcoef(kept.counts.toarray()[:, gene], taken.toarray()[:, gene])[0, 1]) < 0.06


def test_some_cells(data):
    part = data.cells(np.array([3, 7]))
    assert part.shape == (2, 20)
    np.testing.assert_array_equal(part.counts.toarray(), data.counts.toarray()[[3, 7]])
    np.testing.assert_array_equal(part.size_factor, data.size_factor[[3, 7]])
    alone = Observations(data.log_values).cells(np.array([3]))
    assert alone.counts is None
    assert alone.size_factor is None


def test_without_counts_there_are_no_molecules(data):
    with pytest.raises(ValueError, match="counts and size factors are needed"):
        Observations(data.log_values).molecules()


def test_patterns_keep_their_entries():
    dense = np.random.default_rng(0).random((9, 7)) < 0.3
    dense[4] = False
    np.testing.assert_array_equal(pattern_of(*np.nonzero(dense), dense.shape).toarray(), dense)
