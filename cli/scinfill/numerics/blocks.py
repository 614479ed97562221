"""Matrices that are computed a block of rows at a time, so that no dense cells × genes array need exist."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.scratch import release

BLOCK_BYTES = 4 * 2**20
"""Default size of one block: large enough for fast products, and so small that many fit into any memory.

It is the same whatever the memory: sums over blocks of another size round differently.
"""
FEWEST_ROWS = 256
"""Rows of a block whose work has a part for each column, however many there are: the rows share what that costs."""


def row_slices(n_rows: int, n_columns: int, *, block_bytes: int = BLOCK_BYTES, fewest_rows: int = 1) -> list[slice]:
    """Cut ``n_rows`` into slices whose float32 block of ``n_columns`` has about ``block_bytes``, or ``fewest_rows``."""
    rows = max(fewest_rows, block_bytes // (4 * max(1, n_columns)))
    return [slice(start, min(start + rows, n_rows)) for start in range(0, n_rows, rows)]


def walk(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield the slices one after the other, and let go of what has been seen of arrays larger than memory."""
    for rows in row_slices(n_rows, n_columns):
        yield rows
        release()


@dataclass(frozen=True)
class RowBlocks:
    """A float32 matrix of ``shape`` (n_cells, n_genes) given by a function from a slice of rows to their values."""

    shape: tuple[int, int]
    compute: Callable[[slice], NDArray[np.float32]]

    def __iter__(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield every block with its rows."""
        slices = row_slices(*self.shape)
        yield from zip(slices, map_in_order(self.compute, slices), strict=True)

    def dense(self) -> NDArray[np.float32]:
        """Return the whole matrix."""
        out = np.empty(self.shape, dtype=np.float32)
        for rows, block in self:
            out[rows] = block
        return out
