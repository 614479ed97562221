"""Recovery of hidden values: the papers' masking experiment, and the zeros it forgets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods.evaluation.case import Case, Hidden
from scinfill.methods.evaluation.estimates import Estimate, Values
from scinfill.methods.evaluation.molecules import held_out_fraction
from scinfill.methods.evaluation.scores import Findings, Score, over_cells
from scinfill.numerics import metrics
from scinfill.numerics.intervals import ratio_of_sums, root_ratio_of_sums
from scinfill.schema import Estimate as Question

NOT_DETECTED = (
    "recovery of hidden non-zeros asks what would have been seen had the gene been detected; this layer is the "
    "estimate '{question}', which answers what the mean expression is: impute with --estimate detected for this score"
)
DETECTED: Question = "detected"


def hidden_nonzeros(case: Case, estimate: Estimate) -> Findings:
    """Score hidden non-zeros: RMSE, MAE and NMSE, over all and by decile of the genes' expression.

    Raises
    ------
    DataError
        When the table hides no non-zero.
    """
    hidden, nonzero = _hidden(case)
    if not nonzero.any():
        raise DataError("no hidden value is a non-zero")
    values = estimate.at(hidden.rows, hidden.columns)
    findings = Findings(_errors_at_nonzeros(case, hidden, values, nonzero))
    findings.details["recovery_by_decile"] = _by_decile(case, hidden, values, nonzero)
    findings.by_gene["rmse"], findings.by_gene["n_hidden"] = _by_gene(case, hidden, values, nonzero)
    if estimate.kind == "input" and estimate.question != DETECTED:
        findings.notes.append(NOT_DETECTED.format(question=estimate.question or "unknown"))
    return findings


def hidden_zeros(case: Case, estimate: Estimate) -> Findings:
    """Score hidden zeros: how many were filled, and the error over zeros and non-zeros alike.

    Raises
    ------
    DataError
        When the table hides no zero.
    """
    hidden, nonzero = _hidden(case)
    if nonzero.all():
        raise DataError("needs hidden zeros; the file has none (scinfill mask --mode entries)")
    return Findings(_errors_at_zeros(case, hidden, estimate.at(hidden.rows, hidden.columns), nonzero))


def _hidden(case: Case) -> tuple[Hidden, NDArray[np.bool_]]:
    """Return hidden values and which of them are not zero."""
    if case.hidden is None or not case.hidden.truth.size:
        raise DataError("needs hidden values; the file has none (scinfill mask --mode nonzero or entries)")
    return case.hidden, case.hidden.truth > 0


def _errors_at_nonzeros(case: Case, hidden: Hidden, values: Values, chosen: NDArray[np.bool_]) -> dict[str, Score]:
    truth = hidden.truth[chosen].astype(np.float64)
    error = values[chosen] - truth
    cells, n = hidden.rows[chosen], truth.size

    def score(numerator: NDArray[np.float64], denominator: NDArray[np.float64], *, root: bool) -> Score:
        sums = [np.bincount(cells, weights=column, minlength=case.n_cells) for column in (numerator, denominator)]
        statistic = root_ratio_of_sums if root else ratio_of_sums
        return over_cells(sums, of="hidden non-zeros", n=n, statistic=statistic)

    ones = np.ones(n)
    return {
        "rmse": score(error**2, ones, root=True),
        "mae": score(np.abs(error), ones, root=False),
        "nmse": score(error**2, truth**2, root=True),
        "nmse_squared": score(error**2, truth**2, root=False),
    }


def _errors_at_zeros(case: Case, hidden: Hidden, values: Values, nonzero: NDArray[np.bool_]) -> dict[str, Score]:
    filled = values[~nonzero] > case.settings.zero_threshold
    zeros_of_cell = hidden.rows[~nonzero]
    error = (values - hidden.truth.astype(np.float64)) ** 2
    return {
        "false_fill": over_cells(
            [
                np.bincount(zeros_of_cell, weights=filled, minlength=case.n_cells),
                np.bincount(zeros_of_cell, minlength=case.n_cells),
            ],
            of="hidden zeros",
            n=filled.size,
        ),
        "rmse_entries": over_cells(
            [
                np.bincount(hidden.rows, weights=error, minlength=case.n_cells),
                np.bincount(hidden.rows, minlength=case.n_cells),
            ],
            of="hidden values",
            n=error.size,
            statistic=root_ratio_of_sums,
        ),
    }


def _by_decile(case: Case, hidden: Hidden, values: Values, chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the errors by decile of the genes' mean expression."""
    log_values = case.observations.log_values
    means = np.bincount(log_values.indices, weights=log_values.data, minlength=log_values.shape[1]) / case.n_cells
    decile_of_gene = np.full(means.size, -1)
    decile_of_gene[case.real_genes] = metrics.decile_of_genes(means[case.real_genes])
    deciles = decile_of_gene[hidden.columns[chosen]]
    truth, estimate = hidden.truth[chosen], values[chosen]
    return [
        {
            "decile": int(decile) + 1,
            "n": int((deciles == decile).sum()),
            "rmse": metrics.rmse(truth[deciles == decile], estimate[deciles == decile]),
            "mae": metrics.mae(truth[deciles == decile], estimate[deciles == decile]),
        }
        for decile in np.unique(deciles)
    ]


def _by_gene(
    case: Case, hidden: Hidden, values: Values, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return RMSE and number of hidden non-zeros of every gene."""
    n_genes = case.null_genes.size
    squared = (values[chosen] - hidden.truth[chosen].astype(np.float64)) ** 2
    n_hidden = np.bincount(hidden.columns[chosen], minlength=n_genes)
    sums = np.bincount(hidden.columns[chosen], weights=squared, minlength=n_genes)
    mean_square = np.divide(sums, n_hidden, out=np.full(n_genes, np.nan), where=n_hidden > 0)
    return np.sqrt(mean_square), n_hidden.astype(np.float64)


def distance_to_truth(case: Case, estimate: Estimate) -> Findings:
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
