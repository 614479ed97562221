"""New cells in a network whose training is over; numpy reads them, so that TensorFlow is not needed for that.

TensorFlow chooses how it sums by the number of rows and threads, and a cell's values must not depend on either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scinfill.models.autoencoder.network import Weights
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Prediction
from scinfill.numerics.exact import exact_product

Floats = NDArray[np.float32]

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

    def read(
        self,
        block: Observations,
        known: NDArray[np.bool_],
        codes: NDArray[np.intp] | None,
        start: Floats | None = None,
    ) -> Floats:
        """Return the inputs of the network, (n_rows, n_genes): genes that are not known are zero, as in training."""
        del start
        inputs: Floats = block.log_values.toarray()
        inputs /= self.spread
        inputs -= self.centre
        if self.batches is not None and codes is not None:
            inputs -= self.batches[np.append(codes, np.repeat(codes[:1], len(inputs) - len(codes)))]
        if not known.all():
            inputs *= known.astype(np.float32) * np.float32(len(known) / max(1, known.sum()))
        return inputs

    def values(self, state: Floats) -> Floats:
        """Return the output, (n_rows, n_genes); :func:`scinfill.models.autoencoder.network.forward` in numpy."""
        layer = state
        *encoders, (decoder, output_bias) = zip(self.weights[::2], self.weights[1::2], strict=True)
        for encoder, bias in encoders:
            layer = expit(exact_product(layer, encoder) + bias) - np.float32(0.5)
        return exact_product(layer, decoder) + output_bias

    def prediction(
        self, data: Observations, known: NDArray[np.bool_], codes: NDArray[np.intp] | None, factors: Floats
    ) -> Prediction:
        """Return what the network says of cells when their values are asked for."""
        del factors
        return NetworkReading(self, data, known, codes)


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
    known: NDArray[np.bool_]
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


def cut_bits(weight: Floats) -> Floats:
    """Return weights of which the last WEIGHT_BITS bits are zero."""
    mask = np.uint32((0xFFFFFFFF << WEIGHT_BITS) & 0xFFFFFFFF)
    return np.asarray((np.ascontiguousarray(weight, np.float32).view(np.uint32) & mask).view(np.float32))
