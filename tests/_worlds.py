"""Small simulated tables with something to score."""

from functools import cache

import numpy as np
from anndata import AnnData

import scinfill
from scinfill.methods import provenance

LABELS = "cell_type"


@cache
def _masked(mode: str, null_genes: int, seed: int) -> AnnData:
    world = scinfill.simulate(n_cells=150, n_genes=120, n_types=3, depth=500, seed=7)
    table = scinfill.preprocess(world, n_genes=60)
    return scinfill.mask(table, mode=mode, fraction=None if mode == "halves" else 0.2, null_genes=null_genes, seed=seed)


def masked(mode: str = "nonzero", *, null_genes: int = 0, seed: int = 1) -> AnnData:
    """Return a preprocessed table with hidden values, the caller's own."""
    return _masked(mode, null_genes, seed).copy()


def imputed(table: AnnData, values: np.ndarray, *, estimate: str = "model", method: str = "made-up") -> AnnData:
    """Return a copy that holds an estimate and says what it is."""
    result = table.copy()
    result.layers["imputed"] = np.asarray(values, dtype=np.float32)
    provenance.sign(
        result,
        command="impute-baseline",
        parameters={"method": method},
        seed=0,
        input_sha256="",
        estimate=estimate,
    )
    return result


def label_means(table: AnnData) -> np.ndarray:
    """Return the best estimate there could be of labels, and hence one that invents differences."""
    values = table.X.toarray()
    codes = table.obs[LABELS].cat.codes.to_numpy()
    means = np.array([values[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    return means[codes]
