"""Local calibration: in groups of similar cells, expected counts follow the counts that were seen there.

A model with few factors may miss the mean of a whole group by more than the group's many counts allow, and then fold
changes between groups come out too small. In group k the expected counts of an open gene are multiplied by

    (C_k + α) / (Λ_k + α),

observed over expected totals of the group: the posterior mean of a factor on λ whose prior is Gamma(α, α), mean 1 and
variance 1/α (Clayton & Kaldor 1987, on disease mapping). Groups are nested; small ones start from what large ones made
of Λ. α is chosen for each gene and each size of groups by held-out molecules. As groups have borders and cells do not,
several groupings are averaged. A gene whose gate is shut is multiplied by nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.estimate.grouping import Codes, Grouping, assign_all, learn_groupings, sizes_for
from scinfill.models.estimate.shrinkage import best_for_genes
from scinfill.models.estimate.values import Floats, GatedModel, LocalFactors
from scinfill.models.observations import Observations
from scinfill.models.requirements import DOUBLE
from scinfill.numerics.blocks import FEWEST_ROWS, row_slices
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import rows_view

Doubles = NDArray[np.float64]

N_GROUPINGS = 2
"""Averaged: each starts its groups elsewhere. Held-out molecules gain a little from two, next to nothing from more."""
ALPHAS = np.array([np.inf, 1000, 300, 100, 30, 10, 3])
"""Molecules that the model's word counts for; infinity multiplies by 1."""
TABLES = 8
"""Of groups × genes at once, in double precision, for each grouping."""
TABLE_BYTES = 2**18
"""Of a table of groups × some genes, in single precision: several stay near the processor."""


@dataclass(frozen=True)
class Totals:
    """Molecules of the smallest groups of one grouping.

    Attributes
    ----------
    grouping
        Whose groups they are.
    group
        (n_cells,) the group of every cell.
    observed, expected
        (n_groups, n_genes) C_k and Λ_k.
    """

    grouping: Grouping
    group: Codes
    observed: Doubles
    expected: Doubles


@dataclass(frozen=True)
class Priors:
    """α of every gene at each size of groups, from large ones to small ones; infinity where the gate is shut."""

    alpha: tuple[Doubles, ...]

    @property
    def n_calibrated(self) -> int:
        """Number of genes that are changed."""
        return int(np.sum(np.any([np.isfinite(alpha) for alpha in self.alpha], axis=0)))


def memory_for(data: Observations) -> int:
    """Return the bytes of the tables of groups × genes."""
    n_groups = max(sizes_for(data.shape[0]), default=0)
    return N_GROUPINGS * TABLES * n_groups * data.shape[1] * DOUBLE


def choose_priors(
    tests: Sequence[tuple[Sequence[Totals], csr_array]], slope: Floats, mean_expression: Doubles
) -> Priors:
    """Choose α for each open gene, one size of groups after the other, by molecules that the fits did not see.

    Parameters
    ----------
    tests
        For each fit the totals of its groupings, and the (n_cells, n_genes) molecules that were held out from it.
    slope
        (n_genes,) the gate.
    mean_expression
        (n_genes,), by which genes lend each other strength.
    """
    parts = [
        (totals, _of_groups(taken, totals.group, len(totals.expected)), np.ones_like(totals.expected))
        for several, taken in tests
        for totals in several
    ]
    n_sizes = max((len(totals.grouping.scales) for totals, _, _ in parts), default=0)
    is_open = np.flatnonzero(slope)
    molecules = sum((held_out.sum(axis=0) for _, held_out, _ in parts), np.zeros(len(slope)))
    chosen = []
    for number in range(n_sizes):
        likelihood = np.zeros((len(ALPHAS), len(slope)))
        for totals, held_out, factors in parts:
            likelihood += _loglikelihoods(
                *_at_size(totals, number, totals.observed, totals.expected * factors, held_out)
            )
        best = best_for_genes(likelihood[:, is_open], molecules[is_open], mean_expression[is_open])
        alpha = np.full(len(slope), np.inf)
        alpha[is_open] = ALPHAS[best]
        chosen.append(alpha)
        for totals, _, factors in parts:
            np.multiply(factors, _next_factors(totals, number, factors, alpha), out=factors)
    return Priors(tuple(chosen))


def _loglikelihoods(observed: Doubles, expected: Doubles, truth: Doubles) -> Doubles:
    """Return what held-out molecules ``truth`` (n_groups, n_genes) say of each α, up to a constant a gene.

    Genes are looked at side by side, and few enough at a time that their tables stay near the processor.
    """
    likelihood = np.empty((len(ALPHAS), observed.shape[1]))

    def of_genes(genes: slice) -> None:
        for row, alpha in enumerate(ALPHAS):
            some = np.full(genes.stop - genes.start, alpha)
            factor = group_factors(observed[:, genes], expected[:, genes], some)
            likelihood[row, genes] = np.sum(truth[:, genes] * np.log(np.maximum(factor, 1e-12)), axis=0)

    for _ in map_in_order(of_genes, row_slices(observed.shape[1], len(observed), block_bytes=TABLE_BYTES)):
        pass
    return likelihood


def group_factors(observed: Doubles, expected: Doubles, alpha: Doubles) -> Doubles:
    """Return (C + α)/(Λ + α), (n_groups, n_genes), scaled so that no gene's total over all groups changes.

    Parameters
    ----------
    observed, expected
        (n_groups, n_genes) C and Λ.
    alpha
        (n_genes,); infinity gives exactly 1.
    """
    factors = np.ones_like(expected)
    finite = np.isfinite(alpha)
    modelled = expected[:, finite]
    ratio = (observed[:, finite] + alpha[finite]) / (modelled + alpha[finite])
    before, after = modelled.sum(axis=0), np.sum(ratio * modelled, axis=0)
    factors[:, finite] = ratio * np.where(after > 0, before / np.maximum(after, 1e-300), 1)
    return factors


def local_factors(several: Sequence[Totals], priors: Priors) -> LocalFactors | None:
    """Return what every cell's rates are multiplied by; None where that is nothing."""
    if not several or priors.n_calibrated == 0:
        return None
    tables, groups, first = [], [], 0
    for totals in several:
        factors = np.ones_like(totals.expected)
        for number, alpha in enumerate(priors.alpha[: len(totals.grouping.scales)]):
            factors *= _next_factors(totals, number, factors, alpha)
        tables.append(factors.astype(np.float32))
        groups.append(totals.group + np.int16(first))
        first += len(factors)
    groupings = tuple(totals.grouping for totals in several)
    return LocalFactors(np.column_stack(groups), np.concatenate(tables), groupings)


def calibrate(model: GatedModel, several: Sequence[Totals], priors: Priors) -> GatedModel:
    """Return the model with its rates multiplied, group by group."""
    return replace(model, local=local_factors(several, priors))


def totals_of_groups(model: GatedModel, data: Observations, slope: Floats, *, rng: np.random.Generator) -> list[Totals]:
    """Learn N_GROUPINGS groupings and add up their molecules; none where there is nothing to group.

    One pass over blocks of cells adds up what was seen and what the model expects in the smallest groups of all.
    """
    groupings = learn_groupings(model.prediction, slope, N_GROUPINGS, rng=rng)
    counts, size_factor = data.molecules()
    n_cells, n_genes = data.shape
    several = [
        Totals(grouping, np.empty(n_cells, np.int16), *np.zeros((2, len(grouping.centres), n_genes)))
        for grouping in groupings
    ]

    def part(rows: slice) -> list[tuple[Codes, NDArray[np.intp], Floats, Floats]]:
        expected = model.rate(rows) * size_factor[rows, None].astype(np.float32)
        sums = []
        for group in assign_all(groupings, model.prediction, rows):
            present, position = np.unique(group, return_inverse=True)
            members = _members(position, len(present)).astype(np.float32)
            seen = (members @ rows_view(counts, rows)).toarray()
            sums.append((group, present.astype(np.intp), seen, members @ expected))
        return sums

    slices = row_slices(n_cells, n_genes, fewest_rows=FEWEST_ROWS) if groupings else []
    for rows, sums in zip(slices, map_in_order(part, slices), strict=True):
        for totals, (assigned, present, seen, expected) in zip(several, sums, strict=True):
            totals.group[rows] = assigned
            for group, row_seen, row_expected in zip(present, seen, expected, strict=True):
                totals.observed[group] += row_seen
                totals.expected[group] += row_expected
    return several


def _next_factors(totals: Totals, number: int, factors: Doubles, alpha: Doubles) -> Doubles:
    """Return the factors that groups of one size add to those of larger ones, for every smallest group."""
    observed, expected = _at_size(totals, number, totals.observed, totals.expected * factors)
    return group_factors(observed, expected, alpha)[totals.grouping.scales[number]]


def _at_size(totals: Totals, number: int, *values: Doubles) -> list[Doubles]:
    """Add up what the smallest groups have to groups of another size."""
    members = _members(totals.grouping.scales[number])
    return [members @ value for value in values]


def _of_groups(taken: csr_array, group: Codes, n_groups: int) -> Doubles:
    """Return the molecules of every group, (n_groups, n_genes)."""
    return np.asarray((_members(group, n_groups) @ taken).toarray(), np.float64)


def _members(group: NDArray[np.integer], n_groups: int | None = None) -> csr_array:
    """Return ones where a column belongs to a row's group, (n_groups, len(group))."""
    size = (int(group.max()) + 1 if n_groups is None else n_groups, len(group))
    return csr_array((np.ones(len(group)), (group.astype(np.intp), np.arange(len(group)))), size)
