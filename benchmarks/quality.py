"""What imputation does to real data: every method, the papers' loss and the baselines on labelled datasets.

    python benchmarks/quality.py DATA_FOLDER [--methods deepmc,auto,magic] [--datasets zeisel_subset,…]

Each dataset (H5AD counts with ``obs["cell_type"]``; bulk truth in ``*_de_truth_A_vs_B.tsv`` beside it) is
preprocessed to 1,000 genes, and imputed five times by each method: as it is (clustering, DE), with 10 % of the
molecules held out and 100 null genes appended (molecules, coverage, invented signal), with half of the molecules
(UMI counts: which differences hold in the other half, errors of fold changes), and with 10 % and 50 % of the
non-zeros hidden (``detected``). MAGIC needs ``pip install '.[magic]'``. Writes ``quality.json`` and
``quality.md`` beside this file.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData

import scinfill
from scinfill.methods.counts_kind import classify_counts
from scinfill.numerics.sparse import canonical

HERE = Path(__file__).parent
Imputer = Callable[..., AnnData]

METRICS = {
    "rmse_10": ("detected 10 %", "rmse", "RMSE, 10 % hidden"),
    "rmse_50": ("detected 50 %", "rmse", "RMSE, 50 % hidden"),
    "ari": ("structure", "ari", "k-means ARI"),
    "ari_20pc": ("structure", "ari_20pc", "ARI, 20 PCs"),
    "silhouette": ("structure", "silhouette", "silhouette"),
    "cts": ("structure", "cts", "CTS"),
    "de_auc": ("structure", "de_auc", "DE AUC"),
    "poisson": ("molecules", "poisson", "held-out molecules"),
    "coverage": ("molecules", "coverage_90", "90 % coverage"),
    "coverage_top": ("molecules", "coverage_90_top_decile", "top decile"),
    "null_pairs": ("molecules", "null_pairs", "null pairs"),
    "null_de": ("molecules", "null_de_any_label", "null DE"),
    "size_leak": ("molecules", "size_leak", "size leak"),
    "halves_called": ("halves", "halves_called", "genes called, one half"),
    "halves_at_least": ("halves", "halves_false_at_least", "false, at least"),
    "halves_at_most": ("halves", "halves_false_at_most", "false, at most"),
    "halves_best": ("halves", "halves_best", "best 50 that hold"),
    "fold_change_20": ("halves", "fold_change_20", "fold change, 20 cells"),
    "fold_change_all": ("halves", "fold_change_all", "fold change, all"),
}


def imputers(names: list[str]) -> dict[str, tuple[Imputer, Imputer]]:
    """Return for every method its default and its ``detected`` form."""
    known: dict[str, tuple[Imputer, Imputer]] = {
        "papers-loss": (partial(scinfill.impute_baseline, method="als"),) * 2,
        "deepmc": (scinfill.impute_deepmc, partial(scinfill.impute_deepmc, estimate="detected")),
        "auto": (_lazy_auto, partial(_lazy_auto, estimate="detected")),
        "magic": (partial(scinfill.impute_baseline, method="magic"),) * 2,
    }
    return {name: known[name] for name in names}


def _lazy_auto(adata: AnnData, **options) -> AnnData:
    """Import TensorFlow only where it is asked for."""
    return scinfill.impute_auto(adata, **options)


def de_truths(folder: Path, dataset: str) -> dict[str, pd.Series]:
    """Return 1 or 0 by gene for every truth file whose labels the dataset has."""
    prefix = dataset.split("_", maxsplit=1)[0]
    truths = {}
    for path in sorted(folder.glob(f"{prefix}_de_truth_*_vs_*.tsv")):
        table = pd.read_csv(path, sep="\t").drop_duplicates("gene").set_index("gene")
        truths[path.stem.split("_de_truth_")[1].removeprefix("course_")] = table["is_de"]
    return truths


def worlds(adata: AnnData, seed: int) -> dict[str, AnnData]:
    """Return what each experiment lets an imputer see."""
    prepared = scinfill.preprocess(adata)
    halves = {"halves": scinfill.mask(prepared, mode="halves", seed=seed)} if _umi(prepared) else {}
    return {
        "structure": prepared,
        "molecules": scinfill.mask(prepared, mode="thin", fraction=0.1, null_genes=100, seed=seed),
        **halves,
        "detected 10 %": scinfill.mask(prepared, fraction=0.1, seed=seed),
        "detected 50 %": scinfill.mask(prepared, fraction=0.5, seed=seed),
    }


def score_dataset(path: Path, methods: dict[str, tuple[Imputer, Imputer]], seed: int) -> dict[str, dict[str, float]]:
    """Return metric values by method."""
    adata = anndata.read_h5ad(path)
    truths = {k: t for k, t in de_truths(path.parent, path.stem).items() if _has_labels(adata, k)}
    scores: dict[str, dict[str, float]] = {}
    for world, table in worlds(adata, seed).items():
        tables = {}
        for name, (default, detected) in methods.items():
            started = time.perf_counter()
            extra = {"uncertainty": True} if world == "molecules" and name in ("deepmc", "auto") and _umi(table) else {}
            tables[name] = (detected if world.startswith("detected") else default)(table, **extra)
            scores.setdefault(name, {})[f"seconds {world}"] = time.perf_counter() - started
        result = scinfill.evaluate(tables, labels="cell_type", de_truths=truths or None, seed=seed)
        for name, entry in result["estimates"].items():
            for key, (where, metric, _) in METRICS.items():
                if where == world and metric in entry["scores"]:
                    scores.setdefault(name, {})[key] = entry["scores"][metric]["value"]
        print(f"{path.stem}: {world} done", flush=True)
    return scores


def _has_labels(adata: AnnData, pair: str) -> bool:
    return set(pair.split("_vs_")) <= set(adata.obs["cell_type"].astype(str))


def _umi(adata: AnnData) -> bool:
    return classify_counts(canonical(adata.layers["counts"])).kind == "umi"


def table_of(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the figures as Markdown: a table a dataset, and the means."""
    methods = list(dict.fromkeys(name for scores in results.values() for name in scores))
    parts = []
    for dataset, scores in (results | {"mean": _means(results, methods)}).items():
        lines = [f"\n## {dataset}\n", "| metric | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
        for key, (_, _, title) in METRICS.items():
            row = [scores.get(name, {}).get(key) for name in methods]
            if any(value is not None for value in row):
                lines.append(f"| {title} | " + " | ".join("" if v is None else f"{v:.3f}" for v in row) + " |")
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


def _means(results: dict[str, dict[str, dict[str, float]]], methods: list[str]) -> dict[str, dict[str, float]]:
    means: dict[str, dict[str, float]] = {}
    for name in methods:
        for key in METRICS:
            values = [scores[name][key] for scores in results.values() if key in scores.get(name, {})]
            if values:
                means.setdefault(name, {})[key] = float(np.mean(values))
    return means


def main() -> None:
    """Score all datasets and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--methods", default="papers-loss,deepmc,auto,magic")
    parser.add_argument("--datasets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "quality")
    options = parser.parse_args()
    paths = sorted(options.data.glob("*.h5ad"))
    wanted = options.datasets.split(",") if options.datasets else [path.stem for path in paths]
    methods = imputers(options.methods.split(","))
    results = {path.stem: score_dataset(path, methods, options.seed) for path in paths if path.stem in wanted}
    options.out.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(
        "# Quality on labelled datasets\n\n"
        f"Made by `python benchmarks/quality.py DATA_FOLDER --methods {options.methods} --seed {options.seed}`.\n"
        "RMSE rows: estimate `detected`; all others: each method's default estimate. `papers-loss` is plain matrix\n"
        "factorisation of the non-zeros (w₀ = 0). Lower is better for RMSE, held-out molecules (Poisson loss),\n"
        "null pairs, null DE, size leak (share of genes DE between large and small cells of one label), and for\n"
        "values from half of the molecules: the bounds of the share of genes called between similar labels that the\n"
        "other half does not confirm, and the error of log2 fold changes of group means against that half.\n"
        + table_of(results)
    )


if __name__ == "__main__":
    main()
