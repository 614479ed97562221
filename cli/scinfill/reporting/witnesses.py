"""What surface proteins and a known gradient say of an input, in words and as tables: neither saw the imputation."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from scinfill.reporting.comparable import changes_of
from scinfill.reporting.results import Setting, details, signed
from scinfill.reporting.tables import Table, plain

LARGEST_BEND = 0.1
"""Null genes that follow a gradient by this much more than in the raw data were bent along it."""

Answered = tuple[Literal["yes", "no", "same"], str]

MEASURES = {
    ("protein_genes", "correlation"): "correlation with its gene",
    ("protein_genes", "within"): "the same within labels",
    ("protein_r2", "r2"): "R² from components",
    ("protein_r2", "r2_labels"): "R² by labels alone",
}
NEARER = {
    "protein_correlation": "to their genes",
    "protein_correlation_within": "to their genes within labels",
    "protein_r2": "to the leading components",
}
"""What a gain in each score says that proteins are nearer to."""
FOLLOWING = {
    "gradient_genes": "genes that follow it in the counts",
    "gradient_others": "genes that hardly do",
    "gradient_null": "null genes",
}


def proteins(settings: Sequence[Setting], name: str) -> Answered | None:
    """Answer whether an input is nearer to surface proteins than raw counts are; None where none were named."""
    changes = {metric: found for metric in NEARER if not (found := changes_of(settings, metric, name)).empty}
    if not changes:
        return None
    better, worse = _beyond_spread(changes)
    numbers = _numbers(changes, changes_of(settings, "protein_r2_labels", name))
    if better and worse:
        return "same", f"In part: they are nearer {' and '.join(better)}, further {' and '.join(worse)}. {numbers}."
    if better:
        return "yes", f"Yes. {numbers}."
    return (
        ("no", f"No, raw counts are nearer. {numbers}.") if worse else ("same", f"It makes no difference. {numbers}.")
    )


def _beyond_spread(changes: dict[str, pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Return where proteins are nearer than to raw counts and where further, by more than the spread."""
    better: list[str] = []
    worse: list[str] = []
    for metric, found in changes.items():
        gain = (found["value"] - found["raw"]).mean()
        if abs(gain) > max(found["spread"].mean(), 1e-9):
            (better if gain > 0 else worse).append(NEARER[metric])
    return better, worse


def _numbers(changes: dict[str, pd.DataFrame], by_labels: pd.DataFrame) -> str:
    parts = []
    if "protein_correlation" in changes:
        parts.append(f"Proteins correlate with their genes at {_beside_raw(changes['protein_correlation'])}")
    if "protein_correlation_within" in changes:
        parts.append(f"within labels at {_beside_raw(changes['protein_correlation_within'])}")
    if "protein_r2" in changes:
        alone = f", labels alone {signed(by_labels['value'].mean(), 2)}" if not by_labels.empty else ""
        parts.append(f"the leading components explain R² {_beside_raw(changes['protein_r2'])} of them{alone}")
    text = ", ".join(parts)
    return text[0].upper() + text[1:]


def _beside_raw(found: pd.DataFrame) -> str:
    return f"{signed(found['value'].mean(), 2)} (raw {signed(found['raw'].mean(), 2)})"


def gradient(settings: Sequence[Setting], name: str) -> Answered | None:
    """Answer whether an input shows a known gradient better than raw counts do; None where none was named."""
    component = changes_of(settings, "gradient_component", name)
    if component.empty:
        return None
    numbers = f"The first component follows it with a rank correlation of {_beside_raw(component)}"
    for metric, words in FOLLOWING.items():
        found = changes_of(settings, metric, name)
        numbers += f", {words} with {_beside_raw(found)}" if not found.empty else ""
    gain, spread = _gain(component), max(component["spread"].mean(), 1e-9)
    null = changes_of(settings, "gradient_null", name)
    if not null.empty and _gain(null) > LARGEST_BEND:
        return "no", f"No, it bends genes along it that depend on library size alone. {numbers}."
    if abs(gain) <= spread:
        return "same", f"It makes no difference to the first component. {numbers}."
    return ("yes", f"Yes. {numbers}.") if gain > 0 else ("no", f"No, raw counts show it better. {numbers}.")


def _gain(changes: pd.DataFrame) -> float:
    return float((changes["value"] - changes["raw"]).mean())


def protein_rows(setting: Setting) -> pd.DataFrame | None:
    """Return one row for each protein and measure, one column for each estimate; None where no proteins were named."""
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    genes: dict[str, str] = {}
    for (key, field), measure in MEASURES.items():
        for estimate, found in details(setting, key).items():
            for row in found["proteins"]:
                genes.setdefault(row["protein"], row.get("gene", "–"))
                if row[field] is not None:
                    rows.setdefault((row["protein"], genes[row["protein"]], measure), {})[estimate] = row[field]
    if not rows:
        return None
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["protein", "gene", "measure"])
    return frame.sort_index(level="protein", sort_remaining=False, kind="stable").reset_index()


def gradient_rows(setting: Setting) -> pd.DataFrame | None:
    """Return one row for each gene that follows the gradient, one column for each estimate; None without a gradient."""
    columns: dict[str, pd.Series] = {}
    for estimate, found in details(setting, "gradient_genes").items():
        frame = pd.DataFrame(found["genes"]).set_index("gene")
        columns.setdefault("in the counts of the other cells", frame["in_counts"])
        columns[estimate] = frame["correlation"]
    return pd.DataFrame(columns).rename_axis("gene").reset_index() if columns else None


PROTEINS = (
    "Each surface protein (centred log ratio) and the estimate of its gene, over all cells and within labels of 200 "
    "cells or more; R² of the protein from 20 principal components, and from those of another cell of the same label."
)
GRADIENT = (
    "Rank correlation with the gradient of genes that follow it in the counts of one half of the cells, in the other "
    "half; below zero is against the direction of the counts. Every smoother raises it."
)


def protein_table(setting: Setting) -> Table | None:
    """Return the proteins, one column an estimate; None where none were named."""
    rows = protein_rows(setting)
    return None if rows is None else plain("Surface proteins", PROTEINS, rows)


def gradient_table(setting: Setting) -> Table | None:
    """Return the genes that follow the gradient, one column an estimate; None without a gradient."""
    rows = gradient_rows(setting)
    return None if rows is None else plain("Known gradient", GRADIENT, rows)
