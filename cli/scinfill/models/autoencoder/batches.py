"""Dense mini-batches out of sparse observations, and the patterns that blind them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import centre_beside
from scinfill.models.centre import gene_centre
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss
from scinfill.numerics.sparse import by_row_blocks

Floats = NDArray[np.float32]
Rows = NDArray[np.intp] | slice
Tensor = Any
"""A TensorFlow tensor or variable, or a NumPy array in its place; TensorFlow is not imported for its types."""

SMALLEST_SPREAD = 0.3
"""Standard deviation, in log2 units, below which a gene's input is not scaled up any further."""


class Batch(NamedTuple):
    """Some cells, dense. Every field is (n_rows, n_genes), or (n_rows, 1) or (1, 1) where that says it all.

    Attributes
    ----------
    inputs, target
        What the network reads, and what it should say.
    exposure
        Size factors times what batches multiply rates by (Poisson loss); what batches add to values (squared).
    seen
        0 at entries that take no part, 1 elsewhere.
    visible
        Factor of each input; 0 hides it.
    counted
        Weight of each output in the loss.
    """

    inputs: Tensor
    target: Tensor
    exposure: Tensor
    seen: Tensor
    visible: Tensor
    counted: Tensor


@dataclass(frozen=True)
class Inputs:
    """Observations as a network reads them.

    Attributes
    ----------
    log_values
        CSR (n_cells, n_genes).
    spread
        (n_genes,) the genes' standard deviations, by which inputs are divided.
    centre
        (n_genes,) the genes' means on that scale: where inputs are zero. With batches (n_batches, n_genes).
    held_out
        Pattern of entries that take no part, neither as input nor in the loss; or None.
    codes
        (n_cells,) the batch of every cell, where each batch has means of its own.
    """

    log_values: csr_array
    spread: Floats
    centre: Floats
    held_out: csr_array | None
    codes: NDArray[np.intp] | None = field(default=None, kw_only=True)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        n_cells, n_genes = self.log_values.shape
        return int(n_cells), int(n_genes)

    def gain(self) -> np.float32:
        """Return the factor of the inputs that makes up for the share that is held out."""
        share = 0 if self.held_out is None else self.held_out.nnz / np.prod(self.shape, dtype=float)
        return np.float32(1 / (1 - share))

    def centre_rows(self, rows: Rows) -> Floats:
        """Return the inputs of some cells, (n_rows, n_genes), without regard to what is held out."""
        block: Floats = self.log_values[rows].toarray()
        block /= self.spread
        block -= self.centre if self.codes is None else self.centre[self.codes[rows]]
        return block

    def seen(self, rows: Rows) -> Floats:
        """Return 0 at held-out entries and 1 elsewhere, (n_rows, n_genes), or (1, 1) where nothing is held out."""
        if self.held_out is None:
            return np.ones((1, 1), np.float32)
        seen: Floats = 1 - self.held_out[rows].toarray().astype(np.float32)
        return seen

    def inputs(self, rows: Rows) -> Floats:
        """Return what the network reads of some cells when nothing but the held-out entries is kept from it."""
        block = self.centre_rows(rows)
        block *= self.seen(rows)
        block *= self.gain()
        return block


@dataclass(frozen=True)
class FitData(Inputs):
    """Inputs of a network, and the values it should give for them.

    Attributes
    ----------
    target
        CSR of counts (Poisson loss) or log2 values (squared loss).
    exposure
        (n_cells, 1) size factors; zeros for the squared loss.
    offsets
        (n_batches, n_genes) what batches multiply rates by (Poisson loss) or add to values (squared), or None.
    """

    target: csr_array
    exposure: Floats
    offsets: Floats | None = None
    loss: Loss = "poisson"

    def exposure_of(self, rows: Rows) -> Floats:
        """Return the exposure of some cells, (n_rows, 1), or (n_rows, n_genes) with batches."""
        exposure = self.exposure[rows]
        if self.offsets is None or self.codes is None:
            return exposure
        offsets = self.offsets[self.codes[rows]]
        return exposure * offsets if self.loss == "poisson" else exposure + offsets

    def holding_out(self, entries: csr_array) -> "FitData":
        """Return the same data with further entries held out."""
        return replace(self, held_out=entries if self.held_out is None else csr_array(self.held_out + entries))


@dataclass(frozen=True)
class Offsets:
    """Offsets of batches that a network does not learn: it reads values without them, and they join what it says.

    Attributes
    ----------
    inputs
        (n_batches, n_genes) of log2 values.
    outputs
        (n_batches, n_genes) of the model's scale: log rates (Poisson loss) or log2 values.
    ridge
        The penalty with which these were fitted.
    """

    inputs: Floats
    outputs: Floats
    ridge: float


def prepare(data: Observations, loss: Loss, held_out: csr_array | None, offsets: Offsets | None = None) -> FitData:
    """Centre and scale every gene by its entries that are not held out."""
    values = data.log_values
    mean = gene_centre("squared", data, held_out, zero_weight=1.0)
    squares = Observations(by_row_blocks(values, lambda rows: values[rows] ** 2))
    variance = gene_centre("squared", squares, held_out, zero_weight=1.0) - mean**2
    spread = np.sqrt(np.maximum(variance, SMALLEST_SPREAD**2)).astype(np.float32)
    centre = (mean / spread).astype(np.float32)
    if loss == "squared":
        fit_data = FitData(values, spread, centre, held_out, values, np.zeros((data.shape[0], 1), np.float32))
    else:
        counts, size_factor = data.molecules()
        fit_data = FitData(values, spread, centre, held_out, counts, size_factor.astype(np.float32)[:, None])
    if offsets is None or data.batches is None:
        return fit_data
    average = centre_beside("squared", data, offsets.inputs, held_out=held_out)
    return replace(
        fit_data,
        centre=((average + offsets.inputs) / spread).astype(np.float32),
        codes=data.batches.codes,
        offsets=np.exp(offsets.outputs) if loss == "poisson" else offsets.outputs,
        loss=loss,
    )


def epoch(
    data: FitData, *, batch_cells: int, input_dropout: float, most_batches: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Yield every cell once, in random order and in batches of equal shape; the last is filled up with the first.

    With more batches than ``most_batches`` the epoch ends there: many cells are met in several epochs.

    One dropout pattern, drawn for the epoch, serves all its batches: cells meet its rows in random order.
    The loss counts what is dropped, divided by the share ``input_dropout`` and the rows, so that it estimates a
    cell's sum.
    """
    n_cells, n_genes = data.shape
    n_batches = -(-n_cells // batch_cells)
    n_rows = -(-n_cells // n_batches)
    dropped = rng.random((n_rows, n_genes), dtype=np.float32) < input_dropout
    visible = np.where(dropped, np.float32(0), data.gain() / np.float32(1 - input_dropout))
    counted = dropped * np.float32(1 / (input_dropout * n_rows))
    n_taken = min(n_batches, most_batches)
    order = np.resize(rng.permutation(n_cells), n_taken * n_rows)
    for rows in order.reshape(n_taken, n_rows):
        target = data.target[rows].toarray()
        yield Batch(data.centre_rows(rows), target, data.exposure_of(rows), data.seen(rows), visible, counted)
