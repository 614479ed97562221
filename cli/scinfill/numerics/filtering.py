"""Which genes are seen well enough to be used."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.scratch import chunks
from scinfill.schema import SPIKE_IN_PREFIX


def cells_with_gene(counts: csr_array, *, min_counts: float = 1) -> NDArray[np.int64]:
    """Return in how many cells each gene, (n_genes,), has at least ``min_counts`` (above zero)."""
    n_cells = np.zeros(counts.shape[1], np.int64)
    for part in chunks(counts.nnz):
        n_cells += np.bincount(counts.indices[part][counts.data[part] >= min_counts], minlength=counts.shape[1])
    return n_cells


def seen_genes(counts: csr_array, *, min_counts: float, min_cells: int) -> NDArray[np.bool_]:
    """Mark the genes with at least ``min_counts`` counts in at least ``min_cells`` cells."""
    return cells_with_gene(counts, min_counts=min_counts) >= min_cells


def spike_ins(names: Iterable[str]) -> NDArray[np.bool_]:
    """Mark the molecules of the ERCC mix that were added to every cell: they say nothing about it."""
    return np.fromiter((name.startswith(SPIKE_IN_PREFIX) for name in names), dtype=np.bool_)
