"""Making a new table from an old one: every slot that a verb does not own goes along."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_array, csr_matrix

from scinfill.numerics.sparse import beside, columns_of, rows_of


def to_spmatrix(matrix: csr_array) -> csr_matrix:
    """Return the matrix as tables keep it: scanpy does not work with SciPy's newer sparse arrays everywhere.

    The arrays are handed over. No two slots may share any: SciPy changes some in place.
    """
    return csr_matrix(matrix)


def with_genes(
    adata: AnnData, genes: NDArray[np.intp], *, without: frozenset[str], cells: NDArray[np.intp] | None = None
) -> AnnData:
    """Return a new table of some genes, and of all or some cells, with everything but ``X`` and the layers ``without``.

    Only what is kept is copied, so the matrices that a verb replaces never exist twice.
    """
    layers = {key: _take(value, cells, genes) for key, value in adata.layers.items() if key not in without}
    return AnnData(
        obs=adata.obs.copy() if cells is None else adata.obs.iloc[cells].copy(),
        var=adata.var.iloc[genes].copy(),
        uns=deepcopy(dict(adata.uns)),
        obsm={key: _copy(value) if cells is None else _take_rows(value, cells) for key, value in adata.obsm.items()},
        varm={key: _take_rows(value, genes) for key, value in adata.varm.items()},
        layers=layers,
        obsp={key: value.copy() if cells is None else value[cells][:, cells] for key, value in adata.obsp.items()},
        varp={key: value[genes][:, genes] for key, value in adata.varp.items()},
        raw=_raw(adata, cells),
    )


def of_genes(adata: AnnData, genes: NDArray[np.intp]) -> AnnData:
    """Return a new table of some genes, all matrices among them."""
    result = with_genes(adata, genes, without=frozenset())
    if adata.X is not None:
        result.X = _take_columns(adata.X, genes)
    return result


def of_cells(adata: AnnData, cells: NDArray[np.intp], genes: NDArray[np.intp] | None = None) -> AnnData:
    """Return a new table of some cells, and of all or some genes, all matrices among them."""
    chosen = np.arange(adata.n_vars) if genes is None else genes
    result = with_genes(adata, chosen, without=frozenset(), cells=cells)
    if adata.X is not None:
        result.X = _take(adata.X, cells, chosen)
    return result


def with_unique_names(adata: AnnData) -> AnnData:
    """Return the same table, sharing all matrices, where -1, -2, … tell names apart that stand there before."""
    return sharing_matrices(
        adata,
        obs=adata.obs.set_axis(make_index_unique(adata.obs_names)),
        var=adata.var.set_axis(make_index_unique(adata.var_names)),
        uns=adata.uns,
    )


def sharing_matrices(adata: AnnData, *, obs: pd.DataFrame, var: pd.DataFrame, uns: Mapping[str, Any]) -> AnnData:
    """Return a table of other frames and entries that shares all matrices."""
    return AnnData(
        X=adata.X,
        obs=obs,
        var=var,
        uns=uns,
        obsm={key: _on(value, obs.index) for key, value in adata.obsm.items()},
        varm={key: _on(value, var.index) for key, value in adata.varm.items()},
        layers=dict(adata.layers),
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        raw=_raw(adata),
    )


def _on(value: Any, names: pd.Index) -> Any:  # noqa: ANN401 - whatever a slot holds
    """Return a frame with the names of the table, which it has to have; anything else as it is."""
    return value.set_axis(names) if isinstance(value, pd.DataFrame) else value


def _raw(adata: AnnData, cells: NDArray[np.intp] | None = None) -> dict[str, Any] | None:
    if adata.raw is None:
        return None
    matrix = adata.raw.X if cells is None else _take_cells(adata.raw.X, cells)
    return {"X": matrix, "var": adata.raw.var, "varm": dict(adata.raw.varm)}


def _copy(value: Any) -> Any:  # noqa: ANN401 - whatever a slot holds
    """Return a copy that shares nothing; awkward arrays know only the general way."""
    return value.copy() if hasattr(type(value), "copy") else deepcopy(value)


def _take(matrix: Any, cells: NDArray[np.intp] | None, genes: NDArray[np.intp]) -> Any:  # noqa: ANN401
    """Return some genes of a matrix, of all or some cells; cells first, so that no more than these is ever copied."""
    return _take_columns(matrix if cells is None else _take_cells(matrix, cells), genes)


def _take_columns(value: Any, columns: NDArray[np.intp]) -> Any:  # noqa: ANN401 - array or sparse matrix
    if sparse.issparse(value) and value.format == "csr":
        return to_spmatrix(columns_of(value, columns))
    return value[:, columns]


def _take_cells(value: Any, cells: NDArray[np.intp]) -> Any:  # noqa: ANN401 - array or sparse matrix
    if sparse.issparse(value) and value.format == "csr":
        return to_spmatrix(rows_of(value, cells))
    return value[cells]


def _take_rows(value: Any, rows: NDArray[np.intp]) -> Any:  # noqa: ANN401 - array, sparse matrix or data frame
    return value.iloc[rows] if hasattr(value, "iloc") else value[rows]


def append_genes(adata: AnnData, var: pd.DataFrame) -> AnnData:
    """Return a table with more genes, whose values in the slots that a verb does not own are zero or missing."""
    n_new = len(var)
    return AnnData(
        X=None if adata.X is None else _widen(adata.X, n_new),
        obs=adata.obs,
        var=_longer(adata.var, var),
        uns=dict(adata.uns),
        obsm=dict(adata.obsm),
        varm={key: _pad_rows(value, n_new, var.index) for key, value in adata.varm.items()},
        layers={key: _widen(value, n_new) for key, value in adata.layers.items()},
        obsp=dict(adata.obsp),
        varp={key: _pad_rows(_widen(value, n_new), n_new, var.index) for key, value in adata.varp.items()},
        raw=_raw(adata),
    )


def _longer(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return both tables' rows; a column that ``new`` lacks is filled with what its type has for "nothing"."""
    columns = {
        name: pd.concat([old[name], new[name] if name in new else _nothing(old[name], new.index)]).astype(dtype)
        for name, dtype in old.dtypes.items()
    }
    return pd.DataFrame(columns, index=old.index.append(new.index))


def _nothing(column: pd.Series, index: pd.Index) -> pd.Series:
    fill = {"b": False, "i": 0, "u": 0, "f": np.nan, "O": ""}.get(column.dtype.kind)
    if isinstance(column.dtype, np.dtype) and fill is not None:
        return pd.Series(fill, index=index, dtype=column.dtype)
    return pd.Series(None, index=index, dtype=column.dtype)  # categories, dates and pandas' own types can be missing


def _widen(matrix: Any, n_new: int) -> Any:  # noqa: ANN401 - array or sparse matrix
    """Return a matrix with columns of zeros added."""
    if sparse.issparse(matrix) and matrix.format == "csr":
        return to_spmatrix(beside(matrix, csr_array((matrix.shape[0], n_new), dtype=matrix.dtype)))
    if sparse.issparse(matrix):
        return sparse.hstack([matrix, csr_matrix((matrix.shape[0], n_new), dtype=matrix.dtype)], format=matrix.format)
    return np.pad(matrix, ((0, 0), (0, n_new)))


def _pad_rows(value: Any, n_new: int, names: pd.Index) -> Any:  # noqa: ANN401 - array, sparse matrix or data frame
    """Return a slot with rows added: missing values where there are such, zeros elsewhere."""
    if isinstance(value, pd.DataFrame):
        return _longer(value, pd.DataFrame(index=names))
    if sparse.issparse(value):
        return _widen(value.T, n_new).T.asformat(value.format)
    if not isinstance(value, np.ndarray):  # an awkward array: nothing is known of the new rows
        return type(value)([*value, *([None] * n_new)])
    fill = np.nan if value.dtype.kind == "f" else 0
    return np.pad(value, ((0, n_new), *((0, 0),) * (value.ndim - 1)), constant_values=fill)
