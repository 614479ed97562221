"""All experiments on one estimate, with the reason for each number that cannot be had."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from scinfill.errors import DataError
from scinfill.evaluation import (
    batches,
    coverage,
    expression,
    genes,
    gradient,
    guard,
    halves,
    molecules,
    proteins,
    recovery,
    structure,
)
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.scores import METRICS, Findings
from scinfill.methods.knowledge import Knowledge


@dataclass(frozen=True)
class Experiment:
    """A function that scores an estimate, and the metrics that are missing when it cannot."""

    run: Callable[[Case, ScoredMatrix], Findings]
    metrics: tuple[str, ...]


EXPERIMENTS = (
    Experiment(recovery.hidden_nonzeros, ("rmse", "mae", "nmse", "nmse_squared")),
    Experiment(recovery.hidden_zeros, ("rmse_entries", "false_fill")),
    Experiment(recovery.distance_to_truth, ("truth_rmse",)),
    Experiment(structure.kmeans, ("ari", "nmi")),
    Experiment(structure.kmeans_on_components, ("ari_20pc", "nmi_20pc")),
    Experiment(structure.silhouette, ("silhouette",)),
    Experiment(structure.separability, ("cts",)),
    Experiment(expression.differential_expression, ("de_auc",)),
    Experiment(expression.within_label_variation, ("log2_cv",)),
    Experiment(expression.true_zeros, ("zero_retention",)),
    Experiment(molecules.heldout_molecules, ("poisson", "mse_log_cp10k")),
    Experiment(
        coverage.interval_coverage,
        ("coverage_50", "coverage_90", "coverage_99", "coverage_90_top_decile", "coverage_strata"),
    ),
    Experiment(
        halves.two_halves,
        (
            *("halves_called", "halves_false_at_least", "halves_false_at_most", "halves_best"),
            *("fold_change_20", "fold_change_50", "fold_change_100", "fold_change_all"),
        ),
    ),
    Experiment(proteins.compare_with_genes, ("protein_correlation", "protein_correlation_within")),
    Experiment(proteins.explain_by_components, ("protein_r2", "protein_r2_labels")),
    Experiment(gradient.correlate_first_component, ("gradient_component",)),
    Experiment(gradient.correlate_genes, ("gradient_genes", "gradient_others")),
    Experiment(gradient.correlate_null_genes, ("gradient_null",)),
    Experiment(guard.null_pairs, ("null_pairs",)),
    Experiment(guard.null_differential, ("null_de", "null_de_any_label")),
    Experiment(guard.size_leak, ("size_leak",)),
)
BATCHES = (
    Experiment(batches.mixing, ("batch_silhouette",)),
    Experiment(batches.fold_changes, ("batch_change", "label_change", "label_agreement")),
)
OPEN_PROBLEMS = Experiment(
    molecules.open_problems,
    ("openproblems_poisson_asis", "openproblems_poisson_asis_scaled", "openproblems_mse_scaled"),
)

OF_ONE_FILE = tuple(one for one in EXPERIMENTS if one.run in (structure.silhouette, coverage.interval_coverage))
"""What a page about one file tells of it; whether imputing helped takes all experiments."""
GENES = Experiment(genes.look_at_genes, ())
"""Genes that the caller named; :func:`scinfill.evaluation.genes.choose_genes` has been asked before."""


IN_OWN_BATCH = {
    *("rmse", "mae", "nmse", "nmse_squared", "rmse_entries", "false_fill", "poisson", "mse_log_cp10k"),
    *("coverage_50", "coverage_90", "coverage_99", "coverage_90_top_decile", "coverage_strata"),
    *OPEN_PROBLEMS.metrics,
}
"""Numbers that compare with values or molecules of the cells' own batches."""
REMOVED = (
    "its values are those of the average batch, the truth is of the cells' own; score the same imputation "
    "without that (scinfill impute-deepmc --batch-effect keep)"
)
OF_NULL_GENES = {"null_pairs", "null_de", "null_de_any_label"}
"""Numbers that ask genes without structure."""
NO_NULL_GENES = (
    "needs null genes, and a saved model knows no genes but those of its training; the untouched half of the molecules "
    "tells of these (scinfill mask --mode halves)"
)
SAVED_MODEL = (
    "the values of {name} are those of the saved model {model:.12}; nothing was trained on these cells; {facts}"
)


@dataclass
class Scorecard:
    """Everything found about one estimate.

    Attributes
    ----------
    estimate
        What was scored.
    beside
        Its baselines: by the plain name (``raw``) the name under which it stands in the results.
    findings
        All experiments' findings together.
    skipped
        By metric, why it could not be computed.
    """

    estimate: ScoredMatrix
    beside: Mapping[str, str]
    findings: Findings = field(default_factory=Findings)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, case: Case, experiment: Experiment) -> None:
        """Run an experiment; a number that cannot be had is left out with its reason."""
        if self.estimate.batches_removed and IN_OWN_BATCH & set(experiment.metrics):
            self.skipped |= dict.fromkeys(experiment.metrics, REMOVED)
            return
        if self.estimate.saved_model is not None and OF_NULL_GENES & set(experiment.metrics):
            self.skipped |= dict.fromkeys(experiment.metrics, NO_NULL_GENES)
            return
        try:
            found = experiment.run(case, self.estimate)
        except DataError as error:
            self.skipped |= dict.fromkeys(experiment.metrics, str(error))
            return
        for name, score in found.scores.items():
            if np.isfinite(score.value):
                self.findings.scores[name] = score
            else:
                self.skipped[name] = "the number is not finite"
        self.skipped |= found.skipped
        self.findings.details |= found.details
        self.findings.by_gene |= found.by_gene
        self.findings.notes += found.notes

    def to_json(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return what the results file holds on this estimate."""
        scores, saved = self.findings.scores, self.estimate.saved_model
        return {
            "kind": self.estimate.kind,
            "series": self.estimate.series,
            "estimate": self.estimate.question,
            "method": self.estimate.method,
            "effect": None if self.estimate.effect is None else asdict(self.estimate.effect),
            "saved_model": None if saved is None else asdict(saved),
            "beside": dict(self.beside),
            "scores": {name: scores[name].to_json(rng) for name in METRICS if name in scores},
            "skipped": {name: self.skipped[name] for name in METRICS if name in self.skipped},
            "notes": [
                *([] if saved is None else [_of_saved_model(self.estimate.series, saved)]),
                *self.findings.notes,
            ],
            "details": self.findings.details,
        }


def _of_saved_model(name: str, known: Knowledge) -> str:
    return SAVED_MODEL.format(name=name, model=known.model, facts=known.facts())
