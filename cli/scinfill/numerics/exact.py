"""Products of matrices that round in one way only, whatever else is computed beside them.

Linear algebra libraries choose the order in which they sum by the shape of what they multiply and by a row's place in
it, so that the same row rounds differently in a table of seven rows and in one of three hundred. Here both sides are
first rounded to whole numbers so small that every sum of products is a whole number below 2⁵³. Double precision adds
such numbers without rounding, so no order matters, on any machine.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MANTISSA_BITS = 52
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
    bits = (EXACT_BITS - int(np.ceil(np.log2(max(1, right.shape[0]))))) // 2
    return (_rounded(left, bits, axis=1) @ _rounded(right, bits, axis=0)).astype(np.float32)


def _rounded(values: NDArray[Any], bits: int, *, axis: int) -> Doubles:
    """Return multiples of a power of two, at most 2^``bits`` of them in a line: whole numbers but for the exponent."""
    highest = values.max(axis=axis, keepdims=True, initial=0)
    largest = np.maximum(highest, -values.min(axis=axis, keepdims=True, initial=0))
    _, exponent = np.frexp(largest.astype(np.float64))
    # Beside so large a number nothing below the wanted power of two has a place.
    anchor = np.ldexp(1.5, exponent - bits + MANTISSA_BITS)
    rounded = values + anchor
    return np.subtract(rounded, anchor, out=rounded)


EXACT_NUMPY = SimpleNamespace(
    concatenate=np.concatenate,
    exp=np.exp,
    matmul=exact_product,
    minimum=np.minimum,
    stack=np.stack,
    sum=np.sum,
    take=np.take,
    transpose=np.transpose,
)
"""Numpy as the losses of a factorisation use it, with exact products."""
