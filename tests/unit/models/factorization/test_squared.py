"""The systems of the squared loss against dense weighted least squares."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from _models import everything, low_rank_world, observations, some_held_out, with_other_values
from scinfill.models.factorization.alternating import Factors, alternate
from scinfill.models.factorization.arrays import HOST
from scinfill.models.factorization.least_squares import column_pairs
from scinfill.models.factorization.recipes import LEAST_NOISE, SquaredFactorization
from scinfill.models.factorization.squared import SquaredLoss, packed_product, weight_excess

ZERO_WEIGHTS = [0.0, 0.1, 1.0]
N_CELLS, N_GENES, RANK = 14, 11, 3


@pytest.fixture
def data():
    return low_rank_world(N_CELLS, N_GENES, mean=0.8).data


@pytest.fixture
def factors():
    rng = np.random.default_rng(3)
    return Factors(rng.normal(1, 0.3, N_GENES), rng.normal(size=(N_CELLS, RANK)), rng.normal(size=(N_GENES, RANK)))


def weights(values, zero_weight, held_out):
    """W, dense, by its definition."""
    dense = np.where(values.toarray() > 0, 1.0, zero_weight)
    return dense if held_out is None else dense * (1 - held_out.toarray())


def unpacked(packed, k):
    whole = np.zeros((len(packed), k, k))
    whole[:, *column_pairs(k)] = packed
    return whole + np.tril(whole, -1).transpose(0, 2, 1)


@pytest.mark.parametrize("zero_weight", ZERO_WEIGHTS)
@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_weights_are_one_on_nonzeros_and_nothing_on_hidden(data, zero_weight, hide):
    held_out = some_held_out(data.shape, share=0.3) if hide else None
    values = data.without(held_out).log_values if hide else data.log_values
    expected = weights(values, zero_weight, held_out)
    np.testing.assert_allclose(
        weight_excess(values, zero_weight, held_out).toarray() + zero_weight, expected, atol=1e-7
    )


@pytest.mark.parametrize("zero_weight", ZERO_WEIGHTS)
@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_systems_are_those_of_dense_weighted_least_squares(data, factors, zero_weight, hide):
    held_out = some_held_out(data.shape, share=0.3) if hide else None
    data = data.without(held_out) if hide else data
    loss = SquaredLoss(data, zero_weight, held_out)
    weight, values = weights(data.log_values, zero_weight, held_out), data.log_values.toarray()
    residual = weight * (values - factors.offset - factors.cells @ factors.genes.T)

    system = loss.cell_system(everything(data.shape), factors)
    curvature = np.einsum("cg,gi,gj->cij", weight, factors.genes, factors.genes)
    np.testing.assert_allclose(unpacked(system.curvature, RANK), curvature, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(system.gradient, residual @ factors.genes, rtol=1e-4, atol=1e-4)

    design = np.column_stack([np.ones(N_CELLS), factors.cells])
    parts = [loss.gene_system(rows, factors) for rows in (slice(0, 6), slice(6, N_CELLS))]
    curvature = np.einsum("cg,ci,cj->gij", weight, design, design)
    np.testing.assert_allclose(unpacked(sum(p.curvature for p in parts), RANK + 1), curvature, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sum(p.gradient for p in parts), residual.T @ design, rtol=1e-4, atol=1e-4)


def test_cells_are_solved_by_weighted_genes_and_genes_as_they_were(data, factors):
    gene_weights = np.random.default_rng(4).gamma(2, size=N_GENES)
    weighted = replace(factors, gene_weights=gene_weights)
    loss, rows = SquaredLoss(data, 0.5), everything(data.shape)
    weight = weights(data.log_values, 0.5, None) * gene_weights
    residual = weight * (data.log_values.toarray() - factors.offset - factors.cells @ factors.genes.T)
    system = loss.cell_system(rows, weighted)
    curvature = np.einsum("cg,gi,gj->cij", weight, factors.genes, factors.genes)
    np.testing.assert_allclose(unpacked(system.curvature, RANK), curvature, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(system.gradient, residual @ factors.genes, rtol=1e-4, atol=1e-4)
    for slot in ("curvature", "gradient"):
        np.testing.assert_array_equal(
            getattr(loss.gene_system(rows, weighted), slot), getattr(loss.gene_system(rows, factors), slot)
        )


def loud_and_quiet_genes(n_cells=150, n_genes=40):
    """Two groups of cells that all genes tell, the second half of them under five times the noise; and the groups."""
    rng = np.random.default_rng(0)
    group = rng.random(n_cells) < 0.5
    noise = np.where(np.arange(n_genes) < n_genes // 2, 0.5, 2.5)
    log_values = 8 + 0.4 * np.where(group, 1, -1)[:, None] + noise * rng.normal(size=(n_cells, n_genes))
    return observations(np.exp2(np.maximum(log_values, 0)) - 1), noise, group


@pytest.mark.parametrize("zero_weight", ZERO_WEIGHTS)
def test_a_gene_counts_by_the_inverse_of_its_noise(zero_weight):
    data, noise, _ = loud_and_quiet_genes()
    held_out = some_held_out(data.shape, share=0.3)
    recipe = SquaredFactorization(1, zero_weight=zero_weight, by_noise=True)
    fit = recipe.fit(data.without(held_out), rng=np.random.default_rng(0), held_out=held_out)
    expected = 1 / (noise**2 + LEAST_NOISE * np.mean(noise**2))
    np.testing.assert_allclose(fit.gene_weights, expected, rtol=0.4)


def test_where_noise_differs_weighted_genes_tell_groups_better():
    data, _, group = loud_and_quiet_genes()
    fits = [SquaredFactorization(1, by_noise=by_noise).fit(data, rng=np.random.default_rng(0)) for by_noise in (0, 1)]
    unweighted, weighted = (abs(np.corrcoef(fit.cells[:, 0], group)[0, 1]) for fit in fits)
    assert 1 - weighted < 0.7 * (1 - unweighted)


@pytest.mark.parametrize("zero_weight", ZERO_WEIGHTS)
def test_a_half_step_is_the_exact_ridge_solution_for_every_cell(data, factors, zero_weight):
    held_out = some_held_out(data.shape, share=0.2)
    data = data.without(held_out)
    factors = Factors(*(part.astype(np.float32) for part in (factors.offset, factors.cells, factors.genes)))
    moved = alternate(SquaredLoss(data, zero_weight, held_out), factors, ridge=2.0, n_rounds=0, label="fit")
    weight, values = weights(data.log_values, zero_weight, held_out), data.log_values.toarray() - factors.offset
    for cell in range(N_CELLS):
        weighted = factors.genes.T * weight[cell]
        expected = np.linalg.solve(weighted @ factors.genes + 2 * np.eye(RANK), weighted @ values[cell])
        np.testing.assert_allclose(moved.cells[cell], expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("zero_weight", ZERO_WEIGHTS)
def test_what_is_hidden_has_no_influence(data, zero_weight):
    held_out = some_held_out(data.shape, share=0.3)
    fits = [
        SquaredFactorization(3, zero_weight=zero_weight).fit(
            seen.without(held_out), rng=np.random.default_rng(1), held_out=held_out
        )
        for seen in (data, with_other_values(data, held_out))
    ]
    for slot in ("offset", "cells", "genes"):
        assert getattr(fits[0], slot).tobytes() == getattr(fits[1], slot).tobytes()


def test_blind_to_zeros_means_blind(data):
    """With zero weight 0 a held-out entry and a zero are the same."""
    held_out = some_held_out(data.shape, share=0.3)
    seen = data.without(held_out)
    first = SquaredFactorization(2, zero_weight=0.0).fit(seen, rng=np.random.default_rng(0), held_out=held_out)
    second = SquaredFactorization(2, zero_weight=0.0).fit(seen, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(first.block(slice(0, 5)), second.block(slice(0, 5)))


def test_zeros_pull_the_more_the_more_they_weigh(data):
    empty = data.log_values.toarray() == 0
    means = [
        SquaredFactorization(2, zero_weight=weight)
        .fit(data, rng=np.random.default_rng(0))
        .block(slice(0, N_CELLS))[empty]
        .mean()
        for weight in (0.0, 0.1, 0.5, 1.0)
    ]
    assert means == sorted(means, reverse=True)
    assert means[0] > 1.5 * means[-1]


def test_packed_product():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(5, 4, 4))
    whole = half + half.transpose(0, 2, 1)
    vectors = rng.normal(size=(5, 4))
    product = packed_product(HOST, whole[:, *column_pairs(4)], vectors)
    np.testing.assert_allclose(product, np.einsum("nij,nj->ni", whole, vectors))


def test_no_dense_matrix_is_needed():
    """A million cells by ten thousand genes with a handful of values: cost follows the values."""
    shape = (1_000_000, 10_000)
    indptr = np.zeros(shape[0] + 1, np.int32)
    indptr[3:] = 2
    values = csr_array((np.ones(2, np.float32), np.array([1, 5], np.int32), indptr), shape)
    assert weight_excess(values, 0.1, None).nnz == 2
