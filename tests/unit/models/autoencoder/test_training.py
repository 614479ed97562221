"""When training stops, and what it keeps."""

from dataclasses import replace

import numpy as np
import pytest

from _models import low_rank_world, some_held_out
from scinfill.models.autoencoder import training
from scinfill.models.autoencoder.batches import prepare
from scinfill.models.autoencoder.network import initial_weights
from scinfill.models.autoencoder.training import TrainingState, TrainSettings, Validation, draw_heldout, train
from scinfill.models.centre import gene_centre
from scinfill.models.devices import computing_on
from scinfill.progress import listening

SETTINGS = TrainSettings("poisson", learning_rate=5e-3, batch_cells=30, max_steps=200)


def start_of(data, hidden_units=(16,)):
    bias = np.log(gene_centre("poisson", data, None, zero_weight=1.0))
    return initial_weights(data.shape[1], hidden_units, bias, np.random.default_rng(0))


def trained(data, settings=SETTINGS, *, seed=0):
    with computing_on("cpu") as tf:
        first = TrainingState.first(tf, start_of(data), settings)
        return train(first, prepare(data, settings.loss, None), settings, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def world():
    return low_rank_world(90, 40, mean=4.0)


@pytest.mark.slow
def test_training_lowers_the_heldout_loss(world):
    losses = trained(world.data).heldout_loss
    assert min(losses) < losses[0] - 0.02 * abs(losses[0])


@pytest.mark.slow
def test_the_best_weights_are_kept(world):
    """Whatever came after the lowest held-out loss is forgotten."""
    data = prepare(world.data, "poisson", None)
    result = trained(world.data, replace(SETTINGS, learning_rate=0.3))
    heldout = draw_heldout(data, np.random.default_rng(0))
    with computing_on("cpu"):
        loss = Validation(data.holding_out(heldout), heldout, SETTINGS).loss(result.weights)
    assert loss == pytest.approx(min(result.heldout_loss), rel=1e-6)
    assert result.heldout_loss[-1] > min(result.heldout_loss)


@pytest.mark.slow
def test_training_of_noise_stops_at_once():
    """Nothing can be learned, so the looks end after the slowdowns and their patience."""
    noise = low_rank_world(60, 30, rank=1, seed=1).data
    rng = np.random.default_rng(0)
    shuffled = replace(noise, log_values=noise.log_values[:, rng.permutation(30)])
    result = trained(shuffled, replace(SETTINGS, max_steps=10_000))
    assert len(result.heldout_loss) < 10_000 / training.VALIDATION_STEPS / 10


@pytest.mark.parametrize(("batch_cells", "steps_a_look"), [(30, 9), (5, 8)], ids=["three epochs", "half an epoch"])
def test_steps_are_bounded(world, batch_cells, steps_a_look):
    """90 cells in batches of 30 are three steps an epoch, and nine a look; in batches of 5 an epoch is cut short."""
    result = trained(world.data, replace(SETTINGS, batch_cells=batch_cells, max_steps=3 * steps_a_look))
    assert len(result.heldout_loss) == 1 + 3


def test_heldout_entries_were_seen_and_are_a_tenth(world):
    held_out = some_held_out(world.data.shape)
    heldout = draw_heldout(prepare(world.data, "poisson", held_out), np.random.default_rng(0))
    assert not heldout.multiply(held_out).nnz
    assert heldout.nnz == pytest.approx(0.1 * 0.9 * np.prod(world.data.shape), rel=0.2)


def test_few_cells_of_many_are_held_out(world, monkeypatch):
    monkeypatch.setattr(training, "VALIDATION_CELLS", 25)
    heldout = draw_heldout(prepare(world.data, "poisson", None), np.random.default_rng(0))
    assert np.count_nonzero(np.diff(heldout.indptr)) == 25


@pytest.mark.slow
def test_progress_ends_although_training_stops_early(world):
    heard = []
    with listening(lambda name, done, total: heard.append((name, done, total))):
        result = trained(world.data, replace(SETTINGS, max_steps=10_000))
    looks = len(result.heldout_loss) - 1
    assert heard[looks - 1][1] < heard[-1][2]
    assert heard[-1][1] == heard[-1][2]
