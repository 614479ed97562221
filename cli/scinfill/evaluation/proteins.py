"""Surface proteins (CITE-seq), which never saw the RNA: whether an estimate comes nearer to what they say of cells."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.evaluation.case import UNLABELLED, Case
from scinfill.evaluation.estimates import ScoredMatrix
from scinfill.evaluation.numerics import association
from scinfill.evaluation.numerics.association import Block, centred_log_ratio
from scinfill.evaluation.numerics.clustering import principal_components
from scinfill.evaluation.protein_counts import Proteins
from scinfill.evaluation.protein_genes import name_some
from scinfill.evaluation.scores import Findings, per_unit
from scinfill.evaluation.structure import CLUSTERED_COMPONENTS
from scinfill.numerics.blocks import walk

FEWEST_CELLS = 200
"""Correlations within smaller labels are too noisy."""
FEWEST_EXPLAINED = 50
"""Cells below which no regression on components is tried."""


def compare_with_genes(case: Case, estimate: ScoredMatrix) -> Findings:
    """Correlate each protein with the estimate of the gene it is made from, over all cells and within labels.

    Proteins are centred log ratios, log(1 + count) minus its mean over the proteins of the cell; genes are on the
    log2 scale of ``X``; correlations are Pearson's. That within labels is the mean over labels of 200 cells or more,
    weighted by their cells, of which the difference between cell types is no part. A gene without any variation has
    the correlation 0. Scores are means over proteins, which are what resampling draws.

    Raises
    ------
    DataError
        Without proteins, or where none has its gene in the table.
    """
    proteins = _proteins(case)
    paired = np.flatnonzero(proteins.genes >= 0)
    names = [proteins.names[place] for place in paired]
    if not paired.size:
        raise DataError(
            f"no protein ({name_some(proteins.names)}) has the name of a gene in the table "
            f"({name_some([str(gene) for gene in case.gene_names], 3)}); name genes with "
            f"`scinfill evaluate --protein-genes protein=gene,...`, or keep more in `scinfill preprocess --n-genes all`"
        )
    groups, n_groups = _groups(case)
    found = association.correlate(_blocks(case, estimate, paired, groups), n_groups)
    findings = Findings({"protein_correlation": per_unit(found.overall, of="proteins")})
    labels = _large_labels(case, found.n_cells)
    within = None
    if labels.size:
        within = found.within(labels)
        findings.scores["protein_correlation_within"] = per_unit(within, of="proteins")
    else:
        findings.skipped["protein_correlation_within"] = _why_not_within(case)
    findings.details["protein_genes"] = {
        "n_cells": int(proteins.cells.size),
        "labels": [
            {"label": case.require_labels().names[code], "n_cells": int(found.n_cells[code])} for code in labels
        ],
        "proteins": [
            {
                "protein": name,
                "gene": str(case.gene_names[proteins.genes[place]]),
                "correlation": float(found.overall[position]),
                "within": None if within is None else float(within[position]),
            }
            for position, (place, name) in enumerate(zip(paired, names, strict=True))
        ],
    }
    if paired.size < len(proteins.names):
        without = [name for name, gene in zip(proteins.names, proteins.genes, strict=True) if gene < 0]
        findings.notes.append(
            f"{len(without)} of {len(proteins.names)} proteins have no gene by name in this table: {name_some(without)}"
        )
    findings.by_gene["protein_correlation"] = _mean_by_gene(case, proteins.genes[paired], found.overall)
    return findings


def explain_by_components(case: Case, estimate: ScoredMatrix) -> Findings:
    """Explain every protein by the leading principal components of an estimate, and by the labels behind them alone.

    R² of the centred log ratio from 20 components by ridge regression, each cell predicted from the other folds. The
    control gives every cell the components of another cell of its label: what is left is what labels explain, and the
    distance between the two what an estimate knows of differences within them.

    Raises
    ------
    DataError
        Without proteins, or with too few cells that have any.
    """
    proteins = _proteins(case)
    codes = None if case.labels is None else case.labels.codes
    cells = proteins.cells if codes is None else proteins.cells[codes[proteins.cells] != UNLABELLED]
    cells = case.at_most(cells)
    if cells.size < FEWEST_EXPLAINED:
        raise DataError(f"components explain proteins of {FEWEST_EXPLAINED} cells or more; {cells.size} have both")
    components = principal_components(case.values(estimate, cells), CLUSTERED_COMPONENTS, seed=case.settings.seed)
    targets = centred_log_ratio(proteins.counts[cells])
    varying = np.flatnonzero(np.ptp(targets, axis=0) > 0)
    targets = targets[:, varying]
    explained = association.explain(components, targets, seed=case.settings.seed)
    findings = Findings({"protein_r2": per_unit(explained, of="proteins")})
    by_labels = None
    if codes is None:
        findings.skipped["protein_r2_labels"] = "needs labels; none were named (scinfill evaluate --labels COLUMN)"
    else:
        order = association.permute_within(codes[cells], np.random.default_rng(case.settings.seed))
        by_labels = association.explain(components[order], targets, seed=case.settings.seed)
        findings.scores["protein_r2_labels"] = per_unit(by_labels, of="proteins")
    findings.details["protein_r2"] = {
        "n_cells": int(cells.size),
        "n_components": int(components.shape[1]),
        "proteins": [
            {
                "protein": proteins.names[place],
                "r2": float(explained[position]),
                "r2_labels": None if by_labels is None else float(by_labels[position]),
            }
            for position, place in enumerate(varying)
        ],
    }
    return findings


def _proteins(case: Case) -> Proteins:
    if case.proteins is None:
        raise DataError("needs proteins; none were named (scinfill evaluate --proteins KEY)")
    return case.proteins


def _groups(case: Case) -> tuple[NDArray[np.int64], int]:
    """Return the group of every cell: its label, and one more for all without any."""
    if case.labels is None:
        return np.zeros(case.n_cells, dtype=np.int64), 1
    n_labels = len(case.labels.names)
    codes = case.labels.codes
    return np.where(codes == UNLABELLED, n_labels, codes), n_labels + 1


def _large_labels(case: Case, n_cells: NDArray[np.int64]) -> NDArray[np.intp]:
    if case.labels is None:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(n_cells[: len(case.labels.names)] >= FEWEST_CELLS)


def _why_not_within(case: Case) -> str:
    if case.labels is None:
        return "needs labels; none were named (scinfill evaluate --labels COLUMN)"
    return f"no label has {FEWEST_CELLS} cells with proteins"


def _blocks(case: Case, estimate: ScoredMatrix, paired: NDArray[np.intp], groups: NDArray[np.int64]) -> Iterator[Block]:
    """Yield estimates of the genes, their proteins and the groups of the cells that have proteins."""
    proteins = _proteins(case)
    genes = proteins.genes[paired]
    for rows in walk(*estimate.shape):
        first, last = np.searchsorted(proteins.cells, [rows.start, rows.stop])
        cells = proteins.cells[first:last]
        if cells.size:
            values = estimate.rows(rows)[cells - rows.start][:, genes]
            yield values, centred_log_ratio(proteins.counts[cells])[:, paired], groups[cells]


def _mean_by_gene(case: Case, genes: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread values of proteins over genes, the mean where several are made from one, NaN elsewhere."""
    n_genes = case.null_genes.size
    n_proteins = np.bincount(genes, minlength=n_genes)
    sums = np.bincount(genes, weights=values, minlength=n_genes)
    return np.divide(sums, n_proteins, out=np.full(n_genes, np.nan), where=n_proteins > 0)
