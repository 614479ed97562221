import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import mannwhitneyu, norm

from scinfill.evaluation.numerics.differential import rank_sum_z as dense_z
from scinfill.numerics import ranks
from scinfill.numerics.ranks import Comparison, rank_sum_z
from scinfill.numerics.sparse import canonical


def expected(values, members):
    """Return z from scipy's U, by the definition of its tie-corrected variance."""
    n, n_group = len(members), members.sum()
    z = []
    for gene in values.T:
        u = mannwhitneyu(gene[members], gene[~members], method="asymptotic", use_continuity=False).statistic
        _, ties = np.unique(gene, return_counts=True)
        variance = n_group * (n - n_group) / 12 * (n + 1 - (ties**3 - ties).sum() / (n * (n - 1)))
        z.append((u - n_group * (n - n_group) / 2) / np.sqrt(variance) if variance > 0 else 0)
    return np.array(z)


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_it_is_the_mann_whitney_test_of_scipy(seed, mean, same_depth):
    rng = np.random.default_rng(seed)
    n_cells = int(rng.integers(4, 40))
    counts = rng.poisson(mean * rng.gamma(1, 1, (1, 7)), (n_cells, 7))
    size_factor = np.ones(n_cells) if same_depth else rng.choice([0.5, 1, 2], n_cells)
    members = rng.permutation(np.arange(n_cells) < rng.integers(1, n_cells))
    found = rank_sum_z(canonical(counts), size_factor, [Comparison(np.arange(n_cells), members)])
    np.testing.assert_allclose(found[0], expected(counts / size_factor[:, None], members), atol=1e-9)


def test_p_is_that_of_scipy():
    rng = np.random.default_rng(0)
    counts, members = rng.poisson(0.4, (200, 5)), np.arange(200) < 60
    z = rank_sum_z(canonical(counts), np.ones(200), [Comparison(np.arange(200), members)])[0]
    theirs = mannwhitneyu(counts[members], counts[~members], method="asymptotic", use_continuity=False)
    np.testing.assert_allclose(2 * norm.sf(abs(z)), theirs.pvalue)


@pytest.mark.parametrize("together", [True, False])
def test_blocks_of_genes_change_nothing(monkeypatch, together):
    rng = np.random.default_rng(1)
    counts = canonical(sparse.random_array((90, 50), density=0.2, rng=rng, format="csr"))
    size_factor, codes = rng.lognormal(0, 0.5, 90), np.arange(90) % 3
    cells = [np.arange(90)] * 3 if together else [np.flatnonzero(codes != (group + 1) % 3) for group in range(3)]
    comparisons = [Comparison(rows, codes[rows] == group) for group, rows in enumerate(cells)]
    whole = rank_sum_z(counts, size_factor, comparisons)
    monkeypatch.setattr(ranks, "ENTRIES_PER_BLOCK", 40)
    assert np.array_equal(rank_sum_z(counts, size_factor, comparisons), whole)
    for one, found in zip(comparisons, whole, strict=True):
        values = counts.toarray()[one.cells] / size_factor[one.cells, None]
        np.testing.assert_allclose(found, dense_z(values.astype(np.float32), one.members), atol=1e-9)


def test_equal_ratios_are_ties_whatever_the_rounding():
    totals = np.arange(1.0, 13)
    size_factor = totals / 7
    assert len(set(totals / size_factor)) > 1
    comparison = Comparison(np.arange(12), np.arange(12) < 6)
    assert rank_sum_z(canonical(totals[:, None]), size_factor, [comparison])[0, 0] == 0


def test_a_gene_that_nobody_or_everybody_has_alike_is_zero():
    counts = canonical(np.column_stack([np.zeros(10), np.full(10, 3), np.arange(10)]))
    z = rank_sum_z(counts, np.ones(10), [Comparison(np.arange(10), np.arange(10) < 5)])[0]
    assert z[0] == z[1] == 0
    assert z[2] < -2
