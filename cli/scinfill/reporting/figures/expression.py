"""Expression of genes: bulk truth, variation, zeros."""

import pandas as pd
from matplotlib.colors import to_rgb

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot, colours_of, legend_beside, of_replicates
from scinfill.reporting.results import Setting, details, names_in_order

MOST_CONTRASTS = 6


def roc(setting: Setting) -> Plot | None:
    """Draw how well the statistic of a test on the cells ranks the genes that bulk data calls."""
    curves = details(setting, "roc")
    if not curves:
        return None
    contrasts = list(dict.fromkeys(curve["contrast"] for found in curves.values() for curve in found))[:MOST_CONTRASTS]
    n_columns = min(3, len(contrasts))
    n_rows = -(-len(contrasts) // n_columns)
    figure, axes = style.new_figure(3.1 * n_columns, 3.6 * n_rows, n_rows, n_columns)
    colours = colours_of(setting)
    counts = []
    for panel, contrast in zip(axes, contrasts, strict=False):
        panel.plot([0, 1], [0, 1], color=style.FAINT, linewidth=1)
        for name in names_in_order(setting.scores):
            for curve in curves.get(name, []):
                if curve["contrast"] == contrast:
                    label = f"{style.short(name)} {curve['auc']:.3f}"
                    rates = curve["false_positive_rate"], curve["true_positive_rate"]
                    panel.plot(*rates, color=colours[name], label=label)
                    title = f"{style.short(curve['first'])}\nagainst {style.short(curve['second'])}"
                    size = f"{contrast}: {curve['n_differential']} genes that differ, {curve['n_other']} that do not"
        counts.append(size)
        panel.set_title(title, fontsize=8)
        panel.set_xlabel("false positive rate")
        panel.set_ylabel("true positive rate")
        panel.set_aspect("equal")
        panel.legend(title="AUC", fontsize=7, title_fontsize=7, loc="lower right")
    for panel in axes[len(contrasts) :]:
        panel.set_visible(False)
    caption = (
        f"Genes ranked by Wilcoxon's |z|, against bulk. {'; '.join(counts)}. A ranking: take p-values from the counts."
    )
    return Plot("roc", "Differential expression against bulk", caption + of_replicates(setting), figure)


def variation(setting: Setting) -> Plot | None:
    """Draw the variation of genes within one label."""
    found = details(setting, "log2_cv")
    if not found:
        return None
    names = [name for name in names_in_order(setting.scores) if name in found]
    colours = colours_of(setting)
    figure, [axes] = style.new_figure(0.7 * len(names) + 1.6, 3.2)
    boxes = [
        {
            "label": style.short(name),
            "whislo": found[name]["quantiles"]["5%"],
            "q1": found[name]["quantiles"]["25%"],
            "med": found[name]["quantiles"]["50%"],
            "q3": found[name]["quantiles"]["75%"],
            "whishi": found[name]["quantiles"]["95%"],
        }
        for name in names
    ]
    line = {"color": style.INK}
    drawn = axes.bxp(
        boxes,
        showfliers=False,
        patch_artist=True,
        boxprops={"edgecolor": style.INK},
        whiskerprops=line,
        capprops=line,
        medianprops=line | {"linewidth": 1.5},
    )
    for box, name in zip(drawn["boxes"], names, strict=True):
        box.set_facecolor((*to_rgb(colours[name]), 0.6))
    axes.set_ylabel("log2(sd / mean)")
    axes.tick_params(axis="x", rotation=30)
    one = found[names[0]]
    constant = ", ".join(f"{name} {found[name]['n_constant']}" for name in names if found[name]["n_constant"])
    caption = (
        f"Genes over the {one['n_cells']} cells of label {one['label']}, linear scale (2^x − 1); whiskers: 5 to 95 %. "
        "Lower is smoother, not truer."
    )
    caption += f" Genes left out because they do not vary: {constant}." if constant else ""
    return Plot("variation", "Variation within a label", caption + of_replicates(setting), figure)


def true_zeros(setting: Setting) -> Plot | None:
    """Draw how many zeros stay, by bulk expression."""
    found = details(setting, "true_zeros")
    if not found:
        return None
    colours = colours_of(setting)
    figure, [axes] = style.new_figure(5.8, 2.9)
    bins: list[str] = []
    for name in names_in_order(setting.scores):
        if name not in found:
            continue
        rows = pd.DataFrame(found[name]).assign(bin=lambda frame: frame["bin"].astype(str))
        weighted = rows.assign(weight=rows["share_zero"] * rows["n_genes"]).groupby("bin")[["weight", "n_genes"]].sum()
        bins = sorted(weighted.index, key=lambda text: (text != "unseen", text))
        share = (weighted["weight"] / weighted["n_genes"]).reindex(bins)
        axes.plot(range(len(bins)), share, "o-", color=colours[name], label=style.short(name))
    axes.set_xticks(range(len(bins)), [text if text == "unseen" else f"bin {text}" for text in bins])
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("bulk expression (low to high)")
    axes.set_ylabel("share of cells at zero")
    legend_beside(figure, axes)
    threshold = setting.first.document["settings"]["zero_threshold"]
    n_genes = sum(row["n_genes"] for row in next(iter(found.values())) if row["bin"] == "unseen")
    caption = (
        f"Zero: at or below {threshold:.3g} on the log2 scale. Genes that bulk does not see should stay at zero "
        f"({n_genes} pairs of gene and label); the others are equal shares of the rest."
    )
    return Plot("true-zeros", "True zeros against bulk", caption + of_replicates(setting), figure)
