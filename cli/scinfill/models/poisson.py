"""The Poisson loss on counts: C ~ Poisson(s · exp(μ + Z·D)), zeros are data (design section 5)."""

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.factorization import Factors, System, design_with_offset
from scinfill.models.gate import LARGEST_LOG_RATE
from scinfill.models.least_squares import Floats, pair_products
from scinfill.models.observations import Observations

LARGEST_STEP = 1.5
"""No log rate moves further in one half-step: Newton's quadratic is a poor guide beyond."""


class PoissonLoss:
    """Σ over entries not hidden of λ − C·log λ, with λ = s·exp(μ + Z·D)."""

    largest_step = LARGEST_STEP

    def __init__(self, data: Observations, hidden: csr_array | None = None) -> None:
        self.counts, size_factor = data.molecules()
        self.log_exposure = np.log(size_factor).astype(np.float32)[:, None]
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
        rate = factors.block(rows)
        rate += self.log_exposure[rows]
        np.minimum(rate, LARGEST_LOG_RATE, out=rate)
        np.exp(rate, out=rate)
        if self.hidden is not None:
            rate[self.hidden[rows].nonzero()] = 0
        return rate
