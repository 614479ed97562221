import numpy as np
import pytest

from scinfill.errors import DataError
from scinfill.evaluation.numerics.guard import (
    called_differential,
    cells_of_largest_labels,
    correlated_partners,
    library_size_leak,
)

RNG = np.random.default_rng(0)
CODES = np.repeat([0, 1, 2], [100, 60, 40])
NOISE = RNG.normal(size=(200, 80))


def test_independent_genes_are_neither_correlated_nor_differential():
    assert correlated_partners(NOISE).mean() < 0.01
    assert called_differential(NOISE, CODES).mean() < 0.05
    assert library_size_leak(NOISE, CODES, RNG.gamma(5, size=200)).share < 0.05


def test_invented_signal_is_found():
    invented = NOISE + 3 * (CODES == 0)[:, None]
    assert correlated_partners(invented).mean() == pytest.approx(1, abs=0.01)
    assert called_differential(invented, CODES).all()


def test_learned_library_size_is_found_in_every_label():
    sizes = RNG.gamma(5, size=200)
    leak = library_size_leak(NOISE + 3 * sizes[:, None], CODES, sizes)
    assert leak.share > 0.9
    assert set(leak.by_label) == {0, 1, 2}


def test_constant_genes_carry_no_signal():
    flat = np.ones((200, 10))
    assert correlated_partners(flat).mean() == 0
    assert not called_differential(flat, CODES).any()


def test_constant_genes_count_among_the_pairs():
    values = np.column_stack([NOISE[:, 0], NOISE[:, 0], np.ones(200)])
    assert correlated_partners(values).mean() == pytest.approx(1 / 3)


def test_two_labels_are_one_test():
    codes = (CODES == 0).astype(int)
    np.testing.assert_array_equal(called_differential(NOISE, codes), called_differential(NOISE, 1 - codes))


def test_small_labels_do_not_test_library_size():
    leak = library_size_leak(NOISE, CODES, RNG.gamma(5, size=200), fewest_cells=50)
    assert set(leak.by_label) == {0, 1}
    with pytest.raises(DataError, match="500 cells"):
        library_size_leak(NOISE, CODES, RNG.gamma(5, size=200), fewest_cells=500)


def test_cells_of_one_size_cannot_leak_it():
    with pytest.raises(DataError, match="different size"):
        library_size_leak(NOISE, CODES, np.ones(200))


def test_largest_labels():
    np.testing.assert_array_equal(np.unique(CODES[cells_of_largest_labels(CODES)]), [0, 1])
    with pytest.raises(DataError, match="2 labels"):
        cells_of_largest_labels(np.zeros(5, dtype=int))


def test_too_few_genes_for_a_pair():
    with pytest.raises(DataError, match="two genes"):
        correlated_partners(NOISE[:, :1])
