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
Statistic = Callable[[Units], float]


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
            # One after the other here: scipy's own loop over them takes ten times as long as most statistics.
            lambda resamples, axis: np.array([statistic(units[chosen]) for chosen in resamples]),
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=level,
            method="percentile",
            random_state=rng,
        )
    low, high = resampled.confidence_interval
    return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) else None


def pooled_sums(units: Units, *, max_units: int = MAX_UNITS) -> Units:
    """Sum the contributions of units in at most ``max_units`` random groups of equal size.

    The groups depend on the number of units alone, so that pooled contributions of two estimates stay paired.
    """
    n_units = units.shape[0]
    if n_units <= max_units:
        return units
    groups = np.random.default_rng(n_units).permutation(n_units) % max_units
    return np.column_stack([np.bincount(groups, weights=column, minlength=max_units) for column in units.T])


def ratio_of_sums(units: Units) -> float:
    """Return ``Σ first column / Σ second column``: a mean whose units hold different numbers of things."""
    return ratio(units[:, 0].sum(), units[:, 1].sum())


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``; NaN of nothing, as of a resample that drew no unit with anything in it."""
    return float(part / whole) if whole else float("nan")


def root_ratio_of_sums(units: Units) -> float:
    """Return the square root of :func:`ratio_of_sums`: RMSE from sums of squares, NMSE from squared norms."""
    return float(np.sqrt(ratio_of_sums(units)))


def mean(units: Units) -> float:
    """Return the mean of the first column."""
    return float(units[:, 0].mean())
