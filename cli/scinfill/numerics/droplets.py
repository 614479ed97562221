"""Barcodes of droplets without a cell, which an unfiltered matrix is full of."""

from typing import NamedTuple

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
CELL_OVER_SOUP = 20
"""Two humps of totals so many times apart are no two types of cells: the larger type has rarely ten times as much."""
MOST_COUNTS_OF_SOUP = 200
"""A barcode with fewer counts is hardly ever kept as a cell: common filters ask for 200 genes."""


def cell_depth(totals: NDArray[np.float64]) -> float:
    """Return the total, such that barcodes of this total or more hold a tenth of all counts."""
    descending = np.sort(totals)[::-1]
    held = np.cumsum(descending)
    return float(descending[np.searchsorted(held, MOLECULES_ABOVE * held[-1])])


def nearly_empty(totals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the barcodes, (n_barcodes,), whose total is 0, or small both in itself and beside that of cells."""
    return totals <= min(MOST_COUNTS_OF_EMPTY, cell_depth(totals) / CELL_OVER_EMPTY)


class Humps(NamedTuple):
    """Two separate humps of the logarithms of totals, of which the lower one holds most barcodes.

    Attributes
    ----------
    between
        A total in the valley between them.
    n_low, low
        How many barcodes the lower hump has, and their median total.
    high
        Median total of the barcodes above.
    """

    between: float
    n_low: int
    low: float
    high: float

    @property
    def are_soup_and_cells(self) -> bool:
        """Whether the lower hump is so far below that it can be droplets that hold ambient RNA alone."""
        return self.low <= MOST_COUNTS_OF_SOUP and self.high >= CELL_OVER_SOUP * max(self.low, 1)


def find_humps(totals: NDArray[np.float64]) -> Humps | None:
    """Return the two humps of totals, None where they are one, however broad, or where few outliers stand apart.

    Barcodes are counted by octaves of their total. An octave above most barcodes is a valley where one above it has
    more than twice its barcodes, by three standard errors of Poisson counts: so ten barcodes at least.

    Parameters
    ----------
    totals
        (n_barcodes,), counts of each barcode.
    """
    octaves = np.bincount(np.floor(np.log2(totals[totals >= 1])).astype(np.intp))
    if not len(octaves):
        return None
    below = (totals < 1).sum() + np.cumsum(octaves) - octaves
    highest_above = np.append(np.maximum.accumulate(octaves[::-1])[::-1][1:], 0)
    apart = highest_above - 2 * octaves > 3 * np.sqrt(highest_above + 4 * octaves)
    valleys = np.flatnonzero(apart & (below > MOST_EMPTY * len(totals)))
    if not len(valleys):
        return None
    deepest = valleys[octaves[valleys] == octaves[valleys].min()]
    between = float(2 ** (deepest[len(deepest) // 2] + 0.5))
    is_low = totals < between
    return Humps(between, int(is_low.sum()), float(np.median(totals[is_low])), float(np.median(totals[~is_low])))


def is_unfiltered(totals: NDArray[np.float64]) -> bool:
    """Whether most barcodes are nearly empty and lie apart from cells, as before cells were called."""
    if np.mean(nearly_empty(totals)) <= MOST_EMPTY:
        return False
    humps = find_humps(totals)
    return humps is not None and humps.are_soup_and_cells
