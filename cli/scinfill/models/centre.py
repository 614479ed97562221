"""The mean of every gene and the largest log rate, shared by the models and by what is made of them."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss
from scinfill.numerics.sparse import column_counts, column_sums, weighted_column_sums

LARGEST_LOG_RATE = 30.0
"""exp of more would overflow products in float32."""


def gene_centre(
    loss: Loss, data: Observations, held_out: csr_array | None, *, zero_weight: float
) -> NDArray[np.float64]:
    """Return each gene's mean over the entries that are not held out: a rate per unit size factor, or a log2 value.

    A gene without a count gets the rate of half a count, so that its logarithm exists.
    """
    n_cells, n_genes = data.shape
    if loss == "poisson":
        counts, size_factor = data.molecules()
        hidden = np.zeros(n_genes) if held_out is None else weighted_column_sums(held_out, size_factor)
        return np.maximum(column_sums(counts), 0.5) / np.maximum(size_factor.sum() - hidden, 1e-12)
    n_held_out = np.zeros(n_genes) if held_out is None else column_counts(held_out)
    n_seen = column_counts(data.log_values)
    weight = n_seen + zero_weight * (n_cells - n_held_out - n_seen)
    return column_sums(data.log_values) / np.maximum(weight, 1e-12)


def column_weights(
    loss: Loss, data: Observations, held_out: csr_array | None, *, zero_weight: float
) -> NDArray[np.float64]:
    """Return what a gene's mean is a mean over in every batch, (n_batches, n_genes): size factors, or weights."""
    if data.batches is None:
        raise ValueError("batches are needed here")
    n_cells, n_genes = data.shape
    if loss == "poisson":
        _, size_factor = data.molecules()
        exposure = np.repeat(data.batches.totals(size_factor)[:, None], n_genes, axis=1)
        return exposure if held_out is None else exposure - data.batches.column_sums(held_out, size_factor)
    values = data.log_values
    seen = csr_array((np.ones(values.nnz, np.float32), values.indices, values.indptr), (n_cells, n_genes))
    n_seen = data.batches.column_sums(seen)
    n_held_out = 0.0 if held_out is None else data.batches.column_sums(held_out)
    return n_seen + zero_weight * (data.batches.sizes[:, None] - n_held_out - n_seen)
