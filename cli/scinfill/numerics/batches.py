"""Which batch every cell belongs to, and sums over the cells of every batch."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.sparse import entry_blocks

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Batches:
    """Cells by batch.

    Attributes
    ----------
    codes
        (n_cells,) the batch of every cell, from 0.
    n_batches
        How many there are; some may have no cell among these.
    """

    codes: NDArray[np.intp]
    n_batches: int

    def cells(self, rows: NDArray[np.intp]) -> "Batches":
        """Return the batches of some cells."""
        return replace(self, codes=self.codes[rows])

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(n_batches,) cells of every batch."""
        return np.bincount(self.codes, minlength=self.n_batches)

    def rows(self, batch: int) -> NDArray[np.intp]:
        """Return the cells of a batch, in their order."""
        return np.flatnonzero(self.codes == batch)

    def totals(self, values: NDArray[np.floating]) -> Doubles:
        """Return the sum of (n_cells,) values over the cells of every batch, (n_batches,)."""
        return np.bincount(self.codes, values, self.n_batches).astype(np.float64)

    def column_sums(self, matrix: csr_array, weight: NDArray[np.floating] | None = None) -> Doubles:
        """Return the sums of a sparse matrix (n_cells, n_genes) over the cells of every batch, (n_batches, n_genes).

        ``weight`` (n_cells,) multiplies the cells.
        """
        sums = np.zeros((self.n_batches, matrix.shape[1]))
        for rows in entry_blocks(matrix.indptr):
            codes = self.codes[rows]
            values = np.ones(len(codes)) if weight is None else weight[rows]
            shape = (self.n_batches, len(codes))
            sums += (csr_array((values, (codes, np.arange(len(codes)))), shape=shape) @ matrix[rows]).toarray()
        return sums

    def mean_over_cells(self, table: NDArray[np.floating]) -> Doubles:
        """Return the mean over cells of what a table (n_batches, n_genes) holds of their batches, (n_genes,)."""
        return np.asarray(self.sizes @ table / max(1, len(self.codes)))
