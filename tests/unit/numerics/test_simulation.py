import numpy as np
import pytest
from scipy.stats import nbinom

from scinfill.numerics import simulation


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.05, 2.0), (1.0, 0.5), (3.0, 0.1), (40.0, 0.05), (0.3, 1e-4)])
def test_counts_are_negative_binomial(mean, dispersion):
    n = 60_000
    counts = simulation.negative_binomial(np.full((n, 1), mean), np.array([dispersion]), rng()).toarray()[:, 0]
    reference = nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    spread = np.sqrt(reference.var() / n)
    assert counts.mean() == pytest.approx(mean, abs=5 * spread)
    assert counts.var() == pytest.approx(reference.var(), rel=0.15)
    seen, frequency = np.unique(counts, return_counts=True)
    common = frequency > 500
    expected = reference.pmf(seen[common])
    assert np.abs(frequency[common] / n - expected).max() < 5 * np.sqrt(0.25 / n)


def test_no_mean_no_molecule():
    counts = simulation.negative_binomial(np.zeros((50, 3)), np.ones(3), rng())
    assert counts.nnz == 0
    assert counts.shape == (50, 3)


def test_rows_keep_to_themselves():
    means = np.zeros((4, 3))
    means[2] = [5, 0, 50]
    counts = simulation.negative_binomial(means, np.full(3, 0.1), rng()).toarray()
    assert not counts[[0, 1, 3]].any()
    assert not counts[2, 1]
    assert counts[2, 2] > 10


def profiles(n_types=3, n_genes=200):
    return simulation.draw_profiles(n_types, n_genes, de_share=0.2, de_log2fc=1.5, silent_share=0.05, rng=rng())


def test_profiles_are_shares():
    drawn = profiles()
    np.testing.assert_allclose(drawn.shares.sum(axis=1), 1)
    assert (drawn.dispersions > 0).all()
    assert 0.01 < (drawn.shares == 0).mean() < 0.1


def test_types_fall_in_size_and_none_is_empty():
    sizes = np.bincount(simulation.draw_types(1000, 6, rng()))
    assert sizes.sum() == 1000
    assert (np.diff(sizes) < 0).all()
    assert np.bincount(simulation.draw_types(4, 4, rng())).tolist() == [1, 1, 1, 1]


def test_library_sizes_are_relative_to_the_median():
    sizes = simulation.draw_sizes(999, rng())
    assert np.median(sizes) == 1
    assert np.log(sizes).std() == pytest.approx(simulation.LOG_SIZE_SD, rel=0.1)


def cells(n_cells, n_types=3, n_genes=200):
    return simulation.Cells(
        types=simulation.draw_types(n_cells, n_types, rng()),
        batches=np.zeros(n_cells, dtype=int),
        sizes=simulation.draw_sizes(n_cells, rng()),
        batch_effects=np.ones((1, n_genes)),
    )


def test_totals_follow_depth_and_size():
    world, drawn = cells(800), profiles()
    counts, before = simulation.sample_counts(drawn, world, 500, rng(), dropout=None)
    assert before is None
    totals = np.asarray(counts.sum(axis=1)).ravel()
    assert np.corrcoef(totals, world.sizes)[0, 1] > 0.9
    assert np.median(totals) == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("density", [0.05, 0.3, 0.7])
def test_density_is_reached(density):
    world, drawn = cells(800), profiles()
    depth = simulation.depth_for_density(density, drawn, world)
    counts, _ = simulation.sample_counts(drawn, world, depth, rng(), dropout=None)
    assert counts.nnz / np.prod(counts.shape) == pytest.approx(density, rel=0.05)


def test_impossible_density_is_refused():
    with pytest.raises(ValueError, match="sign"):
        simulation.depth_for_density(0.999, profiles(), cells(100))


def test_dropout_only_loses_and_spares_what_is_high():
    world, drawn = cells(800), profiles()
    counts, before = simulation.sample_counts(drawn, world, 500, rng(), dropout=1.0)
    before, counts = before.toarray(), counts.toarray()
    assert (counts < before).any()
    assert ((counts == before) | (counts == 0)).all()
    share_kept = [(counts[before == height] > 0).mean() for height in (1, 10)]
    assert share_kept[0] < 0.7
    assert share_kept[1] > 0.85


def test_genes_that_differ_in_bulk():
    first = np.array([100.0, 100, 100, 1, 0])
    second = np.array([250.0, 120, 170, 1, 40])
    np.testing.assert_array_equal(simulation.differs(first, second), [1, 0, np.nan, np.nan, 1])


def test_bulk_libraries_are_close_to_the_profile():
    drawn = profiles()
    bulk = simulation.sample_bulk(drawn, 1e6, 3, rng())
    assert bulk.shape == (3, 3, 200)
    assert not bulk[:, 0][drawn.shares == 0].any()
    np.testing.assert_allclose(bulk.sum(axis=2), 1e6, rtol=0.1)
