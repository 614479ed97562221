"""The baselines: gene mean, plain low rank, nuclear norm (mcImpute) and a thresholded SVD (ALRA)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.observations import Observations
from scinfill.models.requirements import BLOCKS, low_rank_bytes
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.decomposition import truncated_svd
from scinfill.numerics.sparse import column_counts, column_sums
from scinfill.progress import track

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FilledZeros:
    """The seen values, with one value a gene in the place of every zero."""

    seen: csr_array
    fill: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        n_cells, n_genes = self.seen.shape
        return int(n_cells), int(n_genes)

    def block(self, rows: slice | NDArray[np.intp]) -> Floats:
        """Return (n_rows, n_genes) log2 values."""
        seen = self.seen[rows].toarray()
        return np.where(seen == 0, self.fill, seen).astype(np.float32)


@dataclass(frozen=True)
class GeneMean:
    """Every zero filled by the gene's mean log2 value over the cells in which it was seen; seen values stay.

    It is also the ``gene-mean`` that ``evaluate`` scores beside every input.
    """

    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of blocks."""
        del data
        return BLOCKS

    def fit(
        self, data: Observations, *, rng: np.random.Generator | None = None, held_out: csr_array | None = None
    ) -> FilledZeros:
        """Average each gene over the cells in which it was seen."""
        del rng, held_out
        means = column_sums(data.log_values) / np.maximum(column_counts(data.log_values), 1)
        return FilledZeros(data.log_values, means.astype(np.float32))


@dataclass(frozen=True)
class LowRank:
    """U·diag(s)·Vᵀ, never negative."""

    cells: Floats
    genes: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return len(self.cells), len(self.genes)

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) log2 values."""
        values = self.cells[rows] @ self.genes.T
        return np.maximum(values, 0, out=values)

    def at(self, pattern: csr_array) -> Floats:
        """Return U·diag(s)·Vᵀ, negative or not, at the stored entries of ``pattern``."""
        values = np.empty(pattern.nnz, np.float32)
        for rows in row_slices(*self.shape):
            entries = slice(pattern.indptr[rows.start], pattern.indptr[rows.stop])
            row = np.repeat(np.arange(rows.stop - rows.start), np.diff(pattern.indptr[rows.start : rows.stop + 1]))
            values[entries] = (self.cells[rows] @ self.genes.T)[row, pattern.indices[entries]]
        return values


@dataclass(frozen=True)
class NuclearNorm:
    """mcImpute: minimise ½‖M ∘ (Y − X)‖² + λ‖X‖_*, λ cooled from 0.7·max|Y|, by soft-thresholded SVDs.

    The original forms the full SVD of a dense matrix and sets negative values to zero in every sweep; here the
    iterate stays low rank plus sparse, at most ``largest_rank``, and negative values are cut in the result.
    """

    alpha: float = 1.1
    cooling: float = 0.7
    n_sweeps: int = 20
    tolerance: float = 1e-4
    largest_rank: int = 50
    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of the largest decomposition."""
        return low_rank_bytes(data, self.largest_rank, sparse_copies=2)

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> LowRank:
        """Cool λ to 1e-4 of its start, sweeping at most ``n_sweeps`` times at each value."""
        del held_out
        observed = data.log_values
        n_cells, n_genes = data.shape
        current = LowRank(np.zeros((n_cells, 1), np.float32), np.zeros((n_genes, 1), np.float32))
        n_coolings = int(np.ceil(np.log(1e-4) / np.log(self.cooling)))
        largest = 0.7 * float(observed.data.max(initial=0))
        for cooled in track(range(n_coolings), "nuclear norm"):
            penalty = largest * self.cooling**cooled
            objective = np.inf
            for _ in range(self.n_sweeps):
                residual = observed.data - current.at(observed)
                current, norm = self._sweep(current, observed, residual, penalty, rng)
                previous, objective = objective, float(residual @ residual) / 2 + penalty * norm
                if abs(previous - objective) <= self.tolerance * abs(objective):
                    break
        return current

    def _sweep(
        self, current: LowRank, observed: csr_array, residual: Floats, penalty: float, rng: np.random.Generator
    ) -> tuple[LowRank, float]:
        """Soft-threshold the singular values of X + (1/α)·M ∘ (Y − X)."""
        step = csr_array((residual / np.float32(self.alpha), observed.indices, observed.indptr), observed.shape)
        cells, singular, genes = truncated_svd(
            lambda thin: current.cells @ (current.genes.T @ thin) + step @ thin,
            lambda thin: current.genes @ (current.cells.T @ thin) + step.T @ thin,
            observed.shape,
            min(self.largest_rank, *observed.shape),
            rng=rng,
            n_iterations=2,
        )
        shrunk = np.maximum(singular - penalty / (2 * self.alpha), 0)
        n_kept = max(1, int(np.count_nonzero(shrunk)))
        kept = LowRank((cells * shrunk)[:, :n_kept].astype(np.float32), genes[:n_kept].T.astype(np.float32))
        return kept, float(shrunk.sum())


@dataclass(frozen=True)
class Thresholded:
    """A low-rank matrix cut at each gene's noise level and stretched to the spread of the seen values."""

    low_rank: LowRank
    observed: csr_array
    threshold: Floats
    stretch: Floats
    shift: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.low_rank.shape

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes); a seen value that was cut comes back as it was seen."""
        raw = self.low_rank.cells[rows] @ self.low_rank.genes.T
        values = np.where(raw > self.threshold, np.maximum(raw * self.stretch + self.shift, 0), 0).astype(np.float32)
        seen = self.observed[rows]
        row, column = seen.nonzero()
        values[row, column] = np.where(values[row, column] > 0, values[row, column], seen.data)
        return values


@dataclass(frozen=True)
class ThresholdedSvd:
    """ALRA's idea (Linderman et al. 2022): a low-rank matrix's negative values show the size of its noise at zeros.

    Each gene's values up to the mirror image of its 0.001 quantile become zero; the others are stretched to the
    mean and standard deviation of the gene's seen values.
    """

    rank: int = 10
    quantile: float = 0.001
    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of the decomposition."""
        return low_rank_bytes(data, self.rank, sparse_copies=2)

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Thresholded:
        """Decompose, then find each gene's threshold, a few genes at a time."""
        del held_out
        observed = data.log_values
        cells, singular, genes = truncated_svd(
            lambda thin: observed @ thin, lambda thin: observed.T @ thin, data.shape, self.rank, rng=rng
        )
        low_rank = LowRank((cells * singular).astype(np.float32), genes.T.astype(np.float32))
        by_gene = observed.tocsc()
        threshold, stretch, shift = np.zeros((3, data.shape[1]), np.float32)
        for columns in row_slices(data.shape[1], data.shape[0]):
            values = low_rank.cells @ low_rank.genes[columns].T
            threshold[columns] = np.abs(np.minimum(np.quantile(values, self.quantile, axis=0), 0))
            for gene in range(columns.start, columns.stop):
                seen = by_gene.data[by_gene.indptr[gene] : by_gene.indptr[gene + 1]]
                column = values[:, gene - columns.start]
                stretch[gene], shift[gene] = _match(column[column > threshold[gene]], seen)
        return Thresholded(low_rank, observed, threshold, stretch, shift)


def _match(values: Floats, seen: Floats) -> tuple[float, float]:
    """Return the line that gives ``values`` the mean and standard deviation of ``seen``; none where too few."""
    if len(values) < 2 or len(seen) < 2 or values.std() == 0:
        return 1.0, 0.0
    stretch = seen.std() / values.std()
    return float(stretch), float(seen.mean() - stretch * values.mean())
