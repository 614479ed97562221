"""A known gradient, such as the dose of one cell line in mixtures: whether an estimate shows it."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics.association import centre_ranks, spearman
from scinfill.evaluation.numerics.clustering import principal_components
from scinfill.evaluation.numerics.intervals import Units, Weights, ratio
from scinfill.evaluation.scores import Findings, over_cells, per_unit

FEWEST_CELLS = 20
MOST_GENES = 50
"""Genes that follow, and as many that do not."""
FEWEST_GENES = 3
SEEN_IN = 0.1
"""Share of the cells in which a gene must be seen to be one that does not follow: of others the counts cannot tell."""
CONFOUNDED = 0.3
"""Correlation of dose and library size above which a note says so."""


@dataclass(frozen=True)
class _Followers:
    """What counts say of genes and dose.

    Attributes
    ----------
    cells
        Cells with a dose that were not asked which genes follow, in the table.
    followers, others
        Genes, in the table.
    in_counts
        Rank correlation with the dose of the genes that follow, in the counts of the cells that were asked.
    """

    cells: NDArray[np.intp]
    followers: NDArray[np.intp]
    others: NDArray[np.intp]
    in_counts: NDArray[np.float64]


_CHOSEN: WeakKeyDictionary[Case, _Followers] = WeakKeyDictionary()
"""One a case, whose estimates are all asked of the same genes and cells."""


def correlate_first_component(case: Case, estimate: ScoredMatrix) -> Findings:
    """Correlate the first principal component with the dose (Spearman; a component has no sign, so neither has this).

    It tells whether the known gradient is what varies most in an estimate. It does not tell whether values along the
    gradient are right: a method that smooths everything along any axis that the dose is part of scores high, and one
    that keeps a stronger axis (another cell type, library size) low.

    Raises
    ------
    DataError
        Without a dose, or in too few cells.
    """
    cells = case.at_most(_cells(case))
    dose = _dose(case)[cells]
    component = principal_components(case.values(estimate, cells), 1, seed=case.settings.seed)[:, 0]
    x, y = centre_ranks(component), centre_ranks(dose)
    score = over_cells(
        [x, y, x * x, y * y, x * y, np.ones(x.size)], of="cells", n=int(cells.size), statistic=_absolute_correlation
    )
    findings = Findings({"gradient_component": score})
    findings.details["gradient"] = {"column": case.settings.gradient, "n_cells": int(cells.size)}
    if case.size_factor is not None and np.ptp(case.size_factor[cells]) > 0:
        with_size = float(spearman(case.size_factor[cells, None], dose)[0])
        findings.details["gradient"]["with_library_size"] = with_size
        if abs(with_size) > CONFOUNDED:
            findings.notes.append(
                f"obs[{case.settings.gradient!r}] and library size correlate by {with_size:.2f}: what follows depth "
                f"follows the gradient too"
            )
    return findings


def correlate_genes(case: Case, estimate: ScoredMatrix) -> Findings:
    """Correlate genes that follow the dose with it, and genes that do not (Spearman).

    Genes are chosen without a look at any estimate: in one half of the cells, drawn at random, by the rank correlation
    of ``X`` with the dose, the strongest as those that follow (or those that the user names), the weakest of the genes
    seen in a tenth of these cells as those that do not. They are scored in the other half, where a correlation against
    the direction of the counts is negative.

    Every smoother raises the first number, since noise goes; that alone is no merit. It has to be seen beside the
    second, which rises where a method bends genes along the gradient that hardly follow it; but they may follow weakly
    in truth, too weakly for their counts. Only null genes tell the two apart (:func:`correlate_null_genes`). No number
    here tells whether the size of a change is right.

    Raises
    ------
    DataError
        Without a dose, in too few cells, or where too few genes vary.
    """
    chosen = _followers(case)
    values = estimate.rows(chosen.cells)
    dose = _dose(case)[chosen.cells]
    directed = spearman(values[:, chosen.followers], dose) * np.sign(chosen.in_counts)
    others = np.abs(spearman(values[:, chosen.others], dose))
    findings = Findings({"gradient_genes": per_unit(directed, of="genes")})
    if others.size:
        findings.scores["gradient_others"] = per_unit(others, of="genes")
    else:
        findings.skipped["gradient_others"] = "no other gene is seen in enough cells"
    findings.details["gradient_genes"] = {
        "n_cells": int(chosen.cells.size),
        "named": bool(case.settings.gradient_genes),
        "genes": [
            {"gene": str(case.gene_names[gene]), "in_counts": float(in_counts), "correlation": float(correlation)}
            for gene, in_counts, correlation in zip(chosen.followers, chosen.in_counts, directed, strict=True)
        ],
    }
    column = np.full(case.null_genes.size, np.nan)
    column[chosen.others], column[chosen.followers] = others, directed
    findings.by_gene["gradient_correlation"] = column
    return findings


def correlate_null_genes(case: Case, estimate: ScoredMatrix) -> Findings:
    """Correlate null genes with the dose (Spearman, without its sign): what they follow beyond the counts is invented.

    Raises
    ------
    DataError
        Without a dose, in too few cells, or without null genes.
    """
    cells = case.at_most(_cells(case))
    if not case.null_genes.any():
        raise DataError("needs null genes; the file has none (scinfill mask --null-genes N)")
    following = np.abs(spearman(estimate.rows(cells)[:, case.null_genes], _dose(case)[cells]))
    return Findings({"gradient_null": per_unit(following, of="null genes")})


def _absolute_correlation(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return |r| from the sums of x, y, x², y², xy and 1; 0 where x or y does not vary."""
    x, y, xx, yy, xy, n = (weights @ units).T
    scale = np.maximum((xx - x * x / n) * (yy - y * y / n), 0)
    return np.nan_to_num(ratio(np.abs(xy - x * y / n), np.sqrt(scale)))


def _dose(case: Case) -> NDArray[np.float64]:
    if case.dose is None:
        raise DataError("needs a known gradient; none was named (scinfill evaluate --gradient COLUMN)")
    return case.dose


def _cells(case: Case) -> NDArray[np.intp]:
    cells = np.flatnonzero(np.isfinite(_dose(case)))
    if cells.size < FEWEST_CELLS:
        raise DataError(
            f"a gradient needs {FEWEST_CELLS} cells or more; obs[{case.settings.gradient!r}] has {cells.size}"
        )
    return cells


def _followers(case: Case) -> _Followers:
    if case not in _CHOSEN:
        _CHOSEN[case] = _choose(case)
    return _CHOSEN[case]


def _choose(case: Case) -> _Followers:
    """Ask one half of the cells which genes follow; the other half is kept for the scores."""
    cells = case.at_most(_cells(case))
    asked = np.zeros(cells.size, dtype=bool)
    asked[np.random.default_rng(case.settings.seed).permutation(cells.size)[: cells.size // 2]] = True
    dose = _dose(case)[cells]
    if np.ptp(dose[asked]) == 0 or np.ptp(dose[~asked]) == 0:
        raise DataError("the gradient has one value in a half of the cells; too few cells differ from the rest")
    values = case.observations.log_values[cells[asked]].toarray()[:, case.real_genes]
    in_counts = spearman(values, dose[asked])
    strength = np.abs(in_counts)
    seen = (values > 0).mean(axis=0) >= SEEN_IN
    n_genes = min(MOST_GENES, strength.size // 4)
    if case.settings.gradient_genes:
        followers = np.searchsorted(case.real_genes, case.gene_names.get_indexer(list(case.settings.gradient_genes)))
    else:
        followers = np.argsort(-strength, kind="stable")[:n_genes]
        followers = followers[strength[followers] > 0]
        if followers.size < FEWEST_GENES:
            raise DataError(f"{FEWEST_GENES} genes that vary with the gradient are needed; {followers.size} do")
    candidates = np.flatnonzero(seen & ~np.isin(np.arange(strength.size), followers))
    others = candidates[np.argsort(strength[candidates], kind="stable")[: max(n_genes, followers.size)]]
    return _Followers(
        cells=cells[~asked],
        followers=case.real_genes[followers],
        others=case.real_genes[others],
        in_counts=in_counts[followers],
    )
