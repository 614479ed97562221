"""Whole numbers from values that are nearly so, or that were estimated as fractions of molecules."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.sparse import canonical

ABSOLUTE_TOLERANCE = 1e-4
TOLERANCE_AT_ZERO = 1e-6
RELATIVE_TOLERANCE = 1e-6
"""What is left of a whole number after float32 logarithms and their inverse, or a division and its inverse.

The relative error of expm1(log1p(x)) in float32 is about eps/2 times log1p(x): 5e-7 for two thousand counts. Near
zero less is allowed, since shares of a cell's total are small without being zero.
"""


def is_fractional(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the values that are no whole number within the precision of float32."""
    tolerance = np.where(values < 0.5, TOLERANCE_AT_ZERO, ABSOLUTE_TOLERANCE) + RELATIVE_TOLERANCE * values
    return abs(values - np.rint(values)) > tolerance


def snap_whole(values: csr_array) -> csr_array:
    """Return values that are whole within precision as exact whole numbers; the matrix itself where they are."""
    if values.dtype.kind != "f" or not any((values.data[part] % 1).any() for part in scratch.chunks(values.nnz)):
        return values
    return _with_whole(values, np.rint)


def rounded_at_random(values: csr_array, rng: np.random.Generator) -> csr_array:
    """Return every value as one of the two whole numbers beside it, drawn so that its expectation is the value.

    The fraction is the probability of the larger one, and entries are drawn independently. Rounding to the nearest
    would turn .97 back into 1 and .4 into 0 in every cell alike, which moves the means of weakly expressed genes;
    SoupX (``adjustCounts``, ``roundToInt``) draws as well. Values that are whole within precision stay as they are.
    """

    def draw(part: NDArray[np.floating]) -> NDArray[np.floating]:
        floor = np.floor(part)
        drawn = floor + (rng.random(len(part)) < part - floor)
        return np.where(is_fractional(part), drawn, np.rint(part))

    return _with_whole(values, draw)


def _with_whole(values: csr_array, whole: Callable[[NDArray[Any]], NDArray[Any]]) -> csr_array:
    """Return the matrix with other values, a part at a time, and without the zeros that some of them become."""
    data = scratch.empty(values.nnz, values.dtype)
    for part in scratch.chunks(values.nnz):
        data[part] = whole(values.data[part])
    return canonical(csr_array((data, values.indices, values.indptr), shape=values.shape))
