"""Test differences that were claimed on one half of the molecules against the other half.

Every molecule of every cell falls into one of two halves at random. Where counts are Poisson around a cell's mean the
halves are independent given the means, so a difference that is there keeps its sign in the other half as far as that
half's noise allows, and one that is not has either sign with equal chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from scinfill.evaluation.numerics.differential import benjamini_hochberg, rank_sum_z, two_sided_p
from scinfill.evaluation.numerics.intervals import Units, Weights, ratio, ratio_of_sums
from scinfill.numerics.blocks import walk

FALSE_DISCOVERY_RATE = 0.05
PSEUDOCOUNT = 0.02
"""Added to the means of a group before their ratio, in counts of a cell of median size: keeps log ratios finite."""
EXACT_UP_TO = (0.0, 1.0, 20.0)
"""Expected molecules: moments of a logarithm are summed term by term up to the last, few terms up to the first but
one; above it they are taken from the Taylor series."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Claims:
    """Differences between two groups that a rank test calls on one half, and what the other half says, by gene.

    Attributes
    ----------
    called
        Whether the test calls the gene, Benjamini-Hochberg 5 %, (n_genes,).
    evidence
        ``|z|`` of the rank test, (n_genes,).
    size
        Claimed difference of the group means, log2 units, not negative, (n_genes,).
    opposite
        1 where the other half has the opposite sign, 0 where it has the same, ½ where it has none, (n_genes,).
    by_noise
        Chance of the opposite sign by the other half's own noise, were the claimed values right, (n_genes,).
    """

    called: NDArray[np.bool_]
    evidence: NDArray[np.float64]
    size: NDArray[np.float64]
    opposite: NDArray[np.float64]
    by_noise: NDArray[np.float64]

    def best(self, n: int) -> NDArray[np.bool_]:
        """Mark the ``n`` genes with the strongest evidence, (n_genes,); of equals the first."""
        first = np.zeros(self.called.size, dtype=bool)
        first[np.argsort(-self.evidence, kind="stable")[:n]] = True
        return first


@dataclass(frozen=True)
class Moments:
    """Mean and variance of log2(1 + Y/s) of a half whose molecules Y are Poisson around some values.

    Both are (n_cells, n_genes).
    """

    mean: Floats
    variance: Floats

    def of(self, cells: NDArray[np.intp] | NDArray[np.bool_]) -> "Moments":
        """Return those of some cells."""
        return Moments(self.mean[cells], self.variance[cells])


def ask_other_half(values: Floats, expected: Moments, other_half: Floats, in_first: NDArray[np.bool_]) -> Claims:
    """Test values made from one half for differences between two groups, and look each up in the other half.

    Differences are those of the means of log2 values: the scale on which the test ranks cells.

    Parameters
    ----------
    values
        Estimate from the visible half, log2(1 + counts / size factor), (n_cells, n_genes).
    expected
        What the other half would show, were these values right: :func:`log_moments`.
    other_half
        Its log2(1 + counts / size factor), (n_cells, n_genes).
    in_first
        Membership in the first group; all other cells are the second, (n_cells,).
    """
    z = rank_sum_z(values, in_first)
    claimed, found = _difference(values, in_first), _difference(other_half, in_first)
    spread = np.sqrt(
        sum(
            expected.variance[group].sum(axis=0, dtype=np.float64) / group.sum() ** 2 for group in (in_first, ~in_first)
        )
    )
    shown = np.sign(claimed) * _difference(expected.mean, in_first)
    return Claims(
        called=benjamini_hochberg(two_sided_p(z)) <= FALSE_DISCOVERY_RATE,
        evidence=np.abs(z),
        size=np.abs(claimed),
        opposite=(1 - np.sign(claimed) * np.sign(found)) / 2,
        by_noise=np.asarray(norm.cdf(-shown / np.where(spread > 0, spread, np.inf))),
    )


def _difference(log_values: Floats, in_first: NDArray[np.bool_]) -> NDArray[np.float64]:
    first = log_values[in_first].mean(axis=0, dtype=np.float64)
    return np.asarray(first - log_values[~in_first].mean(axis=0, dtype=np.float64))


def log_moments(values: Floats, size_factor: Floats) -> Moments:
    """Return the moments of log2(1 + Y/s) where Y is Poisson with the mean (2^value - 1)·s.

    Sums over Y where few molecules are expected, the second-order Taylor series where many are.

    Parameters
    ----------
    values
        log2(1 + counts / size factor), (n_cells, n_genes).
    size_factor
        s, (n_cells,).
    """
    rates = np.maximum(np.expm1(values * np.float32(np.log(2))), 0)
    mean, variance = np.zeros(values.shape, np.float32), np.zeros(values.shape, np.float32)
    for rows in walk(*values.shape):
        s = np.broadcast_to(size_factor[rows, None], rates[rows].shape)
        molecules = rates[rows] * s
        for low, high in pairwise(EXACT_UP_TO):
            inside = (molecules > low) & (molecules <= high)
            mean[rows][inside], variance[rows][inside] = _summed(molecules[inside], s[inside])
        many = molecules > EXACT_UP_TO[-1]
        mean[rows][many], variance[rows][many] = _series(molecules[many], s[many])
    return Moments(mean, variance)


def _summed(molecules: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Add up the moments over all Y that are not hopelessly improbable, (n,) each."""
    largest = float(molecules.max(initial=0))
    chance, mean, square = np.exp(-molecules), np.zeros_like(molecules), np.zeros_like(molecules)
    for y in range(1, int(largest + 8 * np.sqrt(largest) + 2)):
        chance = chance * molecules / y
        value = np.log2(1 + y / s)
        mean += chance * value
        square += chance * value**2
    return mean, np.maximum(square - mean**2, 0)


def _series(molecules: Floats, s: Floats) -> tuple[Floats, Floats]:
    """Expand f = log2(1 + y/s) at the mean: f' = 1/((s + y)·ln 2), f'' = -f'/(s + y)."""
    slope = 1 / ((s + molecules) * np.log(2))
    return np.log2(1 + molecules / s) - slope / (s + molecules) * molecules / 2, slope**2 * molecules


def false_at_most(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return an upper bound of the share of false ones among called genes: twice those of opposite sign.

    A gene that does not differ has the opposite sign with chance ½; a true difference that is too small to be seen in
    the other half counts like half a false one. The first two columns are, by gene, how many times it was called with
    the opposite sign, and how many times it was called. Where none was called, all may be false.
    """
    return np.fmin(1.0, 2 * ratio_of_sums(units, weights))


def false_at_least(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return a lower bound of the share of false ones among called genes: opposite signs that noise does not explain.

    Let o be the share of opposite signs and p_g the chance of one at gene g by noise, were its claimed values right.
    True genes add p_g each, false ones ½, so o·n expects Σ_g p_g + Σ_false (½ − p_g) ≤ Σ_g p_g + n_false/2,
    and n_false/n ≥ 2·(o − mean p). Never below zero or above :func:`false_at_most`. The third column holds Σ p_g.
    Where none was called, none need be false.
    """
    opposite, called, by_noise = (weights @ column for column in units.T)
    excess = 2 * ratio(opposite - by_noise, called)
    return np.fmax(0.0, np.minimum(excess, false_at_most(units, weights)))


def log_fold_change(linear: Floats, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return log2 of the ratio of two groups' mean counts, each with the pseudocount added, (n_genes,).

    Parameters
    ----------
    linear
        Counts over size factors, (n_cells, n_genes).
    first, second
        Cells of the groups.
    """
    numerator, denominator = (linear[group].mean(axis=0, dtype=np.float64) + PSEUDOCOUNT for group in (first, second))
    return np.asarray(np.log2(numerator / denominator))


def fold_change_noise(untouched: Floats, size_factor: Floats, groups: Sequence[NDArray[np.intp]]) -> Floats:
    """Return the variance by molecular noise of the log2 fold changes of a half, (n_genes,): the delta method."""
    total = np.zeros(untouched.shape[1])
    for cells in groups:
        s = size_factor[cells, None]
        mean = (untouched[cells] / s).mean(axis=0) + PSEUDOCOUNT
        # A Poisson count is its own variance.
        total += (untouched[cells] / s**2).sum(axis=0) / cells.size**2 / (mean * np.log(2)) ** 2
    return total


def similar_pairs(
    log_values: Floats, codes: NDArray[np.integer], *, fewest_cells: int, most: int
) -> list[tuple[int, int]]:
    """Return pairs of groups, those of the closest mean profiles first.

    Parameters
    ----------
    log_values
        What similarity is judged on, (n_cells, n_genes).
    codes
        Group of every cell; negative is none.
    fewest_cells
        Smaller groups are left out.
    most
        So many pairs at most.
    """
    groups, sizes = np.unique(codes[codes >= 0], return_counts=True)
    large = [int(group) for group in groups[sizes >= fewest_cells]]
    profiles = {group: log_values[codes == group].mean(axis=0, dtype=np.float64) for group in large}
    distances = {pair: float(np.linalg.norm(profiles[pair[0]] - profiles[pair[1]])) for pair in combinations(large, 2)}
    return sorted(distances, key=lambda pair: distances[pair])[:most]
