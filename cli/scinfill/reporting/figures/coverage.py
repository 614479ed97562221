"""Coverage of the intervals where it is hard: by expression, library size and label."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.patches import Rectangle

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, of_replicates
from scinfill.reporting.honesty import NOMINAL, in_words, judged_strata
from scinfill.reporting.results import Setting, details

MOST_LABELS = 12
MOST_PANELS = 3
RANGE = (0.8, 1.0)
FRAME = "#d23f90"
"""Seen on white and on dark."""


def strata(setting: Setting) -> Plot | None:
    """Draw the coverage of every stratum as a heat map, the worst one framed."""
    found = {name: record for name, record in details(setting, "calibration").items() if len(judged_strata(record))}
    if not found:
        return None
    shown = dict(list(found.items())[:MOST_PANELS])
    labels = _labels(shown)
    figure, axes = style.new_figure(1.0 + 4.2 * len(shown), 0.13 * 4 * len(labels) + 1.3, 1, len(shown))
    for panel, (name, record) in zip(axes, shown.items(), strict=True):
        _heat_map(panel, record, labels, first=panel is axes[0])
        panel.set_title(style.short(name), fontsize=8)
    figure.colorbar(axes[0].images[0], ax=axes, label="coverage of 90 % intervals", shrink=0.9, pad=0.02)
    (lowest, highest), fewest = next((record["band"], record["fewest_entries"]) for record in shown.values())
    worst = "; ".join(f"{name}: {in_words(judged_strata(record).iloc[0])}" for name, record in shown.items())
    n_labels = len({label for record in found.values() for label in judged_strata(record)["label"]})
    left_out = f" The {len(labels)} worst of {n_labels} labels." if n_labels > len(labels) else ""
    left_out += f" {len(shown)} of {len(found)} estimates." if len(found) > len(shown) else ""
    caption = (
        f"White is right; numbers stand where less than {100 * lowest:.0f} % or more than {100 * highest:.0f} % are "
        f"covered, in bold where that is beyond chance. Rows: quartiles of library size, 1 the smallest cells, in each "
        f"label. Hatched: fewer than {fewest:,} entries, not judged. Framed, the farthest from 90 % with its whole "
        f"interval: {worst}.{left_out}"
    )
    return Plot("coverage", "Where are the intervals honest?", caption + of_replicates(setting), figure)


def _labels(found: dict[str, Any]) -> list[str]:
    """Return the labels to draw, in their order: the worst of many."""
    rows = pd.concat([judged_strata(record) for record in found.values()])
    worst = rows.groupby("label")["gap"].max().sort_values(ascending=False, kind="stable").head(MOST_LABELS).index
    return [label for label in dict.fromkeys(sorted(rows["label"])) if label in set(worst)]


def _heat_map(axes: Axes, record: dict[str, Any], labels: list[str], *, first: bool) -> None:
    rows = judged_strata(record)
    values = np.full((4 * len(labels), 10), np.nan)
    place = {label: 4 * number for number, label in enumerate(labels)}
    drawn = rows[rows["label"].isin(place)]
    y = drawn["label"].map(place).to_numpy() + drawn["quartile"].to_numpy() - 1
    x = drawn["decile"].to_numpy() - 1
    values[y, x] = drawn["coverage"]
    norm = TwoSlopeNorm(NOMINAL, *RANGE)
    axes.imshow(np.ma.masked_invalid(values), cmap="RdBu", norm=norm, aspect="auto")
    for row, column, stratum in zip(y, x, drawn.itertuples(), strict=True):
        if stratum.outside:
            colour = "#ffffff" if abs(stratum.coverage - NOMINAL) > 0.07 else "#101418"
            weight = "bold" if stratum.surely else "normal"
            text = f"{100 * stratum.coverage:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour, weight=weight)
    if len(drawn):
        axes.add_patch(Rectangle((x[0] - 0.5, y[0] - 0.5), 1, 1, fill=False, edgecolor=FRAME, linewidth=2))
    for start in place.values():
        axes.axhline(start - 0.5, color=style.INK, linewidth=0.5)
    axes.set_xticks(range(10), [str(decile) for decile in range(1, 11)])
    axes.set_xlabel("decile of the gene's expression")
    names = [f"{style.short(label)}  1" if row == 0 else str(row + 1) for label in labels for row in range(4)]
    axes.set_yticks(range(len(names)), names if first else [""] * len(names), fontsize=6)
    axes.grid(visible=False)
    axes.patch.set(hatch="////", edgecolor=style.FAINT, facecolor="none", linewidth=0)
