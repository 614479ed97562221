"""The whole chain on simulated data: simulate, preprocess, mask, impute, evaluate, and a verdict."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from scinfill.evaluation.evaluate import evaluate
from scinfill.io import h5ad, scores
from scinfill.io.streams import write_text
from scinfill.methods.autoimpute import AutoImpute
from scinfill.methods.deepmc import DeepMc
from scinfill.methods.imputer import impute
from scinfill.methods.mask import mask
from scinfill.methods.preprocess import preprocess
from scinfill.methods.settings import MethodSettings
from scinfill.methods.simulate import simulate
from scinfill.report.build import build
from scinfill.report.verdict import Sentence

log = logging.getLogger(__name__)

METHODS: dict[str, type[MethodSettings]] = {"deepmc": DeepMc, "auto": AutoImpute}
HIDDEN_SHARE = 0.1
NULL_GENES = 100
TITLE = "scinfill demo"


def run(folder: Path, *, n_cells: int, n_genes: int, seed: int) -> Sequence[Sentence]:
    """Do everything, write every step's file into ``folder``, and return the verdict."""
    counts = simulate(n_cells=n_cells, n_genes=n_genes, n_types=4, seed=seed)
    prepared = preprocess(counts)
    thinned = mask(prepared, mode="thin", fraction=HIDDEN_SHARE, null_genes=NULL_GENES, seed=seed)
    hidden = mask(prepared, mode="nonzero", fraction=HIDDEN_SHARE, seed=seed)
    for name, table in {"counts": counts, "log": prepared, "thinned": thinned, "hidden": hidden}.items():
        _write(table, folder / f"{name}.h5ad")
    costs: list[dict[str, str | float]] = []
    documents = []
    experiments: dict[str, tuple[AnnData, dict[str, Any]]] = {
        "thinned": (thinned, {"uncertainty": True}),
        "hidden": (hidden, {"estimate": "detected"}),
    }
    for name, (table, options) in experiments.items():
        imputed = {
            method: _impute(method, table, settings(seed=seed, **options), folder / name, costs)
            for method, settings in METHODS.items()
        }
        document = evaluate(imputed, labels="cell_type", seed=seed, title="simulated cells")
        scores.write(document, folder / f"{name}.scores.json")
        documents.append((name, document))
    report = build(documents, title=TITLE, costs=pd.DataFrame(costs))
    write_text(report.html, folder / "report.html")
    return report.sentences


def _impute(
    method: str, table: AnnData, settings: MethodSettings, stem: Path, costs: list[dict[str, str | float]]
) -> AnnData:
    """Impute, write the file, and note what it cost."""
    started = time.perf_counter()
    imputed = impute(table, settings).to_anndata()
    costs.append({"name": method, "seconds": time.perf_counter() - started, "peak_mib": float("nan")})
    _write(imputed, stem.with_name(f"{stem.name}.{method}.h5ad"))
    return imputed


def _write(table: AnnData, target: Path) -> None:
    h5ad.write(table, target)
    log.info("wrote %s (%d cells x %d genes)", target, table.n_obs, table.n_vars)
