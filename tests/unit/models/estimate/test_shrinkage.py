"""One weight a gene: none for what was seen where the model says all, all of it where the model is useless."""

import numpy as np
import pytest

from _models import Given, low_rank_world, observations
from scinfill.models.estimate.shrinkage import BORROWED_MOLECULES, GRID, NEIGHBOURS, choose_weights, loglikelihood_grid
from scinfill.models.estimate.values import ExpectedCounts, gated_model

N_CELLS, N_GENES = 3000, 20
SHARE = 0.1


def weights_for(rate, model, *, seed=0):
    """Return w_g for counts drawn from ``rate`` and a model that says ``model``.

    Thinning tells w_g to about 1/√(share · cells), whatever the depth.
    """
    rng = np.random.default_rng(seed)
    size_factor = rng.lognormal(0, 0.4, N_CELLS)
    data = observations(rng.poisson(size_factor[:, None] * rate), size_factor)
    kept, taken = data.thinned(SHARE, rng)
    gated = gated_model(Given(np.log(model)), "poisson", kept, np.ones(N_GENES, np.float32), match_totals=True)
    grid = loglikelihood_grid(ExpectedCounts(gated, size_factor), kept.counts, taken)
    return choose_weights(grid, taken.sum(axis=0), data.counts.sum(axis=0))


def test_noise_around_the_model_gets_no_weight():
    model = np.exp(np.random.default_rng(1).normal(2, 0.7, (N_CELLS, N_GENES)))
    weights = np.array([weights_for(model, model, seed=seed) for seed in range(8)])  # the mean of one scatters to .05
    assert weights.mean() < 0.03
    assert weights.mean(axis=0).max() <= 0.06


def test_where_the_model_is_useless_what_was_seen_counts():
    truth = np.exp(np.random.default_rng(1).normal(2, 1.5, (N_CELLS, N_GENES)))
    assert np.all(weights_for(truth, np.full((N_CELLS, N_GENES), 5.0)) >= 0.6)


def test_the_weight_grows_with_what_the_model_misses():
    rng = np.random.default_rng(1)
    model = np.exp(rng.normal(2, 0.5, (N_CELLS, N_GENES)))
    means = [
        weights_for(model * rng.lognormal(-(spread**2) / 2, spread, model.shape), model).mean()
        for spread in (0.0, 0.15, 0.4, 1.2)
    ]
    assert means == sorted(means)
    assert means[0] < 0.03
    assert means[-1] > 0.4


def test_likelihood_by_its_definition():
    world = low_rank_world()
    kept, taken = world.data.thinned(SHARE, np.random.default_rng(0))
    counts, size_factor = kept.molecules()
    model = gated_model(Given(np.log(world.rate)), "poisson", kept, np.ones(40, np.float32), match_totals=False)
    found = loglikelihood_grid(ExpectedCounts(model, size_factor), counts, taken)
    expected_counts = size_factor[:, None] * world.rate
    for row, weight in zip(found, GRID, strict=True):
        mixture = (1 - weight) * expected_counts + weight * counts.toarray()
        expected = np.sum(taken.toarray() * np.log(mixture + 1e-6), axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-3)


def test_with_matched_totals_the_likelihood_ranks_as_the_poisson_deviance():
    """Σ μ is the same for every weight, so leaving it out changes no choice."""
    world = low_rank_world(300, 20)
    kept, _ = world.data.thinned(SHARE, np.random.default_rng(0))
    counts, size_factor = kept.molecules()
    model = gated_model(Given(np.log(world.rate)), "poisson", kept, np.ones(20, np.float32), match_totals=True)
    expected = ExpectedCounts(model, size_factor)
    blocks = expected.block(slice(0, 300)).astype(float)
    sums = [((1 - weight) * blocks + weight * counts.toarray()).sum(axis=0) for weight in GRID]
    np.testing.assert_allclose(sums, np.broadcast_to(sums[0], np.shape(sums)), rtol=1e-4)


def test_enough_molecules_decide_alone():
    """A gene with many molecules and a clear optimum ignores neighbours that say otherwise."""
    n_genes = 30
    neighbours = -np.abs(np.arange(len(GRID)) - 2.0)[:, None] * np.ones(n_genes)
    loglikelihood = neighbours.copy()
    loglikelihood[:, 7] = -1e4 * np.abs(np.arange(len(GRID)) - 9.0)
    molecules = np.full(n_genes, 10.0)
    molecules[7] = 1e6
    chosen = choose_weights(loglikelihood, molecules, np.arange(n_genes, dtype=float))
    assert chosen[7] == np.float32(GRID[9])


def test_a_gene_without_molecules_follows_genes_of_similar_mean():
    n_genes = 4 * NEIGHBOURS
    mean = np.random.default_rng(0).permutation(n_genes).astype(float)
    best = np.where(mean < n_genes / 2, 2, 9)
    loglikelihood = -10 * np.abs(np.arange(len(GRID))[:, None] - best)
    molecules = np.full(n_genes, 100.0)
    for gene in np.flatnonzero((mean == 20) | (mean == n_genes - 20)):
        loglikelihood[:, gene] = 0
        molecules[gene] = 0
        assert choose_weights(loglikelihood, molecules, mean)[gene] == np.float32(GRID[best[gene]])


def test_advice_counts_as_much_as_so_many_molecules():
    """Two genes of equal mean: advice of slope 1/molecule against an own slope of the opposite sign."""
    index = np.arange(len(GRID), dtype=float)
    mean = np.zeros(NEIGHBOURS)
    loglikelihood = np.tile(-index[:, None] * 100, NEIGHBOURS)
    molecules = np.full(NEIGHBOURS, 100.0)
    for own, expected in ((0.8 * BORROWED_MOLECULES, GRID[0]), (1.3 * BORROWED_MOLECULES, GRID[-1])):
        loglikelihood[:, 0] = index * own
        assert choose_weights(loglikelihood, molecules, mean)[0] == np.float32(expected)


@pytest.mark.parametrize("n_genes", [1, 2, 7])
def test_few_genes(n_genes):
    chosen = choose_weights(np.zeros((len(GRID), n_genes)), np.zeros(n_genes), np.zeros(n_genes))
    np.testing.assert_array_equal(chosen, 0)


def test_the_grid_runs_from_the_model_to_what_was_seen():
    assert GRID[0] == 0
    assert GRID[-1] == 1
    assert np.all(np.diff(GRID) > 0)
