"""Many small symmetric systems at once: the half-steps of a factorisation.

A half-step solves one k × k system for every cell (or gene). Their curvature matrices
Σ_j weight_j a_j a_jᵀ are one product of the weights with the pairwise products of the design's columns,
so they are kept packed: one column for each pair (i, j) with i ≥ j.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
AnyFloats = NDArray[np.floating[Any]]


@cache
def column_pairs(n_columns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs (i, j), i ≥ j, in the order of the packed columns; they are not to be written to."""
    return np.tril_indices(n_columns)


def solve_packed(curvature: AnyFloats, gradient: AnyFloats, ridge: AnyFloats) -> AnyFloats:
    """Solve (H_i + diag(ridge)) x_i = g_i for every row i by a Cholesky factorisation across all rows at once.

    Parameters
    ----------
    curvature
        (n, k(k+1)/2) packed matrices H_i.
    gradient
        (n, k) right-hand sides.
    ridge
        (k,) positive diagonal; where zero, a tiny multiple of the trace keeps an empty row's system regular.

    Notes
    -----
    Rows lie on the last axis, so each step is one vector operation over all rows:
    three to eight times faster than a LAPACK call a row for k of 10 to 40.
    """
    n_columns = gradient.shape[1]
    first, second = column_pairs(n_columns)
    lower = np.zeros((n_columns, n_columns, len(gradient)), dtype=curvature.dtype)
    lower[first, second] = curvature.T
    diagonal = np.arange(n_columns)
    trace = lower[diagonal, diagonal].sum(axis=0)
    lower[diagonal, diagonal] += ridge[:, None] + 1e-6 * trace + 1e-12
    solution = np.array(gradient.T, order="C")  # a copy: with one column or row the transpose is the array itself
    for j in range(n_columns):
        lower[j:, j] -= np.einsum("ipn,pn->in", lower[j:, :j], lower[j, :j])
        np.sqrt(np.maximum(lower[j, j], 1e-20), out=lower[j, j])
        lower[j + 1 :, j] /= lower[j, j]
        solution[j] = (solution[j] - np.einsum("pn,pn->n", lower[j, :j], solution[:j])) / lower[j, j]
    for j in reversed(range(n_columns)):
        later = np.einsum("pn,pn->n", lower[j + 1 :, j], solution[j + 1 :])
        solution[j] = (solution[j] - later) / lower[j, j]
    return np.ascontiguousarray(solution.T)
