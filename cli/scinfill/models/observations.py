"""Observations are what a model sees: values on the log scale, the counts behind them, each cell's size factor."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.numerics.batches import Batches
from scinfill.numerics.masking import thin, values_at, without
from scinfill.numerics.normalization import log2_data
from scinfill.numerics.sparse import have_same_positions, rows_of, rows_view, with_positions


@dataclass(frozen=True)
class Observations:
    """Cells × genes, as canonical CSR (sorted, no duplicates, no stored zeros).

    Attributes
    ----------
    log_values
        float32 (n_cells, n_genes), log2(1 + counts / size_factor).
    counts
        float32 (n_cells, n_genes) molecules or reads; None when the file holds none.
    size_factor
        float64 (n_cells,); None when there are no counts.
    batches
        The batch of every cell; None where batches are not told apart.
    """

    log_values: csr_array
    counts: csr_array | None = None
    size_factor: NDArray[np.float64] | None = None
    batches: Batches | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        n_cells, n_genes = self.log_values.shape
        return int(n_cells), int(n_genes)

    def cells(self, rows: NDArray[np.intp]) -> "Observations":
        """Return the observations of some cells."""
        return Observations(
            rows_of(self.log_values, rows),
            None if self.counts is None else rows_of(self.counts, rows),
            None if self.size_factor is None else self.size_factor[rows],
            None if self.batches is None else self.batches.cells(rows),
        )

    def genes(self, columns: NDArray[np.intp]) -> "Observations":
        """Return the observations of some genes; a cell's size factor stays what all genes made it."""
        return replace(
            self,
            log_values=self.log_values[:, columns],
            counts=None if self.counts is None else self.counts[:, columns],
        )

    def without(self, held_out: csr_array) -> "Observations":
        """Return the same observations with the entries of the pattern ``held_out`` set to zero."""
        if self.counts is None:
            return replace(self, log_values=without(self.log_values, held_out))
        counts = without(self.counts, held_out)
        if not have_same_positions(self.log_values, self.counts):
            return replace(self, log_values=without(self.log_values, held_out), counts=counts)
        return replace(self, log_values=with_positions(values_at(self.log_values, counts), counts), counts=counts)

    def molecules(self) -> tuple[csr_array, NDArray[np.float64]]:
        """Return counts and size factors.

        Raises
        ------
        ValueError
            There are none; whoever asks must have looked before.
        """
        if self.counts is None or self.size_factor is None:
            raise ValueError("counts and size factors are needed here")
        return self.counts, self.size_factor

    def thinned(self, fraction: float, rng: np.random.Generator) -> tuple["Observations", csr_array]:
        """Split the molecules at random: keep ``1 - fraction`` of them, return the others beside.

        The two parts are independent where counts are Poisson (Batson, Royer & Webber 2019),
        so what was taken out tests any model of what was kept.
        """
        kept, taken = self.thinned_counts(fraction, rng)
        return kept.with_log_values(), taken

    def thinned_counts(self, fraction: float, rng: np.random.Generator) -> tuple["Observations", csr_array]:
        """Do the same for whoever reads the counts alone: the log values, as large again, are an empty matrix."""
        kept, taken = thin(self.molecules()[0], fraction, rng)
        return replace(self, log_values=csr_array(self.shape, dtype=np.float32), counts=kept), taken

    def with_log_values(self) -> "Observations":
        """Return the observations with the log values of their counts."""
        counts, size_factor = self.molecules()
        return replace(self, log_values=with_positions(log2_data(counts, size_factor), counts))


def padded(data: Observations, rows: NDArray[np.intp], n_rows: int) -> Observations:
    """Return some cells as a block of ``n_rows``, the last of them empty and of size factor 1; batches are left out."""
    some = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] == len(rows) - 1 else rows
    size_factor = None if data.size_factor is None else np.append(data.size_factor[some], np.ones(n_rows - len(rows)))
    counts = None if data.counts is None else _longer(rows_view(data.counts, some), n_rows)
    return Observations(_longer(rows_view(data.log_values, some), n_rows), counts, size_factor)


def _longer(matrix: csr_array, n_rows: int) -> csr_array:
    """Return a matrix with empty rows below."""
    indptr = np.pad(matrix.indptr, (0, n_rows - matrix.shape[0]), mode="edge")
    return csr_array((matrix.data, matrix.indices, indptr), (n_rows, matrix.shape[1]))


def pattern_of(rows: NDArray[np.intp], columns: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    """Return the pattern of ones at entries that come sorted by row, and by column within a row."""
    return pattern_by_row(np.bincount(rows, minlength=shape[0]), columns, shape)


def pattern_by_row(sizes: NDArray[np.intp], columns: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    """Return the pattern of ones with ``sizes`` (n_rows,) entries in each row, whose columns are sorted there."""
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return csr_array((np.ones(len(columns), np.bool_), columns.astype(np.int32, copy=False), indptr), shape)
