import numpy as np
import pytest

from scinfill.errors import DataError
from scinfill.numerics.metrics import decile_of_genes, false_fill, mae, nmse, nmse_squared, rmse

TRUTH = np.array([3.0, 4.0])
ESTIMATE = np.array([3.0, 1.0])


def test_values_by_hand():
    assert rmse(TRUTH, ESTIMATE) == pytest.approx(3 / np.sqrt(2))
    assert mae(TRUTH, ESTIMATE) == pytest.approx(1.5)
    assert nmse(TRUTH, ESTIMATE) == pytest.approx(0.6)
    assert nmse_squared(TRUTH, ESTIMATE) == pytest.approx(0.36)


def test_nmse_of_zero_fill_is_one():
    assert nmse(TRUTH, np.zeros(2)) == pytest.approx(1)


@pytest.mark.parametrize("error", [rmse, mae, nmse])
def test_perfect_estimate_has_no_error(error):
    assert error(TRUTH, TRUTH) == 0


@pytest.mark.parametrize("error", [rmse, mae, nmse])
def test_no_entry_is_said_and_never_nan(error):
    with pytest.raises(DataError, match="at least one known entry"):
        error([], [])


def test_nmse_of_a_zero_truth_is_refused():
    with pytest.raises(DataError, match="norm of the truth"):
        nmse(np.zeros(3), np.ones(3))


def test_float32_input_is_summed_in_double():
    truth = np.full(10**6, 1000.1, dtype=np.float32)
    assert mae(truth, truth + np.float32(1)) == pytest.approx(1, abs=1e-4)


def test_false_fill_counts_what_exceeds_the_threshold():
    assert false_fill([0.0, 0.1, 0.5, 2.0], threshold=0.1) == pytest.approx(0.5)


def test_deciles_are_even_and_ordered():
    deciles = decile_of_genes(np.arange(100)[::-1])
    assert np.bincount(deciles).tolist() == [10] * 10
    assert deciles[0] == 9
    assert deciles[-1] == 0
