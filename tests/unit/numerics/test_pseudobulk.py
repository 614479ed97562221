import numpy as np
import pytest
from scipy import stats

from scinfill.numerics.pseudobulk import Pseudobulk, compare, sums_by
from scinfill.numerics.sparse import canonical


def side(counts, n_cells=None, depth=None):
    counts = np.asarray(counts, dtype=float)
    n_cells = np.full(len(counts), 50.0) if n_cells is None else np.asarray(n_cells, dtype=float)
    return Pseudobulk(n_cells, n_cells if depth is None else np.asarray(depth, dtype=float), counts)


def logs(of, depth=50):
    return np.log2(of.counts / of.depth[:, None] + 0.5 / depth)


def draws(n, seed, *, effect=0.0, n_genes=400):
    """Return counts of two sides of the same replicates, whose means vary between replicates, and within them."""
    rng = np.random.default_rng(seed)
    own = rng.normal(5, 1, (n, n_genes))
    return [side(rng.poisson(2 ** (own + rng.normal(change, 0.4, own.shape)))) for change in (effect, 0)]


def test_sums_are_those_of_the_cells():
    counts, members = np.arange(12).reshape(4, 3), np.array([[1, 0], [0, 1], [1, 0], [0, 0]])
    assert sums_by(canonical(counts), canonical(members)).tolist() == (members.T @ counts).tolist()


def test_replicates_with_both_sides_are_paired():
    first, second = draws(5, 0)
    found = compare(first, second)
    theirs = stats.ttest_rel(logs(first), logs(second))
    np.testing.assert_allclose(found.p, theirs.pvalue)
    np.testing.assert_allclose(found.t, theirs.statistic)


def test_replicates_of_one_side_each_are_not():
    first, second = draws(6, 1)
    there, here = np.array([50, 50, 50, 0, 0, 0]), np.array([0, 0, 0, 50, 50, 50])
    found = compare(side(first.counts, there), side(second.counts, here))
    theirs = stats.ttest_ind(logs(first)[:3], logs(second)[3:], equal_var=False)
    np.testing.assert_allclose(found.p, theirs.pvalue)


@pytest.mark.parametrize("cells", [[50, 0, 2], [0, 0, 0]])
def test_one_replicate_is_not_enough(cells):
    first, second = draws(3, 2)
    assert compare(side(first.counts, cells), second) is None


def test_genes_that_do_not_differ_are_called_as_often_as_they_should():
    """Between replicates means differ twofold; a test of their cells would call nearly all of them."""
    called = [np.mean(compare(*draws(4, seed)).p < 0.05) for seed in range(8)]
    assert 0.03 < np.mean(called) < 0.07
    assert np.mean(compare(*draws(6, 9, effect=1.5)).p < 0.01) > 0.8


def test_the_interval_is_as_wide_as_the_test_says():
    first, second = draws(5, 3)
    found = compare(first, second)
    difference = (logs(first) - logs(second)).mean(axis=0)
    assert np.array_equal(abs(difference) > found.half_width, found.p < 0.05)


def test_a_gene_that_nobody_has_says_nothing():
    first, second = side(np.zeros((3, 1))), side(np.zeros((3, 1)))
    found = compare(first, second)
    assert (found.t[0], found.p[0], found.half_width[0]) == (0, 1, 0)
