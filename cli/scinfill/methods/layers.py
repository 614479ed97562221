"""Layers by blocks of cells, checked as they are read."""

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from scinfill.errors import DataError
from scinfill.methods import provenance, validation
from scinfill.methods.reconstruct import estimate_of
from scinfill.numerics.group_means import Block
from scinfill.numerics.scales import LARGEST_LOG2
from scinfill.schema import IMPUTED, MODEL


def checked_block(adata: AnnData, layer: str | None) -> Block:
    """Return a function of a slice of cells to the values of a layer (None: ``X``), (n_rows, n_genes).

    Raises
    ------
    DataError
        Another shape than the table's; while it is read, a value that no log2(1 + x) scale has.
    """
    slot = validation.slot_name(layer)
    matrix = validation.matrix_of(adata, layer)
    if matrix.shape != adata.shape:
        raise DataError(f"{slot} is {matrix.shape}, but there are {adata.n_obs} cells x {adata.n_vars} genes")
    matrix = matrix.tocsr() if sparse.issparse(matrix) else matrix

    def block(rows: slice) -> NDArray[np.floating]:
        values = matrix[rows].toarray() if sparse.issparse(matrix) else matrix[rows]
        wrong = ~(np.abs(values) <= LARGEST_LOG2)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DataError(
                f"{slot} holds {values[row, column]:.6g} at {validation.where(adata, rows.start + row, column)}: not "
                f"a number on a log2(1 + x) scale; impute again, or bring it there with `scinfill adopt`"
            )
        return np.asarray(values)

    return block


def imputed_block(adata: AnnData) -> Block | None:
    """Return a function of a slice of cells to the imputed values, dense or from factors; None where there are none."""
    if IMPUTED in adata.layers:
        return checked_block(adata, IMPUTED)
    kind = provenance.record(adata).get(MODEL)
    return None if kind is None else estimate_of(adata, str(kind)).block
