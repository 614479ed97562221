"""Score estimates of one table beside raw, gene mean and SVD: every experiment, or the reason why it is left out."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.evaluation import document, inputs
from scinfill.evaluation.case import ZERO_THRESHOLD, Settings
from scinfill.evaluation.comparison import Threshold
from scinfill.evaluation.genes import choose_genes
from scinfill.evaluation.inputs import NOTHING_MEASURED, Measured
from scinfill.evaluation.numerics.clustering import Correlation
from scinfill.evaluation.scorecard import BATCHES, EXPERIMENTS, GENES, OPEN_PROBLEMS, Experiment, Scorecard
from scinfill.progress import track

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """Scores of all estimates of one call.

    Attributes
    ----------
    document
        The JSON-ready results.
    gene_table
        One row per estimate and gene.
    """

    document: dict[str, Any]
    gene_table: pd.DataFrame

    @property
    def failed_thresholds(self) -> list[str]:
        """One sentence for each threshold that failed."""
        return [threshold["message"] for threshold in self.document["thresholds"] if not threshold["passed"]]


def evaluate(
    tables: AnnData | Mapping[str, AnnData],
    *,
    labels: str | None = None,
    batch: str | None = None,
    layer: str | None = None,
    bulk: pd.DataFrame | None = None,
    de_truths: Mapping[str, pd.Series] | None = None,
    seed: int = 0,
    n_starts: int = 10,
    max_cells: int = 5000,
    correlation: Correlation = "pearson",
    zero_threshold: float = ZERO_THRESHOLD,
    cv_label: str | None = None,
    openproblems: bool = False,
    show_genes: str | Sequence[str] | None = None,
    proteins: str | pd.DataFrame | None = None,
    protein_genes: Mapping[str, str] | None = None,
    gradient: str | None = None,
    gradient_genes: Sequence[str] | None = None,
    title: str | None = None,
) -> dict[str, Any]:
    """Score imputed tables beside raw, gene mean and SVD.

    Parameters
    ----------
    tables
        One table, or several of the same cells and genes by name. A table without the imputed layer is scored
        as raw only. Never changed.
    labels
        Column of ``obs`` with the true label of every cell; None leaves out what needs labels.
    batch
        Column of ``obs`` with each cell's batch: whether batches mix within labels, and labels still differ within
        batches. Needs ``labels``.
    layer
        Layer to score, on the scale of ``X``; ``"imputed"`` unless named.
    bulk
        Bulk counts, genes × libraries; a library's name starts with its label.
    de_truths
        By ``"A_vs_B"`` (two labels): 1 or 0 by gene name, whether bulk data calls it.
    seed
        Seed of the sample of cells, of the resampling and of the first k-means start.
    n_starts
        k-means starts.
    max_cells
        Structure, differential expression and guard look at a seeded sample of at most this many cells.
    correlation
        Kind of correlation between cells, for the separability of cell types.
    zero_threshold
        Values at or below count as zero (log2 scale).
    cv_label
        Label whose variation is shown; the largest unless named.
    openproblems
        Also the numbers of the Open Problems denoising task, as coded there.
    show_genes
        Genes to look at before and after: names, or ``"markers"`` for three of each label that its counts tell from
        all other cells best (rank-sum test, Benjamini-Hochberg), 30 genes at most. :func:`scinfill.report` draws them.
    proteins
        Counts of surface proteins (CITE-seq): a key of ``obsm``, or a frame of cells × proteins. Each is compared with
        the estimate of its gene, over all cells and within labels of 200 cells or more, and explained by the leading
        principal components.
    protein_genes
        Genes by protein, where names do not tell; others follow from the names (``CD4_TotalSeqB``, ``CD3``: CD3E).
    gradient
        Numeric column of ``obs`` with a known gradient, such as the dose in mixtures; missing for some cells or none.
    gradient_genes
        Genes known to follow the gradient; by default those that follow it in the counts of half of the cells.
    title
        Name of the data; results of one title and mask are replicates of each other in a report.

    Returns
    -------
    The results as they stand in the JSON file: ``estimates[name]["scores"][metric]["value"]`` and so on.

    Raises
    ------
    InputError
        No such layer, column, key or gene, or a protein whose gene is not clear.
    DataError
        Wrong values, or tables of different cells or genes.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.mask(scinfill.preprocess(scinfill.simulate(n_cells=80, n_genes=120, seed=0)), seed=1)
    >>> scores = scinfill.evaluate(table, labels="cell_type", n_starts=2)
    >>> sorted(scores["estimates"])
    ['gene-mean', 'raw', 'svd-10']
    """
    settings = Settings(
        labels=labels,
        batch=batch,
        seed=seed,
        n_starts=n_starts,
        max_cells=max_cells,
        correlation=correlation,
        zero_threshold=zero_threshold,
        cv_label=cv_label,
        openproblems=openproblems,
        show_genes=_names(show_genes),
        gradient=gradient,
        gradient_genes=tuple(gradient_genes) if gradient_genes else None,
    )
    named = {None: tables} if isinstance(tables, AnnData) else dict(tables)
    measured = Measured(bulk, de_truths, proteins, protein_genes)
    return run(list(named.items()), settings, layer=layer, measured=measured, title=title).document


def run(
    tables: Sequence[tuple[str | None, AnnData]],
    settings: Settings,
    *,
    layer: str | None = None,
    measured: Measured = NOTHING_MEASURED,
    thresholds: Sequence[Threshold] = (),
    title: str | None = None,
    experiments: Sequence[Experiment] = EXPERIMENTS,
) -> Evaluation:
    """Score named tables: what :func:`evaluate` does, with thresholds and the table of genes.

    A name may come more than once (replicates) or be None: then the method that made the layer names it.
    """
    settings.check()
    trials = inputs.trials(tables, settings, layer=layer, measured=measured)
    _check_thresholds(thresholds, trials)
    experiments = [*experiments]
    if settings.batch is not None:
        experiments += BATCHES
    if settings.openproblems:
        experiments.append(OPEN_PROBLEMS)
    if settings.show_genes:
        for trial in trials:
            choose_genes(trial.case)  # what cannot be shown is refused before any work
        experiments.append(GENES)
    cards: dict[str, Scorecard] = {}
    work = [(trial, estimate) for trial in trials for estimate in trial.estimates]
    for trial, estimate in track(work, "evaluate"):
        card = Scorecard(estimate, beside=trial.baselines)
        for experiment in experiments:
            card.add(trial.case, experiment)
        cards[estimate.name] = card
    if not any(card.findings.scores for card in cards.values()):
        log.warning("nothing was scored: hide something before imputing (`scinfill mask`) or name `labels`")
    return Evaluation(
        document=document.assemble(trials, cards, settings, thresholds, title=title),
        gene_table=document.gene_table(trials, cards),
    )


def _names(show_genes: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if show_genes is None else (show_genes,) if isinstance(show_genes, str) else tuple(show_genes)


def _check_thresholds(thresholds: Sequence[Threshold], trials: Sequence[inputs.Trial]) -> None:
    """Refuse, before any work, a threshold that names nothing here or has nothing to judge."""
    judged = {estimate.name for trial in trials for estimate in trial.estimates if estimate.kind == "input"}
    for threshold in thresholds:
        if not judged:
            raise InputError(f"`thresholds={threshold.rule!r}` has nothing to judge: no input holds the imputed layer")
        known = {*trials[0].baselines, *judged}
        if threshold.reference not in known:
            raise InputError(
                f"`thresholds={threshold.rule!r}`: there is no {threshold.reference!r} here; references are "
                f"{', '.join(sorted(known))}"
            )
