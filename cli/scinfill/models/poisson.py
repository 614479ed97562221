"""The Poisson loss on counts: C ~ Poisson(s · exp(μ + Z·D)), zeros are data (design section 5)."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.factorization import Factors, System, design_with_offset
from scinfill.models.least_squares import Floats, pair_products
from scinfill.models.observations import Observations

LARGEST_STEP = 1.5
"""No log rate moves further in one half-step: Newton's quadratic is a poor guide beyond."""
LARGEST_LOG_RATE = 30.0
"""exp of more would overflow the products in float32."""


class PoissonLoss:
    """Σ over entries not hidden of λ − C·log λ, with λ = s·exp(μ + Z·D)."""

    largest_step = LARGEST_STEP

    def __init__(self, data: Observations, hidden: csr_array | None = None) -> None:
        if data.counts is None or data.size_factor is None:
            raise ValueError("the Poisson loss needs counts and size factors")
        self.counts = data.counts
        self.log_exposure = np.log(data.size_factor).astype(np.float32)[:, None]
        self.hidden = hidden

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.counts.shape

    def cell_system(self, rows: slice, factors: Factors) -> System:
        """Return gradient Dᵀ(C − λ) and curvature DᵀΛD for every cell in ``rows``."""
        rate = self.rate(rows, factors)
        design = factors.genes
        return System(rate @ pair_products(design), self.counts[rows] @ design - rate @ design)

    def gene_system(self, rows: slice, factors: Factors) -> System:
        """Return the same for every gene, summed over the cells in ``rows``."""
        rate = self.rate(rows, factors).T
        design = design_with_offset(factors.cells[rows])
        return System(rate @ pair_products(design), self.counts[rows].T @ design - rate @ design)

    def rate(self, rows: slice, factors: Factors) -> Floats:
        """Return (n_rows, n_genes) expected counts, zero where hidden."""
        rate: NDArray[np.float32] = factors.block(rows)
        rate += self.log_exposure[rows]
        np.minimum(rate, LARGEST_LOG_RATE, out=rate)
        np.exp(rate, out=rate)
        if self.hidden is not None:
            rate[self.hidden[rows].nonzero()] = 0
        return rate


def start_offset(data: Observations) -> Floats:
    """Return log(Σ C / Σ s) for every gene, the rate without any structure; a silent gene gets half a count."""
    if data.counts is None or data.size_factor is None:
        raise ValueError("the Poisson loss needs counts and size factors")
    totals = np.maximum(data.counts.sum(axis=0), 0.5)
    return np.log(totals / data.size_factor.sum()).astype(np.float32)
