"""What must hold of every score, whatever the data."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from scinfill.evaluation.numerics import calibration, clustering, differential, guard, intervals, molecules, variation
from scinfill.numerics import simulation

SEEDS = st.integers(0, 2**32 - 1)
REAL = st.floats(-50, 50, allow_nan=False, width=32)
COUNTS = st.integers(0, 30)


@given(st.floats(1e-3, 1e3), st.floats(0.01, 100))
def test_poisson_loss_is_least_at_the_rate(rate, factor):
    def loss(expected):
        return molecules.score_molecules(lambda _: (csr_array([[rate]]), np.array([[expected]])), (1, 1)).poisson

    # The ε inside the logarithm moves the least loss by as much.
    assert loss(rate) <= loss(rate * factor) + 2 * molecules.EPSILON


@given(arrays(np.int64, (25, 4), elements=COUNTS), SEEDS)
def test_rank_tests_see_order_alone(counts, seed):
    groups = np.random.default_rng(seed).permutation(25) < 10
    z = differential.rank_sum_z(counts.astype(float), groups)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z, differential.rank_sum_z(np.log2(1.0 + counts), groups), atol=1e-9)
    np.testing.assert_allclose(z, -differential.rank_sum_z(counts.astype(float), ~groups), atol=1e-9)


@given(arrays(np.int64, 30, elements=COUNTS), SEEDS)
def test_area_under_the_curve_by_ranks_is_the_curves(scores, seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(30) < 12
    times = np.stack([np.ones(30, int), rng.integers(1, 4, 30)])
    areas = differential.auc(truth, scores, times.astype(float))
    repeated = [differential.roc(np.repeat(truth, row), np.repeat(scores.astype(float), row)).auc for row in times]
    np.testing.assert_allclose(areas, repeated)
    np.testing.assert_allclose(areas, 1 - differential.auc(truth, -scores, times.astype(float)))


@given(SEEDS, st.integers(2, 4))
@settings(max_examples=20)
def test_structure_does_not_mind_the_order_of_genes_nor_the_names_of_labels(seed, n_labels):
    rng = np.random.default_rng(seed)
    values, codes = rng.normal(size=(30, 8)), np.arange(30) % n_labels
    renamed = rng.permutation(n_labels)[codes]
    genes = rng.permutation(8)
    components, turned = (clustering.principal_components(matrix, 2) for matrix in (values, values[:, genes]))
    np.testing.assert_allclose(
        clustering.silhouettes(components, codes), clustering.silhouettes(turned, renamed), atol=1e-5
    )
    plain = sorted(pair.cts for pair in clustering.cell_type_separability(values, codes))
    np.testing.assert_allclose(
        plain, sorted(pair.cts for pair in clustering.cell_type_separability(values[:, genes], renamed)), atol=1e-5
    )


@given(arrays(np.float64, (20, 6), elements=REAL), SEEDS)
def test_guard_shares_are_shares(values, seed):
    codes = np.random.default_rng(seed).permutation(20) % 2
    assert 0 <= guard.correlated_partners(values).mean() <= 1
    assert guard.called_differential(values, codes).shape == (6,)


@given(
    arrays(np.int64, (6, 3), elements=COUNTS),
    arrays(np.float64, 3, elements=st.floats(0, 1)),
    arrays(np.float64, (6, 3), elements=st.floats(0, 50)),
    st.floats(0.01, 0.9),
)
def test_predictive_distributions_are_distributions(kept, weights, rate, fraction):
    sizes = np.linspace(0.5, 2, 6)
    shrunk = (1 - weights) * rate + weights * kept / sizes[:, None]
    model = calibration.model_rate(shrunk, kept, sizes, weights)
    distribution = calibration.predictive(model, kept, sizes, weights, model.mean(axis=0), fraction=fraction)
    steps = np.stack([distribution.cdf(np.full((6, 3), count)) for count in (-1, 0, 1, 5, 10**7)])
    assert np.isfinite(steps).all()
    assert (np.diff(steps, axis=0) >= -1e-12).all()
    assert (steps[0] == 0).all()
    np.testing.assert_allclose(steps[-1], 1, atol=1e-6)
    assert (distribution.mean >= 0).all()


@given(arrays(np.float64, st.tuples(st.integers(3, 3000), st.just(2)), elements=st.floats(0.5, 5)))
@settings(max_examples=10, deadline=None)
def test_pooling_keeps_every_sum(units):
    pooled = intervals.pooled_sums(units)
    assert len(pooled) <= max(intervals.MAX_UNITS, 3)
    np.testing.assert_allclose(pooled.sum(axis=0), units.sum(axis=0))
    low, high = intervals.bootstrap_interval(pooled, intervals.ratio_of_sums, np.random.default_rng(0))
    assert low <= high


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 100)), st.integers(1, 8))
def test_bins_are_even_and_follow_expression(bulk, n_bins):
    bins = variation.expression_bins(bulk, n_bins)
    assert ((bins == 0) == (bulk == 0)).all()
    sizes = np.bincount(bins[bins > 0], minlength=n_bins + 1)[1:]
    assert sizes.max() - sizes.min() <= 1
    expressed = np.argsort(bulk[bulk > 0], kind="stable")
    assert (np.diff(bins[bulk > 0][expressed]) >= 0).all()


@given(arrays(np.float64, st.integers(1, 99), elements=st.floats(0, 9)))
def test_deciles_are_even_and_follow_the_mean(means):
    deciles = variation.decile_of_genes(means)
    sizes = np.bincount(deciles, minlength=10)
    assert sizes.size == 10
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(deciles[np.argsort(means, kind="stable")]) >= 0).all()


@given(
    arrays(np.float64, (5, 3), elements=st.floats(0.01, 100)),
    arrays(np.int64, (5, 3), elements=COUNTS),
    arrays(np.float64, 3, elements=st.floats(0, 0.95)),
    arrays(np.float64, 5, elements=st.floats(0.1, 10)),
)
def test_the_models_part_of_a_shrunk_value_is_found_again(rate, counts, weights, sizes):
    shrunk = (1 - weights) * rate + weights * counts / sizes[:, None]
    np.testing.assert_allclose(calibration.model_rate(shrunk, counts, sizes, weights), rate, rtol=1e-6, atol=1e-9)


@given(
    arrays(np.float64, (5, 3), elements=st.floats(0.01, 50)),
    arrays(np.int64, (5, 3), elements=COUNTS),
    arrays(np.int64, (5, 3), elements=COUNTS),
    arrays(np.float64, 3, elements=st.floats(0, 1)),
    SEEDS,
)
def test_a_pit_lies_where_its_count_does_and_wider_intervals_cover_more(rate, kept, heldout, weights, seed):
    distribution = calibration.predictive(rate, kept, np.ones(5), weights, rate.mean(axis=0), fraction=0.1)
    pit = calibration.randomised_pit(distribution, heldout, np.random.default_rng(seed))
    assert (pit >= distribution.cdf(heldout - 1)).all()
    assert (pit <= distribution.cdf(heldout)).all()
    covered = list(calibration.coverage(pit, (0.1, 0.5, 0.9, 1.0)).values())
    assert covered == sorted(covered)
    assert covered[-1] == 1


@given(arrays(np.float32, (8, 5), elements=st.floats(0, 1e4, width=32)), SEEDS, st.floats(-5, 20))
def test_simulated_counts_are_none_where_nothing_is_expressed_and_dropout_only_loses(means, seed, midpoint):
    rng = np.random.default_rng(seed)
    counts = simulation.negative_binomial(means, rng.uniform(0.05, 3, 5), rng)
    assert (counts.data > 0).all()
    assert not counts.toarray()[means == 0].any()
    left = simulation.drop_out(counts, means, midpoint, rng).toarray()
    assert ((left == 0) | (left == counts.toarray())).all()


@given(st.integers(1, 300), st.integers(1, 20), SEEDS)
def test_every_type_has_cells_if_there_are_enough(n_cells, n_types, seed):
    types = simulation.draw_types(n_cells, n_types, np.random.default_rng(seed))
    assert types.size == n_cells
    assert 0 <= types.min() <= types.max() < n_types
    assert len(set(types.tolist())) == min(n_cells, n_types) or n_cells < n_types
