"""The named answers against their formulas, computed directly."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from _models import Given, low_rank_world, observations
from scinfill.models.centre import gene_centre
from scinfill.models.estimate.values import ExpectedCounts, GatedModel, Shrunk, add_scaled, gated_model, total_scale

WORLD = low_rank_world(50, 30)
ALL = slice(0, 50)
SLOPE = np.linspace(0, 1, 30).astype(np.float32)


def prediction(loss):
    """Return a prediction that is wrong on purpose: half the deviation of the truth, and a wrong level."""
    values = np.log(WORLD.rate) if loss == "poisson" else np.log2(1 + WORLD.rate)
    return Given(0.2 + 0.5 * values)


def rate_of(loss, *, match_totals):
    """Return λ/s by its formulas, written out."""
    counts, size_factor = WORLD.data.molecules()
    values = prediction(loss).block(ALL).astype(float)
    if loss == "poisson":
        mean = counts.sum(axis=0) / size_factor.sum()
        rate = mean + SLOPE * (np.exp(values) - mean)
    else:
        mean = WORLD.data.log_values.toarray().mean(axis=0)
        rate = np.exp2(np.maximum(mean + SLOPE * (values - mean), 0)) - 1
    if match_totals:
        rate = rate * counts.sum(axis=0) / (size_factor[:, None] * rate).sum(axis=0)
    return rate


@pytest.mark.parametrize("loss", ["poisson", "squared"])
@pytest.mark.parametrize("match_totals", [False, True], ids=["as is", "totals matched"])
def test_gated_model(loss, match_totals):
    model = gated_model(prediction(loss), loss, WORLD.data, SLOPE, match_totals=match_totals)
    expected = rate_of(loss, match_totals=match_totals)
    np.testing.assert_allclose(model.rate(ALL), expected, rtol=1e-4)
    np.testing.assert_allclose(model.block(ALL), np.log2(1 + expected), rtol=1e-4, atol=1e-5)
    assert model.block(ALL).dtype == np.float32


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_every_genes_total_is_the_observed_one(loss):
    counts, size_factor = WORLD.data.molecules()
    model = gated_model(prediction(loss), loss, WORLD.data, SLOPE, match_totals=True)
    totals = ExpectedCounts(model, size_factor).block(ALL).sum(axis=0)
    np.testing.assert_allclose(totals, counts.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(total_scale(model, WORLD.data), 1, rtol=1e-4)


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_shrunk(loss):
    counts, size_factor = WORLD.data.molecules()
    weight = np.linspace(1, 0, 30).astype(np.float32)
    model = gated_model(prediction(loss), loss, WORLD.data, SLOPE, match_totals=True)
    rate = rate_of(loss, match_totals=True)
    expected = np.log2(1 + (1 - weight) * rate + weight * counts.toarray() / size_factor[:, None])
    np.testing.assert_allclose(Shrunk(model, WORLD.data, weight).block(ALL), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_a_weight_of_one_gives_back_what_was_seen(loss):
    model = gated_model(prediction(loss), loss, WORLD.data, SLOPE, match_totals=True)
    values = Shrunk(model, WORLD.data, np.ones(30, np.float32)).block(ALL)
    np.testing.assert_allclose(values, WORLD.data.log_values.toarray(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_a_shut_gene_is_exactly_constant(loss):
    """Rounding noise of 1e-9 is enough for a rank test, and the blocks must not differ either."""
    model = gated_model(prediction(loss), loss, WORLD.data, np.zeros(30, np.float32), match_totals=True)
    shrunk = Shrunk(model, WORLD.data, np.zeros(30, np.float32))
    for estimate in (model, shrunk):
        blocks = [estimate.block(rows) for rows in (slice(0, 1), slice(1, 20), slice(20, 50))]
        assert np.all(np.concatenate(blocks) == blocks[0][0])


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_blocks_are_rows_of_the_whole(loss):
    model = gated_model(prediction(loss), loss, WORLD.data, SLOPE, match_totals=True)
    for estimate in (model, Shrunk(model, WORLD.data, np.full(30, 0.3, np.float32))):
        np.testing.assert_array_equal(estimate.block(slice(13, 29)), estimate.block(ALL)[13:29])


@pytest.mark.parametrize("loss", ["poisson", "squared"])
@pytest.mark.parametrize("match_totals", [False, True])
def test_nothing_is_negative_nor_infinite(loss, match_totals):
    wild = Given(np.random.default_rng(0).normal(0, 60, WORLD.rate.shape))
    model = gated_model(wild, loss, WORLD.data, np.ones(30, np.float32), match_totals=match_totals)
    for estimate in (model, Shrunk(model, WORLD.data, SLOPE)):
        values = estimate.block(ALL)
        assert np.isfinite(values).all()
        assert values.min() >= 0


def test_a_model_may_be_read_twice():
    """Blocks are computed in place; the factors behind them must not notice."""
    model = gated_model(prediction("poisson"), "poisson", WORLD.data, SLOPE, match_totals=True)
    np.testing.assert_array_equal(model.block(ALL), model.block(ALL))


def test_a_gene_that_was_never_seen_stays_unseen():
    counts = np.random.default_rng(0).poisson(3, size=(20, 6))
    counts[:, 2] = 0
    data = observations(counts)
    model = gated_model(Given(np.zeros((20, 6))), "poisson", data, np.ones(6, np.float32), match_totals=True)
    np.testing.assert_array_equal(model.rate(slice(0, 20))[:, 2], 0)


def test_without_counts_there_is_the_squared_model_alone():
    values = WORLD.data.log_values
    data = type(WORLD.data)(values)
    model = gated_model(prediction("squared"), "squared", data, SLOPE, match_totals=False)
    assert isinstance(model, GatedModel)
    np.testing.assert_allclose(
        gene_centre("squared", data, None, zero_weight=1.0), values.toarray().mean(axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(model.rate(ALL), rate_of("squared", match_totals=False), rtol=1e-4)


def test_add_scaled_adds_at_the_stored_entries():
    counts = csr_array(np.array([[0, 3.0], [2.0, 0]], np.float32))
    block = np.ones((2, 2), np.float32)
    add_scaled(block, counts, np.array([2.0, 0.5]), np.array([0.5, 1], np.float32))
    np.testing.assert_array_equal(block, [[1, 2.5], [3, 1]])
