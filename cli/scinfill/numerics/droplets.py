"""Barcodes of droplets without a cell, which an unfiltered matrix is full of."""

import numpy as np
from numpy.typing import NDArray

MOST_COUNTS_OF_EMPTY = 100
"""Barcodes with so many counts or fewer are taken for empty by ``emptyDrops`` too (Lun et al. 2019, ``lower``)."""
CELL_OVER_EMPTY = 50
"""A droplet with a cell has so many times the counts of one without. Shallow cells, with few counts all, have not."""
MOLECULES_ABOVE = 0.1
"""The depth of cells is the total above which barcodes hold this share of all counts, however many are below."""
CELL_SHARE_OF_DEPTH = 0.1
"""A barcode with this share of the depth of cells is taken for one, as by Cell Ranger's first step."""
MOST_EMPTY = 0.5


def cell_depth(totals: NDArray[np.float64]) -> float:
    """Return the total, such that barcodes of this total or more hold a tenth of all counts."""
    descending = np.sort(totals)[::-1]
    held = np.cumsum(descending)
    return float(descending[np.searchsorted(held, MOLECULES_ABOVE * held[-1])])


def nearly_empty(totals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the barcodes, (n_barcodes,), whose total is 0, or small both in itself and beside that of cells."""
    return totals <= min(MOST_COUNTS_OF_EMPTY, cell_depth(totals) / CELL_OVER_EMPTY)


def is_unfiltered(empty: NDArray[np.bool_]) -> bool:
    """Whether most barcodes are nearly empty, as before cells were called."""
    return float(np.mean(empty)) > MOST_EMPTY
