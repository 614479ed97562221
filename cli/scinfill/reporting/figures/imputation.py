"""What an imputation did to one table: gate, weights, and the values before and after."""

import numpy as np
from numpy.typing import NDArray

from scinfill.reporting import style
from scinfill.reporting.figures.drawing import Plot
from scinfill.reporting.results import percent

BLUE, ORANGE, GREY = style.INPUT_COLOURS[0], style.INPUT_COLOURS[1], style.BASELINE_COLOURS["raw"]

Doubles = NDArray[np.float64]


def gate(values: Doubles, mean: Doubles) -> Plot:
    """Draw how far each gene's prediction counts, alone and by the gene's mean expression (both (n_genes,))."""
    shut = values == 0
    figure, [histogram, by_mean] = style.new_figure(7.2, 2.8, 1, 2)
    edges = list(np.linspace(0, 1, 21))
    histogram.hist(values[~shut], edges, color=BLUE, label="open")
    histogram.hist(values[shut], edges, color=GREY, label="shut")
    histogram.set_xlabel("gate: share of the prediction that counts")
    histogram.set_ylabel("genes")
    histogram.legend(fontsize=8)
    for chosen, colour in ((shut, GREY), (~shut, BLUE)):
        by_mean.plot(mean[chosen], values[chosen], "o", color=colour, markersize=2.5, alpha=0.6, rasterized=True)
    by_mean.set_xlabel("mean of log2(1 + x)")
    by_mean.set_ylabel("gate")
    caption = (
        f"{values.size:,} genes. A gene's prediction counts as far as held-out entries support it; of "
        f"{int(shut.sum()):,} genes whose gate is shut the model predicts the mean."
    )
    return Plot("gate", "Which genes have structure that can be predicted?", caption, figure)


def weights(values: Doubles, mean: Doubles) -> Plot:
    """Draw the share of a value that was seen, alone and by the gene's mean expression (both (n_genes,))."""
    figure, [histogram, by_mean] = style.new_figure(7.2, 2.8, 1, 2)
    histogram.hist(values, list(np.linspace(0, 1, 21)), color=BLUE)
    histogram.set_xlabel("weight of what was seen")
    histogram.set_ylabel("genes")
    by_mean.plot(mean, values, "o", color=BLUE, markersize=2.5, alpha=0.6, rasterized=True)
    by_mean.set_xlabel("mean of log2(1 + x)")
    by_mean.set_ylabel("weight")
    caption = (
        f"{values.size:,} genes; mean {values.mean():.2f}. At 1 a value is what was seen, at 0 it is the model's; the "
        "weights were chosen by held-out molecules."
    )
    return Plot("weights", "Model or what was seen?", caption, figure)


def change(edges: Doubles, seen: Doubles, imputed_seen: Doubles, imputed_zero: Doubles) -> Plot:
    """Draw the distribution of values where something was seen, before and after, and of those that fill zeros.

    Parameters
    ----------
    edges
        Of the bins, log2(1 + x), (n_bins + 1,).
    seen, imputed_seen, imputed_zero
        Values in each bin, (n_bins,).
    """
    figure, axes = style.new_figure(7.2, 2.8, 1, 2)
    total = seen.sum() + imputed_zero.sum()
    for counts, colour, label in ((seen, GREY, "seen: before"), (imputed_seen, BLUE, "seen: after")):
        axes[0].stairs(counts, edges, color=colour, label=label, linewidth=1.6)
    axes[0].legend(fontsize=8)
    axes[1].stairs(imputed_zero, edges, color=ORANGE, linewidth=1.6, fill=True, alpha=0.7)
    for panel, what in zip(axes, ("where something was seen", "where nothing was seen"), strict=True):
        panel.set_xlabel(f"log2(1 + x), {what}")
    axes[0].set_ylabel("values")
    caption = (
        f"Left: {int(seen.sum()):,} values that were seen ({percent(seen.sum() / total)} of all), before and after. "
        f"Right: what stands where nothing was seen."
    )
    return Plot("change", "Values before and after", caption, figure)
