"""Molecules held out by thinning: how well an estimate predicts them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics.molecules import Block, MoleculeScores, score_molecules
from scinfill.evaluation.scores import Findings, Score, over_cells
from scinfill.numerics.sparse import rows_view

MERGED = (
    "this layer keeps seen values as they are, so it is no mean: held-out molecules should be asked of a layer imputed "
    "without that"
)

READS_ARE_COPIES = (
    "these counts look like reads: copies of one molecule fall on both sides of the split, so held-out counts reward "
    "copying what was seen and judge no imputation"
)


def heldout_molecules(case: Case, estimate: ScoredMatrix) -> Findings:
    """Score the molecules that an estimate expects against those that thinning held out.

    Raises
    ------
    DataError
        When the table is not thinned.
    """
    heldout, size_factor = thinned(case)
    scores = _score(case, estimate, heldout, size_factor)
    findings = Findings(
        {
            "poisson": _over_entries(case, scores.poisson_by_cell),
            "mse_log_cp10k": _over_entries(case, scores.mse_by_cell),
        }
    )
    if estimate.keeps_seen:
        findings.notes.append(MERGED)
    if case.counts_kind == "reads":
        findings.notes.append(READS_ARE_COPIES)
    findings.by_gene["poisson"] = case.by_gene(scores.poisson_by_gene)
    return findings


def held_out_fraction(case: Case) -> float:
    """Return the share of molecules that thinning held out: as recorded, else as counted."""
    recorded = case.mask.get("fraction")
    if case.mask.get("mode") in ("thin", "halves") and isinstance(recorded, float):
        return recorded
    heldout, _ = thinned(case)
    taken, kept = heldout.sum(), kept_molecules(case).sum()
    return float(taken / (taken + kept))


def thinned(case: Case) -> tuple[csr_array, NDArray[np.float64]]:
    """Return the held-out molecules and the size factors.

    Raises
    ------
    DataError
        Where there are none.
    """
    if case.heldout_counts is None:
        raise DataError("needs held-out molecules; the file has none (scinfill mask --mode thin)")
    if case.size_factor is None:
        raise DataError("held-out molecules need obs['size_factor'] and layers['counts']; the file lacks them")
    if case.heldout_counts.sum() == 0:
        raise DataError("thinning held out no molecule")
    return case.heldout_counts, case.size_factor


def kept_molecules(case: Case) -> csr_array:
    """Return the molecules that thinning left to the imputer.

    Raises
    ------
    DataError
        The table holds no counts.
    """
    if case.observations.counts is None:
        raise DataError("held-out molecules need layers['counts']; the file lacks it")
    return case.observations.counts


def _score(case: Case, estimate: ScoredMatrix, heldout: csr_array, size_factor: NDArray[np.float64]) -> MoleculeScores:
    """Score held-out and expected molecules of the real genes: mu = (2^x̂ − 1)·s·f/(1 − f)."""
    fraction = held_out_fraction(case)
    odds = fraction / (1 - fraction)
    held = heldout[:, case.real_genes]

    def block(rows: slice) -> Block:
        values = estimate.rows(rows)[:, case.real_genes]
        return rows_view(held, rows), np.expm1(values * np.log(2)) * (size_factor[rows, None] * odds)

    return score_molecules(block, held.shape)


def _over_entries(case: Case, per_cell_means: NDArray[np.float64]) -> Score:
    n_genes = case.real_genes.size
    weight = np.full(case.n_cells, n_genes)
    return over_cells([per_cell_means * n_genes, weight], of="entries", n=case.n_cells * n_genes)


def open_problems(case: Case, estimate: ScoredMatrix) -> Findings:
    """Score as the Open Problems denoising task does, its exchanged Poisson loss included.

    Scaled numbers lie between its two controls, unclipped: 0 is what the training counts score as they are,
    1 what the test counts score.
    """
    heldout, size_factor = thinned(case)
    own = _score(case, estimate, heldout, size_factor)
    worst, best = _controls(case, heldout)
    loss, lowest, highest = own.swapped_by_cell, worst.poisson_swapped, best.poisson_swapped
    error, most, least = own.mse_by_cell, worst.mse_log_cp10k, best.mse_log_cp10k
    return Findings(
        {
            "openproblems_poisson_asis": _over_entries(case, loss),
            "openproblems_poisson_asis_scaled": _over_entries(case, (loss - lowest) / (highest - lowest)),
            "openproblems_mse_scaled": _over_entries(case, (error - most) / (least - most)),
        }
    )


def _controls(case: Case, heldout: csr_array) -> tuple[MoleculeScores, MoleculeScores]:
    """Score the training counts (brought to the depth of the test counts) and the test counts themselves."""
    kept, held = kept_molecules(case)[:, case.real_genes], heldout[:, case.real_genes]
    ratio = float(held.sum() / kept.sum())

    def score(prediction: csr_array, scale: float) -> MoleculeScores:
        def block(rows: slice) -> Block:
            return rows_view(held, rows), rows_view(prediction, rows).toarray() * scale

        return score_molecules(block, held.shape)

    return score(kept, ratio), score(held, 1.0)


def linear_scale(log_values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return counts over size factors from their logarithms; below zero becomes zero."""
    return np.maximum(np.expm1(log_values.astype(np.float64) * np.log(2)), 0)
