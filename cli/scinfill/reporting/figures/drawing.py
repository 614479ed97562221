"""What all figures share: the words around a drawing, and drawings that several of them use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scinfill.reporting import style
from scinfill.reporting.results import Setting, names_in_order, pooled


@dataclass(frozen=True)
class Plot:
    """A figure with its words.

    Attributes
    ----------
    slug
        Unique within a setting; file names are made of it.
    title, caption
        What is shown, and how to read it.
    figure
        The drawing.
    """

    slug: str
    title: str
    caption: str
    figure: Figure

    @cached_property
    def svg(self) -> bytes:
        """The drawing as a file, which the page shows too: laying it out takes most of the time."""
        return style.svg(self.figure)


def colours_of(setting: Setting) -> dict[str, str]:
    """Return a colour for every estimate."""
    rows = setting.scores.drop_duplicates("name")
    return style.colours(list(rows["name"]), list(rows["series"]))


def of_replicates(setting: Setting) -> str:
    """Say in a caption that one of several replicates is drawn."""
    n = len(setting.replicates)
    return "" if n == 1 else f" The first of {n} replicates is shown."


def _dots(axes: Axes, table: pd.DataFrame, names: Sequence[str], colours: Mapping[str, str]) -> None:
    """Draw one value per estimate with its interval or standard deviation."""
    for position, name in enumerate(names):
        if name not in table.index:
            continue
        row = table.loc[name]
        if np.isfinite(row["low"]):
            axes.plot([row["low"], row["high"]], [position, position], color=colours[name], linewidth=2)
        elif np.isfinite(row["sd"]):
            ends = [row["value"] - row["sd"], row["value"] + row["sd"]]
            axes.plot(ends, [position, position], color=colours[name], linewidth=2)
        axes.plot(row["value"], position, "o", color=colours[name], markersize=6)
    axes.set_yticks(range(len(names)), [style.short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def legend_beside(figure: Figure, axes: Axes) -> None:
    """Put the legend beside the drawing, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)


def panels_of_dots(setting: Setting, metrics: Mapping[str, str]) -> Figure | None:
    """Draw one panel a metric, one dot an estimate; None where no metric is there.

    Parameters
    ----------
    setting
        Results.
    metrics
        Label of the axis by metric.
    """
    table = pooled(setting.scores)
    present = [metric for metric in metrics if metric in table.index.get_level_values("metric")]
    if not present:
        return None
    names = names_in_order(setting.scores)
    colours = colours_of(setting)
    figure, axes = style.new_figure(2.1 * len(present) + 1.2, 0.32 * len(names) + 0.8, 1, len(present))
    for panel, metric in zip(axes, present, strict=True):
        _dots(panel, table.loc[metric], names, colours)
        panel.set_xlabel(metrics[metric])
    for panel in axes[1:]:
        panel.set_yticklabels([])
    return figure
