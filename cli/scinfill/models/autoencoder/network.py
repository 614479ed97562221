"""The network X̂ = c + D·σ(… σ(b + E·x)) and one blind training step, compiled once for every shape.

Functions take the weights as arguments: no fit leaves anything behind for the next, and TensorFlow traces
a step once in a process, not once in a fit.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scinfill.models.autoencoder.batches import Batch, Floats, Tensor
from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.recipe import Loss

Weights = tuple[Floats, ...]
"""Matrix and bias of each layer in turn: E (n_genes, n_hidden), b, …, D (n_hidden, n_genes), c."""

QUIET_START = 0.3
"""Hidden units start in the linear part of the sigmoid, so that they learn features instead of keeping random ones."""
SIGMOID_GAIN = 4.0
"""1 / slope of the sigmoid at zero: keeps the spread from one hidden layer to the next."""
BIAS_RATE_FACTOR = 10.0
"""Biases learn faster than matrices: with structure, the mean of a log rate lies far below the log of the mean."""
ADAM_MEMORY = (0.9, 0.999)
ADAM_EPSILON = 1e-7


class StepScalars(NamedTuple):
    """Scalars of one step: learning rate, ridge, and Adam's β₁ᵗ and β₂ᵗ."""

    learning_rate: Tensor
    ridge: Tensor
    first_power: Tensor
    second_power: Tensor


def mirror_widths(hidden_units: Sequence[int]) -> tuple[int, ...]:
    """Return the widths of the stacked form: A, B, C becomes A, B, C, B, A."""
    return (*hidden_units, *reversed(hidden_units[:-1]))


def initial_weights(
    n_genes: int, hidden_units: Sequence[int], output_bias: NDArray[np.floating], rng: np.random.Generator
) -> Weights:
    """Draw matrices from N(0, gain²/fan-in), but for the last: it is zero, so that training starts at the means.

    The gain is QUIET_START for the first matrix and SIGMOID_GAIN for those between hidden layers.

    Parameters
    ----------
    hidden_units
        Width of every hidden layer, decoder included.
    output_bias
        (n_genes,) what the network says before it has learned anything.
    """
    widths = [n_genes, *hidden_units]
    gains = [QUIET_START, *[SIGMOID_GAIN] * (len(hidden_units) - 1)]
    weights: list[Floats] = []
    for gain, (fan_in, fan_out) in zip(gains, pairwise(widths), strict=True):
        spread = np.float32(gain / np.sqrt(fan_in))
        weights += [spread * rng.standard_normal((fan_in, fan_out), dtype=np.float32), np.zeros(fan_out, np.float32)]
    return (*weights, np.zeros((widths[-1], n_genes), np.float32), output_bias.astype(np.float32))


def forward(weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Return the output (n_rows, n_genes): log rates (Poisson loss) or log2 values (squared loss).

    Half is taken off every sigmoid. The next bias could do the same, but then a step of D would move all
    outputs together, and the gene means would shake.
    """
    import tensorflow as tf

    layer = inputs
    *encoders, (decoder, output_bias) = zip(weights[::2], weights[1::2], strict=True)
    for encoder, bias in encoders:
        layer = tf.sigmoid(tf.nn.bias_add(layer @ encoder, bias)) - 0.5
    return tf.nn.bias_add(layer @ decoder, output_bias)


def output_gradient(loss: Loss, zero_weight: float, output: Tensor, batch: Batch) -> Tensor:
    """Return the derivative of every entry's loss with respect to its output.

    Poisson loss λ − C·log λ with λ = s·exp(output): λ − C.
    Squared loss ½·W·(X − output)² with W = 1 on non-zeros and ``zero_weight`` on zeros: W·(output − X).
    What batches add to the output is in the exposure.
    """
    import tensorflow as tf

    if loss == "poisson":
        return batch.exposure * tf.exp(tf.minimum(output, LARGEST_LOG_RATE)) - batch.target
    difference = output + batch.exposure - batch.target
    return difference if zero_weight == 1 else difference * tf.where(batch.target > 0, 1.0, zero_weight)


@cache
def compiled_forward() -> Any:  # noqa: ANN401 - a TensorFlow function
    """Return :func:`forward`, compiled for any number of rows."""
    import tensorflow as tf

    return tf.function(forward, autograph=False, reduce_retracing=True)


@cache
def compiled_step(loss: Loss, zero_weight: float) -> Any:  # noqa: ANN401 - a TensorFlow function
    """Return ``step(weights, first_moments, second_moments, batch, scalars)``: one step of Adam, compiled.

    It changes its first three arguments, tuples of variables, in place. The ridge is on matrices alone.
    """
    import tensorflow as tf

    def step(
        weights: Tensor, first_moments: Tensor, second_moments: Tensor, batch: Batch, scalars: StepScalars
    ) -> None:
        with tf.GradientTape() as tape:
            output = forward(weights, batch.inputs * batch.seen * batch.visible)
        residual = output_gradient(loss, zero_weight, output, batch) * batch.seen * batch.counted
        gradients = tape.gradient(output, weights, output_gradients=residual)
        for weight, first, second, gradient in zip(weights, first_moments, second_moments, gradients, strict=True):
            is_matrix = len(weight.shape) == 2
            # One fused kernel: Adam written as separate operations would cost a tenth of the step.
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=scalars.first_power,
                beta2_power=scalars.second_power,
                lr=scalars.learning_rate if is_matrix else BIAS_RATE_FACTOR * scalars.learning_rate,
                beta1=ADAM_MEMORY[0],
                beta2=ADAM_MEMORY[1],
                epsilon=ADAM_EPSILON,
                grad=gradient + scalars.ridge * weight if is_matrix else gradient,
            )

    return tf.function(step, autograph=False)
