"""The contract of a model, whichever method it belongs to."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

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

    def fit_from(self, start: SampleFit, data: Observations) -> Prediction:
        """Fit ``data``."""
        ...


class FixedModel(Protocol):
    """A model whose training is over, which reads new cells: what it says of a cell depends on that cell alone.

    Cells come in blocks of equal shape, filled up with empty rows (:func:`scinfill.models.observations.padded`).
    """

    @property
    def loss(self) -> Loss:
        """Loss of the fit, which decides what its values mean."""
        ...

    @property
    def n_factors(self) -> int:
        """Numbers that are kept of a cell to predict it by; 0 where the cell is read again for that."""
        ...

    def read(
        self,
        block: Observations,
        known: NDArray[np.bool_],
        codes: NDArray[np.intp] | None,
        start: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return what is made of cells, (n_rows, …), by the genes that are ``known`` (n_genes,) alone.

        ``codes`` (n_rows,) are the cells' batches, all the same in a block; ``start`` is an earlier guess.
        """
        ...

    def values(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n_rows, n_genes) predicted values of cells from what was made of them."""
        ...

    def prediction(
        self,
        data: Observations,
        known: NDArray[np.bool_],
        codes: NDArray[np.intp] | None,
        factors: NDArray[np.float32],
    ) -> Prediction:
        """Return the prediction of all cells; ``factors`` (n_cells, n_factors) is what was kept of them."""
        ...


def predicted_at(prediction: Prediction, pattern: csr_array) -> NDArray[np.float32]:
    """Return the predictions at the stored entries of ``pattern``, in their order."""

    def part(rows: slice) -> NDArray[np.float32]:
        return prediction.block(rows)[rows_view(pattern, rows).nonzero()]

    return np.concatenate(list(map_in_order(part, row_slices(*prediction.shape))))
