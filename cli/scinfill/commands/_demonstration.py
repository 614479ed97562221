"""The whole chain on simulated data: simulate, preprocess, mask, impute, evaluate, and a verdict."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anndata import AnnData

from scinfill.io import h5ad, scores
from scinfill.methods.deepmc import deepmc_imputation
from scinfill.methods.evaluate import evaluate
from scinfill.methods.imputer import Imputation, ImputeSettings
from scinfill.methods.mask import mask
from scinfill.methods.preprocess import preprocess
from scinfill.methods.simulate import simulate
from scinfill.report.results import collect
from scinfill.report.verdict import Sentence, verdict

log = logging.getLogger(__name__)

Imputer = Callable[[AnnData, ImputeSettings], Imputation]
IMPUTERS: dict[str, Imputer] = {"deepmc": deepmc_imputation}
HIDDEN_SHARE = 0.1
NULL_GENES = 100


def run(folder: Path, *, n_cells: int, n_genes: int, seed: int) -> list[Sentence]:
    """Do everything, write every step's file into ``folder``, and return the verdict."""
    counts = simulate(n_cells=n_cells, n_genes=n_genes, n_types=4, seed=seed)
    prepared = preprocess(counts)
    thinned = mask(prepared, mode="thin", fraction=HIDDEN_SHARE, null_genes=NULL_GENES, seed=seed)
    hidden = mask(prepared, mode="nonzero", fraction=HIDDEN_SHARE, seed=seed)
    for name, table in {"counts": counts, "log": prepared, "thinned": thinned, "hidden": hidden}.items():
        _write(table, folder / f"{name}.h5ad")
    documents = [
        _score("thinned", thinned, ImputeSettings(uncertainty=True, seed=seed), folder),
        _score("hidden", hidden, ImputeSettings(estimate="detected", seed=seed), folder),
    ]
    return verdict(collect(documents))


def _score(name: str, table: AnnData, settings: ImputeSettings, folder: Path) -> tuple[str, Mapping[str, Any]]:
    """Impute one masked table by every method and evaluate the results together."""
    imputed = {}
    for method, impute in IMPUTERS.items():
        imputation = impute(table, settings)
        imputed[method] = imputation.to_anndata()
        _write(imputed[method], folder / f"{name}.{method}.h5ad")
    document = evaluate(imputed, labels="cell_type", seed=settings.seed)
    target = folder / f"{name}.scores.json"
    scores.write(document, target)
    log.info("wrote %s", target)
    return name, document


def _write(table: AnnData, target: Path) -> None:
    h5ad.write(table, target)
    log.info("wrote %s (%d cells x %d genes)", target, table.n_obs, table.n_vars)
