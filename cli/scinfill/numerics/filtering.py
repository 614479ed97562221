"""Select the genes that are seen well enough to be used."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.scratch import chunks

SPIKE_IN_NAMES = re.compile(
    r"(?:^|[^a-z0-9])ercc(?:[^a-z0-9]\d{2,}|\d{3,})|^g?spike[^a-z0-9]?ins?(?![a-z])", re.IGNORECASE
)
"""``ERCC-00002``, with another separator or none, in any case, after a genome's or another prefix; ``gSpikein_…``.

The human genes ``ERCC1`` to ``ERCC8``, ``ERCC6L2`` and ``ERCC6-PGBD3`` have one digit, also where written ``ERCC-1``.
"""


def cells_with_gene(counts: csr_array, *, min_counts: float = 1) -> NDArray[np.int64]:
    """Return in how many cells each gene, (n_genes,), has at least ``min_counts`` (above zero)."""
    n_cells = np.zeros(counts.shape[1], np.int64)
    for part in chunks(counts.nnz):
        n_cells += np.bincount(counts.indices[part][counts.data[part] >= min_counts], minlength=counts.shape[1])
    return n_cells


def seen_genes(counts: csr_array, *, min_counts: float, min_cells: int) -> NDArray[np.bool_]:
    """Mark the genes with at least ``min_counts`` counts in at least ``min_cells`` cells."""
    return cells_with_gene(counts, min_counts=min_counts) >= min_cells


def find_spike_ins(names: Iterable[str], pattern: re.Pattern[str] | None = None) -> NDArray[np.bool_]:
    """Mark the molecules that were added to every cell: they say nothing about it.

    Parameters
    ----------
    names
        Names of genes.
    pattern
        Found anywhere in a name, it marks others beside the ERCC mix.
    """
    patterns = (SPIKE_IN_NAMES,) if pattern is None else (SPIKE_IN_NAMES, pattern)
    return np.fromiter((any(known.search(name) for known in patterns) for name in names), dtype=np.bool_)
