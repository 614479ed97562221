import numpy as np
import pandas as pd
import pytest

from _support import shared
from scinfill.numerics.filtering import seen_genes
from scinfill.numerics.normalization import library_sizes, normalize, size_factors
from scinfill.numerics.selection import GeneMoments, dispersion_scores, gene_moments, top_genes
from scinfill.numerics.sparse import canonical


def test_the_published_genes_and_values_are_reproduced():
    """The papers' own pair of files: same 1,000 genes, same order, values to 1e-10."""
    raw = pd.read_csv(shared("golden/blakeley_raw_counts.csv"))
    published = pd.read_csv(shared("golden/blakeley_processed_log2.csv"))
    counts = canonical(raw.to_numpy().T, np.float64)
    kept = seen_genes(counts, min_counts=3, min_cells=4)
    assert kept.sum() == 10850
    factors = size_factors(library_sizes(counts, kept))
    filtered = counts[:, np.flatnonzero(kept)]
    chosen = top_genes(dispersion_scores(gene_moments(filtered, factors)), 1000)
    assert raw.index[kept][chosen].tolist() == published.columns.tolist()
    values = np.log2(1 + normalize(filtered, factors).toarray()[:, chosen])
    np.testing.assert_allclose(values, published.to_numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("block", [1, 1000])
def test_moments_are_those_of_the_dense_matrix(monkeypatch, block):
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", block)
    rng = np.random.default_rng(1)
    counts, factors = rng.poisson(2, size=(20, 15)), rng.lognormal(size=20)
    values = counts / factors[:, np.newaxis]
    moments = gene_moments(canonical(counts, np.int64), factors)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0))
    np.testing.assert_allclose(moments.dispersion, values.var(axis=0, ddof=1) / values.mean(axis=0))


def test_large_values_that_hardly_vary_keep_their_digits():
    counts = canonical(np.array([[10**9], [10**9 + 1], [10**9 + 2]]), np.float64)
    np.testing.assert_allclose(gene_moments(counts, np.ones(3)).dispersion, [1 / (10**9 + 1)])


def test_a_gene_that_is_never_seen_has_dispersion_zero():
    moments = gene_moments(canonical(np.array([[1, 0], [2, 0]]), np.float64), np.ones(2))
    assert moments.dispersion[1] == 0


def test_bins_are_closed_on_the_right():
    """Genes 0 to 18 of 181 have a mean up to the 10 % quantile, 18: gene 18 belongs to the first bin."""
    mean = np.arange(181.0)
    dispersion = np.zeros(181)
    dispersion[:19] = np.arange(19)
    scores = dispersion_scores(GeneMoments(mean, dispersion))
    np.testing.assert_allclose(scores[:19], abs(np.arange(19) - 9) / (1.4826 * 5))


def test_a_bin_without_spread_scores_zero():
    moments = GeneMoments(np.arange(10.0), np.where(np.arange(10) == 3, 5.0, 1.0))
    np.testing.assert_array_equal(dispersion_scores(moments), np.zeros(10))


def test_highest_first_and_ties_in_their_order():
    np.testing.assert_array_equal(top_genes(np.array([1.0, 3, 2, 3, 2]), 4), [1, 3, 2, 4])
    np.testing.assert_array_equal(top_genes(np.array([1.0, 3]), 9), [1, 0])
