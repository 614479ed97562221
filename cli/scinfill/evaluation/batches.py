"""Batches: whether cells of one label mix across them, and whether labels still differ as they did within each."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics import clustering
from scinfill.evaluation.numerics.intervals import Units, Weights, mean
from scinfill.evaluation.scores import Findings, Score, per_unit

COMPONENTS = 20
FEWEST_CELLS = 10
"""Of a label in a batch, without which its means are left out."""
PSEUDOCOUNT = 0.1
"""Added to mean rates before the logarithm: fold changes of genes that hardly anybody has are noise."""

Doubles = NDArray[np.float64]
Pair = tuple[tuple[int, int], tuple[int, int]]
"""Two groups, each a label and a batch."""


def mixing(case: Case, estimate: ScoredMatrix) -> Findings:
    """Silhouette of batches among the cells of each label on principal components: near 0 where batches mix."""
    cells, labels, batches = _cells(case)
    components = clustering.principal_components(case.values(estimate, cells), COMPONENTS, seed=case.settings.seed)
    found = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        sizes = np.bincount(batches[members])
        members = members[sizes[batches[members]] >= FEWEST_CELLS]
        if len(np.unique(batches[members])) > 1:
            found.append(clustering.silhouettes(components[members], batches[members]))
    if not found:
        raise DataError(f"needs a label with {FEWEST_CELLS} cells in each of two batches; there is none")
    return Findings({"batch_silhouette": per_unit(np.concatenate(found), of="cells")})


def fold_changes(case: Case, estimate: ScoredMatrix) -> Findings:
    """Log2 fold changes of gene means between batches within labels, and between labels within batches."""
    cells, labels, batches = _cells(case)
    means = _log_means(case, estimate, cells, labels, batches)
    between_batches = [(one, other) for one, other in combinations(means, 2) if one[0] == other[0]]
    between_labels = [(one, other) for one, other in combinations(means, 2) if one[1] == other[1]]
    if not between_batches:
        raise DataError(f"needs a label with {FEWEST_CELLS} cells in each of two batches; there is none")
    findings = Findings({"batch_change": _root_mean_square(_changes(means, between_batches))})
    if between_labels:
        findings.scores["label_change"] = _root_mean_square(_changes(means, between_labels))
    else:
        findings.skipped["label_change"] = "needs a batch with two labels; there is none"
    agreements = _agreements(means, between_labels)
    if agreements:
        findings.scores["label_agreement"] = per_unit([row.correlation for row in agreements], of="pairs of labels")
    else:
        findings.skipped["label_agreement"] = "needs two labels in each of two batches"
    names, batch_names = case.require_labels().names, case.require_batches().names
    findings.details["batches"] = {
        "between_batches": [
            {
                "label": names[one[0]],
                "first": batch_names[one[1]],
                "second": batch_names[other[1]],
                "change": float(np.sqrt(np.mean((means[one] - means[other]) ** 2))),
            }
            for one, other in between_batches
        ],
        "between_labels": [
            {
                "batch": batch_names[one[1]],
                "first": names[one[0]],
                "second": names[other[0]],
                "change": float(np.sqrt(np.mean((means[one] - means[other]) ** 2))),
            }
            for one, other in between_labels
        ],
    }
    return findings


def _cells(case: Case) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Return the sampled cells that have a label and a batch, with both."""
    batches = case.require_batches().codes
    cells = case.sample[batches[case.sample] >= 0]
    return cells, case.require_labels().codes[cells], batches[cells]


def _log_means(
    case: Case,
    estimate: ScoredMatrix,
    cells: NDArray[np.intp],
    labels: NDArray[np.int64],
    batches: NDArray[np.int64],
) -> dict[tuple[int, int], Doubles]:
    """Return log2 of the mean rates of every label in every batch that has cells enough, (n_real_genes,)."""
    rates = np.exp2(case.values(estimate, cells).astype(np.float64)) - 1
    found = {}
    for label, batch in sorted(set(zip(labels.tolist(), batches.tolist(), strict=True))):
        members = (labels == label) & (batches == batch)
        if members.sum() >= FEWEST_CELLS:
            found[label, batch] = np.log2(np.maximum(rates[members].mean(axis=0), 0) + PSEUDOCOUNT)
    return found


def _changes(means: dict[tuple[int, int], Doubles], pairs: list[Pair]) -> Doubles:
    """Return the fold changes of every pair of groups, (n_genes, n_pairs)."""
    return np.stack([means[one] - means[other] for one, other in pairs], axis=1)


def _root_mean_square(changes: Doubles) -> Score:
    """Score fold changes, resampled over genes."""
    return Score(np.mean(changes**2, axis=1)[:, None], _root_of_mean, "genes", n=len(changes))


def _root_of_mean(units: Units, weights: Weights) -> Doubles:
    return np.asarray(np.sqrt(mean(units, weights)))


@dataclass(frozen=True)
class Agreement:
    """How the fold changes of two labels correlate over genes between two batches."""

    labels: tuple[int, int]
    batches: tuple[int, int]
    correlation: float


def _agreements(means: dict[tuple[int, int], Doubles], between_labels: list[Pair]) -> list[Agreement]:
    """Return every pair of labels that two batches have, with the correlation of their fold changes."""
    by_labels: dict[tuple[int, int], list[tuple[int, Doubles]]] = {}
    for one, other in between_labels:
        by_labels.setdefault((one[0], other[0]), []).append((one[1], means[one] - means[other]))
    rows = [
        Agreement(pair, (first, second), _correlation(change, again))
        for pair, found in by_labels.items()
        for (first, change), (second, again) in combinations(found, 2)
    ]
    return [row for row in rows if np.isfinite(row.correlation)]


def _correlation(first: Doubles, second: Doubles) -> float:
    if not (np.ptp(first) and np.ptp(second)):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
