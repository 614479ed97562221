"""Recognise the scale of values that should be counts and are not."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.normalization import whole_multiples
from scinfill.numerics.rounding import is_fractional
from scinfill.numerics.sparse import entry_blocks, largest, row_sums

LARGEST_LOG2 = 32
"""A larger value would stand for more than four thousand million counts, so the data is not on a log scale."""
BASES = (np.e, 2.0, 10.0)
TOTAL_TOLERANCE = 0.01
"""Totals of CPM or TPM differ by less where values were rounded or a few genes left out; totals of counts by more."""
FEWEST_CELLS = 3
MOSTLY = 0.9
FEW = 0.1
HARDLY_ANY = 0.02
SMALL_COUNT = 2
"""Counts, however deep, have genes of one or two in many cells; TPM of a few thousand genes has none."""
LARGEST_SQUARE = 1e5
"""A larger number is known to too few decimals to tell a whole one."""

Scale = Literal[
    "same total", "logged", "normalised", "square roots", "fractional", "fractional or logged", "fractional but large"
]


def same_total(totals: NDArray[np.float64]) -> float | None:
    """Return the total that all cells with any value have in common, None where they differ or are too few to tell."""
    totals = totals[totals > 0]
    if len(totals) < FEWEST_CELLS:
        return None
    median = float(np.median(totals))
    return median if np.ptp(totals) <= TOTAL_TOLERANCE * median else None


def scale_of(values: csr_array) -> Scale:
    """Return what values, some of which are fractions, look like.

    ``same total``
        CPM, TPM and their like: every cell has the same total.
    ``logged``
        Before a logarithm every cell had the same total, or its values were whole multiples of its smallest.
    ``normalised``
        A cell's values are whole multiples of its smallest, which is hardly ever a whole number.
    ``square roots``
        The squares of those that are no whole numbers are.
    ``fractional``
        None of these, so counts that were corrected or estimated; ``fractional or logged`` where all values are
        small enough to be logarithms, ``fractional but large`` where hardly any is near a count or two, as in TPM of
        which some genes were left out (so that totals differ).
    """
    if same_total(row_sums(values)) is not None:
        return "same total"
    some = values[: next(iter(entry_blocks(values.indptr))).stop]
    small = largest(values.data) < LARGEST_LOG2
    if small and any(is_logged(some, base) for base in BASES):
        return "logged"
    if np.mean(~is_fractional(some.data)) < FEW and whole_multiples(some, None) > MOSTLY:
        return "normalised"
    if _are_square_roots(some.data):
        return "square roots"
    if np.mean(some.data <= SMALL_COUNT) < HARDLY_ANY:
        return "fractional but large"
    return "fractional or logged" if small else "fractional"


def is_logged(values: csr_array, base: float) -> bool:
    """Whether before a logarithm every cell had the same total, or its values were whole multiples of its smallest."""
    return same_total(row_sums(undo_log(values, base))) is not None or whole_multiples(values, base) > MOSTLY


def undo_log(values: csr_array, base: float) -> csr_array:
    """Return what log(1 + x) of a base was taken of."""
    return csr_array((np.expm1(values.data * np.log(base)), values.indices, values.indptr), shape=values.shape)


def _are_square_roots(values: NDArray[np.floating]) -> bool:
    squares = values[is_fractional(values)].astype(np.float64) ** 2
    squares = squares[squares < LARGEST_SQUARE]
    return len(squares) > 0 and float(np.mean(~is_fractional(squares))) > MOSTLY
