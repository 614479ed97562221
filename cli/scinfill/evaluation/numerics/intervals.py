"""Intervals by resampling: how far a number moves when other cells, genes or starts had been drawn."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap

LEVEL = 0.95
RESAMPLES = 400
MAX_UNITS = 1000
"""More units than this are pooled at random into as many groups, so that resampling costs the same on any data."""

Units = NDArray[np.float64]
"""What each resampled unit (a cell, a gene, a seed) contributes, (n_units, n_columns)."""
Weights = NDArray[np.float64]
"""How often each unit counts, (n_draws, n_units): one row a resample."""
Statistic = Callable[[Units, Weights], NDArray[np.float64]]
"""A number of weighted units for every draw, (n_draws,)."""


def value_of(statistic: Statistic, units: Units) -> float:
    """Return a statistic of units that all count once."""
    return float(statistic(units, np.ones((1, len(units))))[0])


def bootstrap_interval(
    units: Units, statistic: Statistic, rng: np.random.Generator, *, level: float = LEVEL
) -> tuple[float, float] | None:
    """Return the percentile interval of a statistic over resampled units.

    None for fewer than three units, and where some resample has no number (a rare kind of unit was not drawn).
    """
    n_units = units.shape[0]
    if n_units < 3:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # some resample without a number: said by None below
        resampled = bootstrap(
            (np.arange(n_units),),
            lambda resamples, axis: statistic(units, _times_drawn(resamples, n_units)),
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=level,
            method="percentile",
            random_state=rng,
        )
    low, high = resampled.confidence_interval
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) else None


def _times_drawn(resamples: NDArray[np.integer], n_units: int) -> Weights:
    """Return how often each unit stands in each row of ``resamples``, (n_resamples, n_units)."""
    n_resamples = len(resamples)
    places = resamples + n_units * np.arange(n_resamples)[:, None]
    times = np.bincount(places.ravel(), minlength=n_resamples * n_units)
    return times.reshape(n_resamples, n_units).astype(np.float64)


def pooled_sums(units: Units, *, max_units: int = MAX_UNITS) -> Units:
    """Sum the contributions of units in at most ``max_units`` random groups of equal size.

    The groups depend on the number of units alone, so that pooled contributions of two estimates stay paired.
    """
    n_units = units.shape[0]
    if n_units <= max_units:
        return units
    groups = np.random.default_rng(n_units).permutation(n_units) % max_units
    return np.column_stack([np.bincount(groups, weights=column, minlength=max_units) for column in units.T])


def ratio_of_sums(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return ``Σ first column / Σ second column``: a mean whose units hold different numbers of things."""
    return ratio(weights @ units[:, 0], weights @ units[:, 1])


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``part / whole``; NaN of nothing, as of a resample that drew no unit with anything in it."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)


def root_ratio_of_sums(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return the square root of :func:`ratio_of_sums`: RMSE from sums of squares, NMSE from squared norms."""
    return np.asarray(np.sqrt(ratio_of_sums(units, weights)))


def mean(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return the mean of the first column."""
    return np.asarray(weights @ units[:, 0] / weights.sum(axis=1))


def median(units: Units, weights: Weights) -> NDArray[np.float64]:
    """Return the median of those numbers in the first column that are numbers; whole weights."""
    known = units[np.isfinite(units[:, 0]), 0]
    order = np.argsort(known)
    below = np.cumsum(weights[:, np.isfinite(units[:, 0])][:, order], axis=1)
    total = below[:, -1:]
    # Of n numbers that with (n − 1)//2 before it, and that with n//2: one and the same where n is odd.
    middle = [np.argmax(below > before, axis=1) for before in ((total - 1) // 2, total // 2)]
    return np.where(total[:, 0] > 0, (known[order][middle[0]] + known[order][middle[1]]) / 2, np.nan)
