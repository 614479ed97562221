"""Held-out molecules, honest intervals, and signal where there is none."""

import numpy as np

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, colours_of, of_replicates, panels_of_dots
from scinfill.reporting.results import Setting, details


def molecules(setting: Setting) -> Plot | None:
    """Draw how well held-out molecules are predicted."""
    figure = panels_of_dots(
        setting, {"poisson": "Poisson loss of held-out molecules", "mse_log_cp10k": "MSE of log1p CP10k"}
    )
    if figure is None:
        return None
    n = setting.scores.loc[setting.scores["metric"] == "poisson", "n"]
    caption = (
        f"Left is better. mean(mu − y·log(mu + 1e-6)) over {int(n.iloc[0]):,} entries, mu expected and y held-out "
        "molecules; bars: 95 % interval over cells, or standard deviation over replicates. The estimates share their "
        "cells: whether two of them differ is told by the paired differences in the table, not by bars that overlap."
    )
    return Plot("molecules", "Held-out molecules", caption, figure)


def calibration(setting: Setting) -> Plot | None:
    """Draw whether predictive intervals hold what they promise."""
    found = details(setting, "calibration")
    if not found:
        return None
    colours = colours_of(setting)
    figure, [histogram, deciles] = style.new_figure(7.2, 3.0, 1, 2)
    for name, record in found.items():
        shares = np.array(record["pit"]) * len(record["pit"])
        histogram.stairs(
            shares, np.linspace(0, 1, len(shares) + 1), color=colours[name], label=style.short(name), linewidth=1.5
        )
        steps = [row["decile"] for row in record["by_decile"]]
        covered = [row["coverage"]["90"] for row in record["by_decile"]]
        poisson = [row["poisson_coverage"]["90"] for row in record["by_decile"]]
        deciles.plot(steps, covered, "o-", color=colours[name], label=style.short(name))
        deciles.plot(steps, poisson, "x:", color=colours[name], label=f"{style.short(name)}, Poisson around its model")
    histogram.axhline(1, color=style.INK, linewidth=0.8, linestyle="--")
    histogram.set_ylim(bottom=0)
    histogram.set_xlabel("randomised PIT of held-out molecules")
    histogram.set_ylabel("density")
    deciles.axhline(0.9, color=style.INK, linewidth=0.8, linestyle="--")
    bottom, top = deciles.get_ylim()
    deciles.set_ylim(min(bottom, 0.85), max(top, 0.95))
    deciles.set_xlabel("decile of expected molecules")
    deciles.set_ylabel("coverage of 90 % intervals")
    deciles.set_xticks(range(1, 11))
    deciles.legend(fontsize=7)
    n = setting.scores.loc[setting.scores["metric"] == "coverage_90", "n"]
    caption = f"A flat histogram and points on the dashed line are right. {int(n.iloc[0]):,} entries."
    return Plot("calibration", "Are the intervals honest?", caption + of_replicates(setting), figure)


def guard(setting: Setting) -> Plot | None:
    """Draw the signal that was found where there is none."""
    metrics = {
        "null_pairs": "null pairs with |r| > .3",
        "null_de": "null genes called DE",
        "size_leak": "genes split by library size",
    }
    figure = panels_of_dots(setting, metrics)
    if figure is None:
        return None
    for panel in figure.axes:
        panel.set_xlim(-0.03, 1.03)
    n_null = setting.first.data["n_null_genes"]
    caption = "Left is better; raw is the reference. Wilcoxon tests, Bonferroni .05. "
    if n_null:
        caption += f"{n_null} null genes were appended before imputation, DE between the two largest labels. "
    caption += "Library size: larger against smaller half of each label, all genes. "
    caption += (
        "What is found here was invented; that nothing is found clears genes without structure, not a test of others."
    )
    return Plot("guard", "Signal where there is none", caption, figure)
