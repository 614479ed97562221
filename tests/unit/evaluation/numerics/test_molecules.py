import numpy as np
import pytest

from scinfill.errors import DataError
from scinfill.evaluation.numerics.molecules import log_cp10k, poisson_loss, score_molecules


@pytest.fixture
def world():
    """True rates and molecules drawn from them."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 1.0, size=(200, 50))
    return rates, rng.poisson(rates).astype(float)


def test_truth_beats_zeros_and_every_wrong_scale(world):
    rates, heldout = world
    truth = score_molecules([(heldout, rates)]).poisson
    for wrong in (np.zeros_like(rates), rates * 1e-3, rates * 10, rates[::-1]):
        assert truth < score_molecules([(heldout, wrong)]).poisson


def test_order_of_the_arguments_matters(world):
    """The public leaderboard calls its loss with the arguments exchanged: zeros then win over the truth."""
    rates, heldout = world
    truth, zeros = score_molecules([(heldout, rates)]), score_molecules([(heldout, np.zeros_like(rates))])
    assert truth.poisson < zeros.poisson
    assert zeros.poisson_swapped < truth.poisson_swapped


def test_expected_loss_is_least_at_the_truth(world):
    rates, _ = world
    factors = np.linspace(0.5, 1.5, 11)
    losses = [poisson_loss(rates * factor, rates).mean() for factor in factors]
    assert factors[np.argmin(losses)] == pytest.approx(1)


def test_blocks_give_what_the_whole_gives(world):
    rates, heldout = world
    whole = score_molecules([(heldout, rates)])
    cut = score_molecules([(heldout[:30], rates[:30]), (heldout[30:], rates[30:])])
    assert cut.poisson == pytest.approx(whole.poisson)
    assert cut.mse_log_cp10k == pytest.approx(whole.mse_log_cp10k)
    np.testing.assert_allclose(cut.poisson_by_gene, whole.poisson_by_gene)
    np.testing.assert_allclose(cut.poisson_by_cell, whole.poisson_by_cell)
    assert whole.poisson == pytest.approx(poisson_loss(rates, heldout).mean())


def test_negative_prediction_counts_as_zero(world):
    rates, heldout = world
    negative = score_molecules([(heldout, -rates)])
    assert negative.poisson == pytest.approx(score_molecules([(heldout, np.zeros_like(rates))]).poisson)


def test_cell_without_molecules_is_zero_on_the_log_scale():
    logs = log_cp10k(np.array([[0.0, 0.0], [1.0, 3.0]]))
    np.testing.assert_allclose(np.expm1(logs), [[0, 0], [2500, 7500]])


def test_no_cell_is_said():
    with pytest.raises(DataError, match="at least one cell"):
        score_molecules([])
