import numpy as np
import pytest

from scinfill.numerics.nullgenes import draw_null_genes, negative_binomial_moments
from scinfill.numerics.sparse import canonical


@pytest.fixture(scope="module")
def world():
    """Counts of known rate and dispersion: (counts, size factors, rates, dispersions)."""
    rng = np.random.default_rng(3)
    factors = rng.lognormal(0, 0.5, 20000)
    rates, dispersions = np.array([0.5, 2, 10, 4]), np.array([0.2, 1, 0.5, 0])
    expected = factors[:, np.newaxis] * rates
    spread = np.column_stack([rng.gamma(1 / d, d, len(factors)) if d else np.ones(len(factors)) for d in dispersions])
    return canonical(rng.poisson(expected * spread), np.float32), factors, rates, dispersions


@pytest.mark.parametrize("block", [1000, 10**7])
def test_rate_and_dispersion_are_found_again(world, monkeypatch, block):
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", block)
    counts, factors, rates, dispersions = world
    rate, dispersion = negative_binomial_moments(counts, factors)
    np.testing.assert_allclose(rate, rates, rtol=0.05)
    np.testing.assert_allclose(dispersion, dispersions, atol=0.12)


def test_null_genes_look_like_the_genes_they_were_drawn_from(world):
    counts, factors, rates, _ = world
    drawn = draw_null_genes(counts, factors, 40, np.random.default_rng(0))
    assert drawn.shape == (len(factors), 40)
    assert drawn.dtype.kind == "i"
    rate, dispersion = negative_binomial_moments(drawn, factors)
    nearest = np.abs(rate[:, np.newaxis] - rates).argmin(axis=1)
    np.testing.assert_allclose(rate, rates[nearest], rtol=0.1)
    np.testing.assert_allclose(dispersion, np.array([0.2, 1, 0.5, 0])[nearest], atol=0.2)


def test_nothing_but_library_size_varies(world):
    counts, factors, *_ = world
    drawn = draw_null_genes(counts, factors, 4, np.random.default_rng(1)).toarray() / factors[:, np.newaxis]
    between = np.corrcoef(drawn.T)[np.triu_indices(4, 1)]
    assert np.abs(between).max() < 0.04


def test_an_empty_cell_stays_empty(world):
    counts, factors, *_ = world
    some = counts[:50].toarray()
    some[7] = 0
    drawn = draw_null_genes(canonical(some, np.float32), factors[:50], 10, np.random.default_rng(0))
    assert drawn[[7]].nnz == 0
    assert drawn.nnz > 0


def test_more_null_genes_than_genes(world):
    counts, factors, *_ = world
    assert draw_null_genes(counts, factors, 9, np.random.default_rng(0)).shape[1] == 9
