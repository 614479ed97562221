"""Find what differs between two tables, slot by slot, and by how much."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from scinfill.methods.provenance import STEPS_KEY, USE
from scinfill.numerics.blocks import row_slices
from scinfill.schema import UNS

MAPPINGS = ("layers", "obsm", "varm", "obsp", "varp", "uns")


def differences(first: AnnData, second: AnnData) -> list[str]:
    """Return a sentence for everything that two tables do not have in common; none means that they are identical.

    Parameters
    ----------
    first, second
        Called "the file" and "the repetition". The steps of their records, which name versions, and the advice on
        their use are not compared.

    Returns
    -------
    Such as ``layers['imputed'] differs by at most 3e-07``. NaN equals NaN; an explicit zero of a sparse matrix is not
    a zero that is absent; formats of sparse matrices are not compared.
    """
    one, other = dict(_parts(first)), dict(_parts(second))
    found = []
    for name in dict.fromkeys((*one, *other)):
        if name not in other:
            found.append(f"{name} is in the file only")
        elif name not in one:
            found.append(f"{name} is in the repetition only")
        elif (difference := _difference(one[name], other[name])) is not None:
            found.append(f"{name} {difference}")
    return found


def _parts(adata: AnnData) -> Iterator[tuple[str, Any]]:
    """Yield every matrix, column and entry with its name."""
    if adata.X is not None:
        yield "X", adata.X
    yield from _frame("obs", adata.obs)
    yield from _frame("var", adata.var)
    for slot in MAPPINGS:
        yield from _entries(slot, getattr(adata, slot))
    if adata.raw is not None:
        yield "raw.X", adata.raw.X
        yield from _frame("raw.var", adata.raw.var)
        yield from _entries("raw.varm", adata.raw.varm)


def _entries(name: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - whatever a slot may hold
    if isinstance(value, pd.DataFrame):
        yield from _frame(name, value)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if name != f"uns[{UNS!r}]" or key not in (STEPS_KEY, USE):
                yield from _entries(f"{name}[{key!r}]", part)
    else:
        yield name, value


def _frame(name: str, frame: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    yield f"{name}.index", frame.index
    for column in frame:
        yield f"{name}[{column!r}]", frame[column]


def _difference(one: Any, other: Any) -> str | None:  # noqa: ANN401 - whatever a slot may hold
    """Return the words that follow the name, or None where there is no difference."""
    if sparse.issparse(one) != sparse.issparse(other):
        return "is sparse in one of them only"
    if sparse.issparse(one):
        return _sparse_difference(one, other)
    return _array_difference(_array(one), _array(other))


def _sparse_difference(one: Any, other: Any) -> str | None:  # noqa: ANN401 - any sparse format
    if one.shape != other.shape:
        return _shapes(one, other)
    first, second = (_sorted(matrix) for matrix in (one, other))
    if np.array_equal(first.indptr, second.indptr) and np.array_equal(first.indices, second.indices):
        return _array_difference(first.data, second.data)
    largest = abs(first.astype(np.float64) - second.astype(np.float64)).max()
    return f"stores {first.nnz} and {second.nnz} values, not all in the same places, and {_at_most(largest)}"


def _sorted(matrix: Any) -> Any:  # noqa: ANN401 - any sparse format
    rows = matrix.tocsr()
    return rows if rows.has_sorted_indices else rows.sorted_indices()


def _array(value: Any) -> NDArray[Any]:  # noqa: ANN401 - column, array, text or number
    """Return values as an array; what is missing in a column of texts, categories or nullable numbers is None."""
    if isinstance(value, pd.Series | pd.Index) and not (
        isinstance(value.dtype, np.dtype) and value.dtype.kind in "biuf"
    ):
        return pd.Series(value).to_numpy(dtype=object, na_value=None)
    if type(value).__module__.startswith("awkward"):
        entries = np.empty(len(value), dtype=object)
        for place, entry in enumerate(value.to_list()):
            entries[place] = entry
        return entries
    return np.atleast_1d(np.asarray(value))


def _array_difference(one: NDArray[Any], other: NDArray[Any]) -> str | None:
    if one.shape != other.shape:
        return _shapes(one, other)
    numbers = [array.dtype.kind in "biuf" for array in (one, other)]
    if any(numbers) and one.dtype != other.dtype:
        return f"is {one.dtype} in the file and {other.dtype} in the repetition"
    n_different, largest = 0, 0.0
    for rows in row_slices(len(one), one[:1].size):
        first, second = one[rows], other[rows]
        different = (first != second) & ~((first != first) & (second != second))  # noqa: PLR0124 - NaN alone is not itself
        if not different.any():
            continue
        n_different += int(different.sum())
        if all(numbers):
            gap = np.abs(first[different].astype(np.float64) - second[different].astype(np.float64))
            largest = max(largest, float(np.where(np.isnan(gap), np.inf, gap).max()))
    if n_different == 0:
        return None
    return _at_most(largest) if all(numbers) else f"differs in {n_different} of {one.size} values"


def _at_most(largest: float) -> str:
    return f"differs by at most {largest:.3g}"


def _shapes(one: Any, other: Any) -> str:  # noqa: ANN401 - array or sparse matrix
    return f"has the shape {one.shape} in the file and {other.shape} in the repetition"
