"""Making a new table from an old one: every slot that a verb does not own goes along."""

from copy import deepcopy
from typing import Any

import numpy as np
from anndata import AnnData
from anndata.utils import make_index_unique
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix


def stored(matrix: csr_array) -> csr_matrix:
    """Return the matrix as tables keep it: scanpy does not work with SciPy's newer sparse arrays everywhere."""
    return csr_matrix(matrix)


def with_genes(adata: AnnData, genes: NDArray[np.intp], *, without: frozenset[str]) -> AnnData:
    """Return a new table of some genes with everything but ``X`` and the layers ``without``.

    Only what is kept is copied, so the matrices that a verb replaces never exist twice.
    """
    return AnnData(
        obs=adata.obs.copy(),
        var=adata.var.iloc[genes].copy(),
        uns=deepcopy(dict(adata.uns)),
        obsm={key: value.copy() for key, value in adata.obsm.items()},
        varm={key: _rows(value, genes) for key, value in adata.varm.items()},
        layers={key: value[:, genes] for key, value in adata.layers.items() if key not in without},
        obsp={key: value.copy() for key, value in adata.obsp.items()},
        varp={key: value[genes][:, genes] for key, value in adata.varp.items()},
        raw=_raw(adata),
    )


def with_unique_names(adata: AnnData) -> AnnData:
    """Return the same table, sharing all matrices, where -1, -2, … tell names apart that stand there before."""
    return AnnData(
        X=adata.X,
        obs=adata.obs.set_axis(make_index_unique(adata.obs_names)),
        var=adata.var.set_axis(make_index_unique(adata.var_names)),
        uns=adata.uns,
        obsm=dict(adata.obsm),
        varm=dict(adata.varm),
        layers=dict(adata.layers),
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        raw=_raw(adata),
    )


def _raw(adata: AnnData) -> dict[str, Any] | None:
    return None if adata.raw is None else {"X": adata.raw.X, "var": adata.raw.var, "varm": dict(adata.raw.varm)}


def _rows(value: Any, rows: NDArray[np.intp]) -> Any:  # noqa: ANN401 - array, sparse matrix or data frame
    return value.iloc[rows] if hasattr(value, "iloc") else value[rows]
