"""Take from an AnnData what an imputer sees: values on the log scale, the counts behind them, size factors.

Nothing is guessed: a matrix on another scale is refused with the remedy.
"""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.methods import validation
from scinfill.methods.features import check_expression_only
from scinfill.methods.matrices import preprocess_option
from scinfill.methods.measured import check_measured
from scinfill.models.observations import Observations
from scinfill.numerics.normalization import log2_data, solve_size_factors, whole_multiples
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.rounding import is_fractional
from scinfill.numerics.scales import LARGEST_LOG2
from scinfill.numerics.scratch import chunks
from scinfill.numerics.sparse import (
    entry_blocks,
    have_same_positions,
    largest,
    position,
    rows_view,
    with_data,
    with_positions,
)
from scinfill.schema import COUNTS, LOG1P, LOG_BASE, SIZE_FACTOR

log = logging.getLogger(__name__)

RELATIVE_TOLERANCE = 4
"""Units in the last place by which a stored logarithm may differ from the one computed from counts."""
ABSOLUTE_TOLERANCE = 1e-4
"""A size factor read back from text or float32 moves a logarithm by this much at most."""

MOSTLY = 0.9
"""Share of a cell's values that are whole multiples of its smallest: above it they were counts before the logarithm."""

NATURAL = (
    "is on a natural logarithm scale; divide it by ln 2 and set uns['log1p'] = {'base': 2}, "
    "or use scanpy.pp.log1p(adata, base=2), or"
)


def read_observations(adata: AnnData, *, layer: str | None = None, new_cells: bool = False) -> Observations:
    """Return what an imputer may look at.

    Parameters
    ----------
    adata
        Cells × genes; never changed.
    layer
        Layer that holds the log2(1 + x) values instead of ``X``.
    new_cells
        Whether each cell is looked at by itself: one is enough, and genes that were not measured take no part.

    Returns
    -------
    Canonical CSR float32 values and counts, and float64 size factors. Arrays may be shared with ``adata``.
    A missing ``obs["size_factor"]`` is solved per cell from values and counts; a cell without counts gets 1.

    Raises
    ------
    InputError
        There is no such layer.
    DataError
        Wrong values, another scale, several kinds of features, or values, counts and size factors that disagree
        (the cell is named).
    """
    validation.check_table(adata, fewest_cells=1 if new_cells else 2)
    check_expression_only(adata)
    if not new_cells:
        check_measured(adata)
    take_log2 = partial(preprocess_option, adata)
    values = validation.nonnegative(adata, layer, remedy=take_log2)
    slot = validation.slot_name(layer)
    _check_size(adata, values, slot, take_log2)
    if COUNTS not in adata.layers:
        _check_scale_alone(values, slot, adata.uns, take_log2)
        return Observations(log_values=with_data(values, np.float32))
    counts = validation.counts(adata, COUNTS, np.float32, remedy=partial(preprocess_option, adata))
    size_factor = stored_size_factors(adata, counts)
    solved = size_factor is None
    if size_factor is None:
        size_factor = solve_size_factors(values, counts)
    tolerance = _tolerance(validation.matrix_of(adata, layer).dtype)
    cell = _first_disagreement(values, counts, size_factor, tolerance)
    if cell is not None:
        _check_not_other_scale(values, counts, slot, tolerance, take_log2)
        remedy = take_log2() if solved else f"drop obs[{SIZE_FACTOR!r}] to have it solved, or {take_log2()}"
        source = "any one size factor" if solved else f"obs[{SIZE_FACTOR!r}] = {size_factor[cell]:.6g}"
        raise DataError(
            f"cell {str(adata.obs_names[cell])!r}: {slot} is not log2(1 + counts / size_factor) with {source}; {remedy}"
        )
    log_values = with_data(values, np.float32)
    if have_same_positions(log_values, counts):  # kept once
        log_values = with_positions(log_values.data, counts)
    return Observations(log_values, counts, size_factor)


def stored_size_factors(adata: AnnData, counts: csr_array) -> NDArray[np.float64] | None:
    """Return ``obs["size_factor"]`` if it is there; a cell without counts may hold anything and gets 1."""
    if SIZE_FACTOR not in adata.obs:
        return None
    size_factor = validation.obs_numbers(adata, SIZE_FACTOR).copy()
    usable = np.isfinite(size_factor) & (size_factor > 0)
    wrong = ~usable & (np.diff(counts.indptr) > 0)
    if wrong.any():
        cell = int(wrong.argmax())
        raise DataError(
            f"cell {str(adata.obs_names[cell])!r}: obs[{SIZE_FACTOR!r}] is {size_factor[cell]}, it must be positive"
        )
    size_factor[~usable] = 1
    return size_factor


def _tolerance(dtype: np.dtype) -> float:
    """Return the relative tolerance for logarithms stored as ``dtype``."""
    precision = np.finfo(dtype if dtype.kind == "f" and dtype.itemsize < 8 else np.float32).eps
    return RELATIVE_TOLERANCE * float(precision)


def _first_disagreement(
    values: csr_array, counts: csr_array, size_factor: NDArray[np.float64], tolerance: float
) -> int | None:
    """Return the first cell where values and counts do not match, a block of rows at a time."""
    is_aligned = have_same_positions(values, counts)

    def first_of(rows: slice) -> int | None:
        stored = rows_view(values, rows)
        seen = rows_view(counts, rows)
        expected = with_positions(log2_data(seen, size_factor[rows]), seen)
        difference = with_positions(stored.data - expected.data, expected) if is_aligned else stored - expected
        tolerated = ABSOLUTE_TOLERANCE + tolerance * max(1.0, expected.data.max(initial=0))
        wrong = np.flatnonzero(abs(difference.data) > tolerated)
        return None if len(wrong) == 0 else rows.start + position(difference, wrong[0])[0]

    found = map_in_order(first_of, list(entry_blocks(counts.indptr)))
    return next((cell for cell in found if cell is not None), None)


def _check_not_other_scale(
    values: csr_array, counts: csr_array, slot: str, tolerance: float, take_log2: validation.Remedy
) -> None:
    """Name the scale that does fit the counts, where it is a usual one."""
    _check_not_whole_numbers(values, slot, take_log2)
    as_log2 = values.copy()
    as_log2.data = values.data * np.float32(np.log2(np.e))
    size_factor = solve_size_factors(as_log2, counts)
    if _first_disagreement(as_log2, counts, size_factor, 2 * tolerance) is None:
        raise DataError(f"{slot} {NATURAL} {take_log2()}")


def _check_scale_alone(values: csr_array, slot: str, uns: Mapping[str, Any], take_log2: validation.Remedy) -> None:
    """Judge the scale without counts: by what the file declares, then by what the values rule out.

    Raises
    ------
    DataError
            Another base is declared, or the values give themselves away: raw counts, not logged at all,
        or whole multiples of a count of one when, and only when, the base is e.
    """
    _check_not_whole_numbers(values, slot, take_log2)
    if LOG1P not in uns:
        if whole_multiples(values, np.e) > MOSTLY > whole_multiples(values, LOG_BASE):
            raise DataError(f"{slot} {NATURAL} {take_log2()}")
        log.warning("%s does not say its scale: taken as log2(1 + x); uns['log1p'] = {'base': 2} would say so", slot)
        return
    declared = uns[LOG1P].get("base") if isinstance(uns[LOG1P], Mapping) else None
    try:
        base = np.e if declared is None else float(np.asarray(declared).item())
    except (TypeError, ValueError) as error:
        raise DataError(
            f"uns[{LOG1P!r}]['base'] is no number; {{'base': 2}} says that {slot} is log2(1 + x)"
        ) from error
    if np.isclose(base, np.e):
        raise DataError(f"{slot} {NATURAL} {take_log2()}")
    if base != LOG_BASE:
        raise DataError(f"{slot} is declared on a log base {base:g} scale, log2(1 + x) is needed; {take_log2()}")


def _check_size(adata: AnnData, values: csr_array, slot: str, take_log2: validation.Remedy) -> None:
    """Refuse what no logarithm of a count reaches, and name its place; whole numbers are named as counts later."""
    most = largest(values.data)
    if most > LARGEST_LOG2 and not _whole_numbers(values):
        first = validation.where(adata, *position(values, int((values.data > LARGEST_LOG2).argmax())))
        raise DataError(
            f"{slot} holds values up to {most:.6g}, the first too large one at {first}: "
            f"not on a log2(1 + x) scale; {take_log2()}"
        )


def _check_not_whole_numbers(values: csr_array, slot: str, take_log2: validation.Remedy) -> None:
    if _whole_numbers(values):
        raise DataError(f"{slot} holds whole numbers only: raw counts, not log2(1 + x); {take_log2()}")


def _whole_numbers(values: csr_array) -> bool:
    return not any(is_fractional(values.data[part]).any() for part in chunks(values.nnz))
