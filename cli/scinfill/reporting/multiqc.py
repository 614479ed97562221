"""Sections of a MultiQC report (custom content): a table of the scores, and how many called differences hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scinfill.reporting.comparable import across
from scinfill.reporting.results import Setting, metrics_of

SHOWN = (
    "halves_called",
    "halves_false_at_least",
    "halves_false_at_most",
    "null_de",
    "poisson",
    "rmse",
    "ari",
    "coverage_90",
)
"""Columns of the table; the others are there too, and hidden until they are asked for."""
COLOURS = {"higher": "RdYlGn", "lower": "RdYlGn-rev", None: "Blues"}
PARENT = {
    "parent_id": "scinfill",
    "parent_name": "scinfill",
    "parent_description": "Imputation of single-cell RNA-seq data, and whether it helped. Every imputer stands beside "
    "raw counts, the gene mean and a rank-10 SVD.",
}
HOLD, OPEN, FALSE = "hold in the untouched half", "cannot be told", "do not hold"


def sections(settings: Sequence[Setting]) -> dict[str, bytes]:
    """Return the sections as JSON by file name, which ends as MultiQC looks for it.

    Each score is asked where it means something, as in the report's first table; replicates and masks are averaged.
    The graph is left out where no molecules were split in halves.
    """
    datasets: dict[str, list[Setting]] = {}
    for setting in settings:
        datasets.setdefault(setting.dataset, []).append(setting)
    rows: dict[str, dict[str, float]] = {}
    metrics = metrics_of(settings)
    for dataset, own in datasets.items():
        for metric in metrics:
            for name, value in _means(across(own, metric)).items():
                rows.setdefault(f"{dataset}: {name}", {})[metric] = value
    found = {"scinfill_scores_mqc.json": _table(rows, metrics)}
    held = {name: _held(scores) for name, scores in rows.items() if "halves_called" in scores}
    if held:
        found["scinfill_held_mqc.json"] = _graph(held)
    return {name: json.dumps(section, indent=2, ensure_ascii=False).encode() for name, section in found.items()}


def _means(table: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(value) for name, value in table.mean().dropna().items()}


def _table(rows: Mapping[str, Mapping[str, float]], metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    present = {metric for scores in rows.values() for metric in scores}
    return PARENT | {
        "id": "scinfill_scores",
        "section_name": "Scores",
        "description": "Means over masks and replicates. What could not be scored is empty; the reason is in "
        "<code>report.html</code>.",
        "plot_type": "table",
        "pconfig": {"id": "scinfill_scores_table", "title": "scinfill: scores", "col1_header": "Data: estimate"},
        "headers": {
            metric: {
                "title": known["title"],
                "description": known["meaning"],
                "format": "{:,.3f}",
                "scale": COLOURS[known["better"]],
                "hidden": metric not in SHOWN,
            }
            for metric, known in metrics.items()
            if metric in present
        },
        "data": rows,
    }


def _held(scores: Mapping[str, float]) -> dict[str, float]:
    """Return shares of all genes; where nothing was called there are no bounds, and nothing is false."""
    called = scores["halves_called"]
    least, most = scores.get("halves_false_at_least", 0.0), scores.get("halves_false_at_most", 0.0)
    shares = {HOLD: called * (1 - most), OPEN: called * (most - least), FALSE: called * least}
    return {name: 100 * max(share, 0.0) for name, share in shares.items()}


def _graph(held: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    return PARENT | {
        "id": "scinfill_held",
        "section_name": "Differences that hold",
        "description": "Genes called differentially expressed between similar groups of cells, as a percentage of all "
        "genes, and how many of them the other half of the molecules confirms.",
        "plot_type": "bargraph",
        "pconfig": {
            "id": "scinfill_held_graph",
            "title": "scinfill: called differences that hold",
            "ylab": "genes (%)",
            "cpswitch": False,
            "tt_decimals": 1,
        },
        "categories": {
            HOLD: {"name": HOLD, "color": "#2a788e"},
            OPEN: {"name": OPEN, "color": "#c7c7c7"},
            FALSE: {"name": FALSE, "color": "#d1495b"},
        },
        "data": held,
    }
