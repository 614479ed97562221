"""How much memory fits take beside the data, so that one that cannot end well never starts.

The figures count what grows with cells, genes and settings. Those of the two defaults were compared with the peak of
real runs; the others follow from the arrays that the code makes.
"""

from collections.abc import Sequence

import numpy as np

from scinfill.models.autoencoder.network import mirrored
from scinfill.models.observations import Observations
from scinfill.models.sampling import SAMPLE_CELLS
from scinfill.numerics.blocks import BLOCK_BYTES
from scinfill.numerics.decomposition import OVERSAMPLING
from scinfill.numerics.parallel import IN_FLIGHT

MARGIN = 1.15
"""The peak of real runs lay up to a tenth above what is counted here."""
SINGLE, DOUBLE = 4, 8
"""Bytes of a number."""
TENSORFLOW = 450 * 2**20
"""What TensorFlow takes once it is loaded."""
BLOCKS = 2 * IN_FLIGHT * BLOCK_BYTES
ENTRY = SINGLE + SINGLE
"""Value and position of a stored entry."""
SAMPLE_COPIES = 6
"""Of the sample's entries: values and counts, whole, without what is hidden, and split into molecules."""


def factorization(data: Observations, rank: int) -> int:
    """Return the bytes of a default factorisation: factors of all cells, the genes' systems, a sample and blocks."""
    n_cells, n_genes = data.shape
    columns = rank + 1
    systems = 2 * n_genes * (columns * (columns + 1) // 2 + columns) * DOUBLE
    return n_cells * (3 * rank + 10) * SINGLE + systems + _sample(data, SAMPLE_CELLS) + BLOCKS


def network(data: Observations, hidden_units: Sequence[int], *, training_cells: int, batch_cells: int) -> int:
    """Return the bytes of blind training: weights, moments, best weights, batches, and a sample."""
    widths = [data.shape[1], *mirrored(hidden_units), data.shape[1]]
    weights = int(np.dot(widths[:-1], widths[1:]))
    batches = 12 * batch_cells * max(widths)
    return TENSORFLOW + (8 * weights + batches) * SINGLE + _sample(data, training_cells) + BLOCKS


def paper_network(data: Observations, hidden_units: int) -> int:
    """Return the bytes of AutoImpute as published: full batches, dense."""
    n_cells, n_genes = data.shape
    return TENSORFLOW + (6 * n_cells * n_genes + 4 * n_cells * hidden_units + 8 * n_genes * hidden_units) * SINGLE


def paper_factorization(data: Observations, ranks: Sequence[int]) -> int:
    """Return the bytes of deepMc as published: the sparse part of B, and factors in double precision."""
    n_cells, n_genes = data.shape
    thin = 4 * (n_cells + n_genes) * (max(ranks) + OVERSAMPLING)
    return (3 * data.log_values.nnz + thin) * DOUBLE + BLOCKS


def low_rank(data: Observations, rank: int, *, sparse_copies: int) -> int:
    """Return the bytes of a decomposition in products alone, and of copies of the sparse matrix."""
    return 4 * sum(data.shape) * (rank + OVERSAMPLING) * SINGLE + sparse_copies * data.log_values.nnz * ENTRY + BLOCKS


def dense(data: Observations, *, copies: int) -> int:
    """Return the bytes of dense copies of the matrix in double precision."""
    n_cells, n_genes = data.shape
    return copies * n_cells * n_genes * DOUBLE


def _sample(data: Observations, n_cells: int) -> int:
    share = min(1.0, n_cells / data.shape[0])
    return int(SAMPLE_COPIES * share * data.log_values.nnz * ENTRY)
