import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from scinfill.errors import DataError
from scinfill.evaluation.numerics.differential import benjamini_hochberg, rank_sum_z, roc, two_sided_p


@pytest.fixture
def counts():
    """Expression with many ties, more genes than one block holds."""
    rng = np.random.default_rng(1)
    return rng.poisson(rng.gamma(0.5, 2, size=300), size=(90, 300)).astype(np.float64)


def test_equals_scipy_with_ties(counts):
    first = np.arange(90) < 35
    ours = rank_sum_z(counts, first)
    reference = mannwhitneyu(counts[first], counts[~first], axis=0, method="asymptotic", use_continuity=False)
    varies = np.ptp(counts, axis=0) > 0
    np.testing.assert_allclose(two_sided_p(ours)[varies], reference.pvalue[varies], rtol=1e-9)
    above_centre = reference.statistic - first.sum() * (~first).sum() / 2
    assert np.corrcoef(ours[varies], above_centre[varies])[0, 1] > 0.5


def test_many_groups_at_once_equal_one_at_a_time(counts):
    codes = np.arange(90) % 4
    together = rank_sum_z(counts, codes[:, None] == np.arange(4))
    for code in range(4):
        np.testing.assert_allclose(together[:, code], rank_sum_z(counts, codes == code), atol=1e-9)


def test_constant_gene_is_no_evidence():
    values = np.ones((10, 2))
    values[5:, 1] = 2
    z = rank_sum_z(values, np.arange(10) >= 5)
    assert z[0] == 0
    assert z[1] > 2


def test_statistic_does_not_underflow_where_p_does():
    values = np.arange(12_000.0)[:, None]
    z = rank_sum_z(values, values[:, 0] >= 6000)
    assert two_sided_p(z)[0] == 0
    assert z[0] == pytest.approx(np.sqrt(3 * 6000 * 6000 / 12_001))


def test_false_discoveries_among_genes_called_after_adjustment_are_bounded():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(2000, 40))
    p[:400] = rng.uniform(high=1e-4, size=(400, 40))
    called = benjamini_hochberg(p) <= 0.05
    assert called[:400].mean() > 0.99
    false_share = called[400:].sum(axis=0) / called.sum(axis=0)
    assert 0.03 < false_share.mean() < 0.05


def test_adjusting_treats_every_column_as_its_own_family():
    p = np.random.default_rng(0).uniform(size=(50, 3))
    together = benjamini_hochberg(p)
    for column in range(3):
        np.testing.assert_array_equal(together[:, column], benjamini_hochberg(p[:, column]))


def test_empty_group_is_refused(counts):
    with pytest.raises(DataError, match="one group is empty"):
        rank_sum_z(counts, np.zeros(90, dtype=bool))


def test_roc_of_perfect_random_and_reversed_scores():
    truth = np.array([True, True, False, False])
    assert roc(truth, np.array([4.0, 3, 2, 1])).auc == 1
    assert roc(truth, np.ones(4)).auc == pytest.approx(0.5)
    curve = roc(truth, np.array([1.0, 2, 3, 4]))
    assert curve.auc == 0
    assert (curve.false_positive_rate[0], curve.true_positive_rate[-1]) == (0, 1)


@pytest.mark.parametrize("truth", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_roc_needs_both_kinds_of_genes(truth):
    with pytest.raises(DataError, match="genes that differ and genes that do not"):
        roc(truth, np.arange(3.0))
