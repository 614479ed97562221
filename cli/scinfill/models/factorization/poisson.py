"""The Poisson loss on counts: C ~ Poisson(s · exp(μ + Z·D)), zeros are data."""

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.factorization.alternating import Factors, Rows, System, design_with_offset
from scinfill.models.factorization.arrays import HOST, Array, Arrays
from scinfill.models.observations import Observations
from scinfill.numerics.sparse import rows_view

LARGEST_STEP = 1.5
"""No log rate moves further in one half-step: Newton's quadratic is a poor guide beyond."""


class PoissonLoss:
    """Σ over entries not held out of λ − C·log λ, with λ = s·exp(μ + Z·D)."""

    largest_step = LARGEST_STEP

    def __init__(self, data: Observations, held_out: csr_array | None = None, *, arrays: Arrays = HOST) -> None:
        self.counts, size_factor = data.molecules()
        self.log_exposure = np.log(size_factor).astype(np.float32)[:, None]
        self.held_out = held_out
        self.batches = data.batches
        self.arrays = arrays

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.counts.shape

    def cell_system(self, rows: Rows, factors: Factors) -> System:
        """Return the curvature DᵀΛD and the gradient Dᵀ(C − λ) for every cell in ``rows``."""
        return self._system(self.rate(rows, factors), rows_view(self.counts, rows), factors.genes)

    def gene_system(self, rows: Rows, factors: Factors) -> System:
        """Return the same for every gene and the design [1, Z], summed over the cells in ``rows``."""
        rate = self.arrays.xp.transpose(self.rate(rows, factors))
        return self._system(rate, rows_view(self.counts, rows).T, design_with_offset(factors.cells[rows]))

    def rate(self, rows: Rows, factors: Factors) -> Array:
        """Return (n_rows, n_genes) expected counts, zero where held out."""
        arrays, xp = self.arrays, self.arrays.xp
        # [Z, log s, 1]·[D, 1, μ]ᵀ: one product in place of two more walks over all entries.
        exposure = self.log_exposure[rows]
        left = np.column_stack([factors.cells[rows], exposure, np.ones_like(exposure)])
        right = np.column_stack([factors.genes, np.ones_like(factors.offset), factors.offset])
        # Mostly no log rate can be too large (Cauchy and Schwarz), which spares a walk over all entries.
        reach = np.linalg.norm(left, axis=1).max() * np.linalg.norm(right, axis=1).max()
        bound = np.float32(LARGEST_LOG_RATE if reach > LARGEST_LOG_RATE else np.inf)
        rate = arrays.bounded_exp(xp.matmul(left, right.T), bound)
        return rate if self.held_out is None else arrays.hide(rate, rows_view(self.held_out, rows))

    def _system(self, rate: Array, counts: csr_array, design: Array) -> System:
        arrays, xp = self.arrays, self.arrays.xp
        pairs = arrays.pair_products(design)
        n_pairs = pairs.shape[1]
        # One product with both: a thin one of its own would read all rates again.
        columns = xp.concatenate([xp.transpose(pairs), xp.transpose(design)], axis=0)
        weighted = xp.matmul(rate, xp.transpose(columns))
        return System(weighted[:, :n_pairs], arrays.sparse_product(counts, design) - weighted[:, n_pairs:])
