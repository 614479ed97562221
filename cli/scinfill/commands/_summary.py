"""A table of scores on stderr for the person at the terminal; the results file holds everything."""

from typing import Any

from rich.console import Console
from rich.table import Table

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
    "null_pairs",
    "null_de",
    "size_leak",
)
RECOVERY = ("rmse", "mae", "nmse")


def show(document: dict[str, Any]) -> None:
    """Print the main scores, one row a metric, one column an estimate."""
    estimates = document["estimates"]
    table = Table(caption="lower or higher is better as the arrows say; n, spread and reasons are in the JSON")
    table.add_column("score", overflow="fold")
    for name, record in estimates.items():
        kind = f"\n({record['estimate']})" if record["estimate"] else ""
        table.add_column(f"{name}{kind}", justify="right", overflow="fold")
    for metric in SHOWN:
        if any(metric in record["scores"] for record in estimates.values()):
            table.add_row(_title(document, metric), *(_cell(record, metric) for record in estimates.values()))
    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = 200
    console.print(table, markup=False)
    for note in dict.fromkeys(note for record in estimates.values() for note in record["notes"]):
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)


def _title(document: dict[str, Any], metric: str) -> str:
    known = document["metrics"][metric]
    arrow = {"lower": " ↓", "higher": " ↑"}.get(known["better"], "")
    return f"{known['title']}{arrow}"


def _cell(record: dict[str, Any], metric: str) -> str:
    score = record["scores"].get(metric)
    if score is None:
        return "–"
    spread = f" ±{score['sd']:.2f}" if score.get("sd") is not None else ""
    estimate = f" [{record['estimate']}]" if metric in RECOVERY and record["estimate"] else ""
    return f"{score['value']:.3f}{spread}{estimate}"
