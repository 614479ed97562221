"""Recovery of hidden values."""

from collections.abc import Sequence

import pandas as pd

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, colours_of, legend_beside, of_replicates, panels_of_dots
from scinfill.reporting.results import Setting, details, names_in_order, percent


def recovery(setting: Setting) -> Plot | None:
    """Draw errors at hidden values."""
    metrics = {
        "rmse": "RMSE (log2)",
        "mae": "MAE (log2)",
        "false_fill": "hidden zeros filled",
    }
    figure = panels_of_dots(setting, metrics)
    if figure is None:
        return None
    n = setting.scores.loc[setting.scores["metric"] == "rmse", "n"]
    counted = f"{int(n.iloc[0]):,} hidden non-zeros" if len(n) else "hidden values"
    spread = (
        f"mean and standard deviation over {len(setting.replicates)} masks"
        if len(setting.replicates) > 1
        else "95 % interval over cells"
    )
    return Plot("recovery", "Recovery of hidden values", f"Left is better. {counted}; bars: {spread}.", figure)


def recovery_by_decile(setting: Setting) -> Plot | None:
    """Draw the error by expression of the gene."""
    rows = details(setting, "recovery_by_decile")
    if not rows:
        return None
    figure, [axes] = style.new_figure(5.8, 2.9)
    colours = colours_of(setting)
    for name, deciles in rows.items():
        axes.plot(
            [row["decile"] for row in deciles],
            [row["rmse"] for row in deciles],
            "o-",
            color=colours[name],
            label=style.short(name),
        )
    axes.set_xticks(range(1, 11))
    axes.set_xlabel("decile of the gene's mean expression")
    axes.set_ylabel("RMSE at hidden non-zeros")
    axes.set_ylim(bottom=0)
    legend_beside(figure, axes)
    return Plot(
        "recovery-by-decile",
        "Recovery by expression",
        f"An error that grows with expression is the error of zeros left unfilled.{of_replicates(setting)}",
        figure,
    )


def recovery_by_fraction(settings: Sequence[Setting]) -> Plot | None:
    """Draw RMSE against the share of hidden non-zeros, as the papers do."""
    hidden = sorted(
        (setting for setting in settings if setting.mode == "nonzero" and setting.fraction is not None),
        key=lambda setting: setting.fraction or 0,
    )
    if len(hidden) < 2:
        return None
    scores = pd.concat([setting.scores.assign(fraction=setting.fraction) for setting in hidden])
    scores = scores[scores["metric"] == "rmse"]
    if scores.empty:
        return None
    rows = scores.drop_duplicates("name")
    colours = style.colours(list(rows["name"]), list(rows["series"]))
    figure, [axes] = style.new_figure(5.8, 2.9)
    for name in names_in_order(scores):
        groups = scores[scores["name"] == name].groupby("fraction")["value"]
        mean, sd = groups.mean(), groups.std().fillna(0)
        axes.errorbar(
            mean.index * 100, mean, yerr=sd, marker="o", capsize=2, color=colours[name], label=style.short(name)
        )
    axes.set_xlabel("non-zeros hidden (%)")
    axes.set_ylabel("RMSE at hidden non-zeros (log2)")
    axes.set_ylim(bottom=0)
    legend_beside(figure, axes)
    replicates = ", ".join(f"{percent(setting.fraction or 0)}: {len(setting.replicates)}" for setting in hidden)
    return Plot(
        "recovery-by-fraction",
        "Recovery as more is hidden",
        f"Mean and standard deviation over masks ({replicates}).",
        figure,
    )
