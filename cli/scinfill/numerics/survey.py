"""Describe a matrix by some of its values, so that a large file takes no longer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinfill.numerics.rounding import is_fractional

N_PIECES = 16
VALUES_PER_PIECE = 2**18
"""Four million values of a matrix are looked at, in pieces from its start to its end."""
LARGEST_EXACT = 2**53
"""Larger numbers are no counts: float64 does not hold each of them."""


@dataclass(frozen=True)
class Survey:
    """Properties of the values of a matrix.

    Attributes
    ----------
    counts
        Whether they can be counts: whole within the precision of float32, not negative, some above 1 (a matrix of
        nothing but 0 and 1 says what was detected).
    values
        The same in words.
    """

    counts: bool
    values: str


def survey(values: Any) -> Survey:  # noqa: ANN401 - an array, or anything that gives one for a slice, such as a dataset
    """Tell counts from other values.

    Parameters
    ----------
    values
        An array of any number of axes, or anything with ``shape``, ``dtype`` and slices along its first axis. Of a
        sparse matrix these are the stored values.
    """
    if values.dtype.kind == "b":
        return Survey(counts=False, values="yes or no")
    if values.dtype.kind not in "iuf":
        return Survey(counts=False, values=f"{values.dtype} values")
    least, most, fractional = 0.0, 0.0, False
    for piece in _pieces(values):
        numbers = piece.astype(np.float64)
        if not np.isfinite(numbers).all():
            return Survey(counts=False, values="NaN or infinite values among others")
        least, most = min(least, float(numbers.min())), max(most, float(numbers.max()))
        fractional = fractional or bool(is_fractional(numbers[numbers > 0]).any())
    if least < 0 or fractional:
        words = f"values from {least:.6g} to {most:.6g}" if least < 0 else f"fractions up to {most:.6g}"
    elif most > LARGEST_EXACT:
        words = f"values up to {most:.6g}"
    elif most <= 1:
        words = "nothing but zeros and ones" if most else "nothing but zeros"
    else:
        return Survey(counts=True, values=f"whole numbers up to {most:.6g}")
    return Survey(counts=False, values=words)


def _pieces(values: Any) -> Iterator[NDArray[Any]]:  # noqa: ANN401
    """Yield slices along the first axis, evenly spaced, whose values are a bounded number."""
    n_rows, *rest = values.shape
    per_row = int(np.prod(rest)) if rest else 1
    if n_rows * per_row == 0:
        return
    height = max(1, VALUES_PER_PIECE // per_row)
    n_pieces = min(N_PIECES, -(-n_rows // height))
    for start in np.linspace(0, max(0, n_rows - height), n_pieces).astype(int):
        yield np.asarray(values[start : start + height])
