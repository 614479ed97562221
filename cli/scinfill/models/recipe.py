"""The contract of a model, whichever method it belongs to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.observations import Observations
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import rows_view

Loss = Literal["poisson", "squared"]


class Prediction(Protocol):
    """A fitted model, read a block of cells at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        ...

    def block(self, rows: slice) -> NDArray[np.float32]:
        """Return (n_rows, n_genes): the log rate per unit size factor (Poisson loss), or the log2 value (squared)."""
        ...


class Recipe(Protocol):
    """Settings that are complete but for the data."""

    @property
    def loss(self) -> Loss:
        """Loss of the fit, which decides what its blocks mean."""
        ...

    def memory_for(self, data: Observations) -> int:
        """Return the bytes that a fit takes beside the data."""
        ...

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Prediction:
        """Fit ``data``; entries that the pattern ``held_out`` stores take no part, neither as input nor in the loss."""
        ...


@dataclass(frozen=True)
class SampleFit:
    """A fit of a sample of cells, from which a fit of all of them may start.

    Attributes
    ----------
    prediction
        Of the sample.
    rows
        (n_sampled,) the cells of the sample; None: all cells.
    share
        What the fit saw of the molecules.
    """

    prediction: Prediction
    rows: NDArray[np.intp] | None
    share: float


@runtime_checkable
class StartingRecipe(Recipe, Protocol):
    """A recipe whose fit may start from one of a sample, and then takes fewer steps."""

    def fit_from(self, start: SampleFit, data: Observations, *, rng: np.random.Generator) -> Prediction:
        """Fit ``data``."""
        ...


class ExactPrediction(Prediction, Protocol):
    """A prediction of new cells, of which no value depends on the cells beside it, to the last bit."""

    def project(self, rows: slice, mean: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (block − mean)·directions, (n_rows, n_directions), from (n_genes,) and (n_genes, n_directions)."""
        ...


class CellReader(Protocol):
    """What a fixed model makes of blocks of cells by genes that are the same for all of them.

    Blocks have an equal number of rows, filled up with empty ones (:func:`scinfill.models.observations.padded`), and
    ``codes`` (n_rows,) are the cells' batches, all the same in a block; None for cells of the average batch. What is
    made of a cell depends on that cell alone, to the last bit.
    """

    def halves(self, block: Observations, codes: NDArray[np.intp] | None) -> tuple[Any, Any]:
        """Return what is made of cells by one half of the known genes, and by the other."""
        ...

    def whole(
        self, block: Observations, codes: NDArray[np.intp] | None, halves: tuple[Any, Any]
    ) -> NDArray[np.float32]:
        """Return what is kept of cells, (n_rows, n_factors), by all known genes; it may go on from their halves."""
        ...

    def predictor(self, columns: NDArray[np.intp]) -> Callable[[Any], NDArray[np.float32]]:
        """Return a function from what was made of cells to the predicted values of genes, (n_rows, n_columns)."""
        ...


class FixedModel(Protocol):
    """A model whose training is over, which reads new cells: what it says of a cell depends on that cell alone."""

    @property
    def loss(self) -> Loss:
        """Loss of the fit, which decides what its values mean."""
        ...

    @property
    def n_factors(self) -> int:
        """Numbers that are kept of a cell to predict it by; 0 where the cell is read again for that."""
        ...

    def reader(self, known: NDArray[np.bool_], half: NDArray[np.bool_]) -> CellReader:
        """Return what reads cells by the ``known`` genes (n_genes,) alone, in ``half`` (n_genes,) and the others."""
        ...

    def prediction(
        self,
        data: Observations,
        known: NDArray[np.bool_],
        codes: NDArray[np.intp] | None,
        factors: NDArray[np.float32],
    ) -> ExactPrediction:
        """Return the prediction of all cells; ``factors`` (n_cells, n_factors) is what was kept of them."""
        ...


def predicted_at(prediction: Prediction, pattern: csr_array) -> NDArray[np.float32]:
    """Return the predictions at the stored entries of ``pattern``, in their order."""

    def part(rows: slice) -> NDArray[np.float32]:
        return prediction.block(rows)[rows_view(pattern, rows).nonzero()]

    return np.concatenate(list(map_in_order(part, row_slices(*prediction.shape))))
