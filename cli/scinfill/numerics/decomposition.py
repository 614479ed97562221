"""Principal components of a sparse matrix, without ever centring it in memory."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

OVERSAMPLING = 10


def principal_components(
    matrix: csr_array, rank: int, *, rng: np.random.Generator, n_iterations: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the leading components of the column-centred matrix by randomised subspace iteration.

    Halko, Martinsson & Tropp (2011), algorithm 4.4; every product is sparse × thin dense.

    Parameters
    ----------
    matrix
        (n_cells, n_genes).
    rank
        At most min(n_cells, n_genes).
    n_iterations
        Two are enough for a start, four give singular values to about 1 %.

    Returns
    -------
    scores (n_cells, rank) = U·S, components (rank, n_genes) = Vᵀ, and the column means (n_genes,).
    """
    n_cells, n_genes = matrix.shape
    means = (matrix.sum(axis=0) / n_cells).astype(np.float32)
    width = min(rank + OVERSAMPLING, n_cells, n_genes)
    genes = rng.standard_normal((n_genes, width), dtype=np.float32)
    for _ in range(n_iterations):
        cells, _ = np.linalg.qr(_times(matrix, means, genes))
        genes, _ = np.linalg.qr(_transposed_times(matrix, means, cells))
    left, singular, right = np.linalg.svd(_times(matrix, means, genes), full_matrices=False)
    components = right @ genes.T
    return (left * singular)[:, :rank], components[:rank], means


def _times(matrix: csr_array, means: NDArray[np.float32], genes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (X − 1μᵀ)·G."""
    return matrix @ genes - means @ genes


def _transposed_times(matrix: csr_array, means: NDArray[np.float32], cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (X − 1μᵀ)ᵀ·C."""
    return matrix.T @ cells - np.outer(means, cells.sum(axis=0))
