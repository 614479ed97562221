"""Check that an AnnData is acceptable. Every message names the slot, the cell or gene, and the remedy."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import DTypeLike, NDArray
from scipy import sparse
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.methods.matrices import RAW, counts_option, is_raw
from scinfill.methods.orientation import check_orientation
from scinfill.numerics.rounding import is_fractional, snap_whole
from scinfill.numerics.scales import Scale, same_total, scale_of
from scinfill.numerics.scratch import chunks
from scinfill.numerics.sparse import canonical, largest, position, row_sums
from scinfill.schema import SAVED_MODEL, SIZE_FACTOR

LARGEST_COUNT = 2**53
"""Whole numbers up to here are exact in float64."""
ELSE_LOG2 = "; without counts, log2(1 + x), by scanpy.pp.log1p(adata, base=2), goes to the imputers without preprocess"
ELSE_ROUND = "; `preprocess(round_counts=True)` makes whole numbers of counts that were corrected or estimated"
AS_IT_IS = "; without counts, the imputers read log2(1 + x) without preprocess"
LOOKS: dict[Scale, tuple[str, str, str]] = {
    "same total": ("have the same total in every cell, {total}, as CPM and TPM do", ELSE_LOG2, ""),
    "logged": ("look already logged", AS_IT_IS, ""),
    "normalised": ("look normalised: multiples of one number in every cell", ELSE_LOG2, ""),
    "square roots": ("look like square roots of counts", "", "; their squares are the counts"),
    "fractional but large": (
        "look like TPM or CPM of which genes were left out, hardly any being near a count or two, or like estimates of "
        "very deep reads",
        ELSE_LOG2,
        ELSE_ROUND,
    ),
    "fractional": (
        "look like counts corrected or estimated (SoupX, decontX, RSEM, salmon, alevin, ...)",
        "",
        ELSE_ROUND,
    ),
    "fractional or logged": (
        "look already logged, or like counts corrected or estimated (SoupX, ...)",
        "",
        ELSE_ROUND,
    ),
}
"""What fractions look like, what to do without counts where log2 values can take their place, and how to get counts."""


def list_names(names: Iterable[str]) -> str:
    """Return names as a user reads them, or 'none'."""
    return ", ".join(sorted(map(str, names))) or "none"


def amount(total: float) -> str:
    """Return a number of counts as a user reads it."""
    return f"{total:,.0f}" if total >= 10 else f"{total:.3g}"


def slot_name(layer: str | None) -> str:
    """Return how messages call the matrix."""
    return "X" if layer is None else f"layers[{layer!r}]"


def matrix_of(adata: AnnData, layer: str | None) -> Any:  # noqa: ANN401 - dense or any sparse format
    """Return ``X`` or the layer as it is.

    Raises
    ------
    InputError
        There is no such layer.
    DataError
        ``X`` is absent, or the matrix is neither an array nor a sparse matrix in memory.
    """
    if is_raw(adata, layer):
        raise InputError(
            "`layer='raw'` is read by `scinfill preprocess` alone: raw has genes of its own; "
            f"layers present: {list_names(adata.layers)}"
        )
    if layer is not None and layer not in adata.layers:
        beside = "; raw is there too" if is_raw(adata, RAW) else ""
        raise InputError(f"there is no layer {layer!r}; layers present: {list_names(adata.layers)}{beside}")
    check_in_memory(adata)
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise DataError(f"X is absent; {counts_option(adata, None)}")
    slot = slot_name(layer)
    if isinstance(matrix, np.ma.MaskedArray):
        raise DataError(f"{slot} is a masked array; fill what is masked: adata.X = adata.X.filled(0)")
    if not (sparse.issparse(matrix) or isinstance(matrix, np.ndarray)):
        raise DataError(_not_in_memory(slot, matrix))
    if matrix.dtype.kind not in "biuf":
        raise DataError(f"{slot} holds {matrix.dtype} values, not real numbers; {counts_option(adata, layer)}")
    return matrix


def check_in_memory(adata: AnnData) -> None:
    """Refuse a table whose values are still in its file: no verb works on one piece by piece.

    Raises
    ------
    DataError
        With the call that reads it.
    """
    if adata.isbacked:
        raise DataError(f"the table is backed by {adata.filename}; read it into memory: adata.to_memory()")


def _not_in_memory(slot: str, matrix: Any) -> str:  # noqa: ANN401 - whatever the slot holds
    """Name the call that makes an array of a matrix that is computed later or elsewhere."""
    found = f"{slot} is a {type(matrix).__module__.partition('.')[0]} {type(matrix).__name__}"
    if hasattr(matrix, "compute"):
        return f"{found}, not computed yet; compute it first: adata.to_memory(), or .compute()"
    if hasattr(matrix, "get"):
        return f"{found}, on a GPU; bring it into memory first: .get()"
    return f"{found}, not an array or sparse matrix in memory; numpy.asarray or scipy.sparse.csr_matrix makes one"


def check_table(adata: AnnData, *, transposed: bool = False, fewest_cells: int = 2) -> None:
    """Refuse what no verb can work with: no cells, one cell, no genes, names that are not unique, genes in rows.

    Parameters
    ----------
    adata
        Cells × genes.
    transposed
        Whether the caller has asked for the table to be turned, which may have been wrong.
    fewest_cells
        One where each is looked at by itself.
    """
    if SAVED_MODEL in adata.uns and adata.n_obs == 0:
        raise DataError(
            "the table is a saved model and has no cells; give the counts of new cells, and the model as "
            "`impute_deepmc(model='FILE')` or `impute_auto(model='FILE')`"
        )
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise DataError(f"the table is empty: {adata.n_obs} cells x {adata.n_vars} genes")
    if adata.n_obs < fewest_cells:
        if SIZE_FACTOR in adata.obs:  # by `preprocess(like=…)` or a saved model: genes are where they belong
            raise DataError(
                "there is one cell only; at least two are needed here: `scinfill join` puts samples together. How well "
                "a saved model knows a cell that it imputed by itself, obs['model_fit'] says"
            )
        raise DataError(
            "there is one cell only; at least two are needed (are genes in rows? then `preprocess(transpose=True)`)"
        )
    check_names(adata, transposed=transposed)


def check_names(adata: AnnData, *, transposed: bool = False) -> None:
    """Refuse names that are not unique, and genes in rows; see :func:`check_table`."""
    for what, names in (("cell", adata.obs_names), ("gene", adata.var_names)):
        repeated = names[names.duplicated()]
        if len(repeated):
            raise DataError(
                f"{what} names must be unique; {repeated[0]!r} is there {int((names == repeated[0]).sum())} times "
                f"({len(repeated.unique())} such names); `preprocess(unique_names=True)` tells them apart"
            )
    check_orientation(adata.obs_names, adata.var_names, transposed=transposed)


def where(adata: AnnData, row: int, column: int) -> str:
    """Return the words for one position."""
    return f"cell {str(adata.obs_names[row])!r}, gene {str(adata.var_names[column])!r}"


Remedy = Callable[[], str]
"""Gives the end of a message: where what was wanted can be found. Asked only where there is a fault."""


def nonnegative(
    adata: AnnData,
    layer: str | None,
    dtype: DTypeLike | None = None,
    *,
    slot: str | None = None,
    remedy: Remedy | None = None,
) -> csr_array:
    """Return the matrix as :func:`canonical` CSR, sharing memory where nothing needs to change.

    Parameters
    ----------
    adata, layer
        The table, and the layer instead of ``X``.
    dtype
        Type of the values, where it is to change.
    slot
        What messages call the matrix, where it was brought there from elsewhere.
    remedy
        The end of every message; by default it names the matrices of the table that do hold counts.

    Raises
    ------
    DataError
        NaN, infinite or negative values, or nothing but zeros.
    """
    matrix, slot = matrix_of(adata, layer), slot or slot_name(layer)
    remedy = remedy or partial(counts_option, adata, layer)
    if matrix.shape != adata.shape:
        raise DataError(f"{slot} is {matrix.shape}, but there are {adata.n_obs} cells x {adata.n_vars} genes")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused as such below
        values = canonical(matrix, dtype)
    for kind, is_wrong in (("NaN", np.isnan), ("infinite", np.isinf), ("negative", np.signbit)):
        n_wrong, first = _wrong(values.data, is_wrong)
        if n_wrong:
            scaled = "; scaled data cannot be used" if kind == "negative" else ""
            place = where(adata, *position(values, first))
            raise DataError(f"{slot} holds {n_wrong} {kind} values, the first at {place}{scaled}; {remedy()}")
    if values.nnz == 0:
        raise DataError(f"{slot} holds nothing but zeros; {remedy()}")
    return values


def _wrong(values: NDArray[Any], is_wrong: Callable[[NDArray[Any]], NDArray[np.bool_]]) -> tuple[int, int]:
    """Return how many values are wrong, and the place of the first."""
    total, first = 0, -1
    for part in chunks(len(values)):
        wrong = is_wrong(values[part])
        total += int(wrong.sum())
        if first < 0 and wrong.any():
            first = part.start + int(wrong.argmax())
    return total, first


def counts(
    adata: AnnData,
    layer: str | None,
    dtype: DTypeLike | None = None,
    *,
    fractions: bool = False,
    log2_instead: bool = True,
    slot: str | None = None,
    remedy: Remedy | None = None,
) -> csr_array:
    """Return the matrix as canonical CSR after checking that it holds counts.

    Values that are whole within the precision of float32 become the whole number.

    Parameters
    ----------
    adata, layer, dtype, slot, remedy
        As for :func:`nonnegative`.
    fractions
        Let fractions of counts pass, as they are; never values on another scale.
    log2_instead
        Whether messages may say how to do without counts: no saved model can.

    Raises
    ------
    DataError
        Also for values that are not whole numbers: logged, normalised, or estimated where ``fractions`` is not set.
    """
    slot, remedy = slot or slot_name(layer), remedy or partial(counts_option, adata, layer)
    values = nonnegative(adata, layer, dtype, slot=slot, remedy=remedy)
    n_broken, first = _wrong(values.data, is_fractional) if values.dtype.kind == "f" else (0, -1)
    if n_broken:
        scale = scale_of(values)
        if fractions and "fractional" in scale:
            return values
        looks, log2_values, better_counts = LOOKS[scale]
        raise DataError(
            f"{slot} holds {values.data[first]:.6g} at {where(adata, *position(values, first))}: counts are whole "
            f"numbers, these {looks.format(total=amount(same_total(row_sums(values)) or 0))}; "
            f"{remedy()}{log2_values if log2_instead else ''}{better_counts}"
        )
    most = largest(values.data)
    if most > LARGEST_COUNT:
        _, first = _wrong(values.data, lambda part: part >= most)
        raise DataError(
            f"{slot} holds {most:.6g} at {where(adata, *position(values, first))}: no count is that large; {remedy()}"
        )
    return snap_whole(values)


def obs_column(adata: AnnData, name: str) -> pd.Series:
    """Return a column of ``obs``.

    Raises
    ------
    InputError
        There is no such column.
    """
    if name not in adata.obs:
        raise InputError(f"there is no column {name!r} in obs; columns present: {list_names(adata.obs.columns)}")
    return adata.obs[name]


def obs_numbers(adata: AnnData, name: str) -> NDArray[np.float64]:
    """Return a numeric column of ``obs`` as float64.

    Raises
    ------
    DataError
        The column holds something else.
    """
    try:
        return obs_column(adata, name).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"obs[{name!r}] holds values that are not numbers ({_first_word(adata.obs[name])!r}); "
            f"make them numbers: pandas.to_numeric(adata.obs[{name!r}], errors='coerce')"
        ) from error


def _first_word(column: pd.Series) -> str:
    """Return the first value of a column that is no number."""
    words = column.astype("string").dropna()
    return next(map(str, words[pd.to_numeric(words, errors="coerce").isna()]), str(column.iloc[0]))
