import numpy as np
import pytest
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.evaluation.numerics import molecules
from scinfill.evaluation.numerics.molecules import EPSILON, score_molecules


@pytest.fixture
def world():
    """True rates and molecules drawn from them."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 1.0, size=(200, 50))
    return rates, rng.poisson(rates).astype(float)


def scores(heldout, expected):
    return score_molecules(lambda rows: (csr_array(heldout[rows]), expected[rows]), heldout.shape)


def test_truth_beats_zeros_and_every_wrong_scale(world):
    rates, heldout = world
    truth = scores(heldout, rates).poisson
    for wrong in (np.zeros_like(rates), rates * 1e-3, rates * 10, rates[::-1]):
        assert truth < scores(heldout, wrong).poisson


def test_order_of_the_arguments_matters(world):
    """The public leaderboard calls its loss with the arguments exchanged: zeros then win over the truth."""
    rates, heldout = world
    truth, zeros = scores(heldout, rates), scores(heldout, np.zeros_like(rates))
    assert truth.poisson < zeros.poisson
    assert zeros.poisson_swapped < truth.poisson_swapped


def test_expected_loss_is_least_at_the_truth(world):
    rates, _ = world
    factors = np.linspace(0.5, 1.5, 11)
    losses = [scores(rates, rates * factor).poisson for factor in factors]
    assert factors[np.argmin(losses)] == pytest.approx(1)


def test_scores_are_the_entrywise_losses(world):
    """Also in a cell of which nothing was held out, where one that was expected is all there is."""
    rates, heldout = world
    heldout[3] = 0
    found = scores(heldout, rates)
    loss = rates - heldout * np.log(rates + EPSILON)
    exchanged = heldout - rates * np.log(heldout + EPSILON)
    logs = [np.log1p(1e4 * each / np.maximum(each.sum(axis=1, keepdims=True), 1e-300)) for each in (rates, heldout)]
    np.testing.assert_allclose(found.poisson_by_cell, loss.mean(axis=1))
    np.testing.assert_allclose(found.poisson_by_gene, loss.mean(axis=0))
    np.testing.assert_allclose(found.swapped_by_cell, exchanged.mean(axis=1))
    np.testing.assert_allclose(found.mse_by_cell, ((logs[0] - logs[1]) ** 2).mean(axis=1))
    assert found.poisson == pytest.approx(loss.mean())


def test_blocks_give_what_the_whole_gives(world, monkeypatch):
    rates, heldout = world
    whole = scores(heldout, rates)
    cuts = [slice(start, start + 30) for start in range(0, 200, 30)]
    monkeypatch.setattr(molecules, "row_slices", lambda *shape: cuts)
    cut = scores(heldout, rates)
    for name in ("poisson_by_gene", "poisson_by_cell", "mse_by_cell", "swapped_by_cell"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name))


def test_negative_prediction_counts_as_zero(world):
    rates, heldout = world
    assert scores(heldout, -rates).poisson == pytest.approx(scores(heldout, np.zeros_like(rates)).poisson)


def test_what_is_predicted_exactly_has_no_squared_error(world):
    _, heldout = world
    assert not scores(heldout, heldout).mse_by_cell.any()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_cell_and_no_gene_are_said(shape):
    with pytest.raises(DataError, match="at least one cell"):
        scores(np.zeros(shape), np.zeros(shape))
