import numpy as np
import pytest
from scipy import sparse

from scinfill.numerics import masking
from scinfill.numerics.sparse import canonical


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def matrix():
    values = np.random.default_rng(2).poisson(0.7, size=(60, 30))
    values[7] = 0
    return canonical(values, np.float32)


@pytest.mark.parametrize(("total", "size"), [(1000, 100), (1000, 1), (1000, 0), (1000, 1000), (1000, 999), (1, 1)])
def test_a_sample_has_its_size_and_no_repeats(rng, total, size):
    positions = masking.sample_positions(total, size, rng)
    assert len(positions) == size
    assert (np.diff(positions) > 0).all()
    assert size == 0 or (positions[0] >= 0 and positions[-1] < total)


@pytest.mark.slow
def test_every_position_and_every_pair_is_equally_likely(rng):
    """All 45 pairs of 10 positions, 9,000 draws: a chi-square statistic far above its mean would show a bias."""
    pairs = np.zeros((10, 10))
    for _ in range(9000):
        first, second = masking.sample_positions(10, 2, rng)
        pairs[first, second] += 1
    seen = pairs[np.triu_indices(10, 1)]
    assert seen.sum() == 9000
    assert ((seen - 200) ** 2 / 200).sum() < 44 + 6 * np.sqrt(88)


def test_samples_of_many_blocks(rng, monkeypatch):
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", 7)
    assert len(masking.sample_positions(1000, 100, rng)) == 100


def test_the_papers_number_of_nonzeros_is_hidden(matrix, rng):
    hidden = masking.hide_nonzeros(matrix, 0.13, rng)
    assert hidden.nnz == int(0.13 * matrix.nnz)
    assert (matrix.toarray()[hidden.toarray()] > 0).all()


@pytest.mark.parametrize(("fraction", "hidden"), [(0.29, 29), (0.1, 10), (0.999, 99)])
def test_a_share_is_rounded_down_but_not_below_a_whole_number(rng, fraction, hidden):
    assert masking.hide_entries((10, 10), fraction, rng).nnz == hidden


def test_hidden_entries_hold_zeros_in_their_share(rng):
    matrix = canonical(np.random.default_rng(0).random((200, 100)) < 0.2, np.float32)
    hidden = masking.hide_entries(matrix.shape, 0.25, rng)
    assert hidden.nnz == 5000
    assert abs(matrix.toarray()[hidden.toarray()].mean() - 0.2) < 0.03


@pytest.mark.parametrize("block", [1, 50, 10**6])
@pytest.mark.parametrize("kind", ["nonzeros", "entries"])
def test_what_is_split_comes_together_again(matrix, rng, monkeypatch, kind, block):
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", block)
    hidden = (
        masking.hide_nonzeros(matrix, 0.3, rng) if kind == "nonzeros" else masking.hide_entries(matrix.shape, 0.3, rng)
    )
    kept, truth = masking.split(matrix, hidden)
    where = hidden.toarray()
    assert kept.has_canonical_format
    assert np.count_nonzero(kept.data) == kept.nnz
    np.testing.assert_array_equal(kept.toarray(), np.where(where, 0, matrix.toarray()))
    np.testing.assert_array_equal(truth.toarray(), np.where(where, matrix.toarray(), 0))
    assert truth.nnz == hidden.nnz


def test_values_at_a_pattern_are_those_of_the_matrix_zeros_too(matrix, rng):
    for pattern in (masking.hide_entries(matrix.shape, 0.3, rng), masking.hide_nonzeros(matrix, 0.3, rng)):
        values = masking.values_at(matrix, pattern)
        np.testing.assert_array_equal(values, matrix.toarray()[pattern.nonzero()])
        assert values.dtype == matrix.dtype
    assert masking.values_at(matrix, sparse.csr_array(matrix.shape)).shape == (0,)


def test_splitting_changes_nothing(matrix, rng):
    before = matrix.copy()
    masking.split(matrix, masking.hide_entries(matrix.shape, 0.5, rng))
    assert (matrix != before).nnz == 0


def test_thinned_molecules_add_up_and_their_share_is_right(rng):
    counts = canonical(rng.poisson(20, size=(100, 50)), np.float32)
    kept, taken = masking.thin(counts, 0.1, rng)
    assert (kept + taken != counts).nnz == 0
    assert abs(taken.sum() / counts.sum() - 0.1) < 0.005
    for part in (kept, taken):
        assert part.has_canonical_format
        assert np.count_nonzero(part.data) == part.nnz


def test_the_molecules_taken_from_an_entry_are_binomial(rng):
    """One, several or many molecules alike; of less than one none can be taken."""
    counts = np.repeat([0.5, 1.0, 2.0, 30.0], 20_000).astype(np.float32)
    kept, taken = masking.thin(sparse.csr_array(counts[None]), 0.3, rng)
    drawn = taken.toarray().reshape(4, -1)
    np.testing.assert_allclose(drawn.mean(axis=1), [0, 0.3, 0.6, 9.0], rtol=0.05)
    np.testing.assert_allclose(drawn.var(axis=1), [0, 0.21, 0.42, 6.3], rtol=0.05)
    assert kept.data.min() > 0


def test_kept_and_taken_molecules_of_poisson_counts_are_independent(rng):
    counts = canonical(rng.poisson(5, size=(20000, 1)), np.float32)
    kept, taken = masking.thin(counts, 0.5, rng)
    assert abs(np.corrcoef(kept.toarray()[:, 0], taken.toarray()[:, 0])[0, 1]) < 0.03


def test_a_large_table_is_hidden_without_a_dense_mask(rng):
    """A thousand million entries, of which a few are hidden."""
    hidden = masking.hide_entries((1_000_000, 1_000), 1e-5, rng)
    assert hidden.nnz == 10_000
    assert isinstance(hidden, sparse.csr_array)
