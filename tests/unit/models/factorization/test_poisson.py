"""The systems of the Poisson loss against its definition, in float64."""

import numpy as np
import pytest

from _models import everything, low_rank_world, some_held_out, with_other_values
from scinfill.models.centre import gene_centre
from scinfill.models.factorization.alternating import Factors
from scinfill.models.factorization.arrays import tensorflow_arrays
from scinfill.models.factorization.least_squares import column_pairs
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.recipes import PoissonFactorization

STEP = 1e-5


@pytest.fixture
def world():
    return low_rank_world(12, 9, rank=2)


@pytest.fixture
def factors():
    """Factors in double precision, so that finite differences mean something."""
    rng = np.random.default_rng(3)
    return Factors(rng.normal(0.3, 0.3, 9), rng.normal(0, 0.4, (12, 3)), rng.normal(0, 0.4, (9, 3)))


def loglikelihood(data, held_out, offset, cells, genes):
    """Σ C·log λ − λ over the entries that are not held out; ``log_exposure`` rounds size factors to float32."""
    counts, size_factor = data.molecules()
    exposure = np.log(size_factor).astype(np.float32)[:, None]
    log_rate = offset + exposure + cells @ genes.T
    terms = counts.toarray() * log_rate - np.exp(log_rate)
    return terms if held_out is None else terms * (1 - held_out.toarray())


def gradient_and_hessian(function, point):
    """Return both by central differences."""
    k = len(point)
    shifts = STEP * np.eye(k)
    gradient = np.array([(function(point + s) - function(point - s)) / (2 * STEP) for s in shifts])
    wide = 1e-3 * np.eye(k)
    hessian = [
        [(function(point + a + b) - function(point + a - b) - function(point - a + b) + function(point - a - b)) / 4e-6]
        for a in wide
        for b in wide
    ]
    return gradient, np.array(hessian).reshape(k, k)


@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_a_cells_system_is_the_gradient_and_the_curvature(world, factors, hide):
    held_out = some_held_out((12, 9), share=0.3) if hide else None
    data = world.data.without(held_out) if hide else world.data
    system = PoissonLoss(data, held_out).cell_system(everything(data.shape), factors)
    for cell in range(12):

        def of_cell(z, cell=cell):
            cells = factors.cells.copy()
            cells[cell] = z
            return loglikelihood(data, held_out, factors.offset, cells, factors.genes)[cell].sum()

        gradient, hessian = gradient_and_hessian(of_cell, factors.cells[cell])
        np.testing.assert_allclose(system.gradient[cell], gradient, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(system.curvature[cell], -hessian[column_pairs(3)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_a_genes_system_has_the_offset_first(world, factors, hide):
    held_out = some_held_out((12, 9), share=0.3) if hide else None
    data = world.data.without(held_out) if hide else world.data
    loss = PoissonLoss(data, held_out)
    parts = [loss.gene_system(rows, factors) for rows in (slice(0, 5), slice(5, 12))]
    for gene in range(9):

        def of_gene(point, gene=gene):
            offset, genes = factors.offset.copy(), factors.genes.copy()
            offset[gene], genes[gene] = point[0], point[1:]
            return loglikelihood(data, held_out, offset, factors.cells, genes)[:, gene].sum()

        point = np.concatenate([[factors.offset[gene]], factors.genes[gene]])
        gradient, hessian = gradient_and_hessian(of_gene, point)
        np.testing.assert_allclose(sum(part.gradient[gene] for part in parts), gradient, rtol=1e-6, atol=1e-6)
        curvature = sum(part.curvature[gene] for part in parts)
        np.testing.assert_allclose(curvature, -hessian[column_pairs(4)], rtol=1e-4, atol=1e-4)


def test_what_is_hidden_has_no_influence(world):
    held_out = some_held_out(world.data.shape, share=0.3)
    recipe = PoissonFactorization(rank=3)
    fits = [
        recipe.fit(data.without(held_out), rng=np.random.default_rng(1), held_out=held_out)
        for data in (world.data, with_other_values(world.data, held_out))
    ]
    for slot in ("offset", "cells", "genes"):
        assert getattr(fits[0], slot).tobytes() == getattr(fits[1], slot).tobytes()


def test_hidden_entries_are_not_taken_for_zeros(world):
    """Hiding a gene in half of its cells leaves its mean rate where it was; taking them for zeros would halve it."""
    held_out = some_held_out(world.data.shape, share=0.5)
    seen = world.data.without(held_out)
    unhidden = gene_centre("poisson", world.data, None, zero_weight=1)
    ratio = gene_centre("poisson", seen, held_out, zero_weight=1) / unhidden
    assert abs(np.mean(ratio) - 1) < 0.15
    assert np.mean(gene_centre("poisson", seen, None, zero_weight=1) / unhidden) < 0.7
    rate = np.exp(
        PoissonFactorization(rank=1).fit(seen, rng=np.random.default_rng(0), held_out=held_out).block(slice(0, 12))
    )
    assert rate.mean() == pytest.approx(world.rate.mean(), rel=0.25)


@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_rates_are_the_same_where_arrays_may_not_be_overwritten(world, factors, hide):
    """The path of a GPU and that of the CPU agree; TensorFlow computes both here."""
    held_out = some_held_out((12, 9), share=0.3) if hide else None
    single = Factors(*(np.asarray(part, np.float32) for part in (factors.offset, factors.cells, factors.genes)))
    rate = PoissonLoss(world.data, held_out).rate(slice(3, 9), single)
    other = PoissonLoss(world.data, held_out, arrays=tensorflow_arrays()).rate(slice(3, 9), single)
    np.testing.assert_allclose(rate, np.asarray(other), rtol=1e-5)
    if held_out is not None:
        np.testing.assert_array_equal(rate == 0, held_out.toarray()[3:9] > 0)


def test_log_rates_are_capped_where_products_would_overflow(world):
    loss = PoissonLoss(world.data)
    wild = Factors(np.full(9, 500, np.float32), np.zeros((12, 1), np.float32), np.zeros((9, 1), np.float32))
    assert np.isfinite(loss.rate(slice(0, 12), wild)).all()


def test_it_finds_a_low_rank_rate():
    """Closer to the truth than the gene means are, by far; and closer than too few factors can come."""
    world = low_rank_world(300, 80, rank=2, mean=1.5)

    def error(prediction):
        return np.mean((np.log(np.maximum(prediction, 1e-3)) - np.log(world.rate)) ** 2)

    counts, size_factor = world.data.molecules()
    gene_mean = np.broadcast_to(counts.sum(axis=0) / size_factor.sum(), world.rate.shape)
    fitted = [
        error(np.exp(PoissonFactorization(rank).fit(world.data, rng=np.random.default_rng(0)).block(slice(0, 300))))
        for rank in (1, 2)
    ]
    assert fitted[1] < 0.25 * error(gene_mean)
    assert fitted[1] < 0.5 * fitted[0]
