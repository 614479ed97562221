"""Structure of cells: clusters, principal components, correlations."""

from typing import Any

import numpy as np
import pandas as pd

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, colours_of, of_replicates
from scinfill.reporting.results import Setting, details, display_name, names_in_order, pooled

MOST_PAIRS = 28
MOST_LABELS_IN_LEGEND = 20
LABELS_A_LINE = 5


def clustering(setting: Setting) -> Plot | None:
    """Draw the agreement of every k-means start with the labels."""
    metrics = {"ari": "ARI, all genes", "ari_20pc": "ARI, 20 PCs"}
    first = {display_name(record): record["scores"] for _, record in setting.first.records()}
    present = [metric for metric in metrics if any(metric in scores for scores in first.values())]
    if not present:
        return None
    names = [name for name in names_in_order(setting.scores) if name in first]
    colours = colours_of(setting)
    figure, axes = style.new_figure(2.1 * len(present) + 1.2, 0.32 * len(names) + 0.8, 1, len(present))
    n_starts = 0
    for panel, metric in zip(axes, present, strict=True):
        for position, name in enumerate(names):
            score = first[name].get(metric)
            if score is None:
                continue
            n_starts = score["n"]
            panel.plot(score["values"], [position] * score["n"], "o", color=colours[name], alpha=0.35, markersize=4)
            panel.plot(score["value"], position, "|", color=colours[name], markersize=14, markeredgewidth=2.5)
        panel.set_yticks(range(len(names)), [style.short(name) for name in names] if panel is axes[0] else [])
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.set_xlabel(metrics[metric])
        panel.grid(axis="y", visible=False)
    # One scale for all panels: a spread of .02 must not look like one of .5.
    lowest = min(min(first[name][metric]["values"]) for name in names for metric in present if metric in first[name])
    for panel in axes:
        panel.set_xlim(min(lowest, 0.9) - 0.03, 1.03)
    n_cells = setting.first.data.get("n_cells_for_structure", setting.first.data["n_cells"])
    caption = f"Right is better. Dots: {n_starts} k-means starts, bar: their mean; {n_cells:,} cells."
    return Plot("clustering", "k-means against the labels", caption + of_replicates(setting), figure)


def components(setting: Setting) -> Plot | None:
    """Draw the cells on two principal components, before and after."""
    points = details(setting, "components")
    if not points:
        return None
    names = [name for name in names_in_order(setting.scores) if name in points]
    labels = sorted({label for cells in points.values() for label in cells["label"]})
    colour_of = {label: style.LABEL_COLOURS[n % len(style.LABEL_COLOURS)] for n, label in enumerate(labels)}
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure, axes = style.new_figure(2.6 * n_columns, 2.5 * n_rows + 0.25 * (1 + len(labels) // 5), n_rows, n_columns)
    silhouettes = pooled(setting.scores)["value"]
    for panel, name in zip(axes, names, strict=False):
        cells = pd.DataFrame({key: points[name][key] for key in ("first", "second", "label")})
        for label, group in cells.groupby("label", sort=True):
            panel.plot(
                group["first"],
                group["second"],
                "o",
                color=colour_of[label],
                markersize=2.2,
                alpha=0.7,
                rasterized=True,
            )
        panel.set_title(
            f"{style.short(name)}\nsilhouette {silhouettes.get(('silhouette', name), np.nan):.2f}", fontsize=8
        )
        panel.set_xticks([])
        panel.set_yticks([])
    for panel in axes[len(names) :]:
        panel.set_visible(False)
    if len(labels) <= MOST_LABELS_IN_LEGEND:
        handles = [
            axes[0].plot([], [], "o", color=colour_of[label], markersize=5, label=style.short(label))[0]
            for label in labels
        ]
        n_lines = -(-len(labels) // LABELS_A_LINE)
        figure.legend(handles=handles, loc="outside lower center", ncols=-(-len(labels) // n_lines), fontsize=8)
    shown, n_cells = len(points[names[0]]["label"]), points[names[0]]["n_cells"]
    caption = (
        f"Two principal components of the log values, genes centred, not scaled; {shown:,} of {n_cells:,} cells drawn. "
        "Silhouettes reward over-smoothing: read them beside the guard."
    )
    return Plot("components", "Cells before and after", caption + of_replicates(setting), figure)


def separability(setting: Setting) -> Plot | None:
    """Draw CTS of every pair of labels."""
    pairs = details(setting, "cts_pairs")
    if not pairs:
        return None
    names = [name for name in names_in_order(setting.scores) if name in pairs]
    table = pd.DataFrame({name: {_pair(found): found["cts"] for found in pairs[name]} for name in names})
    n_pairs = len(table)
    table = table.sort_values(names[0], ascending=False).head(MOST_PAIRS)
    figure, [axes] = style.new_figure(0.75 * len(names) + 3.2, 0.24 * len(table) + 1.1)
    largest = float(np.nanmax(np.abs(table.to_numpy()))) or 1.0
    axes.imshow(table.to_numpy(), cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto", alpha=0.85)
    for row, column in np.ndindex(table.shape):
        value = table.iat[row, column]
        if np.isfinite(value):
            colour = "#ffffff" if abs(value) > 0.6 * largest else "#101418"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), [style.short(name) for name in names], rotation=30, ha="right")
    axes.set_yticks(range(len(table)), table.index, fontsize=7)
    axes.grid(visible=False)
    shown = f"The {len(table)} clearest of {n_pairs} pairs of labels" if n_pairs > len(table) else "All pairs of labels"
    caption = f"Median correlation of cells within labels minus between them; blue is better. {shown}."
    return Plot("separability", "Cell-type separability (CTS)", caption + of_replicates(setting), figure)


def _pair(found: dict[str, Any]) -> str:
    return f"{style.short(found['first'])} – {style.short(found['second'])}"
