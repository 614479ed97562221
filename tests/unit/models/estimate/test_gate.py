"""The gate opens for structure and stays shut for noise."""

from dataclasses import replace

import numpy as np
import pytest

from _models import Given, Oracle, low_rank_world, observations
from scinfill.models.centre import gene_centre
from scinfill.models.estimate.gate import (
    HELD_OUT_SHARE,
    T_THRESHOLD,
    Moments,
    draw_folds,
    gate_from_moments,
    heldout_moments,
    learn_gate,
)
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.numerics.batches import Batches

N_CELLS, N_NULL, N_REAL = 250, 200, 40


@pytest.fixture(scope="module")
def half_null():
    """40 genes that differ between two groups, then 200 where nothing but library size varies."""
    rng = np.random.default_rng(0)
    size_factor = rng.lognormal(0, 0.4, N_CELLS)
    group = rng.permutation(np.arange(N_CELLS) % 2)
    real = np.where(group[:, None] == (np.arange(N_REAL) % 2)[None], 6.0, 2.0)
    null = np.broadcast_to(rng.gamma(2, 1, N_NULL), (N_CELLS, N_NULL))
    rate = np.concatenate([real, null], axis=1)
    return observations(rng.poisson(size_factor[:, None] * rate), size_factor)


@pytest.mark.parametrize("recipe", [PoissonFactorization(10), SquaredFactorization(10)], ids=["poisson", "squared"])
def test_null_genes_stay_shut_and_real_ones_open(half_null, recipe):
    """A rank of 10 for one real direction: the other nine are noise for the gate to stop."""
    gate = learn_gate(recipe, half_null, n_folds=5, rng=np.random.default_rng(1))
    assert np.all((gate.slope >= 0) & (gate.slope <= 1))
    assert np.sum(gate.slope[N_REAL:] > 0) <= 4
    assert np.all(gate.slope[:N_REAL] > 0.3)
    assert np.all(gate.r_squared[:N_REAL] > 0.1)
    assert np.all(gate.r_squared[N_REAL:] < 0.1)
    assert gate.slope.dtype == gate.r_squared.dtype == np.float32


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_the_truth_opens_it_fully_and_noise_not_at_all(loss):
    world = low_rank_world(400, 30, mean=5)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=world.rate.shape)
    truth = np.log(world.rate) if loss == "poisson" else world.data.log_values.toarray()
    found = learn_gate(Oracle(truth, loss), world.data, n_folds=10, rng=rng)
    assert np.median(found.slope) > 0.9
    # One gene in a thousand passes by chance.
    assert np.sum(learn_gate(Oracle(noise, loss), world.data, n_folds=10, rng=rng).slope > 0) <= 1


@pytest.mark.parametrize("batched", [False, True])
def test_rates_of_fewer_molecules_are_judged_on_the_scale_of_all(batched):
    world = low_rank_world(60, 12, mean=5)
    batches = Batches(np.arange(60) % 3, 3) if batched else None
    data = replace(world.data, batches=batches)
    half = replace(data, counts=data.counts * np.float32(0.5))
    (held_out,) = draw_folds(data.shape, n_folds=1, rng=np.random.default_rng(0))
    expected = heldout_moments("poisson", Given(np.log(world.rate)), data, held_out)
    centre = gene_centre("poisson", half.without(held_out), held_out, zero_weight=1.0)
    found = heldout_moments("poisson", Given(np.log(world.rate / 2)), data, held_out, fitted_centre=centre)
    for name, moment in vars(expected).items():
        np.testing.assert_allclose(getattr(found, name), moment, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_prediction_that_exaggerates_is_shortened():
    """Slope 1/2 where the prediction deviates twice as far from the mean as the truth."""
    rng = np.random.default_rng(0)
    values = np.log2(1 + rng.poisson(30, size=(500, 8)))
    data = observations(np.exp2(values) - 1)
    doubled = values.mean(axis=0) + 2 * (values - values.mean(axis=0))
    gate = learn_gate(Oracle(doubled, "squared"), data, n_folds=10, rng=rng)
    np.testing.assert_allclose(gate.slope, 0.5, atol=0.02)
    np.testing.assert_allclose(gate.r_squared, 1, atol=0.01)


def test_a_prediction_that_is_too_timid_is_not_stretched():
    rng = np.random.default_rng(0)
    data = observations(rng.poisson(30, size=(500, 8)))
    values = data.log_values.toarray()
    timid = values.mean(axis=0) + 0.2 * (values - values.mean(axis=0))
    gate = learn_gate(Oracle(timid, "squared"), data, n_folds=10, rng=rng)
    np.testing.assert_array_equal(gate.slope, 1)
    # 2·0.2 − 0.2² of the variance is explained
    np.testing.assert_allclose(gate.r_squared, 0.36, atol=0.01)


def test_the_wrong_sign_shuts_it():
    data = observations(np.random.default_rng(0).poisson(30, size=(300, 8)))
    values = data.log_values.toarray()
    gate = learn_gate(
        Oracle(2 * values.mean(axis=0) - values, "squared"), data, n_folds=10, rng=np.random.default_rng()
    )
    np.testing.assert_array_equal(gate.slope, 0)
    np.testing.assert_array_equal(gate.r_squared, 0)


# --- moments -----------------------------------------------------------------------------------------------------


def gate_of(predicted, truth, weight=None):
    """Return the gate of one gene from its centred entries."""
    weight = np.ones_like(predicted) if weight is None else weight
    sums = (weight * predicted**2, weight * predicted * truth, weight * truth**2)
    return gate_from_moments(Moments(*(np.array([part.sum()]) for part in sums), np.array([float(len(predicted))])))


def test_slope_and_t_value_are_those_of_a_regression_through_the_origin():
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=100)
    for slope in np.linspace(0, 0.6, 13):
        truth = slope * predicted + rng.normal(size=100)
        fitted = predicted @ truth / (predicted @ predicted)
        error = np.sqrt(np.sum((truth - fitted * predicted) ** 2) / 99 / (predicted @ predicted))
        expected = np.clip(fitted, 0, 1) if fitted > T_THRESHOLD * error else 0
        gate = gate_of(predicted, truth)
        assert gate.slope[0] == pytest.approx(expected, rel=1e-6)
        residual = truth - expected * predicted
        assert gate.r_squared[0] == pytest.approx(1 - residual @ residual / (truth @ truth), rel=1e-5, abs=1e-6)


def test_nothing_held_out_nothing_believed():
    none = np.array([])
    assert gate_of(none, none).slope[0] == 0


def test_one_entry_proves_nothing():
    """It lies on a line through the origin whatever it is."""
    assert gate_of(np.array([0.5]), np.array([2.0])).slope[0] == 0


def test_a_constant_prediction_is_not_believed():
    gate = gate_of(np.zeros(20), np.random.default_rng(0).normal(size=20))
    assert gate.slope[0] == 0
    assert np.isfinite(gate.r_squared[0])


def test_moments_of_folds_add_up():
    world = low_rank_world()
    oracle = Oracle(np.log(world.rate)).fit(world.data, rng=np.random.default_rng())
    folds = draw_folds(world.data.shape, n_folds=2, rng=np.random.default_rng(0))
    one, other = (heldout_moments("poisson", oracle, world.data, fold) for fold in folds)
    np.testing.assert_array_equal((one + other).n_entries, one.n_entries + other.n_entries)
    np.testing.assert_allclose((one + other).cross, one.cross + other.cross)


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_moments_by_their_definition(loss):
    world = low_rank_world()
    data = world.data
    counts, size_factor = data.molecules()
    (held_out,) = draw_folds(data.shape, n_folds=1, rng=np.random.default_rng(0))
    at, visible = held_out.toarray() > 0, held_out.toarray() == 0
    exposure = np.broadcast_to(size_factor[:, None], data.shape)
    if loss == "poisson":
        values, predicted = np.log(world.rate), exposure * world.rate
        rate = (counts.toarray() * visible).sum(axis=0) / (exposure * visible).sum(axis=0)
        mean, truth = exposure * rate, counts.toarray()
        weight = 1 / mean
    else:
        values = predicted = np.log2(1 + world.rate)
        truth = data.log_values.toarray()
        mean = np.broadcast_to((truth * visible).sum(axis=0) / visible.sum(axis=0), data.shape)
        weight = np.ones(data.shape)
    found = heldout_moments(loss, Oracle(values).fit(data, rng=np.random.default_rng()), data, held_out)
    p, t = predicted - mean, truth - mean
    for name, terms in {"predicted": p * p, "cross": p * t, "truth": t * t}.items():
        np.testing.assert_allclose(getattr(found, name), (weight * terms * at).sum(axis=0), rtol=1e-4, err_msg=name)
    np.testing.assert_array_equal(found.n_entries, at.sum(axis=0))


def test_zeros_without_weight_do_not_count():
    world = low_rank_world(mean=0.7)
    oracle = Oracle(np.log2(1 + world.rate), "squared").fit(world.data, rng=np.random.default_rng())
    (held_out,) = draw_folds(world.data.shape, n_folds=1, rng=np.random.default_rng(0))
    found = heldout_moments("squared", oracle, world.data, held_out, zero_weight=0.0)
    seen = (world.data.counts.toarray() > 0) & (held_out.toarray() > 0)
    np.testing.assert_array_equal(found.n_entries, seen.sum(axis=0))


# --- folds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_folds", [1, 3, 10])
def test_folds_are_disjoint_tenths_of_all_entries(n_folds):
    folds = draw_folds((400, 300), n_folds=n_folds, rng=np.random.default_rng(0))
    assert len(folds) == n_folds
    for fold in folds:
        assert fold.nnz == pytest.approx(HELD_OUT_SHARE * 400 * 300, rel=0.05)
        assert fold.has_canonical_format
    together = sum(fold.toarray() for fold in folds)
    assert together.max() == 1
    if n_folds == 10:
        assert together.min() == 1


def test_folds_come_from_their_generator_alone():
    one, same, other = (draw_folds((30, 20), n_folds=2, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0].toarray(), same[0].toarray())
    assert not np.array_equal(one[0].toarray(), other[0].toarray())


def test_folds_of_a_tiny_matrix_may_be_empty():
    for fold in draw_folds((2, 2), n_folds=10, rng=np.random.default_rng(0)):
        assert fold.shape == (2, 2)


# --- what may go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [PoissonFactorization(3), SquaredFactorization(3)], ids=["poisson", "squared"])
@pytest.mark.parametrize(
    "counts",
    [
        np.full((30, 6), 4.0),
        np.eye(12) * 3,
        np.array([[3.0, 0.0], [1.0, 2.0]]),
        np.concatenate([np.zeros((5, 8)), np.random.default_rng(0).poisson(1.0, (20, 8))]),
        np.concatenate([np.zeros((20, 3)), np.random.default_rng(0).poisson(1.0, (20, 8))], axis=1),
    ],
    ids=["constant", "diagonal", "two by two", "empty cells", "silent genes"],
)
def test_poor_data_give_a_gate_all_the_same(recipe, counts):
    gate = learn_gate(recipe, observations(counts), n_folds=10, rng=np.random.default_rng(0))
    assert np.all((gate.slope >= 0) & (gate.slope <= 1))
    assert np.isfinite(gate.r_squared).all()


@pytest.mark.parametrize("recipe", [PoissonFactorization(3), SquaredFactorization(3)], ids=["poisson", "squared"])
def test_a_constant_matrix_leaves_it_shut(recipe):
    gate = learn_gate(recipe, observations(np.full((30, 6), 4.0)), n_folds=10, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(gate.slope, 0)
