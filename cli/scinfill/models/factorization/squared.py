"""The squared loss on log2 values: weight 1 where a gene was seen, ``zero_weight`` where it was not.

Every unseen entry has the same weight, so a system needs one shared product over all columns and a
correction at the stored entries (Hu, Koren & Volinsky 2008): the cost grows with the non-zeros.
"""

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.factorization.alternating import Factors, Rows, System, design_with_offset
from scinfill.models.factorization.arrays import HOST, Array, Arrays
from scinfill.models.factorization.least_squares import column_pairs
from scinfill.models.observations import Observations
from scinfill.numerics.sparse import rows_view


class SquaredLoss:
    """½ Σ W (X − μ − Z·D)², W = 1 on non-zeros, ``zero_weight`` on zeros, 0 on held-out entries.

    The genes' weights multiply W where cells are solved. Where genes are solved, a weight that is common to all entries
    of a gene would only change its ridge.
    """

    largest_step = np.inf

    def __init__(
        self, data: Observations, zero_weight: float, held_out: csr_array | None = None, *, arrays: Arrays = HOST
    ) -> None:
        self.zero_weight = zero_weight
        self.arrays = arrays
        self.values = data.log_values
        self.held_out = held_out
        self.batches = data.batches

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.values.shape

    def cell_system(self, rows: Rows, factors: Factors) -> System:
        """Return the curvature DᵀWD and the gradient DᵀW(X − μ − Z·D) for every cell in ``rows``."""
        values, excess = self._entries(rows)
        design, pairs = factors.genes, self.arrays.pair_products(factors.genes)
        if factors.gene_weights is not None:
            design, pairs = design * factors.gene_weights[:, None], pairs * factors.gene_weights[:, None]
        explained = self._weighted_sums(excess, design * factors.offset[:, None])
        return self._system(values, excess, design, pairs, factors.cells[rows], explained=explained)

    def gene_system(self, rows: Rows, factors: Factors) -> System:
        """Return the same for every gene and the design [1, Z], summed over the cells in ``rows``."""
        values, excess = self._entries(rows)
        design = design_with_offset(factors.cells[rows])
        current = np.column_stack([factors.offset, factors.genes])
        return self._system(values.T, excess.T, design, self.arrays.pair_products(design), current)

    def _entries(self, rows: Rows) -> tuple[csr_array, csr_array]:
        """Return the values of some cells, and what their weights exceed ``zero_weight`` by."""
        values = rows_view(self.values, rows)
        held_out = None if self.held_out is None else rows_view(self.held_out, rows)
        return values, weight_excess(values, self.zero_weight, held_out)

    def _system(
        self, values: csr_array, excess: csr_array, design: Array, pairs: Array, current: Array, *, explained: Array = 0
    ) -> System:
        """Build the systems of the rows of ``values``; ``explained`` is what their offsets predict."""
        curvature = self._weighted_sums(excess, pairs)
        gradient = (
            self.arrays.sparse_product(values, design) - explained - packed_product(self.arrays, curvature, current)
        )
        return System(curvature, gradient)

    def _weighted_sums(self, excess: csr_array, columns: Array) -> Array:
        """Return W·columns, where W = zero_weight everywhere plus the sparse excess."""
        everywhere = np.float32(self.zero_weight) * self.arrays.xp.sum(columns, axis=0)
        return everywhere + self.arrays.sparse_product(excess, columns)


def weight_excess(values: csr_array, zero_weight: float, held_out: csr_array | None) -> csr_array:
    """Return W − zero_weight, sparse: 1 − zero_weight where seen, −zero_weight where held out (not in ``values``)."""
    seen = csr_array((np.full(values.nnz, 1 - zero_weight, np.float32), values.indices, values.indptr), values.shape)
    if held_out is None or zero_weight == 0:
        return seen
    removed = np.full(held_out.nnz, zero_weight, np.float32)
    return seen - csr_array((removed, held_out.indices, held_out.indptr), held_out.shape)


def packed_product(arrays: Arrays, packed: Array, vectors: Array) -> Array:
    """Return H_i x_i for packed symmetric H (n, k(k+1)/2) and x (n, k)."""
    n_columns = vectors.shape[1]
    first, second = column_pairs(n_columns)
    position = np.zeros((n_columns, n_columns), dtype=np.intp)
    position[first, second] = position[second, first] = np.arange(len(first))
    products = [arrays.xp.sum(arrays.xp.take(packed, row, axis=1) * vectors, axis=1) for row in position]
    return arrays.xp.stack(products, axis=1)
