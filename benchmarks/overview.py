"""Draw `overview.svg`, the picture of the README, from `quality.json`.

python benchmarks/overview.py
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
PANELS = (
    ("null_de", "Null genes called DE", "pure noise taken for signal; lower is better"),
    ("rmse_10", "Error at hidden values", "RMSE relative to the gene mean; lower is better"),
    ("ari", "k-means ARI", "agreement with the labels; higher is better"),
)
NAMES = {
    "raw": "raw data",
    "gene-mean": "gene mean",
    "svd-10": "SVD, rank 10",
    "papers-loss": "zero-blind ALS",
    "magic": "MAGIC",
    "deepmc": "scinfill deepMc",
    "auto": "scinfill AutoImpute",
}
OURS, OTHERS = "#0b6e4f", "#b8bec6"
HARMFUL_RAW_RMSE = ("rmse_10", "raw")
"""Raw data has zeros where values were hidden: an error off the scale, and no answer to the question."""


def values(results: dict[str, dict[str, dict[str, float]]], metric: str) -> dict[str, float]:
    """Return each method's mean over datasets; errors relative to the gene mean of the same dataset."""
    found: dict[str, list[float]] = {}
    for scores in results.values():
        reference = scores["gene-mean"].get(metric) if metric == "rmse_10" else 1.0
        for method, metrics in scores.items():
            if metric in metrics and (metric, method) != HARMFUL_RAW_RMSE:
                found.setdefault(method, []).append(metrics[metric] / reference)
    return {method: float(np.mean(numbers)) for method, numbers in found.items()}


def main() -> None:
    """Draw the three panels."""
    results = json.loads((HERE / "quality.json").read_text())
    with plt.rc_context({"font.size": 9, "svg.hashsalt": "scinfill", "svg.fonttype": "path"}):
        figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 2.9), sharey=True, layout="constrained")
        figure.patch.set_facecolor("white")
        methods = [method for method in reversed(NAMES) if any(method in scores for scores in results.values())]
        for axis, (metric, title, caption) in zip(axes, PANELS, strict=True):
            found = values(results, metric)
            for row, method in enumerate(methods):
                if method in found:
                    axis.barh(row, found[method], color=OURS if method in ("deepmc", "auto") else OTHERS, height=0.7)
                    axis.text(found[method], row, f" {found[method]:.2f}", va="center", fontsize=8)
            axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
            axis.set_xlabel(caption, fontsize=7.5)
            axis.margins(x=0.16)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0].set_yticks(range(len(methods)), [NAMES[method] for method in methods])
        figure.savefig(HERE / "overview.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
