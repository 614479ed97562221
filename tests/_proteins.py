"""Surface proteins beside simulated RNA: Poisson counts of the true rate of a gene and of background."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

MOLECULES = 30.0
"""Antibodies that a cell binds on average, of each protein."""
BACKGROUND = 3.0


def antibodies(table: AnnData, genes: Sequence[str], *, seed: int = 0, suffix: str = "_TotalSeqB") -> pd.DataFrame:
    """Return counts of proteins that follow the true rates of genes (``layers["truth"]``), cells × proteins."""
    rates = np.exp2(np.asarray(table[:, list(genes)].layers["truth"], dtype=np.float64)) - 1
    expected = MOLECULES * rates / rates.mean(axis=0) + BACKGROUND
    counts = np.random.default_rng(seed).poisson(expected)
    return pd.DataFrame(counts, index=table.obs_names, columns=[f"{gene}{suffix}" for gene in genes])


def unrelated(table: AnnData, names: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Return counts of proteins that have nothing to do with the RNA, with a cell's capture in common."""
    rng = np.random.default_rng(seed)
    capture = rng.lognormal(0, 0.4, size=(table.n_obs, 1))
    expected = MOLECULES * rng.gamma(2, 0.5, size=(table.n_obs, len(names))) * capture
    return pd.DataFrame(rng.poisson(expected), index=table.obs_names, columns=list(names))
