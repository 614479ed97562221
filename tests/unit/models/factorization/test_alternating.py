"""The loop that both losses share."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from _models import everything, low_rank_world, observations, some_held_out, with_other_values
from scinfill.models.centre import gene_centre
from scinfill.models.factorization import recipes
from scinfill.models.factorization.alternating import Factors, alternate, start
from scinfill.models.factorization.arrays import HOST
from scinfill.models.factorization.poisson import PoissonLoss
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.factorization.squared import SquaredLoss
from scinfill.models.recipe import SampleFit

RECIPES = [
    PoissonFactorization(3),
    SquaredFactorization(3, zero_weight=1.0),
    SquaredFactorization(3, zero_weight=0.1),
    SquaredFactorization(3, zero_weight=0.0),
    SquaredFactorization(3, by_noise=True),
]
NAMES = ["poisson", "squared", "zero weight .1", "zero weight 0", "by noise"]


def fitted(recipe, data, *, seed=0, held_out=None):
    return recipe.fit(data, rng=np.random.default_rng(seed), held_out=held_out)


def values(factors):
    return factors.block(everything(factors.shape))


def parts(factors):
    return factors.offset, factors.cells, factors.genes


# --- the objective -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero_weight", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("hide", [False, True], ids=["all", "some hidden"])
def test_no_round_of_the_squared_loss_raises_the_penalised_objective(zero_weight, hide):
    """Every half-step is an exact minimum, so the sum of loss and ridge can only fall."""
    data, ridge = low_rank_world(mean=0.8).data, 2.0
    held_out = some_held_out(data.shape) if hide else None
    data = data.without(held_out) if hide else data
    weight = np.where(data.log_values.toarray() > 0, 1.0, zero_weight) * (
        1 if held_out is None else 1 - held_out.toarray()
    )
    loss = SquaredLoss(data, zero_weight, held_out)

    def objective(factors):
        residual = data.log_values.toarray() - values(factors).astype(np.float64)
        penalty = np.sum(factors.cells.astype(float) ** 2) + np.sum(factors.genes.astype(float) ** 2)
        return np.sum(weight * residual**2) + ridge * penalty

    factors = start(data.log_values, rank=3, rng=np.random.default_rng(0))
    before = objective(factors)
    for _ in range(15):
        factors = alternate(loss, factors, ridge=ridge, n_rounds=1, label="fit")
        after = objective(factors)
        assert after <= before * (1 + 1e-5)
        before = after


def test_poisson_rounds_raise_the_likelihood():
    world = low_rank_world(mean=1.0)
    counts, size_factor = world.data.molecules()
    recipe = RECIPES[0]

    def likelihood(n_rounds):
        factors = fitted(replace(recipe, n_rounds=n_rounds), world.data)
        log_rate = values(factors).astype(float) + np.log(size_factor)[:, None]
        penalty = np.sum(factors.cells**2) + np.sum(factors.genes**2)
        return np.sum(counts.toarray() * log_rate - np.exp(log_rate)) - recipe.ridge / 2 * penalty

    reached = [likelihood(n) for n in (1, 2, 4, 8, 30)]
    assert reached == sorted(reached)
    assert reached[-2] > reached[-1] - 0.05 * (reached[-1] - reached[0])


def test_a_newton_step_never_moves_a_log_rate_further_than_allowed():
    rng = np.random.default_rng(0)
    data = observations(rng.poisson(1000, size=(30, 20)))
    loss = PoissonLoss(data)
    far = Factors(
        np.full(20, -3, np.float32), np.zeros((30, 2), np.float32), rng.normal(size=(20, 2)).astype(np.float32)
    )
    moved = alternate(loss, far, ridge=0.1, n_rounds=0, label="fit")
    reach = np.abs(values(moved) - values(far)).max(axis=1)
    assert reach.max() <= loss.largest_step * (1 + 1e-5)
    assert np.all(reach > 0.99 * loss.largest_step)


def test_without_rounds_the_cells_alone_are_fitted():
    data = low_rank_world().data
    factors = fitted(RECIPES[1], data)
    before = factors.cells.copy()
    moved = alternate(SquaredLoss(data, 1.0), factors, ridge=1.0, n_rounds=0, label="fit")
    np.testing.assert_array_equal(factors.cells, before)
    assert moved.genes is factors.genes
    assert not np.array_equal(moved.cells, before)


# --- the same whatever the machine -------------------------------------------------------------------------------


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few cells, so that small data make many."""

    def use(block_bytes):
        monkeypatch.setattr("scinfill.models.factorization.arrays.HOST", replace(HOST, block_bytes=block_bytes))
        monkeypatch.setattr("scinfill.models.factorization.alternating.FEWEST_ROWS", 1)

    return use


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_the_same_bytes_for_any_number_of_threads(small_blocks, recipe):
    data = low_rank_world(200, 30).data
    small_blocks(4 * 30 * 16)
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            results.append(fitted(recipe, data))
    for one, two in zip(*map(parts, results), strict=True):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
@pytest.mark.parametrize("cells_per_block", [1, 7, 1000])
def test_block_size_changes_rounding_only(small_blocks, recipe, cells_per_block):
    data = low_rank_world(50, 30).data
    expected = values(fitted(recipe, data))
    small_blocks(4 * 30 * cells_per_block)
    np.testing.assert_allclose(values(fitted(recipe, data)), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_same_seed_same_bytes(recipe):
    data = low_rank_world().data
    for one, two in zip(parts(fitted(recipe, data, seed=3)), parts(fitted(recipe, data, seed=3)), strict=True):
        assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_the_order_of_cells_and_genes_carries_no_information(recipe):
    world = low_rank_world(80, 40)
    counts, size_factor = world.data.molecules()
    cells, genes = np.random.default_rng(1).permutation(80), np.random.default_rng(2).permutation(40)
    shuffled = observations(counts.toarray()[cells][:, genes], size_factor[cells])
    expected = values(fitted(recipe, world.data))[cells][:, genes]
    difference = values(fitted(recipe, shuffled)) - expected
    assert np.sqrt(np.mean(difference**2)) < 0.1 * np.std(expected - expected.mean(axis=0))


# --- a sample first, then all cells ------------------------------------------------------------------------------


def world_with_a_rare_group(n_cells=600, n_rare=18):
    """A tenth of the genes are ten times as high in 3 % of the cells."""
    rng = np.random.default_rng(0)
    world = low_rank_world(n_cells, 60, rank=2, mean=1.5)
    rate, size_factor = world.rate.copy(), world.data.size_factor
    rare = np.arange(n_cells) >= n_cells - n_rare
    rate[np.ix_(rare, np.arange(6))] = 15
    rate[np.ix_(~rare, np.arange(6))] = 1.5
    order = rng.permutation(n_cells)
    return observations(rng.poisson(size_factor[:, None] * rate)[order], size_factor[order]), rare[order]


@pytest.mark.parametrize("recipe", RECIPES[:3], ids=NAMES[:3])
def test_a_fit_on_a_sample_extends_to_all_cells(monkeypatch, recipe):
    data, rare = world_with_a_rare_group()
    recipe = replace(recipe, rank=4)
    whole = values(fitted(recipe, data))
    monkeypatch.setattr(recipes, "SAMPLE_CELLS", 250)
    extended = values(fitted(recipe, data))
    spread = np.std(whole - whole.mean(axis=0))
    assert np.sqrt(np.mean((extended - whole) ** 2)) < 0.25 * spread
    score = extended[:, :6].mean(axis=1)
    assert score[rare].min() > np.quantile(score[~rare], 0.99)


def thinned_fit(recipe, data, rows=None):
    """Return a fit of 90 % of the molecules of some cells, as a place to start from."""
    kept, _ = (data if rows is None else data.cells(rows)).thinned(0.1, np.random.default_rng(3))
    return SampleFit(fitted(recipe, kept), rows, 0.9)


@pytest.mark.parametrize("rows", [None, np.arange(0, 400, 3)], ids=["all cells", "a sample"])
def test_a_fit_may_start_from_one_of_fewer_molecules(rows):
    world = low_rank_world(400, 60)
    recipe = PoissonFactorization(3)
    whole = values(fitted(recipe, world.data))
    started = values(recipe.fit_from(thinned_fit(recipe, world.data, rows), world.data, rng=np.random.default_rng()))
    errors = [np.mean((found - np.log(world.rate)) ** 2) for found in (started, whole)]
    assert errors[0] < 1.05 * errors[1]
    # The rates are those of all molecules, not of nine tenths.
    assert np.mean(started - whole) == pytest.approx(0, abs=0.01)


def test_only_the_sample_pays_for_the_rounds(monkeypatch):
    data = low_rank_world(120, 20).data
    visited = []

    class Counting(SquaredLoss):
        def gene_system(self, rows, factors):
            visited.append(rows.stop - rows.start)
            return super().gene_system(rows, factors)

    monkeypatch.setattr(recipes, "SAMPLE_CELLS", 30)
    monkeypatch.setattr(recipes, "SquaredLoss", Counting)
    fitted(SquaredFactorization(2, n_rounds=12), data)
    assert visited == [30] * 12 + [120] * recipes.FULL_ROUNDS


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_hidden_entries_stay_hidden_in_the_sample(monkeypatch, recipe):
    data = low_rank_world(120, 20).data
    held_out = some_held_out(data.shape, share=0.3)
    monkeypatch.setattr(recipes, "SAMPLE_CELLS", 50)
    one, other = (
        fitted(recipe, seen.without(held_out), held_out=held_out) for seen in (data, with_other_values(data, held_out))
    )
    assert values(one).tobytes() == values(other).tobytes()
    taken_for_zeros = values(fitted(recipe, data.without(held_out)))
    if recipe.loss == "poisson" or recipe.zero_weight == 1:
        assert np.mean((values(one) - taken_for_zeros)[held_out.nonzero()]) > 0.2


# --- what may go wrong -------------------------------------------------------------------------------------------


def poor_data():
    """Empty cells, silent genes, a constant gene and a gene seen once."""
    counts = np.random.default_rng(0).poisson(1.0, size=(20, 12)).astype(float)
    counts[[0, 7]] = 0
    counts[:, [1, 5]] = 0
    counts[:, 2] = 4
    counts[:, 3] = 0
    counts[4, 3] = 1
    return observations(counts)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
@pytest.mark.parametrize("rank", [1, 3, 12, 40])
def test_poor_data_and_too_large_a_rank_give_finite_values(recipe, rank):
    factors = fitted(replace(recipe, rank=rank), poor_data())
    assert factors.cells.shape == (20, rank)
    assert factors.genes.shape == (12, rank)
    for part in parts(factors):
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
    assert np.abs(values(factors)).max() < 40


def test_a_constant_gene_is_fitted_as_constant():
    data = observations(np.column_stack([np.full(40, 3.0), np.random.default_rng(0).poisson(3, size=(40, 8))]))
    for recipe, truth in ((RECIPES[0], np.log(3)), (RECIPES[1], 2.0)):
        np.testing.assert_allclose(values(fitted(recipe, data))[:, 0], truth, atol=0.15)


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_a_matrix_without_any_structure(recipe):
    factors = fitted(recipe, observations(np.full((10, 6), 5.0)))
    truth = np.log(5) if recipe.loss == "poisson" else np.log2(6)
    np.testing.assert_allclose(values(factors), truth, rtol=1e-3)


def test_two_cells_and_two_genes():
    data = observations(np.array([[3.0, 0.0], [1.0, 2.0]]))
    for recipe in RECIPES:
        assert np.isfinite(values(fitted(recipe, data))).all()


def test_the_start_spans_the_leading_components():
    data = low_rank_world(100, 50, rank=2, mean=20).data
    factors = start(data.log_values, rank=4, rng=np.random.default_rng(0))
    assert not factors.genes.any()
    centred = data.log_values.toarray() - data.log_values.toarray().mean(axis=0)
    left = np.linalg.svd(centred)[0][:, :2]
    basis = np.linalg.qr(factors.cells.astype(float))[0]
    np.testing.assert_allclose(np.linalg.norm(basis.T @ left, axis=0), 1, atol=0.02)


def test_the_start_of_nothing_is_zero():
    empty = csr_array((5, 4), dtype=np.float32)
    assert not start(empty, rank=2, rng=np.random.default_rng(0)).cells.any()


def test_gene_means_leave_hidden_entries_out():
    data = low_rank_world().data
    held_out = some_held_out(data.shape, share=0.3)
    visible = 1 - held_out.toarray()
    seen = data.without(held_out)
    logs, counts = seen.log_values.toarray(), seen.counts.toarray()
    rate = np.maximum(counts.sum(axis=0), 0.5) / (visible * data.size_factor[:, None]).sum(axis=0)
    np.testing.assert_allclose(gene_centre("poisson", seen, held_out, zero_weight=1), rate, rtol=1e-6)
    for zero_weight in (0.0, 0.1, 1.0):
        weight = np.where(logs > 0, 1, zero_weight) * visible
        expected = (weight * logs).sum(axis=0) / weight.sum(axis=0)
        found = gene_centre("squared", seen, held_out, zero_weight=zero_weight)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
