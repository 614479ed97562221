"""Are the intervals honest, everywhere? Molecules held out by thinning, in the posterior behind ``imputed_sd``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.evaluation.case import UNLABELLED, Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.molecules import held_out_fraction, kept_molecules, linear_scale, thinned
from scinfill.evaluation.numerics import calibration
from scinfill.evaluation.scores import Findings, Score, over_cells, per_unit, rounded
from scinfill.schema import IMPUTED_SD

PIT_BINS = 20
LEVEL = 0.9
BAND = (0.88, 0.92)
"""Intervals of 90 % that cover a share within it are taken for honest."""
FEWEST_ENTRIES = 1000
"""A smaller stratum is not judged: its own noise, a standard error of .009, is nearly half the width of the band."""
DECILES = 10
QUARTILES = 4
EVERY_CELL = "all cells"


@dataclass(frozen=True)
class Transforms:
    """What every entry of a sample of cells says of the predictive distribution, (n_chosen, n_real_genes) each.

    Attributes
    ----------
    cells
        (n_chosen,) which cells were looked at.
    pit, poisson_pit
        Randomised probability integral transform, and that of a Poisson around the model's mean.
    expected
        Expected molecules.
    """

    cells: NDArray[np.intp]
    pit: NDArray[np.float64]
    poisson_pit: NDArray[np.float64]
    expected: NDArray[np.float64]


def interval_coverage(case: Case, estimate: ScoredMatrix) -> Findings:
    """Share of held-out molecules inside the predictive intervals of the posterior behind ``imputed_sd``.

    Beside it, how often a Poisson around the model's mean would cover.

    Raises
    ------
    DataError
        When the table is not thinned, or the estimate carries no uncertainty.
    """
    heldout, size_factor = thinned(case)
    found = _transforms(case, estimate, heldout, size_factor)
    pit, cells = found.pit.ravel(), np.repeat(found.cells, case.real_genes.size)
    poisson_pit, expected = found.poisson_pit.ravel(), found.expected.ravel()
    findings = Findings()
    for level in calibration.LEVELS:
        findings.scores[f"coverage_{level * 100:.0f}"] = _coverage(pit, level, cells)
    top = expected >= np.quantile(expected, 0.9)
    findings.scores["coverage_90_top_decile"] = _coverage(pit[top], LEVEL, cells[top])
    findings.details["calibration"] = {
        "n_cells": int(found.cells.size),
        "pit": rounded(np.histogram(pit, bins=PIT_BINS, range=(0, 1))[0] / pit.size),
        "poisson_coverage": _coverage_record(poisson_pit),
        "by_decile": _by_decile(pit, poisson_pit, expected),
    }
    _score_strata(case, found, size_factor, findings)
    return findings


def _score_strata(case: Case, found: Transforms, size_factor: NDArray[np.float64], findings: Findings) -> None:
    """Add the coverage by expression of the gene, library size of the cell and label, and the share that is honest."""
    rows = _by_stratum(case, found, size_factor)
    findings.details["calibration"] |= {"band": list(BAND), "fewest_entries": FEWEST_ENTRIES, "by_stratum": rows}
    judged = [row for row in rows if row["n"] >= FEWEST_ENTRIES]
    if not judged:
        findings.skipped["coverage_strata"] = (
            f"no stratum of expression, library size and label holds {FEWEST_ENTRIES:,} entries"
        )
        return
    honest = [BAND[0] <= row["coverage"] <= BAND[1] for row in judged]
    findings.scores["coverage_strata"] = per_unit(honest, of=f"strata of {FEWEST_ENTRIES:,} entries or more")


def _by_stratum(case: Case, found: Transforms, size_factor: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return the coverage of 90 % intervals in every decile of expression, quartile of library size and label.

    Deciles are of the genes' mean kept molecules over size factors, quartiles of all cells that are looked at. Each
    share has its Wilson interval (95 %), as if entries were independent.
    """
    means = (kept_molecules(case).T @ (1 / size_factor))[case.real_genes]
    deciles = calibration.quantile_groups(means, DECILES)
    quartiles = calibration.quantile_groups(size_factor[found.cells], QUARTILES)
    if case.labels is None:
        names: tuple[str, ...] = (EVERY_CELL,)
        codes = np.zeros(found.cells.size, np.int64)
    else:
        names, codes = case.labels.names, case.labels.codes[found.cells]
    labelled = codes != UNLABELLED
    inside = np.abs(found.pit[labelled] - 0.5) <= LEVEL / 2
    covered, n = calibration.covered_by_stratum(inside, codes[labelled] * QUARTILES + quartiles[labelled], deciles)
    rows = []
    for stratum, decile in np.argwhere(n):
        k, total = int(covered[stratum, decile]), int(n[stratum, decile])
        low, high = calibration.share_interval(k, total)
        rows.append(
            {
                "label": names[stratum // QUARTILES],
                "quartile": int(stratum % QUARTILES) + 1,
                "decile": int(decile) + 1,
                "n": total,
                "coverage": round(k / total, 6),
                "interval": rounded([low, high]),
            }
        )
    return rows


def _transforms(case: Case, estimate: ScoredMatrix, heldout: csr_array, size_factor: NDArray[np.float64]) -> Transforms:
    """Look at every entry of a sample of cells."""
    weights = _weights(case, estimate)
    mean_rate = _mean_model_rate(case, estimate, weights, size_factor)
    cells = case.at_most(np.arange(case.n_cells))
    kept = kept_molecules(case)[cells].toarray()[:, case.real_genes].astype(np.float64)
    held = heldout[cells].toarray()[:, case.real_genes]
    linear = linear_scale(case.values(estimate, cells))
    fraction = held_out_fraction(case)
    rng = np.random.default_rng(case.settings.seed)
    rate = calibration.model_rate(linear, kept, size_factor[cells], weights)
    distribution = calibration.predictive(rate, kept, size_factor[cells], weights, mean_rate, fraction=fraction)
    poisson = calibration.predictive(
        rate, kept, size_factor[cells], np.zeros_like(weights), mean_rate, fraction=fraction
    )
    return Transforms(
        cells,
        calibration.randomised_pit(distribution, held, rng),
        calibration.randomised_pit(poisson, held, rng),
        distribution.mean,
    )


def _weights(case: Case, estimate: ScoredMatrix) -> NDArray[np.float64]:
    if estimate.observed_weight is None:
        raise DataError(
            f"needs layers[{IMPUTED_SD!r}] of an estimate 'shrunk'; this one was imputed without uncertainty"
        )
    return estimate.observed_weight[case.real_genes]


def _mean_model_rate(
    case: Case, estimate: ScoredMatrix, weights: NDArray[np.float64], size_factor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return m_g, each gene's mean of λ/s over all cells."""
    total = np.zeros(case.real_genes.size)
    for rows, values in estimate.blocks():
        kept = kept_molecules(case)[rows].toarray()[:, case.real_genes]
        linear = linear_scale(values[:, case.real_genes])
        total += calibration.model_rate(linear, kept, size_factor[rows], weights).sum(axis=0)
    return total / case.n_cells


def _coverage(pit: NDArray[np.float64], level: float, cells: NDArray[np.intp]) -> Score:
    inside = np.abs(pit - 0.5) <= level / 2
    _, position = np.unique(cells, return_inverse=True)
    sums = [np.bincount(position, weights=inside), np.bincount(position)]
    return over_cells(sums, of="entries", n=pit.size)


def _coverage_record(pit: NDArray[np.float64]) -> dict[str, float]:
    return {f"{level * 100:.0f}": share for level, share in calibration.coverage(pit).items()}


def _by_decile(
    pit: NDArray[np.float64], poisson_pit: NDArray[np.float64], expected: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Return the coverage by decile of the expected molecules."""
    edges = np.quantile(expected, np.linspace(0, 1, 11)[1:-1])
    decile = np.searchsorted(edges, expected, side="right")
    return [
        {
            "decile": int(number) + 1,
            "n": int((decile == number).sum()),
            "mean_expected": float(expected[decile == number].mean()),
            "coverage": _coverage_record(pit[decile == number]),
            "poisson_coverage": _coverage_record(poisson_pit[decile == number]),
        }
        for number in np.unique(decile)
    ]
