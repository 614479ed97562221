"""Estimate how far the true value may lie from ``shrunk``: a posterior that held-out molecules can test.

With a_g = m_g·(1 − w_g)/w_g and m_g the gene's mean of λ/s, the expected count of a cell is a posteriori
Gamma(shape a_g + C, rate (a_g + λ)/λ).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scinfill.models.estimate.values import Shrunk
from scinfill.numerics.blocks import row_slices

Floats = NDArray[np.float32]

N_NODES = 64
"""Values that stand for the posterior: 16 give the standard deviation to 1 % for every shape above .01."""
CROWDING = (3, 4)
"""The nodes lie in both tails more densely, the upper one above all: levels are equally spaced under this Beta law.
Equally likely values would miss the tail, and with it half of the spread where the shape is small."""
LARGEST_SHAPE = 1e6
"""Largest shape of the Gamma: a gene with weight 0 has no spread around its model."""
SHAPES = np.geomspace(1e-3, LARGEST_SHAPE, 400)
MEANS = np.geomspace(1e-4, 1e9, 400)
"""Shapes and means of the posterior at which its moments are tabulated; between them they are interpolated on
logarithmic scales, and beyond the largest mean they go on as the straight lines that they are."""


@dataclass(frozen=True)
class PosteriorSpread:
    """Root mean squared distance between the true value and the estimate, on the scale of ``X``.

    Attributes
    ----------
    estimate
        The estimate.
    shape_parameter
        (n_genes,) a_g.
    measured
        (n_genes,) whether the data have the gene: without, the prior is all there is. None: they have all.
    """

    estimate: Shrunk
    shape_parameter: NDArray[np.float64]
    measured: NDArray[np.bool_] | None = None

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes)."""
        all_counts, all_size_factors = self.estimate.data.molecules()
        counts = all_counts[rows].toarray()
        centre = self.estimate.block(rows)
        rate = np.maximum(self.estimate.model.rate(rows), 1e-12)
        size_factor = all_size_factors[rows, None].astype(np.float32)
        a = self.shape_parameter.astype(np.float32)
        shape = np.minimum(a + counts, LARGEST_SHAPE)
        exposure = size_factor if self.measured is None else size_factor * self.measured.astype(np.float32)
        expected = shape * rate / (np.minimum(a, LARGEST_SHAPE) + rate * exposure)
        batches = self.estimate.model.batches
        offsets = None if batches is None or not batches.removed else batches.of(rows)
        # Offsets multiply rates by the Poisson loss, and are added to log2 values by the squared one.
        if batches is not None and offsets is not None and batches.loss == "poisson":
            expected = batches.move(expected, offsets)
        mean, spread = posterior_moments(shape, expected)
        if batches is not None and offsets is not None and batches.loss == "squared":
            mean = np.maximum(mean - offsets, 0)
        return np.hypot(spread, mean - centre)


def posterior_spread(estimate: Shrunk) -> PosteriorSpread:
    """Work out every gene's a_g and return the spread of its values."""
    shape = estimate.data.shape
    mean = np.zeros(shape[1])
    for rows in row_slices(*shape):
        mean += estimate.model.rate(rows).sum(axis=0)
    weight = np.maximum(estimate.observed_weight.astype(np.float64), 1e-9)
    return PosteriorSpread(estimate, mean / shape[0] * (1 - weight) / weight)


def posterior_moments(shape: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of log2(1 + λ), λ ~ Gamma, for arrays of Gamma shapes and means.

    Parameters
    ----------
    shape, mean
        Positive, of equal dimensions.

    Returns
    -------
    Two arrays of these dimensions, log2 units.
    """
    row, down = _cell_of_table(mean, MEANS)
    column, right = _cell_of_table(shape, SHAPES)
    corner = row * len(SHAPES) + column
    between = []
    for table in moment_tables():
        upper = table[corner] + right * (table[corner + 1] - table[corner])
        below = corner + len(SHAPES)
        lower = table[below] + right * (table[below + 1] - table[below])
        between.append(upper + down * (lower - upper))
    return between[0], between[1]


def _cell_of_table(values: Floats, grid: NDArray[np.float64]) -> tuple[NDArray[np.intp], Floats]:
    """Return which interval of a logarithmic grid a value lies in, and how far inside; above the grid the last."""
    steps = np.float32((len(grid) - 1) / np.log(grid[-1] / grid[0]))
    position = np.log(np.maximum(values, np.float32(grid[0])) / np.float32(grid[0])) * steps
    number = np.minimum(position.astype(np.intp), len(grid) - 2)
    return number, position - number.astype(np.float32)


@cache
def moment_tables() -> tuple[Floats, Floats]:
    """Return mean and standard deviation of log2(1 + λ), λ ~ Gamma, for MEANS × SHAPES, row after row."""
    quantiles, weights = relative_quantiles()
    values = [np.log2(1 + mean * quantiles) for mean in MEANS]
    means = np.stack([value @ weights for value in values])
    variances = np.stack([(value - mean[:, None]) ** 2 @ weights for value, mean in zip(values, means, strict=True)])
    return means.ravel().astype(np.float32), np.sqrt(variances).ravel().astype(np.float32)


@cache
def relative_quantiles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n_shapes, N_NODES) quantiles of Gamma(k, 1)/k for every k in SHAPES, and the (N_NODES,) weight of each.

    An expectation over levels u is one over v with u = I_v(a, b): du is Beta's density times dv.
    """
    from scipy.special import betainc, gammainccinv

    a, b = CROWDING
    v = (np.arange(N_NODES) + 0.5) / N_NODES
    weights = v ** (a - 1) * (1 - v) ** (b - 1)
    above = betainc(b, a, 1 - v)  # 1 − u, exact in the upper tail
    quantiles = gammainccinv(SHAPES[:, None], above) / SHAPES[:, None]
    return quantiles, weights / weights.sum()
