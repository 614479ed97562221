import numpy as np
import pytest
from scipy.stats import spearmanr

from scinfill.evaluation.numerics import association


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_centred_log_ratios_have_a_mean_of_zero_in_every_cell(rng):
    counts = rng.poisson(5, size=(30, 7))
    ratios = association.centred_log_ratio(counts)
    np.testing.assert_allclose(ratios.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(ratios, axis=1), np.diff(np.log1p(counts), axis=1))


@pytest.mark.parametrize("n_blocks", [1, 3, 10])
def test_correlations_do_not_depend_on_the_blocks(rng, n_blocks):
    x, y = rng.normal(1e4, 1, size=(90, 4)), rng.normal(size=(90, 4))
    y[:, 1] += 2 * x[:, 1]
    groups = rng.integers(0, 3, size=90)
    parts = np.array_split(np.arange(90), n_blocks)
    found = association.correlate(((x[part], y[part], groups[part]) for part in parts), 3)
    for column in range(4):
        assert found.overall[column] == pytest.approx(np.corrcoef(x[:, column], y[:, column])[0, 1], abs=1e-9)
        for group in range(3):
            inside = groups == group
            expected = np.corrcoef(x[inside, column], y[inside, column])[0, 1]
            assert found.by_group[group, column] == pytest.approx(expected, abs=1e-9)
    np.testing.assert_array_equal(found.n_cells, np.bincount(groups))


def test_what_does_not_vary_has_no_correlation(rng):
    x = np.full((50, 2), 0.1, dtype=np.float32)
    x[:, 1] = np.arange(50) % 2
    groups = np.arange(50) % 2
    found = association.correlate([(x, rng.normal(size=(50, 2)), groups)], 4)
    assert found.overall[0] == 0
    assert found.overall[1] != 0
    assert (found.by_group == 0).all()


def test_the_mean_within_groups_is_weighted_by_cells():
    found = association.Correlations(np.array([10, 30]), np.zeros(1), np.array([[1.0], [0.0]]))
    assert found.within(np.array([0, 1])).item() == pytest.approx(0.25)


def test_components_explain_what_follows_them_and_nothing_else(rng):
    components = rng.normal(size=(500, 3)) * [10, 1, 0.01]
    targets = np.column_stack([components @ [0.1, 1, 100], rng.normal(size=500)])
    explained = association.explain(components, targets, seed=0)
    assert explained[0] > 0.999
    assert abs(explained[1]) < 0.05


def test_components_that_are_rounding_do_no_harm(rng):
    """Beyond the rank of an estimate: tiny in nearly all cells, and far out in some."""
    leading = rng.normal(size=(300, 2))
    target = leading[:, :1]
    rounding = np.where(rng.random((300, 18)) < 0.01, 1e-5, 0)
    assert association.explain(np.hstack([leading, rounding]), target, seed=0) == pytest.approx(
        association.explain(leading, target, seed=0)
    )


def test_permuting_keeps_every_cell_in_its_group(rng):
    groups = rng.integers(0, 4, size=200)
    order = association.permute_within(groups, rng)
    np.testing.assert_array_equal(np.sort(order), np.arange(200))
    np.testing.assert_array_equal(groups[order], groups)
    assert (order != np.arange(200)).mean() > 0.9


def test_rank_correlations_are_those_of_scipy(rng):
    values, dose = rng.poisson(1, size=(80, 5)).astype(np.float32), rng.choice([0, 0.5, 1], size=80)
    values[:, 0] = 3
    expected = [spearmanr(values[:, gene], dose).statistic for gene in range(1, 5)]
    np.testing.assert_allclose(association.spearman(values, dose), [0, *expected], atol=1e-9)
