"""Are the intervals as wide as they claim? The predictive distribution of held-out molecules, and its test.

The posterior of a cell's expected count is ``Gamma(shape a + C, rate (a + λ)/λ)`` with ``a = m·(1 − w)/w``:
λ the model's count, C the count that was seen, w the gene's weight of what was seen, m the gene's mean of λ/s
(s the size factor). Thinning that held out a share f makes a held-out count negative binomial given the kept one:
``NB(shape a + C, p = rate / (rate + f/(1 − f)))``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, nbinom, poisson

LEVELS = (0.5, 0.9, 0.99)
LEAST_RATE = 1e-12
LEAST_WEIGHT = 1e-9
"""A smaller weight makes the gamma so narrow that the mixture is a Poisson to any precision."""

Floats = NDArray[np.floating]


def model_rate(shrunk: Floats, counts: Floats, size_factors: Floats, weights: Floats) -> NDArray[np.float64]:
    """Recover the model's λ/s from the shrunk mean ``x̂ = (1 − w)·λ/s + w·C/s``.

    Parameters
    ----------
    shrunk
        x̂, linear scale, (n_cells, n_genes).
    counts
        C, the molecules that were seen, (n_cells, n_genes).
    size_factors
        s, (n_cells,).
    weights
        w, (n_genes,). Where w is 1 nothing of the model is left; x̂ itself is returned, and its shape
        parameter ``a = 0`` makes the predictive distribution ignore it.
    """
    kept = np.where(weights < 1, 1 - weights, 1)
    rate = (shrunk - np.where(weights < 1, weights, 0) * counts / size_factors[:, None]) / kept
    return np.maximum(rate, LEAST_RATE)


@dataclass(frozen=True)
class Predictive:
    """Distribution of held-out molecules of some cells: negative binomial, or Poisson where the shape is infinite.

    Attributes
    ----------
    shape
        a + C, (n_cells, n_genes); infinite for w = 0, zero for a point mass at 0.
    probability
        p of the negative binomial, (n_cells, n_genes).
    mean
        Expected molecules, (n_cells, n_genes).
    """

    shape: NDArray[np.float64]
    probability: NDArray[np.float64]
    mean: NDArray[np.float64]

    def cdf(self, molecules: Floats) -> NDArray[np.float64]:
        """Return ``P(held-out ≤ molecules)``; below zero it is 0."""
        molecules = np.broadcast_to(molecules, self.shape.shape)
        mixed = np.isfinite(self.shape) & (self.shape > 0)
        out = np.where(molecules >= 0, 1.0, 0.0)
        out[mixed] = nbinom.cdf(molecules[mixed], self.shape[mixed], self.probability[mixed])
        certain = np.isinf(self.shape)
        out[certain] = poisson.cdf(molecules[certain], self.mean[certain])
        return out


def predictive(
    rate: Floats, counts: Floats, size_factors: Floats, weights: Floats, mean_rate: Floats, *, fraction: float
) -> Predictive:
    """Distribution of molecules that thinning held out, given the ones it kept.

    Parameters
    ----------
    rate
        λ/s, (n_cells, n_genes); see :func:`model_rate`.
    counts
        Kept molecules C, (n_cells, n_genes).
    size_factors
        s, (n_cells,).
    weights
        w, (n_genes,).
    mean_rate
        m, the gene's mean of λ/s over *all* cells, (n_genes,).
    fraction
        f, the share of molecules held out.
    """
    odds = fraction / (1 - fraction)
    expected = rate * size_factors[:, None]
    mixed = weights > LEAST_WEIGHT
    prior_shape = np.where(mixed, mean_rate * (1 - weights) / np.where(mixed, weights, 1), np.inf).astype(np.float64)
    shape = prior_shape + counts.astype(np.float64)
    finite_prior = np.where(np.isfinite(prior_shape), prior_shape, 0)
    posterior_rate = (finite_prior + expected) / expected
    mean = np.where(np.isfinite(shape), np.where(np.isfinite(shape), shape, 0) / posterior_rate, expected) * odds
    return Predictive(shape=shape, probability=posterior_rate / (posterior_rate + odds), mean=mean)


def randomised_pit(distribution: Predictive, heldout: Floats, rng: np.random.Generator) -> NDArray[np.float64]:
    """Randomised probability integral transform: uniform on 0..1 exactly when the distribution is right.

    ``u = F(y − 1) + v·(F(y) − F(y − 1))`` with v uniform, since counts have jumps.
    """
    below = distribution.cdf(heldout - 1)
    at = distribution.cdf(heldout)
    return np.asarray(below + rng.random(below.shape) * (at - below))


def coverage(pit: Floats, levels: Sequence[float] = LEVELS) -> dict[float, float]:
    """Share of entries inside the central predictive interval of each level."""
    distance = np.abs(pit - 0.5)
    return {level: float(np.mean(distance <= level / 2)) for level in levels}


def quantile_groups(values: Floats, n_groups: int) -> NDArray[np.int64]:
    """Return which of ``n_groups`` groups of equal size each value falls into, the smallest values first.

    Equal values are told apart by their order, so that groups differ in size by one at most.
    """
    order = np.argsort(values, kind="stable")
    groups = np.empty(values.size, np.int64)
    groups[order] = np.arange(values.size) * n_groups // max(values.size, 1)
    return groups


def covered_by_stratum(
    inside: NDArray[np.bool_], cell_groups: NDArray[np.int64], gene_groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many entries of each group of cells and of genes are inside, and how many there are.

    Parameters
    ----------
    inside
        Whether an entry lies inside its interval, (n_cells, n_genes).
    cell_groups, gene_groups
        Numbers from zero, (n_cells,) and (n_genes,).

    Returns
    -------
    (n_cell_groups, n_gene_groups) each.
    """
    cells, genes = np.eye(cell_groups.max() + 1, dtype=np.int64), np.eye(gene_groups.max() + 1, dtype=np.int64)
    of_cells, of_genes = cells[cell_groups], genes[gene_groups]
    return of_cells.T @ (inside @ of_genes), np.outer(of_cells.sum(axis=0), of_genes.sum(axis=0))


def share_interval(covered: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    interval = binomtest(covered, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
