"""AutoImpute as published, against plain numpy."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import expit

from _models import low_rank_world
from _support import shared
from scinfill.models.devices import computing_on
from scinfill.models.observations import Observations
from scinfill.models.published.autoimpute import (
    DECAY,
    EPSILON,
    FIRST_MEAN_SQUARE,
    PaperAutoencoder,
    PaperWeights,
    compiled_step,
    loss_terms,
    random_weights,
)
from scinfill.numerics.masking import hide_nonzeros, split
from scinfill.numerics.sparse import canonical

LAMBDA, RATE = 3.0, 1e-2


@pytest.fixture(scope="module")
def data():
    return low_rank_world(12, 9, mean=0.8).data


def small_weights(n_genes=9, hidden_units=7):
    """Return weights with which the sigmoids are not saturated, so that every gradient can be seen."""
    return PaperWeights(*(0.3 * weight for weight in random_weights(n_genes, hidden_units, np.random.default_rng(0))))


def numpy_loss_and_gradients(weights, values):
    """Return data term, penalty, and the gradients of their sum, derived by hand, in double precision."""
    encoder, encoder_bias, decoder, decoder_bias = (np.asarray(weight, float) for weight in weights)
    held_out = expit(values @ encoder + encoder_bias)
    error = np.where(values != 0, held_out @ decoder + decoder_bias - values, 0)
    before_sigmoid = 2 * error @ decoder.T * held_out * (1 - held_out)
    gradients = (
        values.T @ before_sigmoid + LAMBDA * encoder,
        before_sigmoid.sum(axis=0),
        2 * held_out.T @ error + LAMBDA * decoder,
        2 * error.sum(axis=0),
    )
    return np.sum(error**2), LAMBDA / 2 * (np.sum(encoder**2) + np.sum(decoder**2)), gradients


def numpy_rmsprop(weights, values, n_steps):
    weights = [np.asarray(weight, float) for weight in weights]
    mean_squares = [np.full(weight.shape, 1.0) for weight in weights]
    for _ in range(n_steps):
        _, _, gradients = numpy_loss_and_gradients(weights, values)
        for position, gradient in enumerate(gradients):
            mean_squares[position] = 0.9 * mean_squares[position] + 0.1 * gradient**2
            weights[position] = weights[position] - RATE * gradient / np.sqrt(mean_squares[position] + 1e-10)
    return weights


def test_the_constants_are_those_of_tensorflow_1():
    assert (DECAY, EPSILON, FIRST_MEAN_SQUARE) == (0.9, 1e-10, 1.0)


def test_the_defaults_are_those_of_the_released_program():
    recipe = PaperAutoencoder()
    assert (recipe.hidden_units, recipe.regularisation, recipe.learning_rate) == (2000, 1.0, 1e-4)
    assert (recipe.max_iterations, recipe.threshold) == (7000, 1e-4)


def test_loss_and_gradients_equal_numpy(data):
    weights, values = small_weights(), data.log_values.toarray()
    data_term, penalty, gradients = numpy_loss_and_gradients(weights, values.astype(float))
    with computing_on("cpu") as tf:
        variables = [tf.Variable(weight) for weight in weights]
        with tf.GradientTape() as tape:
            ours = loss_terms(variables, tf.constant(values), LAMBDA)
            total = ours[0] + ours[1]
        our_gradients = [gradient.numpy() for gradient in tape.gradient(total, variables)]
    assert [float(term) for term in ours] == pytest.approx([data_term, penalty], rel=1e-5)
    for mine, expected in zip(our_gradients, gradients, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_steps_equal_rmsprop_in_numpy(data):
    weights, values = small_weights(), data.log_values.toarray()
    expected = numpy_rmsprop(weights, values.astype(float), 5)
    with computing_on("cpu") as tf:
        variables = [tf.Variable(weight) for weight in weights]
        mean_squares = [tf.Variable(tf.fill(weight.shape, FIRST_MEAN_SQUARE)) for weight in weights]
        pace = tf.constant(LAMBDA, tf.float32), tf.constant(RATE, tf.float32)
        for _ in range(5):
            compiled_step()(variables, mean_squares, tf.constant(values), *pace)
        moved = [variable.numpy() for variable in variables]
    for mine, wanted in zip(moved, expected, strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-3 * RATE)


def test_all_weights_and_biases_are_standard_normal():
    for weight in random_weights(300, 2000, np.random.default_rng(0)):
        assert weight.mean() == pytest.approx(0, abs=0.25)
        assert weight.std() == pytest.approx(1, abs=0.15)


def test_zeros_are_no_data(data):
    """What the network says where nothing was seen costs nothing."""
    weights, values = small_weights(), data.log_values.toarray()
    with computing_on("cpu"):
        whole, _ = loss_terms(weights, values, LAMBDA)
    output = expit(values @ weights.encoder + weights.encoder_bias) @ weights.decoder + weights.decoder_bias
    assert float(whole) == pytest.approx(np.sum((values - output)[values != 0] ** 2), rel=1e-4)


def test_the_output_is_the_network_at_every_position(data):
    prediction = PaperAutoencoder(hidden_units=5, max_iterations=3).fit(data, rng=np.random.default_rng(0))
    encoder, encoder_bias, decoder, decoder_bias = prediction.weights
    expected = expit(data.log_values.toarray() @ encoder + encoder_bias) @ decoder + decoder_bias
    np.testing.assert_allclose(prediction.block(slice(0, 12)), expected, rtol=1e-5)
    assert prediction.block(slice(0, 12)).min() < 0  # not clipped


def test_training_stops_by_the_data_term_per_cell_alone(data):
    """The first value is held against 0, every later one against the one before; the penalty plays no part."""
    recipe = PaperAutoencoder(hidden_units=5, learning_rate=1e-2, max_iterations=400, threshold=0.02)
    history = recipe.fit(data, rng=np.random.default_rng(0)).history
    per_cell = np.array([data_term for data_term, _ in history]) / 12
    changes = np.abs(np.diff(np.concatenate([[0.0], per_cell])))
    assert 1 < len(history) < 400
    assert changes[-1] <= 0.02
    assert np.all(changes[:-1] > 0.02)


def test_training_can_end_at_the_first_look(data):
    recipe = PaperAutoencoder(hidden_units=5, max_iterations=400, threshold=1e9)
    assert len(recipe.fit(data, rng=np.random.default_rng(0)).history) == 1


def test_history_is_the_loss_before_each_step(data):
    history = PaperAutoencoder(hidden_units=7, max_iterations=4).fit(data, rng=np.random.default_rng(0)).history
    start = random_weights(9, 7, np.random.default_rng(0))
    penalty = (np.sum(start.encoder.astype(float) ** 2) + np.sum(start.decoder.astype(float) ** 2)) / 2
    assert len(history) == 4
    assert history[0][1] == pytest.approx(penalty, rel=1e-5)


def test_same_seed_same_bytes(data):
    recipe = PaperAutoencoder(hidden_units=6, max_iterations=20)
    first, again, other = (recipe.fit(data, rng=np.random.default_rng(seed)).block(slice(0, 12)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.slow
def test_a_large_penalty_on_blakeley_lands_where_it_is_known_to():
    """Held-out RMSE about 2.9 with λ 1000, rate 1e-3 and 3,000 iterations, below the gene means' 3.1.

    Every fourth gene and a quarter of the hidden units: the same network on the same cells in a tenth of the time.
    """
    values = pd.read_csv(shared("golden/blakeley_processed_log2.csv"), index_col=0).to_numpy(np.float32)[:, ::4]
    kept, truth = split(csr_array(values), hide_nonzeros(csr_array(values), 0.1, np.random.default_rng(0)))
    recipe = PaperAutoencoder(hidden_units=500, regularisation=1000.0, learning_rate=1e-3, max_iterations=3000)
    prediction = recipe.fit(Observations(canonical(kept, np.float32)), rng=np.random.default_rng(0)).block(slice(0, 30))
    rmse = np.sqrt(np.mean((prediction[truth.nonzero()] - truth.data) ** 2))
    assert 2.6 < rmse < 3.2
