"""Errors of an estimate at known entries: vectors of truth and estimate in, one number out."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scinfill.errors import DataError


def _difference(truth: ArrayLike, estimate: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    expected = np.asarray(truth, dtype=np.float64)
    error = np.asarray(estimate, dtype=np.float64) - expected
    if error.size == 0:
        raise DataError("an error needs at least one known entry; received none")
    return expected, error


def rmse(truth: ArrayLike, estimate: ArrayLike) -> float:
    """Root mean squared error."""
    _, error = _difference(truth, estimate)
    return float(np.sqrt(np.mean(error**2)))


def mae(truth: ArrayLike, estimate: ArrayLike) -> float:
    """Mean absolute error."""
    _, error = _difference(truth, estimate)
    return float(np.mean(np.abs(error)))


def nmse(truth: ArrayLike, estimate: ArrayLike) -> float:
    """``‖estimate − truth‖ / ‖truth‖``: the papers' NMSE is a ratio of norms, not squared.

    Raises
    ------
    DataError
        When every truth is zero, which leaves nothing to divide by.
    """
    expected, error = _difference(truth, estimate)
    norm = np.linalg.norm(expected)
    if norm == 0:
        raise DataError("NMSE divides by the norm of the truth, which is zero at these entries")
    return float(np.linalg.norm(error) / norm)


def nmse_squared(truth: ArrayLike, estimate: ArrayLike) -> float:
    """``‖estimate − truth‖² / ‖truth‖²``, what its name says."""
    return nmse(truth, estimate) ** 2


def false_fill(estimate_at_zeros: ArrayLike, *, threshold: float) -> float:
    """Share of held-out zeros that the estimate fills with more than ``threshold``."""
    _, estimate = _difference(0.0, estimate_at_zeros)
    return float(np.mean(estimate > threshold))


def decile_of_genes(gene_means: ArrayLike) -> NDArray[np.int64]:
    """Decile (0 = lowest) of every gene's mean expression; ties keep their order, so that the deciles are even."""
    means = np.asarray(gene_means)
    position = np.empty(means.size, dtype=np.int64)
    position[np.argsort(means, kind="stable")] = np.arange(means.size)
    return position * 10 // means.size
