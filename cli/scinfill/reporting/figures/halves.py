"""Whether differences called on one half of the molecules hold in the other."""

import numpy as np
from matplotlib.axes import Axes

from scinfill.reporting import style
from scinfill.reporting.comparable import FOLD_CHANGES
from scinfill.reporting.figures.drawing import Plot, colours_of, of_replicates
from scinfill.reporting.results import Setting, details, names_in_order, pooled


def halves(setting: Setting) -> Plot | None:
    """Draw the bounds of false differences, how differences hold by size, and the error of fold changes."""
    found = details(setting, "halves")
    if not found:
        return None
    names = [name for name in names_in_order(setting.scores) if name in found]
    colours = colours_of(setting)
    figure, [bounds, sizes, errors] = style.new_figure(9.6, 0.3 * len(names) + 2.2, 1, 3)
    _bounds(bounds, setting, names, colours)
    for name in names:
        rows = found[name]["by_size"]
        shares = [np.nan if row["hold"] is None else row["hold"] for row in rows]
        sizes.plot(range(len(rows)), shares, "o-", color=colours[name], label=style.short(name), markersize=4)
    rows = found[names[0]]["by_size"]
    sizes.set_xticks(range(len(rows)), [_class(row["from"], row["to"]) for row in rows], fontsize=7)
    sizes.axhline(0.5, color=style.INK, linewidth=0.8, linestyle="--")
    sizes.set_ylim(top=1.02)
    sizes.set_xlabel("claimed difference, log2 units")
    sizes.set_ylabel("called genes that keep their sign")
    _errors(errors, setting, names, colours)
    errors.axhline(found[names[0]]["fold_change_noise"], color=style.INK, linewidth=0.8, linestyle="--")
    handles, labels = sizes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(names)), fontsize=8)
    record = found[names[0]]
    n_pairs = len(record["pairs"])
    pairs = "1 pair" if n_pairs == 1 else f"the {n_pairs} most similar pairs"
    caption = (
        f"{record['n_genes']:,} genes, {pairs} of {record['groups']}; "
        "Wilcoxon, Benjamini–Hochberg 5 %. Left: the share of called genes that are false lies between the ends (at "
        "most: twice those of opposite sign in the untouched half; at least: those that its noise does not explain), "
        "number: genes called. Middle: dashed is chance. Right: lower is better; dashed is the untouched half's own "
        "noise, below which no estimate comes."
    )
    return Plot("halves", "Do differences hold in the untouched half?", caption + of_replicates(setting), figure)


def _bounds(axes: Axes, setting: Setting, names: list[str], colours: dict[str, str]) -> None:
    table = pooled(setting.scores)["value"]
    for position, name in enumerate(names):
        ends = [table.get((f"halves_false_{bound}", name), np.nan) for bound in ("at_least", "at_most")]
        axes.plot(ends, [position, position], "|-", color=colours[name], linewidth=4, markersize=9)
        called = table.get(("halves_called", name), np.nan)
        axes.text(
            1.02, position, f"{100 * called:.0f} %", fontsize=7, va="center", transform=axes.get_yaxis_transform()
        )
    axes.set_yticks(range(len(names)), [style.short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("false among the genes called")


def _errors(axes: Axes, setting: Setting, names: list[str], colours: dict[str, str]) -> None:
    table = pooled(setting.scores)
    present = [metric for metric in FOLD_CHANGES if metric in table.index.get_level_values("metric")]
    for name in names:
        rows = table.reindex([(metric, name) for metric in present])
        axes.plot(range(len(present)), rows["value"], "o-", color=colours[name], markersize=4)
        axes.vlines(range(len(present)), rows["low"].astype(float), rows["high"].astype(float), color=colours[name])
    axes.set_xticks(range(len(present)), [FOLD_CHANGES[metric] for metric in present])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("cells of each group")
    axes.set_ylabel("error of log2 fold changes")


def _class(low: float, high: float | None) -> str:
    return f"> {low:g}" if high is None else f"{low:g}–{high:g}"
