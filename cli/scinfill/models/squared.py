"""The squared loss on log2 values: weight 1 where a gene was seen, ``zero_weight`` where it was not.

Every unseen entry has the same weight, so a system needs one shared product over all columns and a
correction at the stored entries (Hu, Koren & Volinsky 2008): the cost grows with the non-zeros.
"""

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.factorization import Factors, System, design_with_offset
from scinfill.models.least_squares import Floats, column_pairs, pair_products
from scinfill.models.observations import Observations


class SquaredLoss:
    """½ Σ W (X − μ − Z·D)², W = 1 on non-zeros, ``zero_weight`` on zeros, 0 on hidden entries."""

    largest_step = np.inf

    def __init__(self, data: Observations, zero_weight: float, hidden: csr_array | None = None) -> None:
        self.zero_weight = zero_weight
        self.values = data.log_values
        self.excess = weight_excess(data.log_values, zero_weight, hidden)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.values.shape

    def cell_system(self, rows: slice, factors: Factors) -> System:
        """Return Dᵀ W D and the gradient Dᵀ W (X − μ − Z·D) for every cell in ``rows``."""
        design, pairs = factors.genes, pair_products(factors.genes)
        curvature = self.zero_weight * pairs.sum(axis=0) + self.excess[rows] @ pairs
        shifted = design * factors.offset[:, None]
        target = self.values[rows] @ design - self.zero_weight * shifted.sum(axis=0) - self.excess[rows] @ shifted
        return System(curvature, target - packed_product(curvature, factors.cells[rows]))

    def gene_system(self, rows: slice, factors: Factors) -> System:
        """Return the same for every gene and the design [1, Z], summed over the cells in ``rows``."""
        design = design_with_offset(factors.cells[rows])
        pairs = pair_products(design)
        curvature = self.zero_weight * pairs.sum(axis=0) + self.excess[rows].T @ pairs
        current = np.column_stack([factors.offset, factors.genes])
        return System(curvature, self.values[rows].T @ design - packed_product(curvature, current))


def weight_excess(values: csr_array, zero_weight: float, hidden: csr_array | None) -> csr_array:
    """Return W − zero_weight, sparse: 1 − zero_weight where seen, −zero_weight where hidden (and not in ``values``)."""
    seen = csr_array((np.full(values.nnz, 1 - zero_weight, np.float32), values.indices, values.indptr), values.shape)
    if hidden is None or zero_weight == 0:
        return seen
    removed = np.full(hidden.nnz, zero_weight, np.float32)
    return seen - csr_array((removed, hidden.indices, hidden.indptr), hidden.shape)


def packed_product(packed: Floats, vectors: Floats) -> Floats:
    """Return H_i x_i for packed symmetric H (n, k(k+1)/2) and x (n, k)."""
    first, second = column_pairs(vectors.shape[1])
    product = np.zeros_like(vectors)
    for column, (i, j) in enumerate(zip(first, second, strict=True)):
        product[:, i] += packed[:, column] * vectors[:, j]
        if i != j:
            product[:, j] += packed[:, column] * vectors[:, i]
    return product
