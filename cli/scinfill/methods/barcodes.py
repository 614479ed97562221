"""Decide which barcodes stand for cells: all of a filtered matrix, hardly any of an unfiltered one."""

import logging

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods.validation import amount
from scinfill.numerics.droplets import CELL_SHARE_OF_DEPTH, cell_depth, find_humps, is_unfiltered, nearly_empty

log = logging.getLogger(__name__)

LARGEST_ADVICE = 500
"""The total from which on a barcode is kept by most who draw a line; less where cells are shallow."""


def to_keep(totals: NDArray[np.float64], min_total_counts: int | None) -> NDArray[np.intp] | None:
    """Return the cells with enough counts, None for all.

    Raises
    ------
    DataError
        Too few are left, or nobody said what to do with droplets that hold no cell.
    """
    if min_total_counts is None:
        if is_unfiltered(totals):
            raise DataError(_why_unfiltered(totals, nearly_empty(totals)))
        _say_soup(totals)
        return None
    cells = np.flatnonzero(totals >= min_total_counts)
    if len(cells) < 2:
        raise DataError(
            f"{len(cells)} of {len(totals)} cells have {min_total_counts} counts in total, two are needed (the largest "
            f"total is {amount(totals.max())}); lower `min_total_counts`"
        )
    if len(cells) == len(totals):
        return None
    log.info("%d of %d cells have %d counts or more in total and are kept", len(cells), len(totals), min_total_counts)
    return cells


def _why_unfiltered(totals: NDArray[np.float64], empty: NDArray[np.bool_]) -> str:
    """Return why a matrix looks unfiltered, and what to do."""
    most = totals[empty].max()
    enough = max(int(float(f"{min(CELL_SHARE_OF_DEPTH * cell_depth(totals), LARGEST_ADVICE):.0e}")), int(most) + 1)
    return (
        f"the matrix is unfiltered: {empty.sum():,} of its {len(totals):,} barcodes have at most {amount(most)} counts "
        f"(median of all: {amount(np.median(totals))}), so they are droplets without a cell; use the filtered matrix "
        f"(filtered_feature_bc_matrix), or call cells (emptyDrops, CellBender), or keep barcodes by their total: "
        f"`min_total_counts={enough}` keeps {int((totals >= enough).sum()):,}, 0 keeps all"
    )


def _say_soup(totals: NDArray[np.float64]) -> None:
    """Say so where most barcodes may be droplets with ambient RNA alone, too much of it to be sure."""
    humps = find_humps(totals)
    if humps is None or not humps.are_soup_and_cells:
        return
    enough = int(float(f"{humps.between:.0e}"))
    log.warning(
        "the matrix may be unfiltered: %s of its %s barcodes have a median of %s counts, the others one of %s, with a "
        "gap between; if the many are droplets with ambient RNA alone, use the filtered matrix, or call cells "
        "(emptyDrops, CellBender), or `min_total_counts=%d`, which keeps %s",
        f"{humps.n_low:,}",
        f"{len(totals):,}",
        amount(humps.low),
        amount(humps.high),
        enough,
        f"{int((totals >= enough).sum()):,}",
    )


def with_a_cell(totals: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Return the barcodes that may set the scale, None for all: never those of droplets without a cell."""
    if not is_unfiltered(totals):
        return None
    empty = nearly_empty(totals)
    cells = totals >= CELL_SHARE_OF_DEPTH * cell_depth(totals)
    log.warning(
        "%d of %d barcodes are nearly empty; size factors are relative to the median of the %d with the most counts",
        empty.sum(),
        len(empty),
        cells.sum(),
    )
    return cells
