"""New cells in a network whose training is over; numpy reads them, so that TensorFlow is not needed for that.

TensorFlow chooses how it sums by the number of rows and threads, and a cell's values must not depend on either.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scinfill.models.autoencoder.network import Weights
from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss
from scinfill.numerics.exact import exact_product

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WEIGHT_BITS = 8
"""Last bits of a float32 weight of a network that are cut, far below what training settles: the file packs better."""


@dataclass(frozen=True)
class FixedNetwork:
    """Weights of a network and how it reads a cell; see :class:`scinfill.models.recipe.FixedModel`.

    Attributes
    ----------
    loss
        Of the training.
    weights
        Matrix and bias of every layer.
    centre, spread
        (n_genes,) means in the average batch, and standard deviations, by which inputs are centred and divided: a
        centre is on the divided scale.
    batches
        (n_batches, n_genes) what batches add to the centre; None without batches.
    """

    loss: Loss
    weights: Weights
    centre: Floats
    spread: Floats
    batches: Floats | None = None

    @property
    def n_factors(self) -> int:
        """Nothing is kept of a cell: it is read again."""
        return 0

    def reader(self, known: Mask, half: Mask) -> "NetworkReader":
        """Return what reads cells; see :class:`scinfill.models.recipe.FixedModel`."""
        return NetworkReader(self, known, half)

    def read(self, block: Observations, known: Mask, codes: NDArray[np.intp] | None) -> Floats:
        """Return the inputs of the network, (n_rows, n_genes): genes that are not known are zero, as in training."""
        inputs: Floats = block.log_values.toarray()
        inputs /= self.spread
        inputs -= self.centre
        if self.batches is not None and codes is not None:
            inputs -= self.batches[np.append(codes, np.repeat(codes[:1], len(inputs) - len(codes)))]
        if not known.all():
            inputs *= known.astype(np.float32) * np.float32(len(known) / max(1, known.sum()))
        return inputs

    def values(self, inputs: Floats) -> Floats:
        """Return the output, (n_rows, n_genes); :func:`scinfill.models.autoencoder.network.forward` in numpy."""
        layer = inputs
        *encoders, (decoder, output_bias) = zip(self.weights[::2], self.weights[1::2], strict=True)
        for encoder, bias in encoders:
            layer = expit(exact_product(layer, encoder) + bias) - np.float32(0.5)
        return exact_product(layer, decoder) + output_bias

    def prediction(
        self, data: Observations, known: Mask, codes: NDArray[np.intp] | None, factors: Floats
    ) -> "NetworkReading":
        """Return what the network says of cells when their values are asked for."""
        del factors
        return NetworkReading(self, data, known, codes)


@dataclass(frozen=True)
class NetworkReader:
    """A network that reads blocks of cells; see :class:`scinfill.models.recipe.CellReader`.

    Attributes
    ----------
    network
        Which reads.
    known
        (n_genes,) genes that the data measured.
    half
        (n_genes,) one half of the genes.
    """

    network: FixedNetwork
    known: Mask
    half: Mask

    def halves(self, block: Observations, codes: NDArray[np.intp] | None) -> tuple[Floats, Floats]:
        """Return the inputs that either half of the genes makes."""
        one, other = (self.network.read(block, self.known & part, codes) for part in (self.half, ~self.half))
        return one, other

    def whole(self, block: Observations, codes: NDArray[np.intp] | None, halves: tuple[Floats, Floats]) -> Floats:
        """Return nothing: cells are read again where their values are asked for."""
        del codes, halves
        return np.zeros((block.shape[0], 0), np.float32)

    def predictor(self, columns: NDArray[np.intp]) -> Callable[[Floats], Floats]:
        """Return the function from inputs to the outputs of some genes."""
        *encoders, decoder, output_bias = self.network.weights
        part = replace(self.network, weights=(*encoders, decoder[:, columns], output_bias[columns]))
        return part.values


@dataclass(frozen=True)
class NetworkReading:
    """Predictions of a fixed network, a block of cells at a time.

    Attributes
    ----------
    network
        Which reads.
    data
        What it reads.
    known
        (n_genes,) genes that the data measured.
    codes
        (n_cells,) batches; None without.
    """

    network: FixedNetwork
    data: Observations
    known: Mask
    codes: NDArray[np.intp] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.data.shape

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes): the log rate per unit size factor (Poisson loss), or the log2 value (squared)."""
        part = Observations(self.data.log_values[rows])
        codes = None if self.codes is None else self.codes[rows]
        return self.network.values(self.network.read(part, self.known, codes))

    def project(self, rows: slice, mean: Floats, directions: Floats) -> Floats:
        """Return (block − mean)·directions, (n_rows, n_directions)."""
        values = np.clip(self.block(rows), -LARGEST_LOG_RATE, LARGEST_LOG_RATE)
        return exact_product(values - mean, directions)


def cut_bits(weight: Floats) -> Floats:
    """Return weights of which the last WEIGHT_BITS bits are zero."""
    mask = np.uint32((0xFFFFFFFF << WEIGHT_BITS) & 0xFFFFFFFF)
    return np.asarray((np.ascontiguousarray(weight, np.float32).view(np.uint32) & mask).view(np.float32))
