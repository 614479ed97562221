"""Leading singular vectors of matrices that are never formed: only their products with thin matrices are needed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.batches import Batches
from scinfill.numerics.sparse import product, transposed_product

Floats = NDArray[np.float32]
OVERSAMPLING = 10


def truncated_svd(
    times: Callable[[Floats], Floats],
    transposed_times: Callable[[Floats], Floats],
    shape: tuple[int, int],
    rank: int,
    *,
    rng: np.random.Generator,
    n_iterations: int = 4,
) -> tuple[Floats, Floats, Floats]:
    """Return U (n_rows, rank), S (rank,) and Vᵀ (rank, n_columns) by randomised subspace iteration.

    Halko, Martinsson & Tropp (2011), algorithm 4.4.

    Parameters
    ----------
    times, transposed_times
        Products of the matrix, and of its transpose, with a thin dense matrix.
    rank
        At most min(shape).
    n_iterations
        Two are enough for a start; four give leading singular values to about 1 %.
    """
    n_rows, n_columns = shape
    right = rng.standard_normal((n_columns, min(rank + OVERSAMPLING, n_rows, n_columns)), dtype=np.float32)
    for _ in range(n_iterations):
        left, _ = np.linalg.qr(times(right))
        right, _ = np.linalg.qr(transposed_times(left))
    left, singular, rotation = np.linalg.svd(times(right), full_matrices=False)
    return left[:, :rank], singular[:rank], (rotation @ right.T)[:rank]


def principal_components_within(
    matrix: csr_array, batches: Batches, rank: int, *, rng: np.random.Generator, n_iterations: int = 4
) -> Floats:
    """Return the scores U·S (n_cells, rank) of a sparse matrix whose columns are centred batch by batch."""
    means = (batches.column_sums(matrix) / np.maximum(batches.sizes, 1)[:, None]).astype(np.float32)
    member = csr_array((np.ones(len(batches.codes), np.float32), (np.arange(len(batches.codes)), batches.codes)))
    member.resize((len(batches.codes), batches.n_batches))
    left, singular, _ = truncated_svd(
        lambda genes: product(matrix, genes) - member @ (means @ genes),
        lambda cells: transposed_product(matrix, cells) - means.T @ (member.T @ cells),
        matrix.shape,
        rank,
        rng=rng,
        n_iterations=n_iterations,
    )
    return left * singular


def principal_components(
    matrix: csr_array, rank: int, *, rng: np.random.Generator, n_iterations: int = 4
) -> tuple[Floats, Floats, Floats]:
    """Return the scores U·S (n_cells, rank), components Vᵀ (rank, n_genes) and means (n_genes,) of a sparse matrix.

    The column-centred matrix X − 1μᵀ is never formed.
    """
    means = (matrix.sum(axis=0) / matrix.shape[0]).astype(np.float32)
    left, singular, components = truncated_svd(
        lambda genes: product(matrix, genes) - means @ genes,
        lambda cells: transposed_product(matrix, cells) - np.outer(means, cells.sum(axis=0)),
        matrix.shape,
        rank,
        rng=rng,
        n_iterations=n_iterations,
    )
    return left * singular, components, means
