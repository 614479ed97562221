"""The false-signal guard: what an estimate shows where nothing is to be seen."""

import numpy as np

from scinfill.errors import DataError
from scinfill.evaluation.case import UNLABELLED, Case
from scinfill.evaluation.estimates import ScoredMatrix, Values
from scinfill.evaluation.numerics import guard
from scinfill.evaluation.numerics.intervals import mean
from scinfill.evaluation.scores import Findings, Score, per_unit


def null_pairs(case: Case, estimate: ScoredMatrix) -> Findings:
    """Share of pairs of null genes that correlate; resampling draws genes, not pairs.

    Raises
    ------
    DataError
        Without two null genes.
    """
    cells = case.at_most(np.arange(case.n_cells))
    values = _null_values(case, estimate, cells)
    partners = guard.correlated_partners(values)
    n_pairs = values.shape[1] * (values.shape[1] - 1) // 2
    findings = Findings({"null_pairs": Score(partners[:, None], mean, "null pairs", n=n_pairs)})
    findings.details["null_pairs"] = {
        "threshold": guard.CORRELATION_THRESHOLD,
        "n_cells": int(cells.size),
        "n_constant_genes": int((np.ptp(values, axis=0) == 0).sum()),
    }
    return findings


def null_differential(case: Case, estimate: ScoredMatrix) -> Findings:
    """Share of null genes called differentially expressed (Wilcoxon, Bonferroni .05).

    Between the two largest labels, as in published comparisons, and in any label against all other cells,
    which is stricter.
    """
    codes = case.require_labels().codes[case.sample]
    values = _null_values(case, estimate, case.sample)
    largest = guard.cells_of_largest_labels(codes)
    between_largest = guard.called_differential(values[largest], codes[largest])
    in_any = guard.called_differential(values, codes)
    findings = Findings(
        {
            "null_de": per_unit(between_largest, of="null genes"),
            "null_de_any_label": per_unit(in_any, of="null genes"),
        }
    )
    findings.by_gene["null_called_de"] = np.full(case.null_genes.size, np.nan)
    findings.by_gene["null_called_de"][case.null_genes] = in_any
    return findings


def size_leak(case: Case, estimate: ScoredMatrix) -> Findings:
    """Share of real genes called different between large and small cells of one label, beside raw.

    Raises
    ------
    DataError
        Without size factors, or without a label large enough.
    """
    if case.size_factor is None:
        raise DataError("a leak of library size needs obs['size_factor']; the file lacks it")
    labels = case.require_labels()
    cells = case.at_most(np.flatnonzero(labels.codes != UNLABELLED))
    leak = guard.library_size_leak(case.values(estimate, cells), labels.codes[cells], case.size_factor[cells])
    findings = Findings({"size_leak": per_unit(leak.by_gene, of="genes")})
    findings.details["size_leak"] = {labels.names[code]: share for code, share in leak.by_label.items()}
    findings.by_gene["size_leak"] = case.by_gene(leak.by_gene)
    return findings


def _null_values(case: Case, estimate: ScoredMatrix, cells: np.ndarray) -> Values:
    if not case.null_genes.any():
        raise DataError("needs null genes; the file has none (scinfill mask --null-genes N)")
    return estimate.rows(cells)[:, case.null_genes]
