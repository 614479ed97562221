"""Scores are what an experiment returns: numbers that know their unit, their spread and which way is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scinfill.evaluation.numerics.intervals import (
    Statistic,
    Units,
    bootstrap_interval,
    mean,
    pooled_sums,
    ratio_of_sums,
    value_of,
)


@dataclass(frozen=True)
class Metric:
    """A number that ``evaluate`` knows: its name for people, which way is better, and what it says."""

    title: str
    better: Literal["higher", "lower"] | None
    meaning: str


METRICS: Mapping[str, Metric] = {
    "rmse": Metric("RMSE", "lower", "root mean squared error at hidden non-zeros, log2 scale"),
    "mae": Metric("MAE", "lower", "mean absolute error at hidden non-zeros, log2 scale"),
    "nmse": Metric("NMSE", "lower", "‖error‖ / ‖truth‖ at hidden non-zeros: the papers' form, not squared"),
    "nmse_squared": Metric("NMSE, squared", "lower", "‖error‖² / ‖truth‖² at hidden non-zeros"),
    "rmse_entries": Metric("RMSE, all hidden", "lower", "root mean squared error at hidden zeros and non-zeros alike"),
    "false_fill": Metric("false fill", "lower", "share of hidden zeros that were filled above the zero threshold"),
    "truth_rmse": Metric("RMSE to true mean", "lower", "root mean squared error to the simulated true means"),
    "ari": Metric("k-means ARI", "higher", "adjusted Rand index of k-means with the labels, all genes"),
    "nmi": Metric("k-means NMI", "higher", "normalised mutual information of k-means with the labels, all genes"),
    "ari_20pc": Metric("k-means ARI, 20 PCs", "higher", "adjusted Rand index of k-means on 20 principal components"),
    "nmi_20pc": Metric("k-means NMI, 20 PCs", "higher", "normalised mutual information on 20 principal components"),
    "silhouette": Metric("silhouette, 2 PCs", "higher", "mean silhouette of the labels on 2 principal components"),
    "cts": Metric("CTS", "higher", "median correlation of cells within labels minus between them, mean of label pairs"),
    "de_auc": Metric(
        "DE AUC",
        "higher",
        "how well Wilcoxon's |z| over cells ranks the genes that bulk data calls; no p-value is judged",
    ),
    "log2_cv": Metric("log2 CV", None, "median over genes of log2(sd / mean) within one label, linear scale"),
    "zero_retention": Metric(
        "true zeros kept", "higher", "share of cells still at zero in genes that bulk does not see"
    ),
    "poisson": Metric("held-out molecules", "lower", "mean(mu - y·log(mu + 1e-6)) of held-out molecules y"),
    "mse_log_cp10k": Metric("held-out MSE", "lower", "mean squared error of log1p CP10k of held-out molecules"),
    "openproblems_poisson_asis": Metric(
        "Open Problems Poisson as coded", "lower", "their loss with its arguments exchanged: rewards predicting zeros"
    ),
    "openproblems_mse_scaled": Metric(
        "Open Problems MSE, scaled", "higher", "0 = training counts as they are, 1 = test counts as they are, unclipped"
    ),
    "openproblems_poisson_asis_scaled": Metric(
        "Open Problems Poisson as coded, scaled", "higher", "the same scaling of the exchanged loss, unclipped"
    ),
    "coverage_50": Metric("coverage of 50 %", None, "held-out molecules inside 50 % predictive intervals"),
    "coverage_90": Metric("coverage of 90 %", None, "held-out molecules inside 90 % predictive intervals"),
    "coverage_99": Metric("coverage of 99 %", None, "held-out molecules inside 99 % predictive intervals"),
    "coverage_90_top_decile": Metric(
        "coverage of 90 %, top decile", None, "the same among the tenth of entries with the highest expectation"
    ),
    "coverage_strata": Metric(
        "strata with honest intervals",
        "higher",
        "share of strata (decile of the gene's expression, quartile of the cell's library size, label) whose 90 % "
        "intervals cover 88 to 92 % of the held-out molecules",
    ),
    "halves_called": Metric(
        "genes called DE", None, "share of genes called between similar labels (Wilcoxon, Benjamini-Hochberg 5 %)"
    ),
    "halves_false_at_least": Metric(
        "false among them, at least",
        "lower",
        "twice the share of opposite signs in the untouched half of the molecules that its noise does not explain",
    ),
    "halves_false_at_most": Metric(
        "false among them, at most",
        "lower",
        "twice the share with the opposite sign in the untouched half: true differences too small to be seen there "
        "count as half false",
    ),
    "halves_best": Metric(
        "best 50 genes that hold", "higher", "share of the 50 best-ranked genes of a pair that keep their sign there"
    ),
    **{
        f"fold_change_{size}": Metric(
            f"error of fold changes, {'all' if size == 'all' else size} cells",
            "lower",
            "root mean squared error of log2 fold changes of group means against the untouched half of all cells, "
            + ("all cells of both labels" if size == "all" else f"{size} random cells a label"),
        )
        for size in ("20", "50", "100", "all")
    },
    "batch_silhouette": Metric(
        "silhouette of batches",
        "lower",
        "mean silhouette of batches within labels on 20 components; near 0 where mixed",
    ),
    "batch_change": Metric(
        "change between batches",
        "lower",
        "root mean squared log2 fold change of gene means between batches within labels",
    ),
    "label_change": Metric(
        "change between labels", None, "root mean squared log2 fold change of gene means between labels within batches"
    ),
    "label_agreement": Metric(
        "labels alike in batches", "higher", "correlation between batches of the log2 fold changes between labels"
    ),
    "protein_correlation": Metric(
        "proteins and their genes",
        "higher",
        "mean correlation of surface proteins (centred log ratio) with the estimates of their genes, all cells",
    ),
    "protein_correlation_within": Metric(
        "proteins and their genes, within labels",
        "higher",
        "the same within labels of 200 cells or more, mean weighted by cells: differences between labels do not count",
    ),
    "protein_r2": Metric(
        "proteins explained",
        "higher",
        "mean R² of surface proteins from 20 principal components, cross-validated ridge regression",
    ),
    "protein_r2_labels": Metric(
        "proteins explained by labels alone",
        None,
        "the same where every cell has the components of another cell of its label",
    ),
    "gradient_component": Metric(
        "first component and gradient", "higher", "rank correlation of the first principal component with the gradient"
    ),
    "gradient_genes": Metric(
        "genes that follow the gradient",
        "higher",
        "mean rank correlation with the gradient, in the direction of the counts, of genes that follow it in counts of "
        "other cells; every smoother raises it",
    ),
    "gradient_others": Metric(
        "genes that hardly follow it",
        None,
        "mean |rank correlation| with the gradient of genes that follow it least in counts of other cells: it rises "
        "where they are bent along it, or follow it weakly in truth",
    ),
    "gradient_null": Metric(
        "null genes and gradient", "lower", "mean |rank correlation| of null genes with the gradient, all cells"
    ),
    "null_pairs": Metric(
        "null pairs |r| > .3", "lower", "share of pairs of null genes that correlate after imputation"
    ),
    "null_de": Metric(
        "null genes called DE",
        "lower",
        "share of null genes called DE between the two largest labels; it clears genes without structure only",
    ),
    "null_de_any_label": Metric(
        "null genes called DE, any label", "lower", "share of null genes called DE in any label against the rest"
    ),
    "size_leak": Metric(
        "library size leak", "lower", "share of genes called DE between large and small cells of a label"
    ),
}
"""In the order in which tables show them."""


@dataclass(frozen=True)
class Score:
    """One number with what it was made of.

    Attributes
    ----------
    units
        Contributions of the units that another draw would replace, (n_units, n_columns).
    statistic
        From contributions to the number.
    of
        What ``n`` counts, such as "hidden values".
    n
        How many of them are behind the number.
    repeats
        True where the units are repeated runs (seeds): their values and standard deviation are shown.
    """

    units: Units
    statistic: Statistic
    of: str
    n: int
    repeats: bool = False

    @property
    def value(self) -> float:
        """The number."""
        return value_of(self.statistic, self.units)

    def to_json(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return the number with its n and its spread."""
        record: dict[str, Any] = {"value": self.value, "n": self.n, "of": self.of}
        if self.repeats:
            record["sd"] = _standard_deviation(self.units[:, 0])
            record["values"] = self.units[:, 0].tolist()
        elif (interval := bootstrap_interval(self.units, self.statistic, rng)) is not None:
            record["interval"] = list(interval)
        return record


def _standard_deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if values.size > 1 else None


def per_unit(values: ArrayLike, *, of: str) -> Score:
    """Score that is the mean of one value per unit."""
    units = np.asarray(values, dtype=np.float64)[:, None]
    return Score(units, mean, of, n=units.shape[0])


def per_seed(values: ArrayLike) -> Score:
    """Score that is the mean over repeated k-means starts."""
    units = np.asarray(values, dtype=np.float64)[:, None]
    return Score(units, mean, "k-means starts", n=units.shape[0], repeats=True)


def over_cells(columns: Sequence[ArrayLike], *, of: str, n: int, statistic: Statistic = ratio_of_sums) -> Score:
    """Score made of sums over cells; cells are what resampling draws."""
    units = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    return Score(pooled_sums(units), statistic, of, n)


@dataclass
class Findings:
    """Scores of one experiment, with details for the report and values per gene.

    Attributes
    ----------
    scores
        By the names of :data:`METRICS`.
    details
        JSON-ready tables and curves behind the figures.
    by_gene
        Columns of the per-gene table, (n_genes,) each, NaN where a gene has none.
    skipped
        By metric, why the experiment has no number for it.
    notes
        Sentences a reader of the scores needs.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    by_gene: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def rounded(values: ArrayLike, digits: int = 6) -> list[Any]:
    """Return numbers as JSON lists of a readable length."""
    return list(np.round(np.asarray(values, dtype=np.float64), digits).tolist())
