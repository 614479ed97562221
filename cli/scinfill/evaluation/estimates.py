"""The matrices that are scored: what a file holds, and the baselines that always stand beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from scinfill.errors import DataError
from scinfill.methods.knowledge import Knowledge
from scinfill.models.estimate.effect import Effect
from scinfill.models.observations import Observations
from scinfill.models.published.baselines import GeneMean
from scinfill.numerics.blocks import walk
from scinfill.numerics.sparse import product, rows_of

RAW = "raw"
GENE_MEAN = "gene-mean"
SVD_RANK = 10
SVD = f"svd-{SVD_RANK}"
SVD_CELLS = 50_000
BASELINES = (RAW, GENE_MEAN, SVD)

Rows = slice | NDArray[np.intp]
Values = NDArray[np.float32]
RowFunction = Callable[[Rows], Values]


@dataclass(frozen=True)
class ScoredMatrix:
    """A matrix on the scale of ``X`` that is looked at a few rows at a time.

    Attributes
    ----------
    name
        How tables call it.
    shape
        (n_cells, n_genes).
    rows
        From rows to their values, float32 (n_rows, n_genes).
    kind
        A file's own layer, or a baseline computed here.
    question
        Which estimate it is (``shrunk``, ``model``, ``detected``), None if unknown.
    method
        Command that made it, as its file says.
    series
        What replicates have in common: the name before it was made unique.
    keeps_seen
        Whether seen values were put back (``--keep``), so that the layer is no model's mean.
    effect
        What gate and weights of all genes come to; None for baselines and for layers that no imputer of ours names.
    batches_removed
        Whether values are those of the average batch (``--batch-effect remove``), which no molecule was counted in.
    observed_weight
        w_g, (n_genes,), the share of a value that was seen; for estimates with ``layers["imputed_sd"]``.
    saved_model
        How well the saved model that imputed the cells (``--model``) knows them; None where they were trained on.
    """

    name: str
    shape: tuple[int, int]
    rows: RowFunction
    kind: Literal["input", "baseline"] = "input"
    question: str | None = None
    method: str | None = None
    series: str = ""
    keeps_seen: bool = False
    effect: Effect | None = None
    observed_weight: NDArray[np.float64] | None = None
    batches_removed: bool = False
    saved_model: Knowledge | None = None

    def blocks(self) -> Iterator[tuple[slice, Values]]:
        """Yield all rows, a block at a time."""
        for rows in walk(*self.shape):
            yield rows, self.rows(rows)


def from_blocks(shape: tuple[int, int], block: Callable[[slice], Values]) -> RowFunction:
    """Return a function of any rows, in ascending order, from one that computes neighbouring rows only."""

    def rows(chosen: Rows) -> Values:
        if isinstance(chosen, slice):
            return block(chosen)
        values = np.empty((chosen.size, shape[1]), dtype=np.float32)
        for block_rows in walk(*shape):
            first, last = np.searchsorted(chosen, [block_rows.start, block_rows.stop])
            if first < last:
                values[first:last] = block(block_rows)[chosen[first:last] - block_rows.start]
        return values

    return rows


def raw(log_values: csr_array) -> ScoredMatrix:
    """Return ``X`` as it is: what imputation has to beat."""
    return ScoredMatrix(RAW, log_values.shape, lambda rows: log_values[rows].toarray(), kind="baseline")


def gene_mean(log_values: csr_array) -> ScoredMatrix:
    """Return ``X`` with every zero filled by the gene's mean over the cells in which it was seen."""
    filled = GeneMean().fit(Observations(log_values))
    return ScoredMatrix(GENE_MEAN, log_values.shape, filled.block, kind="baseline")


def svd(log_values: csr_array, *, rank: int = SVD_RANK, seed: int = 0) -> ScoredMatrix:
    """Return the best approximation of the centred ``X`` of the given rank: the simplest low-rank model.

    The components of more than SVD_CELLS cells are those of a sample of so many.

    Raises
    ------
    DataError
        When the matrix has no more cells or genes than the rank.
    """
    if min(log_values.shape) <= rank:
        raise DataError(f"{SVD} needs more than {rank} cells and genes; received {log_values.shape}")
    n_cells = log_values.shape[0]
    some = np.sort(np.random.default_rng(seed).permutation(n_cells)[:SVD_CELLS])
    model = PCA(rank, svd_solver="arpack", random_state=seed).fit(rows_of(log_values, some).astype(np.float64))
    gene_factors, means = model.components_.astype(np.float32), model.mean_.astype(np.float32)
    cell_factors = product(log_values, gene_factors.T) - gene_factors @ means
    return ScoredMatrix(SVD, log_values.shape, lambda rows: cell_factors[rows] @ gene_factors + means, kind="baseline")
