"""Expression of genes: differential expression against bulk truth, variation within a label, true zeros."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics import differential, variation
from scinfill.evaluation.numerics.intervals import Units, Weights, median
from scinfill.evaluation.scores import Findings, Score, per_unit, rounded

BULK_BINS = 5
CURVE_POINTS = 101


@dataclass(frozen=True)
class TestedGenes:
    """Genes of one bulk truth that the table holds, and which of them differ."""

    first: int
    second: int
    genes: NDArray[np.intp]
    is_differential: NDArray[np.bool_]


def differential_expression(case: Case, estimate: ScoredMatrix) -> Findings:
    """Find the genes that bulk data calls by a Wilcoxon test on the cells; mean AUC over the truths.

    A truth that cannot be used is named in the notes.

    Raises
    ------
    DataError
        When no truth can be used.
    """
    if not case.de_truths:
        raise DataError("needs genes known from bulk data; none were named (scinfill evaluate --de-truth FILE)")
    findings, units, refusals = Findings(), [], []
    curves: list[dict[str, Any]] = []
    for number, (contrast, truth) in enumerate(case.de_truths.items()):
        try:
            tested = _tested_genes(case, contrast, truth)
            statistic = _evidence(case, estimate, tested)
            curve = differential.roc(tested.is_differential, np.abs(statistic))
        except DataError as error:
            refusals.append(f"{contrast}: {error}")
            continue
        scores = np.abs(statistic)
        units.append(np.column_stack([np.full(scores.size, number), tested.is_differential, scores]))
        curves.append(_curve_record(contrast, case.require_labels().names, tested, curve))
        findings.by_gene[f"z_{contrast}"] = _spread(case, tested.genes, statistic)
    if not units:
        raise DataError("; ".join(refusals))
    stacked = np.concatenate(units).astype(np.float64)
    findings.scores["de_auc"] = Score(stacked, mean_auc, "genes", n=stacked.shape[0])
    findings.details["roc"] = curves
    findings.notes += refusals
    return findings


def mean_auc(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return the mean AUC over truths; columns are the truth's number, whether the gene differs, and its score."""
    of_truths = (units[:, 0] == number for number in np.unique(units[:, 0]))
    areas = [differential.auc(units[genes, 1] > 0, units[genes, 2], weights[:, genes]) for genes in of_truths]
    return np.mean(areas, axis=0)


def _tested_genes(case: Case, contrast: str, truth: pd.Series) -> TestedGenes:
    first, second = labels_of_contrast(contrast, case.require_labels().names)
    known = truth.dropna()
    positions = case.gene_names.get_indexer(known.index)
    usable = (positions >= 0) & ~case.null_genes[np.maximum(positions, 0)]
    if not usable.any():
        raise DataError(
            f"none of its {len(known)} genes is in the table (it names genes like {_example(known.index)}, "
            f"the table like {_example(case.gene_names)})"
        )
    return TestedGenes(first, second, positions[usable], known.to_numpy(dtype=float)[usable] > 0)


def labels_of_contrast(contrast: str, names: tuple[str, ...]) -> tuple[int, int]:
    """Return the codes of the two labels in ``"A_vs_B"``, which may be the end of a longer text.

    Raises
    ------
    DataError
        When no two labels are named.
    """
    pairs = [
        (first, second)
        for first, a in enumerate(names)
        for second, b in enumerate(names)
        if first != second and (contrast == f"{a}_vs_{b}" or contrast.endswith(f"_{a}_vs_{b}"))
    ]
    if not pairs:
        raise DataError(f"does not end in A_vs_B with two of the labels {', '.join(names)}")
    # The longest names win: "late_2cell_vs_zygote" is about late_2cell although 2cell may be a label too.
    return max(pairs, key=lambda pair: len(names[pair[0]]) + len(names[pair[1]]))


def _example(names: pd.Index) -> str:
    return repr(str(names[0])) if len(names) else "none"


def _evidence(case: Case, estimate: ScoredMatrix, tested: TestedGenes) -> NDArray[np.float64]:
    """Standardised Wilcoxon statistic of the tested genes, positive where the second label is higher."""
    labels = case.require_labels()
    cells = case.at_most(labels.cells(tested.first, tested.second))
    return differential.rank_sum_z(estimate.rows(cells)[:, tested.genes], labels.codes[cells] == tested.second)


def _spread(case: Case, genes: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    column = np.full(case.null_genes.size, np.nan)
    column[genes] = values
    return column


def _curve_record(
    contrast: str, names: tuple[str, ...], tested: TestedGenes, curve: differential.RocCurve
) -> dict[str, Any]:
    grid = np.linspace(0, 1, CURVE_POINTS)
    return {
        "contrast": contrast,
        "first": names[tested.first],
        "second": names[tested.second],
        "auc": curve.auc,
        "n_differential": int(tested.is_differential.sum()),
        "n_other": int((~tested.is_differential).sum()),
        "false_positive_rate": rounded(grid, 4),
        "true_positive_rate": rounded(np.interp(grid, curve.false_positive_rate, curve.true_positive_rate), 4),
    }


def within_label_variation(case: Case, estimate: ScoredMatrix) -> Findings:
    """Variation of genes over the cells of one label, on the linear scale."""
    labels = case.require_labels()
    code = _variation_label(case)
    cells = case.at_most(labels.cells(code))
    cv = variation.coefficient_of_variation(case.values(estimate, cells))
    varies = cv > 0
    if not varies.any():
        raise DataError(f"no gene varies over the {cells.size} cells of label {labels.names[code]!r}")
    logs = np.log2(cv, out=np.full(cv.shape, np.nan), where=varies)
    findings = Findings({"log2_cv": Score(logs[:, None], median, "genes", n=int(varies.sum()))})
    quantiles = np.nanquantile(logs, [0.05, 0.25, 0.5, 0.75, 0.95])
    findings.details["log2_cv"] = {
        "label": labels.names[code],
        "n_cells": int(cells.size),
        "n_genes": int(varies.sum()),
        "n_constant": int((~varies).sum()),
        "quantiles": dict(zip(["5%", "25%", "50%", "75%", "95%"], rounded(quantiles), strict=True)),
    }
    findings.by_gene["cv"] = case.by_gene(cv)
    return findings


def _variation_label(case: Case) -> int:
    labels = case.require_labels()
    wanted = case.settings.cv_label
    if wanted is None:
        return int(np.bincount(labels.codes[labels.codes >= 0]).argmax())
    if wanted not in labels.names:
        raise DataError(f"there is no label {wanted!r}; labels: {', '.join(labels.names)}")
    return labels.names.index(wanted)


def true_zeros(case: Case, estimate: ScoredMatrix) -> Findings:
    """Share of cells that stay at zero, by the genes' expression in bulk data of the same label.

    Bulk expression is the median over a label's libraries of counts per million; genes with a median of zero
    are a bin of their own, and what stays at zero there is the score.

    Raises
    ------
    DataError
        Without bulk data of a label, or when bulk sees every gene.
    """
    if case.bulk is None:
        raise DataError("needs bulk expression; none was named (scinfill evaluate --bulk FILE)")
    labels = case.require_labels()
    positions = case.bulk.index.get_indexer(case.gene_names[case.real_genes])
    genes = case.real_genes[positions >= 0]
    if not genes.size:
        raise DataError(
            f"no gene of the table is in the bulk data (it names genes like {_example(case.bulk.index)}, "
            f"the table like {_example(case.gene_names)})"
        )
    per_million = case.bulk / case.bulk.sum() * 1e6
    rows, unseen = [], []
    for code, label in enumerate(labels.names):
        libraries = libraries_of(label, list(case.bulk.columns))
        cells = case.at_most(labels.cells(code))
        if not libraries:
            continue
        expression = per_million[libraries].median(axis=1).to_numpy()[positions[positions >= 0]]
        bins = variation.expression_bins(expression, BULK_BINS)
        zeros = variation.share_of_zeros(estimate.rows(cells)[:, genes], threshold=case.settings.zero_threshold)
        rows += _zero_records(label, bins, zeros)
        unseen.append(zeros[bins == 0])
    if not rows:
        raise DataError(f"no library's name starts with a label (libraries like {_example(case.bulk.columns)})")
    findings = Findings(details={"true_zeros": rows})
    kept = np.concatenate(unseen)
    if kept.size:
        findings.scores["zero_retention"] = per_unit(kept, of="genes unseen in bulk, per label")
    else:
        findings.skipped["zero_retention"] = "bulk data sees every gene of the table, so no zero is known to be true"
    return findings


def libraries_of(label: str, libraries: list[str]) -> list[str]:
    """Return the bulk libraries of a label: named like it, or like it and a separator."""
    return [name for name in libraries if name == label or (name.startswith(label) and not name[len(label)].isalnum())]


def _zero_records(label: str, bins: NDArray[np.int64], zeros: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "bin": "unseen" if number == 0 else int(number),
            "n_genes": int((bins == number).sum()),
            "share_zero": float(zeros[bins == number].mean()),
        }
        for number in np.unique(bins)
    ]
