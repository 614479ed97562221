"""A table of scores on stderr for the person at the terminal; the results file holds everything."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from scinfill.reporting.results import Setting, collect, metrics_of, names_in_order, pooled

SHOWN = (
    "rmse",
    "mae",
    "nmse",
    "false_fill",
    "ari",
    "ari_20pc",
    "silhouette",
    "cts",
    "de_auc",
    "zero_retention",
    "poisson",
    "coverage_90",
    "halves_called",
    "halves_false_at_least",
    "halves_false_at_most",
    "halves_best",
    "fold_change_20",
    "fold_change_all",
    "protein_correlation",
    "protein_correlation_within",
    "protein_r2",
    "protein_r2_labels",
    "gradient_component",
    "gradient_genes",
    "gradient_others",
    "gradient_null",
    "null_pairs",
    "null_de",
    "size_leak",
)
RECOVERY = ("rmse", "mae", "nmse")
CAPTION = "lower or higher is better as the arrows say; n, spread and reasons are in the JSON"


def show(document: Mapping[str, Any]) -> None:
    """Print the main scores, one row a metric, one column an estimate; one table for each kind of mask.

    Inputs of the same name that differ in their mask's seed are replicates: their mean and spread are shown.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = 200
    settings = collect([(str(document["title"]), document)])
    for setting in settings:
        if setting.scores.empty:
            continue
        console.print(_table(setting, alone=len(settings) == 1), markup=False)
    for note in dict.fromkeys(note for record in document["estimates"].values() for note in record["notes"]):
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _table(setting: Setting, *, alone: bool) -> Table:
    n = len(setting.replicates)
    repeated = f"mean ± standard deviation of {n} replicates; " if n > 1 else ""
    table = Table(title=None if alone else setting.label, caption=repeated + CAPTION)
    table.add_column("score", overflow="fold")
    scores, known = pooled(setting.scores), metrics_of([setting])
    names = names_in_order(setting.scores)
    for name in names:
        table.add_column(name.replace(" (", "\n("), justify="right", overflow="fold")
    for metric in SHOWN:
        if metric in scores.index.get_level_values("metric"):
            of_metric = scores.loc[metric]
            table.add_row(_title(known[metric]), *(_cell(of_metric, metric, name) for name in names))
    return table


def _title(known: Mapping[str, Any]) -> str:
    arrow = {"lower": " ↓", "higher": " ↑"}.get(str(known["better"]), "")
    return f"{known['title']}{arrow}"


def _cell(scores: pd.DataFrame, metric: str, name: str) -> str:
    if name not in scores.index:
        return "–"
    score = scores.loc[name]
    spread = f" ±{score['sd']:.3f}" if pd.notna(score["sd"]) else ""
    estimate = f" [{score['question']}]" if metric in RECOVERY and score["question"] else ""
    return f"{score['value']:.3f}{spread}{estimate}"
