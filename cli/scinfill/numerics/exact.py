"""Products of matrices that round in one way only, whatever else is computed beside them.

Linear algebra libraries choose the order in which they sum by the shape of what they multiply and by a row's place in
it, so that the same row rounds differently in a table of seven rows and in one of three hundred. Here both sides are
first rounded to whole numbers so small that every sum of products is a whole number below 2⁵³. Double precision adds
such numbers without rounding, so no order matters, on any machine.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

EXACT_BITS = 52
"""Whole numbers of so many bits add up exactly in double precision, with one bit to spare for the sign."""


def exact_product(left: NDArray[Any], right: NDArray[Any]) -> Floats:
    """Return left · right, (n, m), of which a row depends on that row of ``left`` alone, to the last bit.

    Parameters
    ----------
    left
        (n, k), rounded to some twenty bits below each row's largest number (24 for small k).
    right
        (k, m), rounded likewise below each column's largest.
    """
    return multiply_rounded(left, round_columns(right))


def round_columns(right: NDArray[Any]) -> Doubles:
    """Return the right side of an exact product, (k, m), rounded once for many products; rows of it may be left out."""
    return _rounded(right, _bits(right.shape[0]), axis=0)


def multiply_rounded(left: NDArray[Any], right: Doubles, *, by_columns: bool = False) -> Floats:
    """Return :func:`exact_product` with a right side that :func:`round_columns` returned, or some rows of it.

    ``by_columns`` keeps the columns of the result in one piece each, for who goes on with these.
    """
    rounded = _rounded(left, _bits(right.shape[0]), axis=1)
    return (right.T @ rounded.T).astype(np.float32).T if by_columns else (rounded @ right).astype(np.float32)


def _bits(n_terms: int) -> int:
    """Return how many bits either side may have for so many products to add up exactly."""
    return (EXACT_BITS - int(np.ceil(np.log2(max(1, n_terms))))) // 2


def _rounded(values: NDArray[Any], bits: int, *, axis: int) -> Doubles:
    """Return multiples of a power of two, at most 2^``bits`` of them in a line: whole numbers but for the exponent."""
    highest = values.max(axis=axis, keepdims=True, initial=0)
    largest = np.maximum(highest, -values.min(axis=axis, keepdims=True, initial=0))
    # Single precision has the wanted digits where they are few, and half of the bytes to move.
    single = values.dtype == np.float32 and bits < np.finfo(np.float32).nmant
    wide = np.float32 if single else np.float64
    _, exponent = np.frexp(largest.astype(wide))
    # Beside so large a number nothing below the wanted power of two has a place.
    anchor = np.ldexp(wide(1.5), exponent - bits + np.finfo(wide).nmant)
    rounded = values + anchor
    return np.subtract(rounded, anchor, out=rounded).astype(np.float64, copy=False)
