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


def mixtures(n_cells: int = 400, n_genes: int = 80, *, seed: int = 0) -> tuple[AnnData, np.ndarray]:
    """Return counts of mixtures of two profiles by ``obs["dose"]``, and the true mean expression, log2(1 + mean).

    A third of the genes rise with the dose, a third fall, a third stay; library sizes have nothing to do with it.
    """
    rng = np.random.default_rng(seed)
    dose = rng.choice([0, 0.25, 0.5, 0.75, 1], size=n_cells)
    one = rng.gamma(2, 1.5, size=n_genes)
    change = np.repeat([3.0, 1 / 3, 1.0], [n_genes // 3, n_genes // 3, n_genes - 2 * (n_genes // 3)])
    rates = (1 - dose[:, None]) * one + dose[:, None] * one * change
    counts = rng.poisson(rates * rng.lognormal(0, 0.3, size=(n_cells, 1)))
    obs = pd.DataFrame({"dose": dose}, index=[f"cell{number}" for number in range(n_cells)])
    kinds = np.repeat(["rises", "falls", "stays"], [n_genes // 3, n_genes // 3, n_genes - 2 * (n_genes // 3)])
    names = [f"{kind}{number}" for number, kind in enumerate(kinds)]
    return AnnData(counts.astype(np.float32), obs=obs, var=pd.DataFrame(index=names)), np.log2(1 + rates)
