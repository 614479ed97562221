"""Genes before and after: on two components, by label, and the fold change of each label with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, of_replicates
from scinfill.reporting.results import Setting, details

MOST_LABELS = 12
MOST_ESTIMATES = 4
COLOURS = LinearSegmentedColormap.from_list("expression", ["#b8bec6", "#f0a030", "#c8102e"])
"""From grey, which shows on light and on dark pages."""
HOW_TO_READ = (
    "Left: two principal components of all genes of that matrix. Middle: boxes hold half of a label's cells, whiskers "
    "90 %, the line is the median. Right: fold change of the label's mean over all other cells with its 95 % interval, "
    "which reckons with the model's error for a group. It is a size, not a test: p-values come from the counts "
    "(scinfill markers)."
)


def how_to_read(setting: Setting) -> list[str]:
    """Return what all figures of genes have in common, if there are any."""
    return [HOW_TO_READ] if details(setting, "genes") else []


def genes(setting: Setting) -> list[Plot]:
    """Draw every gene that was asked for."""
    found = details(setting, "genes")
    if not found:
        return []
    shown = dict(list(found.items())[:MOST_ESTIMATES])
    records = next(iter(shown.values()))["genes"]
    return [_gene(number, shown, setting) for number in range(len(records))]


def _gene(number: int, shown: Mapping[str, Any], setting: Setting) -> Plot:
    own = {name: found["genes"][number] for name, found in shown.items()}
    gene, marks = (next(iter(own.values()))[key] for key in ("gene", "marks"))
    labels = _labels(next(iter(own.values()))["by_label"])
    has_changes = any("log2fc" in row for record in own.values() for row in record["by_label"])
    n_columns = 3 if has_changes else 2
    height = max(1.7, 0.17 * len(labels) + 0.7)
    figure, axes = style.new_figure(3.1 * n_columns, height * len(own) + 0.2, len(own), n_columns)
    everything = np.concatenate([record["values"] for record in own.values()])
    norm = Normalize(0, float(np.quantile(everything, 0.99)) or 1)
    highest = 1.05 * max(max(row["quantiles"]) for record in own.values() for row in record["by_label"])
    limits = _limits([row for record in own.values() for row in record["by_label"]])
    for (name, record), panels in zip(own.items(), np.array(axes).reshape(-1, n_columns), strict=True):
        _cells(panels[0], shown[name], record, norm, name)
        rows = {row["label"]: row for row in record["by_label"]}
        _distributions(panels[1], [rows.get(label) for label in labels], labels)
        panels[1].set_xlim(right=highest or 1)
        if has_changes:
            _changes(panels[2], [rows.get(label) for label in labels], limits)
    figure.colorbar(axes[0].collections[0], ax=axes[0::n_columns], location="left", shrink=0.7, label="log2(1 + x)")
    last = axes[-n_columns:]
    last[1].set_xlabel("log2(1 + x) by label")
    if has_changes:
        last[2].set_xlabel("log2 fold change over all other cells")
    n_cells = next(iter(shown.values()))["n_cells"]
    caption = (
        f"{f'Marks {marks} by the counts. ' if marks else ''}{len(everything) // len(own):,} of {n_cells:,} cells."
    )
    return Plot(f"gene-{number + 1}-{style.file_safe(gene)}", gene, caption + of_replicates(setting), figure)


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the largest labels in their order."""
    largest = sorted(rows, key=lambda row: -row["n"])[:MOST_LABELS]
    kept = {row["label"] for row in largest}
    return [row["label"] for row in rows if row["label"] in kept]


def _cells(axes: Axes, found: Mapping[str, Any], record: Mapping[str, Any], norm: Normalize, name: str) -> None:
    values = np.array(record["values"])
    order = np.argsort(values, kind="stable")  # the highest on top
    first, second = np.array(found["first"])[order], np.array(found["second"])[order]
    axes.scatter(first, second, c=values[order], cmap=COLOURS, norm=norm, s=5, linewidths=0, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(style.short(name), fontsize=8)


def _distributions(axes: Axes, rows: Sequence[Mapping[str, Any] | None], labels: Sequence[str]) -> None:
    keys = ("whislo", "q1", "med", "q3", "whishi")
    drawn = [(number, row) for number, row in enumerate(rows) if row is not None]
    boxes = [dict(zip(keys, row["quantiles"], strict=True)) | {"fliers": []} for _, row in drawn]
    lines = {"color": style.INK, "linewidth": 0.8}
    axes.bxp(
        boxes,
        positions=[number for number, _ in drawn],
        orientation="horizontal",
        widths=0.6,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": style.FAINT, "edgecolor": style.INK, "linewidth": 0.8},
        medianprops={"color": "#c8102e", "linewidth": 1.6},
        whiskerprops=lines,
        capprops=lines,
        manage_ticks=False,
    )
    axes.set_yticks(range(len(labels)), [style.short(label) for label in labels], fontsize=7)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.grid(axis="y", visible=False)


def _limits(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return one range for all estimates; an interval much wider than the fold changes leaves the drawing."""
    sizes = [abs(row["log2fc"]) for row in rows if "log2fc" in row]
    most = 1.5 * max(sizes, default=1) + 0.5
    return -most, most


def _changes(axes: Axes, rows: Sequence[Mapping[str, Any] | None], limits: tuple[float, float]) -> None:
    for number, row in enumerate(rows):
        if row is not None and "log2fc" in row:
            axes.plot(row["interval"], [number, number], color="#2f81e0", linewidth=2)
            axes.plot(row["log2fc"], number, "o", color="#2f81e0", markersize=4)
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle="--")
    axes.set_xlim(limits)
    axes.set_yticks(range(len(rows)), [""] * len(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
