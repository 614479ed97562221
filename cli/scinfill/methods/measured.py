"""Which samples measured a gene: a zero of a sample that did not is no data."""

import logging

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods.slots import of_genes
from scinfill.schema import MEASURED

log = logging.getLogger(__name__)


def get_measured(adata: AnnData) -> pd.DataFrame | None:
    """Return what ``join`` says of the genes (rows) and samples (columns) of a table, None where it says nothing."""
    found = adata.varm.get(MEASURED)
    is_ours = isinstance(found, pd.DataFrame) and found.shape[1] > 0 and all(kind == bool for kind in found.dtypes)  # noqa: E721 - a NumPy type
    return found if is_ours else None


def drop_unmeasured(adata: AnnData) -> AnnData:
    """Return the table of the genes that every sample measured, the same object where that are all; others are said.

    Raises
    ------
    DataError
        No gene was measured in every sample.
    """
    if get_measured(adata) is None:
        return adata
    result = of_genes(adata, np.flatnonzero(measured_genes(adata)))
    del result.varm[MEASURED]
    return result


def measured_genes(adata: AnnData) -> NDArray[np.bool_]:
    """Return which genes every sample measured, (n_genes,); that others are left out is said.

    Raises
    ------
    DataError
        No gene was measured in every sample.
    """
    measured = get_measured(adata)
    if measured is None:
        return np.ones(adata.n_vars, np.bool_)
    everywhere = measured.to_numpy().all(axis=1)
    if not everywhere.any():
        raise DataError("no gene was measured in every sample; preprocess the samples one by one")
    if not everywhere.all():
        log.warning(
            "%d genes (such as %r) that not every sample measured are left out (varm[%r]): their zeros there are no "
            "data",
            int((~everywhere).sum()),
            str(adata.var_names[~everywhere][0]),
            MEASURED,
        )
    return everywhere


def check_measured(adata: AnnData) -> None:
    """Refuse zeros that are no data where no gene can be left out.

    Raises
    ------
    DataError
        Some sample did not measure some gene.
    """
    measured = get_measured(adata)
    if measured is not None and not (everywhere := measured.to_numpy().all(axis=1)).all():
        raise DataError(
            f"varm[{MEASURED!r}] says that not every sample measured {int((~everywhere).sum())} genes, such as "
            f"{str(adata.var_names[~everywhere][0])!r}: their zeros are no data; use `join(genes='common')`, run "
            f"`scinfill preprocess` on the counts, which leaves these genes out, or leave them out by "
            f"adata[:, adata.varm[{MEASURED!r}].all(axis=1)]"
        )
