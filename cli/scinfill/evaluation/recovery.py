"""Recovery of hidden values: the papers' masking experiment, and the zeros it forgets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.molecules import held_out_fraction
from scinfill.evaluation.numerics.intervals import ratio_of_sums, root_ratio_of_sums
from scinfill.evaluation.numerics.variation import decile_of_genes
from scinfill.evaluation.scores import Findings, Score, over_cells
from scinfill.numerics.sparse import column_sums, row_of_entry
from scinfill.schema import EstimateKind

NOT_DETECTED = (
    "recovery of hidden non-zeros asks what would have been seen had the gene been detected; this layer is the "
    "estimate '{question}', which answers what the mean expression is: impute with the estimate 'detected' for this "
    "score"
)
DETECTED: EstimateKind = "detected"

Numbers = NDArray[np.float64]
Terms = dict[str, NDArray[Any]]
"""What is summed over entries, by name."""


def hidden_nonzeros(case: Case, estimate: ScoredMatrix) -> Findings:
    """Score hidden non-zeros: RMSE, MAE and NMSE, over all and by decile of the genes' expression.

    Raises
    ------
    DataError
        When the table hides no non-zero.
    """
    sums = _summed(case, estimate, _at_nonzeros)
    n = int(sums.by_cell["n"].sum())
    if n == 0:
        raise DataError("no hidden value is a non-zero")

    def score(numerator: str, denominator: str, *, root: bool) -> Score:
        columns = [sums.by_cell[numerator], sums.by_cell[denominator]]
        return over_cells(columns, of="hidden non-zeros", n=n, statistic=root_ratio_of_sums if root else ratio_of_sums)

    findings = Findings(
        {
            "rmse": score("squared", "n", root=True),
            "mae": score("absolute", "n", root=False),
            "nmse": score("squared", "truth", root=True),
            "nmse_squared": score("squared", "truth", root=False),
        }
    )
    findings.details["recovery_by_decile"] = _by_decile(case, sums.by_gene)
    findings.by_gene["rmse"] = np.sqrt(_ratio(sums.by_gene["squared"], sums.by_gene["n"]))
    findings.by_gene["n_hidden"] = sums.by_gene["n"]
    if estimate.kind == "input" and estimate.question not in (None, DETECTED):
        findings.notes.append(NOT_DETECTED.format(question=estimate.question))
    return findings


def hidden_zeros(case: Case, estimate: ScoredMatrix) -> Findings:
    """Score hidden zeros: how many were filled, and the error over zeros and non-zeros alike.

    Raises
    ------
    DataError
        When the table hides no zero.
    """

    def terms(truth: Numbers, value: Numbers) -> Terms:
        zero = truth == 0
        filled = zero & (value > case.settings.zero_threshold)
        return {"zeros": zero, "filled": filled, "n": np.ones(len(truth)), "squared": (value - truth) ** 2}

    sums = _summed(case, estimate, terms).by_cell
    n_zeros, n = int(sums["zeros"].sum()), int(sums["n"].sum())
    if n_zeros == 0:
        raise DataError("needs hidden zeros; the file has none (scinfill mask --mode entries)")
    return Findings(
        {
            "false_fill": over_cells([sums["filled"], sums["zeros"]], of="hidden zeros", n=n_zeros),
            "rmse_entries": over_cells(
                [sums["squared"], sums["n"]], of="hidden values", n=n, statistic=root_ratio_of_sums
            ),
        }
    )


@dataclass(frozen=True)
class Sums:
    """Sums of terms over the hidden entries of every cell and of every gene, by the terms' names."""

    by_cell: dict[str, Numbers]
    by_gene: dict[str, Numbers]


def _summed(case: Case, estimate: ScoredMatrix, terms: Callable[[Numbers, Numbers], Terms]) -> Sums:
    """Sum the terms of truth and estimate at hidden entries of real genes, a block of cells at a time.

    Raises
    ------
    DataError
        When the table hides nothing.
    """
    if case.hidden is None or not case.hidden.nnz:
        raise DataError("needs hidden values; the file has none (scinfill mask --mode nonzero or entries)")
    by_cell: dict[str, list[Numbers]] = {}
    by_gene: dict[str, Numbers] = {}
    for rows, values in estimate.blocks():
        hidden = case.hidden[rows]
        cell, gene = row_of_entry(hidden.indptr), hidden.indices
        real = ~case.null_genes[gene]
        cell, gene, truth = cell[real], gene[real], hidden.data[real].astype(np.float64)
        for name, term in terms(truth, values[cell, gene].astype(np.float64)).items():
            weights = term.astype(np.float64)
            by_cell.setdefault(name, []).append(np.bincount(cell, weights, len(values)).astype(np.float64))
            sums = np.bincount(gene, weights, case.null_genes.size).astype(np.float64)
            by_gene[name] = by_gene[name] + sums if name in by_gene else sums
    return Sums({name: np.concatenate(blocks) for name, blocks in by_cell.items()}, by_gene)


def _at_nonzeros(truth: Numbers, value: Numbers) -> Terms:
    """Return what RMSE, MAE and NMSE are made of; hidden zeros count for nothing."""
    error = np.where(truth > 0, value - truth, 0)
    return {"n": truth > 0, "squared": error**2, "absolute": np.abs(error), "truth": truth**2}


def _by_decile(case: Case, by_gene: dict[str, Numbers]) -> list[dict[str, Any]]:
    """Return the errors by decile of the genes' mean expression."""
    means = column_sums(case.observations.log_values) / case.n_cells
    decile_of_gene = decile_of_genes(means[case.real_genes])
    real = {name: sums[case.real_genes] for name, sums in by_gene.items()}

    def of(decile: int, name: str) -> float:
        return float(real[name][decile_of_gene == decile].sum())

    return [
        {
            "decile": int(decile) + 1,
            "n": int(of(decile, "n")),
            "rmse": float(np.sqrt(of(decile, "squared") / of(decile, "n"))),
            "mae": of(decile, "absolute") / of(decile, "n"),
        }
        for decile in np.unique(decile_of_gene)
        if of(decile, "n")
    ]


def _ratio(numerator: Numbers, denominator: Numbers) -> Numbers:
    """Return the ratio, NaN where there is nothing to divide by."""
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)


def distance_to_truth(case: Case, estimate: ScoredMatrix) -> Findings:
    """Score all values against the simulated true means.

    Thinning kept a share of the molecules, so the truth it left is that share of the mean.

    Raises
    ------
    DataError
        When the table is not simulated.
    """
    if case.truth is None:
        raise DataError("needs the simulated truth; the file has none (scinfill simulate)")
    kept = 1 - held_out_fraction(case) if case.heldout_counts is not None else 1.0
    squared = []
    for rows, values in estimate.blocks():
        mean = np.exp2(case.truth[rows][:, case.real_genes].astype(np.float64)) - 1
        squared.append(((values[:, case.real_genes] - np.log2(1 + kept * mean)) ** 2).sum(axis=1))
    per_cell = np.full(case.n_cells, case.real_genes.size)
    score = over_cells(
        [np.concatenate(squared), per_cell],
        of="values",
        n=case.n_cells * case.real_genes.size,
        statistic=root_ratio_of_sums,
    )
    return Findings({"truth_rmse": score})
