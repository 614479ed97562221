"""Groups get the counts that were seen in them, as far as held-out molecules say; what is shut is never touched."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from _models import Given, Oracle, observations
from scinfill.models.estimate.grouping import (
    CELLS_PER_GROUP,
    FEWEST_CELLS,
    GROUPS,
    assign_all,
    learn_groupings,
    sizes_for,
)
from scinfill.models.estimate.learning import learn_model, learn_shrunk
from scinfill.models.estimate.local_calibration import (
    ALPHAS,
    Priors,
    calibrate,
    choose_priors,
    group_factors,
    totals_of_groups,
)
from scinfill.models.estimate.values import gated_model
from scinfill.models.factorization.recipes import PoissonFactorization
from scinfill.models.observations import Observations

N_CELLS, N_GENES, N_TYPES = 400, 30, 4
ALL = slice(0, N_CELLS)
TYPE = np.arange(N_CELLS) % N_TYPES
OPEN = np.arange(N_GENES) >= 5
SLOPE = OPEN.astype(np.float32)


def rng():
    return np.random.default_rng(0)


def world(*, missed: float, depth: float = 3.0, seed: int = 0) -> tuple[Observations, np.ndarray, np.ndarray]:
    """Return counts, true rates, and a model that tells the types apart but misses ``missed`` of their log rates."""
    random = np.random.default_rng(seed)
    profiles = random.normal(0, 1, (N_TYPES, N_GENES))
    error = random.normal(0, missed, (N_TYPES, N_GENES))
    size_factor = random.lognormal(0, 0.3, N_CELLS)
    rate = depth * np.exp(0.6 * profiles + error)[TYPE]
    model = np.log(depth * np.exp(0.6 * profiles))[TYPE]
    return observations(random.poisson(size_factor[:, None] * rate), size_factor), rate, model


def gated(model: np.ndarray, data: Observations):
    return gated_model(Given(model), "poisson", data, SLOPE, match_totals=True)


def priors(alpha: float) -> Priors:
    return Priors((np.where(OPEN, alpha, np.inf),))


def chosen(*, missed: float) -> np.ndarray:
    """Return the smallest α of every gene."""
    data, _, model = world(missed=missed, depth=10)
    kept, taken = data.thinned(0.1, rng())
    tests = [(totals_of_groups(gated(model, kept), kept, SLOPE, rng=rng()), taken)]
    return np.min(choose_priors(tests, SLOPE, data.counts.sum(axis=0)).alpha, axis=0)


# --- groups ------------------------------------------------------------------------------------------------------


def test_so_many_groups_as_the_cells_allow():
    assert sizes_for(10 * CELLS_PER_GROUP * max(GROUPS)) == list(GROUPS)
    assert sizes_for(32 * CELLS_PER_GROUP) == [32, 8]
    assert sizes_for(5 * CELLS_PER_GROUP) == [5]
    assert sizes_for(2 * CELLS_PER_GROUP - 1) == []


def test_cells_that_are_predicted_alike_share_a_group_however_many_are_asked_for():
    two_kinds = Given(np.repeat([[0.0, 1.0], [2.0, 0.0]], N_CELLS // 2, axis=0))
    (grouping,) = learn_groupings(two_kinds, np.ones(2, np.float32), 1, rng=rng())
    assert len(grouping.centres) == 2


def test_what_is_added_up_is_what_every_group_has():
    """One pass over all groupings, block by block, against plain sums."""
    data, _, model = world(missed=0.2)
    gated_ = gated(model, data)
    for totals in totals_of_groups(gated_, data, SLOPE, rng=rng()):
        counts, size_factor = data.molecules()
        expected = gated_.rate(ALL) * size_factor[:, None]
        for number in range(len(totals.expected)):
            cells = totals.group == number
            np.testing.assert_allclose(totals.observed[number], counts.toarray()[cells].sum(axis=0))
            np.testing.assert_allclose(totals.expected[number], expected[cells].sum(axis=0), rtol=1e-4)


def test_groups_keep_types_apart_are_nested_and_hold_tens_of_cells():
    _, _, model = world(missed=0)
    noisy = Given(model + rng().normal(0, 0.1, model.shape))
    groupings = learn_groupings(noisy, SLOPE, 2, rng=rng())
    for grouping, group in zip(groupings, assign_all(groupings, noisy, ALL), strict=True):
        assert all(len(set(TYPE[group == number])) == 1 for number in np.unique(group))
        assert np.bincount(group).min() >= FEWEST_CELLS / 2
        for large in grouping.scales:
            assert len(large) == len(grouping.centres)


def test_nothing_to_group():
    _, _, model = world(missed=0)
    assert learn_groupings(Given(model), np.zeros(N_GENES, np.float32), 2, rng=rng()) == []
    assert learn_groupings(Given(np.ones_like(model)), SLOPE, 2, rng=rng()) == []
    assert learn_groupings(Given(model[:30]), SLOPE, 2, rng=rng()) == []


# --- factors -----------------------------------------------------------------------------------------------------


def test_factors_by_their_definition():
    random = rng()
    observed, expected = random.poisson(30, (6, 4)).astype(float), random.uniform(10, 50, (6, 4))
    alpha = np.array([np.inf, 1000.0, 30.0, 3.0])
    factors = group_factors(observed, expected, alpha)
    assert np.all(factors[:, 0] == 1)
    raw = (observed[:, 1:] + alpha[1:]) / (expected[:, 1:] + alpha[1:])
    np.testing.assert_allclose(factors[:, 1:] / factors[0, 1:], raw / raw[0])
    np.testing.assert_allclose((factors * expected).sum(axis=0), expected.sum(axis=0))


def test_a_group_without_molecules_stays():
    factors = group_factors(np.zeros((3, 2)), np.zeros((3, 2)), np.array([3.0, np.inf]))
    np.testing.assert_array_equal(factors, 1)


@pytest.mark.slow
def test_totals_of_types_come_near_and_totals_of_genes_stay():
    data, _, model = world(missed=0.5)
    counts, size_factor = data.molecules()
    before = gated(model, data)
    after = calibrate(before, totals_of_groups(before, data, SLOPE, rng=rng()), priors(3.0))

    def totals(found):
        expected = size_factor[:, None] * found.rate(ALL)
        return np.stack([expected[number == TYPE].sum(axis=0) for number in range(N_TYPES)])[:, OPEN]

    seen = np.stack([counts[number == TYPE].sum(axis=0) for number in range(N_TYPES)])[:, OPEN]
    assert np.abs(totals(after) - seen).mean() < 0.2 * np.abs(totals(before) - seen).mean()
    np.testing.assert_allclose(totals(after).sum(axis=0), seen.sum(axis=0), rtol=1e-4)


def test_what_is_shut_keeps_its_bytes():
    data, _, model = world(missed=0.5)
    before = gated(model, data)
    after = calibrate(before, totals_of_groups(before, data, SLOPE, rng=rng()), priors(3.0))
    assert before.block(ALL)[:, ~OPEN].tobytes() == after.block(ALL)[:, ~OPEN].tobytes()
    assert not np.array_equal(before.block(ALL)[:, OPEN], after.block(ALL)[:, OPEN])


def test_infinity_everywhere_leaves_the_model_alone():
    data, _, model = world(missed=0.5)
    before = gated(model, data)
    totals = totals_of_groups(before, data, SLOPE, rng=rng())
    assert calibrate(before, totals, priors(np.inf)).local is None


# --- what held-out molecules choose ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_that_misses_groups_is_calibrated_and_one_that_does_not_is_hardly():
    assert np.median(chosen(missed=0.8)[OPEN]) <= 10
    assert np.median(chosen(missed=0.0)[OPEN]) >= 100
    assert np.all(np.isinf(chosen(missed=0.8)[~OPEN]))


def test_alphas_run_from_nothing_to_nearly_all():
    assert np.isinf(ALPHAS[0])
    assert np.all(np.diff(ALPHAS[1:]) < 0)


@pytest.mark.slow
@pytest.mark.parametrize("learn", [learn_model, learn_shrunk])
def test_calibration_brings_the_means_of_groups_nearer_the_truth(learn):
    data, rate, model = world(missed=0.5)
    error = {}
    for local in (False, True):
        learned = learn(Oracle(model), data, gated=False, calibrate=local, rng=rng())
        found = np.exp2(learned.estimate.block(ALL)) - 1
        means = [np.log(found[number == TYPE].mean(axis=0)) - np.log(rate[number == TYPE][0]) for number in range(4)]
        error[local] = np.sqrt(np.mean(np.square(means)))
        assert ("genes_calibrated" in learned.details) == local
    assert error[True] < 0.6 * error[False]


def test_the_squared_loss_alone_is_not_calibrated():
    data, _, _ = world(missed=0.5)
    learned = learn_model(Oracle(data.log_values.toarray(), "squared"), data, gated=False, rng=rng())
    assert learned.estimate.local is None


# --- how it is computed ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_bytes_for_any_number_of_threads_and_in_any_blocks():
    data, _, _ = world(missed=0.5)

    def values(n_threads):
        with threadpool_limits(n_threads):
            return learn_shrunk(PoissonFactorization(3), data, gated=False, rng=rng()).estimate

    one, two = values(1), values(2)
    assert one.model.local is not None
    assert one.block(ALL).tobytes() == two.block(ALL).tobytes()
    local = one.model.local
    parts = [local.block(slice(first, first + 37)) for first in range(0, N_CELLS, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), local.block(ALL))


@pytest.mark.slow
def test_cells_in_another_order_keep_their_factors():
    """Factors belong to groups, not to positions."""
    data, _, model = world(missed=0.5)
    before = gated(model, data)
    after = calibrate(before, totals_of_groups(before, data, SLOPE, rng=rng()), priors(3.0))
    order = rng().permutation(N_CELLS)
    moved = replace(after.local, group=after.local.group[order])
    np.testing.assert_array_equal(moved.block(ALL), after.local.block(ALL)[order])
