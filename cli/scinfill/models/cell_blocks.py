"""Blocks of cells that a fixed model reads together."""

import numpy as np
from numpy.typing import NDArray

from scinfill.models.requirements import SINGLE

BLOCK_BYTES = 4 * 2**20
ROWS = (32, 1024)
"""Cells that are read together: about BLOCK_BYTES of them, at least and at most."""


def rows_of_block(n_genes: int) -> int:
    """Return how many cells are read together: always as many, so that small systems are solved alike everywhere."""
    return int(np.clip(BLOCK_BYTES // (SINGLE * n_genes), *ROWS))


def cell_blocks(shape: tuple[int, int], codes: NDArray[np.intp] | None) -> list[NDArray[np.intp]]:
    """Return the rows of blocks of cells that are read together, each of one batch."""
    n_rows = rows_of_block(shape[1])
    members = [np.arange(shape[0])] if codes is None else [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return [rows[start : start + n_rows] for rows in members for start in range(0, len(rows), n_rows)]
