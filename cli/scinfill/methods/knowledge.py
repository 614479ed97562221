"""How well the saved model that imputed a table knows its cells, and which of its genes the table lacked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from scinfill.methods import provenance
from scinfill.schema import MODEL_FIT

BADLY_KNOWN = -3.0
"""A fit below which hardly any training cell lies."""
MANY = 0.05
"""Share of badly known cells from which a line warns."""


@dataclass(frozen=True)
class Knowledge:
    """Summary of ``obs["model_fit"]`` and of the genes that new cells lacked.

    Attributes
    ----------
    model
        Hash of the saved model.
    n_cells, n_told, n_badly_known
        Cells, those of which it can be told how well the model knows them, and those below BADLY_KNOWN.
    n_genes_absent
        Genes of the model that were not in the data when they were imputed.
    """

    model: str
    n_cells: int
    n_told: int
    n_badly_known: int
    n_genes_absent: int

    @property
    def share(self) -> float:
        """Share of badly known cells among those told."""
        return self.n_badly_known / max(self.n_told, 1)

    def facts(self) -> str:
        """Return the numbers in words, of the model as "it"; without a full stop."""
        if self.n_told:
            known = (
                f"{self.n_badly_known:,} of {self.n_told:,} cells are known to it worse than nearly all of its "
                f"training cells (obs[{MODEL_FIT!r}] below {BADLY_KNOWN:g})"
            )
        else:
            known = f"whether it knows the cells cannot be told (obs[{MODEL_FIT!r}] is missing)"
        genes = "gene of the model was" if self.n_genes_absent == 1 else "genes of the model were"
        absent = f"; {self.n_genes_absent:,} {genes} not in the data: predicted, and left out here"
        return known + (absent if self.n_genes_absent else "")


def knowledge_of(adata: AnnData) -> Knowledge | None:
    """Return what is known of a table that a saved model imputed; None where none did."""
    step = provenance.last_imputation(adata)
    model = None if step is None else step["parameters"].get("model")
    if step is None or model is None:
        return None
    fit = np.full(adata.n_obs, np.nan)
    if MODEL_FIT in adata.obs:
        fit = pd.to_numeric(adata.obs[MODEL_FIT], errors="coerce").to_numpy(np.float64)
    return Knowledge(
        model=str(model),
        n_cells=adata.n_obs,
        n_told=int(np.isfinite(fit).sum()),
        n_badly_known=int((fit < BADLY_KNOWN).sum()),
        n_genes_absent=int(step["metrics"].get(provenance.GENES_ABSENT, 0)),
    )
