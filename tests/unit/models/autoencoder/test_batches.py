"""What a network is given to read, and what is kept from it."""

import numpy as np
import pytest

from _models import low_rank_world, some_held_out, with_other_values
from scinfill.models.autoencoder.batches import SMALLEST_SPREAD, epoch, prepare

WORLD = low_rank_world(45, 30)
ALL = slice(0, 45)


def one_epoch(data, **options):
    usual = {"batch_cells": 20, "input_dropout": 0.3, "most_batches": 100, "rng": np.random.default_rng(0)}
    return list(epoch(data, **usual | options))


def test_inputs_have_mean_zero_and_spread_one():
    inputs = prepare(WORLD.data, "poisson", None).inputs(ALL)
    varying = WORLD.data.log_values.toarray().std(axis=0) > SMALLEST_SPREAD
    assert varying.any()
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=0)[varying], 1, rtol=1e-4)


def test_hidden_entries_change_nothing_that_is_read():
    held_out = some_held_out(WORLD.data.shape)
    inputs = [
        prepare(data.without(held_out), "poisson", held_out).inputs(ALL)
        for data in (WORLD.data, with_other_values(WORLD.data, held_out))
    ]
    np.testing.assert_array_equal(*inputs)
    assert not inputs[0][held_out.nonzero()].any()


def test_what_is_hidden_is_made_up_for():
    """The sum that a hidden unit receives keeps its size."""
    rng = np.random.default_rng(0)
    data = prepare(WORLD.data, "squared", None)
    weights = rng.normal(size=(30, 400))
    whole = data.inputs(ALL) @ weights
    part = data.holding_out(some_held_out(data.shape, share=0.5)).inputs(ALL) @ weights
    slope = np.sum(whole * part) / np.sum(whole**2)
    assert slope == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("loss", ["poisson", "squared"])
def test_an_epoch_shows_every_cell_in_batches_of_one_shape(loss):
    batches = one_epoch(prepare(WORLD.data, loss, None))
    truth = (WORLD.data.counts if loss == "poisson" else WORLD.data.log_values).toarray()
    shown = np.concatenate([batch.target for batch in batches])
    assert {batch.target.shape for batch in batches} == {(15, 30)}
    assert {row.tobytes() for row in shown} == {row.tobytes() for row in truth}


def test_a_long_epoch_ends_early_and_shows_no_cell_twice():
    data = prepare(WORLD.data, "poisson", None)
    batches = one_epoch(data, batch_cells=5, most_batches=4)
    shown = np.concatenate([batch.inputs for batch in batches])
    assert shown.shape == (20, 30)
    assert len(np.unique(shown, axis=0)) == 20


def test_the_last_batch_is_filled_up():
    batches = one_epoch(prepare(WORLD.data, "poisson", None), batch_cells=22)
    assert [len(batch.target) for batch in batches] == [15, 15, 15]
    batches = one_epoch(prepare(WORLD.data.cells(np.arange(44)), "poisson", None), batch_cells=30)
    assert [len(batch.target) for batch in batches] == [22, 22]


def test_a_batch_belongs_together():
    """Inputs, target and exposure of a row are of one cell."""
    data = prepare(WORLD.data, "poisson", None)
    cell_of = {row.tobytes(): cell for cell, row in enumerate(WORLD.data.counts.toarray())}
    for batch in one_epoch(data):
        cells = np.array([cell_of[row.tobytes()] for row in batch.target])
        np.testing.assert_array_equal(batch.inputs, data.centre_rows(cells))
        np.testing.assert_array_equal(batch.exposure, data.exposure[cells])


def test_what_counts_is_never_what_is_read():
    for batch in one_epoch(prepare(WORLD.data, "poisson", None)):
        assert not np.any(batch.visible * batch.counted)
        assert np.all((batch.visible > 0) | (batch.counted > 0))


def test_the_counted_sum_estimates_the_sum_of_a_cell():
    (batch,) = one_epoch(prepare(WORLD.data, "poisson", None), batch_cells=45)
    assert batch.counted.sum() == pytest.approx(30, rel=0.1)
    assert np.unique(batch.visible) == pytest.approx([0, 1 / 0.7])


def test_a_new_epoch_hides_other_entries():
    rng = np.random.default_rng(0)
    first, second = (one_epoch(prepare(WORLD.data, "poisson", None), rng=rng)[0] for _ in range(2))
    assert np.any(first.visible != second.visible)
