"""Some genes, looked at cell by cell and label by label, before and after imputation."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scinfill.errors import DataError, InputError
from scinfill.evaluation.case import UNLABELLED, Case
from scinfill.evaluation.estimates import RAW, ScoredMatrix
from scinfill.evaluation.numerics.clustering import principal_components
from scinfill.evaluation.numerics.intervals import LEVEL
from scinfill.evaluation.scores import Findings, rounded
from scinfill.methods.grouping import FEWEST_CELLS, Groups
from scinfill.numerics import ranks
from scinfill.numerics.group_means import fold_change, group_sums

MARKERS = "markers"
"""Instead of names: MARKERS_A_LABEL of each label, by the counts."""
MARKERS_A_LABEL = 3
MOST_GENES = 30
"""Each is a figure of its own."""
SIGNIFICANT = 0.05
PLOTTED_CELLS = 600
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NO_MEANS = (
    "no intervals of fold changes of the genes shown: the layer holds no means (estimate 'detected', or with seen "
    "values put back)"
)

_CHOSEN: WeakKeyDictionary[Case, list[dict[str, Any]]] = WeakKeyDictionary()


def choose_genes(case: Case) -> list[dict[str, Any]]:
    """Return position, name and, of a marker, label of every gene to show, in order; chosen once a case.

    Raises
    ------
    InputError
        A gene that is not there, too many of them, or markers without labels.
    DataError
        Markers of a table without counts or without two labels.
    """
    if case not in _CHOSEN:
        wanted = case.settings.show_genes or ()
        _CHOSEN[case] = _markers(case) if wanted == (MARKERS,) and MARKERS not in case.gene_names else _named(case)
    return _CHOSEN[case]


def _named(case: Case) -> list[dict[str, Any]]:
    wanted = list(dict.fromkeys(case.settings.show_genes or ()))
    if len(wanted) > MOST_GENES:
        raise InputError(
            f"`show_genes` names {len(wanted)} genes; {MOST_GENES} at most have room on a page: name fewer, or "
            f"evaluate in several calls"
        )
    for name in wanted:
        if name not in case.gene_names:
            raise InputError(_unknown(name, list(map(str, case.gene_names))))
    return [{"position": int(case.gene_names.get_loc(name)), "gene": name, "marks": None} for name in wanted]


def _unknown(name: str, genes: Sequence[str]) -> str:
    """Say that there is no such gene, and which names come closest, whatever the case of their letters."""
    folded = {gene.casefold(): gene for gene in reversed(genes)}
    closest = [folded[found] for found in get_close_matches(name.casefold(), list(folded), n=3)]
    near = f"; the closest names: {', '.join(closest)}" if closest else f"; names look like {', '.join(genes[:3])}"
    return (
        f"`show_genes={name!r}`: there is no such gene among the {len(genes):,} of the table{near}. "
        f"`scinfill preprocess --n-genes all` keeps every gene"
    )


def _markers(case: Case) -> list[dict[str, Any]]:
    """Choose the genes that tell each label from all other cells best, by ranks of the counts; large labels first."""
    if case.labels is None:
        raise InputError("`show_genes='markers'` needs labels; name their column with `labels`, or name genes")
    counts = case.observations.counts
    if counts is None or case.size_factor is None:
        raise DataError("markers are chosen by the counts, and there is no layers['counts']; name genes instead")
    groups = Groups(case.labels.names, case.labels.codes)
    sizes = groups.sizes
    n_labelled = int(sizes.sum())
    large = [
        int(code)
        for code in np.argsort(-sizes, kind="stable")
        if FEWEST_CELLS <= sizes[code] <= n_labelled - FEWEST_CELLS
    ]
    if not large:
        raise DataError(
            f"`show_genes='markers'`: no label can be compared with the others; both sides need {FEWEST_CELLS} cells"
        )
    cells = np.flatnonzero(groups.codes != UNLABELLED)
    z = ranks.rank_sum_z(
        counts, case.size_factor, [ranks.Comparison(cells, groups.codes[cells] == code) for code in large]
    )
    chosen: list[dict[str, Any]] = []
    for code, statistic in zip(large, z, strict=True):
        own = statistic[case.real_genes]
        p_adjusted = stats.false_discovery_control(2 * stats.norm.sf(np.abs(own)))
        marking = (own > 0) & (p_adjusted <= SIGNIFICANT)
        best = [int(case.real_genes[gene]) for gene in np.argsort(-own, kind="stable") if marking[gene]]
        taken = {record["position"] for record in chosen}
        new = [gene for gene in best if gene not in taken][:MARKERS_A_LABEL]
        chosen += [{"position": gene, "gene": str(case.gene_names[gene]), "marks": groups.names[code]} for gene in new]
    return chosen[:MOST_GENES]


def look_at_genes(case: Case, estimate: ScoredMatrix) -> Findings:
    """Record some genes of an input, or of the raw data: on two components, by label, and the label's fold change.

    Fold changes of a label's mean over all other labelled cells have the interval of ``scinfill markers``, which
    reckons with the model's error for a group.
    """
    findings = Findings()
    if estimate.kind == "baseline" and estimate.series != RAW:
        return findings
    chosen = choose_genes(case)
    positions = np.array([record["position"] for record in chosen], dtype=np.intp)
    cells = case.sample if case.labels is not None else case.at_most(np.arange(case.n_cells))
    values = estimate.rows(cells)
    components = principal_components(values[:, case.real_genes], 2, seed=case.settings.seed)
    shown = np.sort(np.random.default_rng(case.settings.seed).permutation(cells.size)[:PLOTTED_CELLS])
    changes = _fold_changes(case, estimate)
    if changes is None and case.labels is not None and not _holds_means(estimate):
        findings.notes.append(NO_MEANS)
    findings.details["genes"] = {
        "n_cells": int(cells.size),
        "first": rounded(components[shown, 0], 3),
        "second": rounded(components[shown, -1], 3),
        "genes": [
            {
                "gene": record["gene"],
                "marks": record["marks"],
                "values": rounded(values[shown, position], 3),
                "by_label": _by_label(case, cells, values[:, position], position, changes),
            }
            for record, position in zip(chosen, positions, strict=True)
        ],
    }
    return findings


def _by_label(
    case: Case,
    cells: NDArray[np.intp],
    values: NDArray[np.float32],
    position: int,
    changes: dict[int, NDArray[np.float64]] | None,
) -> list[dict[str, Any]]:
    if case.labels is None:
        return [_distribution("all cells", values)]
    codes = case.labels.codes[cells]
    records = []
    for code in np.unique(codes):
        record = _distribution(case.labels.names[code], values[codes == code])
        if changes is not None and code in changes:
            log2fc, low, high = changes[code][:, position]
            record |= {"log2fc": round(float(log2fc), 4), "interval": rounded([low, high], 4)}
        records.append(record)
    return records


def _distribution(label: str, values: NDArray[np.float32]) -> dict[str, Any]:
    return {"label": label, "n": int(values.size), "quantiles": rounded(np.quantile(values, QUANTILES), 4)}


def _holds_means(estimate: ScoredMatrix) -> bool:
    return estimate.question != "detected" and not estimate.keeps_seen


def _fold_changes(case: Case, estimate: ScoredMatrix) -> dict[int, NDArray[np.float64]] | None:
    """Return for each label (3, n_genes): log2 fold change over all other cells and the ends of its 95 % interval."""
    counts = case.observations.counts
    if case.labels is None or counts is None or case.size_factor is None or not _holds_means(estimate):
        return None
    groups = Groups(case.labels.names, case.labels.codes)
    block = None if estimate.series == RAW and estimate.kind == "baseline" else estimate.rows
    sums = group_sums(counts, case.size_factor, groups.members(), block)
    numbers, sizes = np.arange(len(groups.names)), groups.sizes
    quantile = stats.norm.ppf((1 + LEVEL) / 2)
    changes = {}
    for code in numbers:
        if FEWEST_CELLS <= sizes[code] <= sizes.sum() - FEWEST_CELLS:
            found = fold_change(sums.side(numbers == code), sums.side(numbers != code), case.real_genes)
            half_width = quantile * np.sqrt(found.variance + found.disagreement)
            changes[int(code)] = np.stack([found.log2fc, found.log2fc - half_width, found.log2fc + half_width])
    return changes
