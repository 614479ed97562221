"""The two papers' experiments, re-made: our methods, the papers' own recipes, MAGIC and the baselines on real data.

    python benchmarks/papers.py DATA_FOLDER --out RESULTS_FOLDER [--replicates 3] [--methods deepmc,magic,…]

DATA_FOLDER holds labelled counts (``*.h5ad`` with ``obs["cell_type"]``) and, beside them, bulk counts
(``PREFIX_bulk_counts*.tsv``) and genes known to differ (``PREFIX_de_truth_*_A_vs_B.tsv``). Every dataset is
preprocessed to 1,000 genes. Each experiment leaves one results file of ``scinfill evaluate`` in RESULTS_FOLDER and is
not run again while that is there. ``papers.md`` beside this script gets the tables and what they say on the papers'
claims; ``RESULTS_FOLDER/report.html`` the figures. MAGIC needs ``pip install '.[magic]'``.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anndata
import pandas as pd
from anndata import AnnData

import scinfill
from scinfill.io import bulk, scores
from scinfill.methods.evaluate import run
from scinfill.methods.evaluation.case import Settings
from scinfill.report.build import build
from scinfill.report.results import Setting, collect, pooled

HERE = Path(__file__).parent
LABELS = "cell_type"
FRACTIONS = (0.1, 0.3, 0.5)

Imputer = Callable[..., AnnData]


@dataclass(frozen=True)
class Method:
    """How one method answers the papers' two kinds of question, and on what where it is slow."""

    recovery: Imputer
    analysis: Imputer
    slow: bool = False


def deepmc_as_published(depth: int, ranks: tuple[int, ...]) -> Method:
    """Return deepMc's published algorithm with ranks of the size its authors used."""
    imputer = partial(scinfill.impute_deepmc, preset="paper", depth=depth, rank=ranks)
    return Method(imputer, imputer)


def autoimpute_as_published(table: AnnData, *, seed: int) -> AnnData:
    """Impute with AutoImpute's published algorithm and the penalty of the authors' scripts (the default fails)."""
    return scinfill.impute_auto(
        table, preset="paper", regularisation=1000, learning_rate=1e-3, iterations=3000, seed=seed
    )


def baseline(name: str) -> Method:
    """Return one of our baselines."""
    imputer = partial(scinfill.impute_baseline, method=name)
    return Method(imputer, imputer)


def auto(table: AnnData, *, seed: int, estimate: str = "auto", uncertainty: bool = False) -> AnnData:
    """Impute with our AutoImpute; TensorFlow loads when it is called."""
    return scinfill.impute_auto(table, estimate=estimate, uncertainty=uncertainty, seed=seed)


METHODS = {
    "deepmc": Method(partial(scinfill.impute_deepmc, estimate="detected"), scinfill.impute_deepmc),
    "auto": Method(partial(auto, estimate="detected"), auto),
    "deepmc-paper-1L": deepmc_as_published(1, (10,)),
    "deepmc-paper-2L": deepmc_as_published(2, (11, 5)),
    "deepmc-paper-3L": deepmc_as_published(3, (13, 11, 5)),
    "auto-paper": Method(autoimpute_as_published, autoimpute_as_published, slow=True),
    "mcimpute": baseline("nuclear-norm"),
    "magic": baseline("magic"),
}


@dataclass
class Bench:
    """Where data are and results go; what has been measured on the way.

    Attributes
    ----------
    data, out
        Folders.
    methods
        By name.
    slow_up_to
        Cells up to which slow methods run, recovery on one mask: AutoImpute's published 3,000 full batches take
        minutes on 300 cells, hours on thousands.
    costs
        One record a run: name, dataset and seconds.
    """

    data: Path
    out: Path
    methods: dict[str, Method]
    slow_up_to: int
    costs: list[dict[str, object]] = field(default_factory=list)

    def impute(self, table: AnnData, dataset: str, *, recovery: bool, fraction: float | None, seed: int) -> list:
        """Return every method's table by name; methods that are too slow here are left out."""
        tables = []
        for name, method in self.methods.items():
            another_mask = fraction is not None and (fraction, seed) != (FRACTIONS[0], 1)
            if method.slow and (table.n_obs > self.slow_up_to or another_mask):
                continue
            started = time.perf_counter()
            tables.append((name, (method.recovery if recovery else method.analysis)(table, seed=seed)))
            seconds = time.perf_counter() - started
            self.costs.append({"name": name, "dataset": dataset, "seconds": seconds})
            print(f"  {name}: {seconds:.1f} s", flush=True)
        return tables

    def experiment(self, dataset: str, name: str, prepare: Callable[[], AnnData], *, recovery: bool, seed: int) -> None:
        """Run one experiment on one dataset, unless its results are there."""
        target = self.out / f"{dataset}.{name}.json"
        if target.exists():
            return
        print(f"{dataset}: {name}", flush=True)
        table = prepare()
        fraction = float(name.split("-")[1]) if recovery else None
        tables = self.impute(table, dataset, recovery=recovery, fraction=fraction, seed=seed)
        counts, truths = self.bulk_of(dataset)
        evaluation = run(tables, Settings(labels=LABELS, seed=seed), bulk=counts, de_truths=truths, title=dataset)
        scores.write(evaluation.document, target)

    def bulk_of(self, dataset: str) -> tuple[pd.DataFrame | None, dict[str, pd.Series]]:
        """Return bulk counts and known genes that belong to a dataset, by the first word of its name."""
        prefix = dataset.split("_", maxsplit=1)[0]
        counts = next(iter(sorted(self.data.glob(f"{prefix}_bulk_counts*.tsv"))), None)
        truths = {path.stem: bulk.read_truth(path) for path in sorted(self.data.glob(f"{prefix}_de_truth_*_vs_*.tsv"))}
        return None if counts is None else bulk.read_counts(counts), truths

    def run_all(self, replicates: int) -> None:
        """Run every experiment on every dataset."""
        for path in sorted(self.data.glob("*.h5ad")):
            prepared = scinfill.preprocess(anndata.read_h5ad(path))
            for fraction in FRACTIONS:
                for seed in range(1, replicates + 1):
                    self.experiment(
                        path.stem,
                        f"hidden-{fraction}-{seed}",
                        partial(scinfill.mask, prepared, fraction=fraction, seed=seed),
                        recovery=True,
                        seed=seed,
                    )
            self.experiment(path.stem, "analysis", lambda table=prepared: table, recovery=False, seed=0)
            self.experiment(
                path.stem,
                "molecules",
                partial(scinfill.mask, prepared, mode="thin", null_genes=100, seed=1),
                recovery=False,
                seed=0,
            )


def table_of(settings: Sequence[Setting], metric: str, digits: int = 3) -> str:
    """Return a Markdown table of one metric: datasets in rows, estimates in columns."""
    columns: dict[str, dict[str, str]] = {}
    for setting in settings:
        table = pooled(setting.scores)
        if metric not in table.index.get_level_values("metric"):
            continue
        for _, row in table.loc[metric].iterrows():
            spread = f" ± {row['sd']:.{digits}f}" if row["n_replicates"] > 1 else ""
            columns.setdefault(row["series"], {})[setting.dataset] = f"{row['value']:.{digits}f}{spread}"
    datasets = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = ["| data | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for dataset in datasets:
        lines.append(f"| {dataset} | " + " | ".join(column.get(dataset, "") for column in columns.values()) + " |")
    return "\n".join(lines)


def values_of(settings: Sequence[Setting], metric: str) -> pd.DataFrame:
    """Return one metric, datasets × series."""
    rows = {}
    for setting in settings:
        table = pooled(setting.scores)
        if metric in table.index.get_level_values("metric"):
            rows[setting.dataset] = table.loc[metric].set_index("series")["value"]
    return pd.DataFrame(rows).T


def counted(holds: pd.Series) -> str:
    """Return on how many datasets something holds, and on which it does not."""
    failing = list(holds.index[~holds])
    return f"{int(holds.sum())} of {len(holds)} datasets" + (f" (not on {', '.join(failing)})" if failing else "")


def compared(values: pd.DataFrame, ours: str, theirs: Sequence[str], *, lower: bool) -> str | None:
    """Return on how many datasets one method is at least as good as all others."""
    theirs = [name for name in theirs if name in values and name != ours]
    if ours not in values or not theirs:
        return None
    known = values[[ours, *theirs]].dropna(subset=[ours])
    best = known[theirs].min(axis=1) if lower else known[theirs].max(axis=1)
    return counted(known[ours] <= best if lower else known[ours] >= best)


def claims(by_fraction: dict[float, list[Setting]], analysis: list[Setting], molecules: list[Setting]) -> str:
    """Return what the papers claim, and what these data say."""
    tenth = values_of(by_fraction[0.1], "rmse")
    ari, auc = values_of(analysis, "ari"), values_of(analysis, "de_auc")
    cts, silhouette = values_of(analysis, "cts"), values_of(analysis, "silhouette")
    cv, zeros = values_of(analysis, "log2_cv"), values_of(analysis, "zero_retention")
    null, pairs = values_of(molecules, "null_de"), values_of(molecules, "null_pairs")
    peers = ("raw", "gene-mean", "svd-10", "mcimpute", "magic")
    lines = []

    def claim(paper: str, text: str, *findings: str | None) -> None:
        lines.append(f"- **{paper}: {text}.** " + " ".join(finding for finding in findings if finding))

    claim(
        "AutoImpute",
        "lowest RMSE at hidden values",
        _sentence(
            "As published it is lowest among raw, gene mean, SVD, mcImpute and MAGIC on", tenth, "auto-paper", peers
        ),
        _sentence("Our AutoImpute (`--estimate detected`) is on", tenth, "auto", peers),
        _sentence("our deepMc on", tenth, "deepmc", peers),
    )
    claim(
        "AutoImpute",
        "k-means ARI always better than without imputation",
        _sentence("As published it is not below raw on", ari, "auto-paper", ["raw"], lower=False),
        _sentence("Our default is not on", ari, "auto", ["raw"], lower=False),
        "(The spread over k-means starts is in the table.)",
    )
    claim(
        "AutoImpute",
        "variation within a cell type is reduced",
        _sentence("As published it lowers the median log2 CV below raw on", cv, "auto-paper", ["raw"]),
        "So does filling every zero with the gene's mean: "
        + (compared(cv, "gene-mean", ["raw"], lower=True) or "")
        + ". Low variation proves smoothness, not truth.",
    )
    claim(
        "AutoImpute",
        "true zeros stay zeros",
        _means("Share of cells still at zero in genes that bulk does not see:", zeros),
    )
    claim(
        "AutoImpute",
        "cell types are better separated on two components",
        _sentence("As published its silhouette is not below raw on", silhouette, "auto-paper", ["raw"], lower=False),
        _sentence("our default's on", silhouette, "auto", ["raw"], lower=False),
    )
    depths = ["deepmc-paper-1L", "deepmc-paper-2L", "deepmc-paper-3L"]
    if set(depths) <= set(ari):
        rising = (ari[depths[0]] <= ari[depths[1]]) & (ari[depths[1]] <= ari[depths[2]])
        claim(
            "deepMc",
            "ARI rises from one to two to three layers",
            f"It does on {counted(rising)}; mean ARI {', '.join(f'{ari[name].mean():.3f}' for name in depths)}.",
            "A linear product has the rank of its narrowest layer: depth changes the path, not the model.",
        )
    if not auc.empty and "deepmc-paper-2L" in auc:
        claim(
            "deepMc",
            "two layers rank differentially expressed genes best",
            _sentence("Not below raw on", auc, "deepmc-paper-2L", ["raw"], lower=False),
            _means("Mean AUC:", auc),
        )
    claim(
        "deepMc",
        "best separability of cell types (CTS)",
        _sentence(
            "As published (2L) it is above raw, SVD, mcImpute and MAGIC on", cts, "deepmc-paper-2L", peers, lower=False
        ),
        _means("Mean CTS:", cts),
    )
    claim(
        "Neither paper asks",
        "is any signal invented",
        _means("Null genes called differentially expressed between the two largest labels:", null),
        _means("Pairs of independent genes with |r| > .3:", pairs),
    )
    return "\n".join(lines)


def _sentence(words: str, values: pd.DataFrame, ours: str, theirs: Sequence[str], *, lower: bool = True) -> str | None:
    found = compared(values, ours, theirs, lower=lower)
    return None if found is None else f"{words} {found}."


def _means(words: str, values: pd.DataFrame) -> str | None:
    if values.empty:
        return None
    means = values.dropna(axis=1, how="all").mean()
    return f"{words} " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()) + "."


def written(settings: Sequence[Setting], arguments: str, slow_up_to: int) -> str:
    """Return the text of ``papers.md``."""
    by_fraction = {
        fraction: [one for one in settings if one.mode == "nonzero" and one.fraction == fraction]
        for fraction in FRACTIONS
    }
    analysis = [one for one in settings if one.mode is None]
    molecules = [one for one in settings if one.mode == "thin"]
    parts = [
        "# The papers' experiments on real data",
        "",
        f"Made by `python benchmarks/papers.py {arguments}`; 1,000 genes a dataset, numbers to be read with their ±",
        "(standard deviation over masks). One experiment by hand:",
        "",
        "    scinfill preprocess DATA.h5ad | scinfill mask --fraction 0.1 --seed 1 -o masked.h5ad",
        "    scinfill impute-deepmc --estimate detected masked.h5ad -o deepmc.h5ad",
        "    scinfill impute-baseline --method magic masked.h5ad -o magic.h5ad",
        "    scinfill evaluate deepmc=deepmc.h5ad magic=magic.h5ad --labels cell_type -o scores.json",
        "    scinfill report scores.json -o report.html",
        "",
        "`deepmc` and `auto` are our defaults (`--estimate detected` for recovery); `-paper` marks the published",
        "algorithms (deepMc with ranks of the authors' size, AutoImpute with λ 1000, step 1e-3 and 3,000 iterations:",
        "with its released defaults it loses to filling zeros). mcImpute is `impute-baseline --method nuclear-norm`.",
        "Peers below are raw, gene mean, SVD, mcImpute and MAGIC.",
        f"AutoImpute as published ran on data of at most {slow_up_to} cells, recovery on one mask with 10 % hidden.",
        "",
        "## What the papers claim, and what these data say",
        "",
        claims(by_fraction, analysis, molecules),
        "",
    ]
    for fraction, hidden in by_fraction.items():
        parts += [
            f"## RMSE at hidden non-zeros, {fraction:.0%} hidden".replace("%", " %"),
            "",
            table_of(hidden, "rmse"),
            "",
        ]
    for metric, title in (
        ("mae", "MAE, 10 % hidden"),
        ("nmse", "NMSE (ratio of norms), 10 % hidden"),
    ):
        parts += [f"## {title}", "", table_of(by_fraction[0.1], metric), ""]
    for metric, title in (
        ("ari", "k-means ARI, all genes"),
        ("ari_20pc", "k-means ARI, 20 principal components"),
        ("silhouette", "Silhouette, 2 principal components"),
        ("cts", "CTS, mean of label pairs"),
        ("de_auc", "AUC of differential expression against bulk"),
        ("log2_cv", "Median log2 CV within the largest label"),
        ("zero_retention", "True zeros kept"),
    ):
        parts += [f"## {title}", "", table_of(analysis, metric), ""]
    for metric, title in (
        ("poisson", "Held-out molecules, Poisson loss (10 %)"),
        ("null_de", "Null genes called differentially expressed"),
        ("null_pairs", "Null pairs with |r| > .3"),
        ("size_leak", "Genes split by library size within a label"),
    ):
        parts += [f"## {title}", "", table_of(molecules, metric), ""]
    return "\n".join(parts)


def main() -> None:
    """Run what is missing, then write the tables and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--slow-up-to", type=int, default=300, help="cells up to which AutoImpute as published runs")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        chosen.data, chosen.out, {name: METHODS[name] for name in chosen.methods.split(",")}, chosen.slow_up_to
    )
    bench.run_all(chosen.replicates)
    documents = [(path.name, scores.read(path)) for path in sorted(chosen.out.glob("*.json"))]
    costs = pd.DataFrame(bench.costs) if bench.costs else None
    page = build(documents, title="The papers' experiments on real data", costs=costs)
    (chosen.out / "report.html").write_text(page.html, encoding="utf-8")
    arguments = f"DATA_FOLDER --out RESULTS_FOLDER --replicates {chosen.replicates} --slow-up-to {chosen.slow_up_to}"
    text = written(collect(documents), arguments, chosen.slow_up_to)
    (HERE / "papers.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
