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

N_NODES = 16
"""Values that stand for the posterior: they give the standard deviation to 1 % for every shape above .01."""
CROWDING = (3, 4)
"""The nodes lie in both tails more densely, the upper one above all: levels are equally spaced under this Beta law.
Equally likely values would miss the tail, and with it half of the spread where the shape is small."""
LARGEST_SHAPE = 1e6
"""Largest shape of the Gamma: a gene with weight 0 has no spread around its model."""
SHAPES = np.geomspace(1e-3, LARGEST_SHAPE, 400)
"""Shapes at which the quantiles are tabulated; between them they are interpolated on a logarithmic scale."""


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
        scale = rate / (np.minimum(a, LARGEST_SHAPE) + rate * exposure)
        squares = np.zeros_like(centre)
        position = _table_position(shape)
        quantiles, weights = relative_quantiles()
        batches = self.estimate.model.batches
        offsets = None if batches is None or not batches.removed else batches.of(rows)
        for quantile, weight in zip(quantiles.T, weights, strict=True):
            expected = scale * shape * np.interp(position, np.arange(len(SHAPES)), quantile)
            if batches is not None and offsets is not None:
                expected = batches.move(expected, offsets)
            value = np.log2(1 + expected)
            squares += weight * (value - centre) ** 2
        return np.sqrt(squares).astype(np.float32)


def posterior_spread(estimate: Shrunk) -> PosteriorSpread:
    """Work out every gene's a_g and return the spread of its values."""
    shape = estimate.data.shape
    mean = np.zeros(shape[1])
    for rows in row_slices(*shape):
        mean += estimate.model.rate(rows).sum(axis=0)
    weight = np.maximum(estimate.observed_weight.astype(np.float64), 1e-9)
    return PosteriorSpread(estimate, mean / shape[0] * (1 - weight) / weight)


def _table_position(shape: Floats) -> Floats:
    steps = (len(SHAPES) - 1) / np.log(SHAPES[-1] / SHAPES[0])
    return np.log(np.maximum(shape, SHAPES[0]) / SHAPES[0]) * steps


@cache
def relative_quantiles() -> tuple[Floats, Floats]:
    """Return (n_shapes, N_NODES) quantiles of Gamma(k, 1)/k for every k in SHAPES, and the (N_NODES,) weight of each.

    An expectation over levels u is one over v with u = I_v(a, b): du is Beta's density times dv.
    """
    from scipy.special import betainc, gammainccinv

    a, b = CROWDING
    v = (np.arange(N_NODES) + 0.5) / N_NODES
    weights = v ** (a - 1) * (1 - v) ** (b - 1)
    above = betainc(b, a, 1 - v)  # 1 − u, exact in the upper tail
    quantiles = gammainccinv(SHAPES[:, None], above) / SHAPES[:, None]
    return quantiles.astype(np.float32), (weights / weights.sum()).astype(np.float32)
