"""AutoImpute as published: one overcomplete hidden layer, blind to zeros, full batch, TensorFlow 1's RMSProp.

    X̂ = σ(R·E + b)·D + c
    loss = Σ over non-zeros of (R − X̂)² + λ/2·(‖E‖² + ‖D‖²)

Plain sums, biases unregularised, all of E, D, b, c ~ N(0, 1). What the texts leave out follows the authors'
released program.
"""

from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.devices import Device, computing_on
from scinfill.models.observations import Observations
from scinfill.models.requirements import SINGLE, TENSORFLOW
from scinfill.resume import resumable

Floats = NDArray[np.float32]
Losses = list[tuple[float, float]]
"""Data term and penalty before each step."""

DECAY = 0.9
EPSILON = 1e-10
"""Inside the root, where TensorFlow 1 had it; Keras has 1e-7 there, PyTorch 1e-8 outside."""
FIRST_MEAN_SQUARE = 1.0
"""TensorFlow 1 started the accumulator at one: weights with small gradients move much less than from zero."""


@dataclass(frozen=True)
class PaperWeights:
    """E (n_genes, n_hidden), b (n_hidden,), D (n_hidden, n_genes), c (n_genes,)."""

    encoder: Floats
    encoder_bias: Floats
    decoder: Floats
    decoder_bias: Floats

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of the four
        return iter((self.encoder, self.encoder_bias, self.decoder, self.decoder_bias))


@dataclass(frozen=True)
class PaperReconstruction:
    """The trained network's output at every position, not clipped.

    Attributes
    ----------
    weights
        As trained.
    log_values
        (n_cells, n_genes) input.
    history
        Losses during training.
    """

    weights: PaperWeights
    log_values: csr_array
    history: Losses = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        n_cells, n_genes = self.log_values.shape
        return int(n_cells), int(n_genes)

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) log2 values."""
        from scipy.special import expit

        encoder, encoder_bias, decoder, decoder_bias = self.weights
        output: Floats = expit(self.log_values[rows] @ encoder + encoder_bias) @ decoder + decoder_bias
        return output


@dataclass(frozen=True)
class PaperAutoencoder:
    """Settings with the released program's defaults.

    Attributes
    ----------
    hidden_units
        Width of the one hidden layer; two to seven times the genes in the authors' scripts.
    regularisation
        λ. It weighs against sums over all entries, so it must grow with the data.
    threshold
        Training stops when the data term divided by the cells changes by no more from one iteration to the next.
    """

    hidden_units: int = 2000
    regularisation: float = 1.0
    learning_rate: float = 1e-4
    max_iterations: int = 7000
    threshold: float = 1e-4
    device: Device = "auto"
    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of full batches, dense."""
        n_cells, n_genes = data.shape
        numbers = 6 * n_cells * n_genes + 4 * n_cells * self.hidden_units + 8 * n_genes * self.hidden_units
        return TENSORFLOW + numbers * SINGLE

    def fit(
        self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None
    ) -> PaperReconstruction:
        """Train on the non-zeros of ``data``; whatever is held out must be zero there."""
        del held_out  # a zero is not seen, so it takes no part
        start = random_weights(data.shape[1], self.hidden_units, rng)
        with computing_on(self.device) as tf:
            values = tf.constant(data.log_values.toarray())
            scalars = tf.constant(self.regularisation, tf.float32), tf.constant(self.learning_rate, tf.float32)

            def iterate(state: PaperTraining, _number: int) -> PaperTraining:
                data_term, penalty = compiled_step()(state.weights, state.mean_squares, values, *scalars)
                state.history.append((float(data_term), float(penalty)))
                return state

            # Stop when the data term a cell changes by no more than the threshold.
            def has_converged(state: PaperTraining) -> bool:
                (before, _), (now, _) = state.history[-2:]
                return abs(before / data.shape[0] - now / data.shape[0]) <= self.threshold

            trained: PaperTrained = resumable(
                "autoencoder",
                PaperTraining.starting_at(tf, start),
                iterate,
                self.max_iterations,
                result=PaperTraining.finish,
                until=has_converged,
                label="AutoImpute",
            )
        return PaperReconstruction(trained.weights, data.log_values, trained.history[1:])


@dataclass(frozen=True)
class PaperTrained:
    """The weights, and the losses: a first pair of zeros, then those before every step."""

    weights: PaperWeights
    history: Losses


@dataclass(frozen=True)
class PaperTraining:
    """Weights and RMSProp's mean squares as TensorFlow variables, and the losses so far."""

    weights: tuple[Any, ...]
    mean_squares: tuple[Any, ...]
    history: Losses

    @classmethod
    def starting_at(cls, tf: ModuleType, start: PaperWeights) -> "PaperTraining":
        """Return the state before the first step."""
        squares = (tf.Variable(tf.fill(value.shape, FIRST_MEAN_SQUARE)) for value in start)
        return cls(tuple(map(tf.Variable, start)), tuple(squares), [(0.0, 0.0)])

    def finish(self) -> PaperTrained:
        """Return what is needed of a training that is over."""
        return PaperTrained(PaperWeights(*(variable.numpy() for variable in self.weights)), self.history)


def random_weights(n_genes: int, hidden_units: int, rng: np.random.Generator) -> PaperWeights:
    """Draw all weights and biases from N(0, 1)."""
    shapes = ((n_genes, hidden_units), (hidden_units,), (hidden_units, n_genes), (n_genes,))
    return PaperWeights(*(rng.standard_normal(shape, dtype=np.float32) for shape in shapes))


def loss_terms(weights: Any, values: Any, regularisation: Any) -> tuple[Any, Any]:  # noqa: ANN401 - tensors
    """Return the data term Σ M·(R − X̂)² and the penalty λ/2·(‖E‖² + ‖D‖²)."""
    import tensorflow as tf

    encoder, encoder_bias, decoder, decoder_bias = weights
    output = tf.sigmoid(values @ encoder + encoder_bias) @ decoder + decoder_bias
    seen = tf.cast(values != 0, values.dtype)
    data_term = tf.reduce_sum(seen * tf.square(values - output))
    return data_term, regularisation / 2 * (tf.reduce_sum(encoder**2) + tf.reduce_sum(decoder**2))


@cache
def compiled_step() -> Any:  # noqa: ANN401 - a TensorFlow function
    """Return the function that takes one RMSProp step and returns the loss before it."""
    import tensorflow as tf

    def step(weights: Any, mean_squares: Any, values: Any, regularisation: Any, learning_rate: Any) -> Any:  # noqa: ANN401
        # Loss on non-zeros and ridge, and its gradient.
        with tf.GradientTape() as tape:
            data_term, penalty = loss_terms(weights, values, regularisation)
            total = data_term + penalty
        for weight, mean_square, gradient in zip(weights, mean_squares, tape.gradient(total, weights), strict=True):
            # RMSProp with ε inside the root, as TensorFlow 1 had it.
            mean_square.assign(DECAY * mean_square + (1 - DECAY) * tf.square(gradient))
            weight.assign_sub(learning_rate * gradient / tf.sqrt(mean_square + EPSILON))
        return data_term, penalty

    return tf.function(step, autograph=False)
