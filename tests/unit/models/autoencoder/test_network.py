"""The network's step against plain numpy."""

import numpy as np
import pytest
from scipy.special import expit

from scinfill.models.autoencoder.batches import Batch
from scinfill.models.autoencoder.network import (
    ADAM_EPSILON,
    ADAM_MEMORY,
    BIAS_RATE_FACTOR,
    QUIET_START,
    SIGMOID_GAIN,
    StepScalars,
    compiled_forward,
    compiled_step,
    initial_weights,
    mirror_widths,
    output_gradient,
)
from scinfill.models.autoencoder.training import TrainSettings, entry_loss
from scinfill.models.devices import computing_on

RATE, RIDGE = 1e-3, 0.02
LOSSES = [("poisson", 1.0), ("squared", 1.0), ("squared", 0.1), ("squared", 0.0)]


def make_batch(loss, *, n_rows=6, n_genes=5):
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(n_rows, n_genes))
    target = rng.poisson(1.0, size=(n_rows, n_genes)).astype(float)
    exposure = rng.lognormal(size=(n_rows, 1)) if loss == "poisson" else np.ones((n_rows, 1))
    blind = rng.random((n_rows, n_genes)) < 0.4
    seen = (rng.random((n_rows, n_genes)) < 0.8).astype(float)
    fields = (inputs, target, exposure, seen, np.where(blind, 0, 1 / 0.6), blind / (0.4 * n_rows))
    return Batch(*(np.asarray(values, np.float32) for values in fields))


def make_weights(held_out=(4, 3)):
    weights = initial_weights(5, held_out, np.linspace(-1, 1, 5), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    return tuple((weight + rng.normal(0, 0.3, weight.shape)).astype(np.float32) for weight in weights)


def numpy_forward(weights, inputs):
    layer = inputs
    for matrix, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        layer = expit(layer @ matrix + bias) - 0.5
    return layer @ weights[-2] + weights[-1]


def objective(weights, batch, loss, zero_weight):
    """Return the counted loss of a batch and half the ridge on every matrix, in double precision."""
    batch = Batch(*(np.asarray(values, float) for values in batch))
    output = numpy_forward(weights, batch.inputs * batch.seen * batch.visible)
    settings = TrainSettings(loss, zero_weight)
    losses = entry_loss(output, batch.target, batch.exposure, settings)
    return np.sum(losses * batch.seen * batch.counted) + RIDGE / 2 * sum(np.sum(w**2) for w in weights[::2])


def numerical_gradient(weights, batch, loss, zero_weight):
    gradients = []
    for position, weight in enumerate(weights):
        gradient = np.zeros(weight.shape)
        for index in np.ndindex(weight.shape):
            sides = []
            for shift in (1e-5, -1e-5):
                moved = [np.array(other, float) for other in weights]
                moved[position][index] += shift
                sides.append(objective(moved, batch, loss, zero_weight))
            gradient[index] = (sides[0] - sides[1]) / 2e-5
        gradients.append(gradient)
    return gradients


def numpy_adam(weights, batch, loss, zero_weight, n_steps):
    first, second = ([np.zeros(weight.shape) for weight in weights] for _ in range(2))
    weights = [np.array(weight, float) for weight in weights]
    for step in range(1, n_steps + 1):
        for position, gradient in enumerate(numerical_gradient(weights, batch, loss, zero_weight)):
            first[position] += (1 - ADAM_MEMORY[0]) * (gradient - first[position])
            second[position] += (1 - ADAM_MEMORY[1]) * (gradient**2 - second[position])
            pace = RATE * np.sqrt(1 - ADAM_MEMORY[1] ** step) / (1 - ADAM_MEMORY[0] ** step)
            pace *= BIAS_RATE_FACTOR if weights[position].ndim == 1 else 1
            weights[position] = weights[position] - pace * first[position] / (np.sqrt(second[position]) + ADAM_EPSILON)
    return weights


def compiled_steps(weights, batch, loss, zero_weight, n_steps):
    with computing_on("cpu") as tf:
        variables = tuple(tf.Variable(weight) for weight in weights)
        moments = [tuple(tf.Variable(tf.zeros_like(weight)) for weight in weights) for _ in range(2)]
        for step in range(1, n_steps + 1):
            powers = (np.float32(memory**step) for memory in ADAM_MEMORY)
            compiled_step(loss, zero_weight)(
                variables, *moments, batch, StepScalars(np.float32(RATE), np.float32(RIDGE), *powers)
            )
        return [variable.numpy() for variable in variables]


@pytest.mark.parametrize(("loss", "zero_weight"), LOSSES)
def test_steps_equal_adam_on_numerical_gradients(loss, zero_weight):
    weights, batch = make_weights(), make_batch(loss)
    ours = compiled_steps(weights, batch, loss, zero_weight, 2)
    expected = numpy_adam(weights, batch, loss, zero_weight, 2)
    for position, (moved, wanted) in enumerate(zip(ours, expected, strict=True)):
        step = RATE * (BIAS_RATE_FACTOR if wanted.ndim == 1 else 1)
        np.testing.assert_allclose(moved, wanted, atol=0.02 * step, err_msg=f"weight {position}")


@pytest.mark.parametrize(("loss", "zero_weight"), LOSSES)
def test_the_gradient_is_that_of_the_loss(loss, zero_weight):
    batch = make_batch(loss)
    output = np.random.default_rng(0).normal(size=batch.target.shape)
    settings = TrainSettings(loss, zero_weight)

    def loss_at(shift):
        return entry_loss(output + shift, batch.target.astype(float), batch.exposure.astype(float), settings)

    with computing_on("cpu"):
        ours = np.asarray(output_gradient(loss, zero_weight, output.astype(np.float32), batch))
    np.testing.assert_allclose(ours, (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5, rtol=1e-4, atol=1e-5)


def test_compiled_output_equals_numpy():
    weights, inputs = make_weights(), make_batch("poisson").inputs
    with computing_on("cpu"):
        np.testing.assert_allclose(
            compiled_forward()(weights, inputs), numpy_forward(weights, inputs), rtol=1e-5, atol=1e-6
        )


def test_training_starts_at_the_given_means():
    bias = np.linspace(-2, 2, 5)
    weights = initial_weights(5, (4, 3, 4), bias, np.random.default_rng(0))
    inputs = np.random.default_rng(1).normal(0, 10, size=(7, 5))
    np.testing.assert_allclose(numpy_forward(weights, inputs), np.tile(bias, (7, 1)), rtol=1e-6)


def test_matrices_start_by_fan_in():
    weights = initial_weights(400, (100, 50), np.zeros(400), np.random.default_rng(0))
    assert weights[0].std() * np.sqrt(400) == pytest.approx(QUIET_START, rel=0.05)
    assert weights[2].std() * np.sqrt(100) == pytest.approx(SIGMOID_GAIN, rel=0.05)


def test_hidden_layers_keep_the_spread():
    """What the second hidden layer receives varies as much as what the first did."""
    weights = initial_weights(400, (300, 200), np.zeros(400), np.random.default_rng(0))
    first = np.random.default_rng(1).normal(size=(50, 400)) @ weights[0]
    second = (expit(first) - 0.5) @ weights[2]
    assert second.std() == pytest.approx(first.std(), rel=0.1)


def test_a_stack_is_mirrored():
    assert mirror_widths((512,)) == (512,)
    assert mirror_widths((8, 4, 2)) == (8, 4, 2, 4, 8)


def test_a_huge_rate_gives_finite_steps():
    weights = (*make_weights()[:-1], np.full(5, 1e6, np.float32))
    assert all(
        np.isfinite(weight).all() for weight in compiled_steps(weights, make_batch("poisson"), "poisson", 1.0, 2)
    )


def test_a_second_fit_traces_nothing_anew():
    batch = make_batch("poisson")
    compiled_steps(make_weights(), batch, "poisson", 1.0, 1)
    traced = compiled_step("poisson", 1.0).experimental_get_tracing_count()
    compiled_steps(make_weights(), batch, "poisson", 1.0, 3)
    assert compiled_step("poisson", 1.0).experimental_get_tracing_count() == traced
