"""The two halves of the molecules: differences called on values made from one are looked up in the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from scinfill.errors import DataError
from scinfill.evaluation.case import Case
from scinfill.evaluation.estimates import ScoredMatrix, Values
from scinfill.evaluation.molecules import READS_ARE_COPIES, held_out_fraction, linear_scale, thinned
from scinfill.evaluation.numerics import halves
from scinfill.evaluation.numerics.clustering import principal_components
from scinfill.evaluation.numerics.halves import Claims
from scinfill.evaluation.numerics.intervals import Statistic, ratio_of_sums, root_ratio_of_sums
from scinfill.evaluation.scores import Findings, Score

FEWEST_CELLS = 50
"""Smaller labels have too few molecules in a half to judge anything by."""
MOST_PAIRS = 6
BEST = 50
"""Genes that a reader of a list of markers looks at."""
GROUP_SIZES = (20, 50, 100)
DRAWS = 10
"""Random groups of each size; their mean squared errors are averaged."""
SIZE_EDGES = (0.0, 0.1, 0.25, 0.5, 1.0, np.inf)
"""Classes of claimed differences, log2 units."""
COMPONENTS = 20
CELLS_A_CLUSTER = 200
MOST_CLUSTERS = 8
FRACTION_TOLERANCE = 0.02

CLUSTERED = (
    "without labels (scinfill evaluate --labels COLUMN) differences are asked for between clusters found in the "
    "untouched half"
)

Cells = NDArray[np.intp]


@dataclass(frozen=True)
class _Halves:
    """The cells that are looked at, the untouched half of their molecules, and the pairs of groups.

    Attributes
    ----------
    cells
        In the table.
    untouched
        Molecules, (n_chosen, n_real_genes).
    size_factor
        Size factors of each half, (n_chosen,).
    codes, names
        Group of every chosen cell, and how groups are called.
    pairs
        The most similar first.
    """

    cells: Cells
    untouched: NDArray[np.float64]
    size_factor: NDArray[np.float64]
    codes: NDArray[np.int64]
    names: Sequence[str]
    pairs: Sequence[tuple[int, int]]


_SPLITS: WeakKeyDictionary[Case, _Halves] = WeakKeyDictionary()
"""One a case, whose estimates are all asked of the same cells and pairs."""


def two_halves(case: Case, estimate: ScoredMatrix) -> Findings:
    """Ask the untouched half which of the differences that an estimate of the other half shows are there.

    For each pair of labels, the most similar first: genes called by a rank test (Benjamini-Hochberg 5 %), bounds of
    the share of false ones, how called differences hold by size, whether the best-ranked hold, and the error of fold
    changes for groups of several sizes. Resampling draws genes.

    Raises
    ------
    DataError
        When the molecules are not split in halves, or there are no two groups of enough cells.
    """
    split = _split_of(case)
    values = case.values(estimate, split.cells)
    claims = _claims(split, values)
    linear = linear_scale(values)
    errors = [_fold_change_errors(case, split, linear, pair) for pair in split.pairs]
    findings = Findings(_scores(claims, errors))
    findings.skipped = {
        f"fold_change_{size}": f"no pair has {size} cells on both sides"
        for size in GROUP_SIZES
        if f"fold_change_{size}" not in findings.scores
    }
    if not any(claim.called.any() for claim in claims):
        bounds = ("halves_false_at_least", "halves_false_at_most")
        findings.skipped |= dict.fromkeys(bounds, "no gene was called between any pair")
    rng = np.random.default_rng(case.settings.seed)
    findings.details["halves"] = {
        "groups": "clusters" if case.labels is None else "labels",
        "n_genes": int(case.real_genes.size),
        "pairs": [
            _described(split, pair, claim, error, rng)
            for pair, claim, error in zip(split.pairs, claims, errors, strict=True)
        ],
        "by_size": _by_size(claims),
        "fold_change_noise": _noise(split),
    }
    if case.labels is None:
        findings.notes.append(CLUSTERED)
    if case.counts_kind == "reads":
        findings.notes.append(READS_ARE_COPIES)
    opposite = _by_gene(claims, lambda claim: claim.opposite * claim.called)
    called = _by_gene(claims, lambda claim: claim.called)
    findings.by_gene["halves_called"] = case.by_gene(called)
    findings.by_gene["halves_opposite"] = case.by_gene(opposite)
    return findings


def _split_of(case: Case) -> _Halves:
    if case not in _SPLITS:
        _SPLITS[case] = _split(case)
    return _SPLITS[case]


def _split(case: Case) -> _Halves:
    if case.heldout_counts is None or abs(held_out_fraction(case) - 0.5) > FRACTION_TOLERANCE:
        raise DataError("needs two halves of the molecules; the file has not (scinfill mask --mode halves)")
    heldout, size_factor = thinned(case)
    cells = case.at_most(np.arange(case.n_cells)) if case.labels is None else case.sample
    untouched = heldout[cells].toarray()[:, case.real_genes].astype(np.float64)
    size_factor = size_factor[cells]
    log_values = np.log2(1 + untouched / size_factor[:, None])
    if case.labels is None:
        codes = _clusters(log_values, case.settings.seed)
        names: Sequence[str] = [f"cluster {code + 1}" for code in range(int(codes.max()) + 1)]
    else:
        codes, names = case.labels.codes[cells], case.labels.names
    pairs = halves.similar_pairs(log_values, codes, fewest_cells=FEWEST_CELLS, most=MOST_PAIRS)
    if not pairs:
        what = "clusters" if case.labels is None else "labels"
        raise DataError(f"the two halves are compared between {what} of {FEWEST_CELLS} cells or more; there are no two")
    return _Halves(cells, untouched, size_factor, codes, names, pairs)


def _clusters(log_values: NDArray[np.floating], seed: int) -> NDArray[np.int64]:
    """Cluster the cells on principal components: two to eight groups of some two hundred cells."""
    n_clusters = int(np.clip(log_values.shape[0] // CELLS_A_CLUSTER, 2, MOST_CLUSTERS))
    components = principal_components(log_values, COMPONENTS, seed=seed)
    with threadpool_limits(1):
        kmeans = KMeans(min(n_clusters, components.shape[0]), n_init=3, random_state=seed)
        return np.asarray(kmeans.fit_predict(components), dtype=np.int64)


def _claims(split: _Halves, values: Values) -> list[Claims]:
    expected = halves.log_moments(values, split.size_factor)
    other_half = np.log2(1 + split.untouched / split.size_factor[:, None])
    found = []
    for pair in split.pairs:
        cells = np.flatnonzero(np.isin(split.codes, pair))
        in_first = split.codes[cells] == pair[0]
        found.append(halves.ask_other_half(values[cells], expected.of(cells), other_half[cells], in_first))
    return found


def _members(split: _Halves, pair: tuple[int, int]) -> tuple[Cells, Cells]:
    first, second = (np.flatnonzero(split.codes == code) for code in pair)
    return first, second


def _fold_change_errors(
    case: Case, split: _Halves, linear: NDArray[np.float64], pair: tuple[int, int]
) -> dict[str, NDArray[np.float64]]:
    """Return squared errors of log2 fold changes by size of the groups, (n_genes,) each.

    The truth is what the untouched half says of all cells of both groups. Every estimate is asked of the same groups.
    """
    groups = _members(split, pair)
    truth = halves.log_fold_change(split.untouched / split.size_factor[:, None], *groups)
    errors = {"all": (halves.log_fold_change(linear, *groups) - truth) ** 2}
    for size in GROUP_SIZES:
        if size > min(group.size for group in groups):
            continue
        rng = np.random.default_rng([case.settings.seed, size, *pair])
        draws = [tuple(rng.choice(group, size, replace=False) for group in groups) for _ in range(DRAWS)]
        found = [halves.log_fold_change(linear, first, second) for first, second in draws]
        errors[str(size)] = ((np.array(found) - truth) ** 2).mean(axis=0)
    return errors


def _noise(split: _Halves) -> float:
    """Return what the error of perfect fold changes would be: the untouched half's own noise."""
    untouched = split.untouched
    variances = [halves.fold_change_noise(untouched, split.size_factor, _members(split, pair)) for pair in split.pairs]
    return float(np.sqrt(np.mean(variances)))


def _by_gene(claims: Sequence[Claims], column: Callable[[Claims], NDArray[Any]]) -> NDArray[np.float64]:
    """Add up one column over pairs, (n_genes,)."""
    return np.sum([column(claim) for claim in claims], axis=0, dtype=np.float64)


def _bound_units(claims: Sequence[Claims]) -> NDArray[np.float64]:
    """Return the columns of :func:`halves.false_at_most` and :func:`halves.false_at_least`."""
    return np.column_stack(
        [
            _by_gene(claims, lambda claim: claim.opposite * claim.called),
            _by_gene(claims, lambda claim: claim.called),
            _by_gene(claims, lambda claim: claim.by_noise * claim.called),
        ]
    )


def _scores(claims: Sequence[Claims], errors: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, Score]:
    bounds = _bound_units(claims)
    n_genes, n_called = bounds.shape[0], int(bounds[:, 1].sum())
    asked = np.full(n_genes, len(claims))
    scores = {"halves_called": Score(np.column_stack([bounds[:, 1], asked]), ratio_of_sums, "genes", n_genes)}
    if n_called:
        of = "called genes"
        scores["halves_false_at_least"] = Score(bounds, halves.false_at_least, of, n_called)
        scores["halves_false_at_most"] = Score(bounds, halves.false_at_most, of, n_called)
    scores["halves_best"] = _best(claims)
    for size in (*map(str, GROUP_SIZES), "all"):
        squared = [error[size] for error in errors if size in error]
        if squared:
            units = np.column_stack([np.sum(squared, axis=0), np.full(n_genes, len(squared))])
            scores[f"fold_change_{size}"] = Score(units, root_ratio_of_sums, "genes", n_genes)
    return scores


def _best(claims: Sequence[Claims]) -> Score:
    """Share of the best-ranked genes of every pair that have the same sign in the other half."""
    holding = np.concatenate([1 - claim.opposite[claim.best(BEST)] for claim in claims])
    units = np.column_stack([holding, np.ones(holding.size)])
    return Score(units, ratio_of_sums, "best-ranked genes", holding.size)


def _by_size(claims: Sequence[Claims]) -> list[dict[str, Any]]:
    """Return how many called genes keep their sign, by the size of the claimed difference."""
    size, called, opposite = (
        np.concatenate([getattr(claim, name) for claim in claims]) for name in ("size", "called", "opposite")
    )
    rows = []
    for low, high in pairwise(SIZE_EDGES):
        inside = called & (size >= low) & (size < high)
        rows.append(
            {
                "from": low,
                "to": None if np.isinf(high) else high,
                "called": int(inside.sum()),
                "hold": float(1 - opposite[inside].mean()) if inside.any() else None,
            }
        )
    return rows


def _described(
    split: _Halves,
    pair: tuple[int, int],
    claim: Claims,
    errors: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the row of one pair: counts and bounds with their intervals over genes."""
    first, second = _members(split, pair)
    bounds, n_called = _bound_units([claim]), int(claim.called.sum())
    row: dict[str, Any] = {
        "first": split.names[pair[0]],
        "second": split.names[pair[1]],
        "n_first": int(first.size),
        "n_second": int(second.size),
        "called": n_called,
        "best": _best([claim]).value,
        "by_size": _by_size([claim]),
        "fold_change": {size: float(np.sqrt(squared.mean())) for size, squared in errors.items()},
    }
    statistics: dict[str, Statistic] = {
        "false_at_least": halves.false_at_least,
        "false_at_most": halves.false_at_most,
    }
    for name, statistic in statistics.items():
        score = Score(bounds, statistic, "called genes", n_called)
        row[name] = score.to_json(rng) if n_called else None
    return row
