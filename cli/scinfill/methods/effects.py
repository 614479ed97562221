"""Say whether an imputation changed the data, and for how many genes, from the imputed table."""

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.models.estimate.effect import Effect
from scinfill.schema import GATE, NULL_GENE, OBSERVED_WEIGHT


def effect_of(adata: AnnData) -> Effect:
    """Return what gate and weights in ``var`` come to; genes that ``mask --null-genes`` appended are left out."""
    real = ~adata.var[NULL_GENE].to_numpy(dtype=bool) if NULL_GENE in adata.var else np.ones(adata.n_vars, bool)
    gate, weight = (numbers_of_genes(adata, column, real) for column in (GATE, OBSERVED_WEIGHT))
    return Effect(
        n_genes=int(real.sum()),
        genes_gated_shut=None if gate is None else int((gate == 0).sum()),
        mean_observed_weight=None if weight is None else float(weight.mean()),
    )


def numbers_of_genes(adata: AnnData, column: str, genes: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return a column of ``var`` for some genes; None where it is absent or anything else stands there."""
    if column not in adata.var or not genes.any():
        return None
    values = pd.to_numeric(adata.var[column], errors="coerce").to_numpy(np.float64)[genes]
    return values if np.isfinite(values).all() else None
