"""How an estimate is put together: choices, gate, weights, one fit of everything."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from _models import Oracle, low_rank_world, observations
from scinfill.models.estimate import learning
from scinfill.models.estimate.choices import RANKS, best_by_entries, best_by_molecules, feasible_ranks
from scinfill.models.estimate.detected import Detected
from scinfill.models.estimate.learning import learn_detection, learn_model, learn_prediction, learn_shrunk
from scinfill.models.estimate.shrinkage import GRID
from scinfill.models.estimate.values import GatedModel, Shrunk
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.models.sampling import MOST_FOLDS, sample_cells, sample_genes

POISSON, SQUARED = PoissonFactorization(2), SquaredFactorization(2)


@pytest.fixture(scope="module")
def world():
    return low_rank_world(120, 40, mean=2)


def rng():
    return np.random.default_rng(0)


def values(learned, n_cells=120):
    return learned.estimate.block(slice(0, n_cells))


@dataclass
class Recording:
    """A recipe that notes what it was given."""

    inner: object
    seen: list = field(default_factory=list)

    @property
    def loss(self):
        return self.inner.loss

    def fit(self, data, *, rng, held_out=None):
        self.seen.append((data, held_out))
        return self.inner.fit(data, rng=rng, held_out=held_out)


# --- sampling ----------------------------------------------------------------------------------------------------


def test_small_data_are_taken_whole(world):
    assert sample_cells(world.data, 120, rng()) is None


@pytest.mark.parametrize("alone", [False, True], ids=["counts", "values alone"])
def test_a_sample_covers_every_library_size(alone):
    counts = np.random.default_rng(0).permutation(np.arange(1, 1001))[:, None] * np.ones((1, 3))
    data = observations(counts)
    data = Observations(data.log_values) if alone else data
    rows = sample_cells(data, 100, rng())
    assert len(rows) == len(set(rows)) == 100
    assert np.all(np.diff(rows) > 0)
    sizes = np.sort(counts[rows, 0])
    assert np.all((sizes > 10 * np.arange(100)) & (sizes <= 10 * (np.arange(100) + 1)))


def test_a_sample_covers_every_gene_total():
    counts = np.random.default_rng(0).permutation(np.arange(1, 1001))[None] * np.ones((3, 1))
    columns = sample_genes(observations(counts), 100, rng())
    assert np.all(np.diff(columns) > 0)
    totals = np.sort(counts[0, columns])
    assert np.all((totals > 10 * np.arange(100)) & (totals <= 10 * (np.arange(100) + 1)))


def test_few_genes_are_taken_whole(world):
    assert sample_genes(world.data, 40, rng()) is None


# --- choices -----------------------------------------------------------------------------------------------------


def test_ranks_stay_below_the_smaller_side():
    assert feasible_ranks((1000, 1000)) == list(RANKS)
    assert feasible_ranks((12, 1000)) == [3, 5, 10]
    assert feasible_ranks((11, 1000)) == [3, 5, 10]
    assert feasible_ranks((10, 1000)) == [3, 5]
    assert feasible_ranks((3, 1000)) == [2]
    assert feasible_ranks((2, 2)) == [1]


@pytest.mark.parametrize("true_rank", [1, 5])
def test_the_rank_of_the_data_is_found(true_rank):
    data = low_rank_world(400, 80, rank=true_rank, mean=8).data
    ranks = [1, 3, 5, 10, 20]
    by_molecules = best_by_molecules([PoissonFactorization(rank) for rank in ranks], data, rng())
    by_entries = best_by_entries([SquaredFactorization(rank) for rank in ranks], data, rng())
    for chosen in (by_molecules, by_entries):
        assert true_rank <= chosen.rank <= {1: 5, 5: 10}[true_rank]


def test_noise_asks_for_the_smallest_rank():
    data = observations(np.random.default_rng(0).poisson(3, size=(300, 60)))
    assert best_by_molecules([PoissonFactorization(rank) for rank in (1, 5, 20)], data, rng()).rank == 1
    assert best_by_entries([SquaredFactorization(rank) for rank in (1, 5, 20)], data, rng()).rank == 1


@pytest.mark.parametrize("choose", [best_by_molecules, best_by_entries])
def test_a_single_candidate_costs_no_fit(choose, world):
    only = Recording(POISSON)
    assert choose([only], world.data, rng()) is only
    assert only.seen == []


def test_the_search_stops_at_the_first_that_is_worse(world):
    true, worse, never = (Recording(Oracle(np.log(world.rate) + shift)) for shift in (0, np.eye(120, 40) * 5, 0))
    assert best_by_molecules([true, worse, never], world.data, rng()) is true
    assert never.seen == []


@pytest.mark.parametrize("choose", [best_by_molecules, best_by_entries])
def test_what_judges_was_not_in_the_fit(choose, world):
    first, second = Recording(POISSON if choose is best_by_molecules else SQUARED), Recording(SQUARED)
    choose([first, second], world.data, rng())
    fitted, held_out = first.seen[0]
    if choose is best_by_molecules:
        assert fitted.counts.sum() == pytest.approx(0.9 * world.data.counts.sum(), rel=0.02)
    else:
        assert held_out.nnz == pytest.approx(0.1 * 120 * 40, rel=0.1)
        assert not (fitted.log_values.toarray() * held_out.toarray()).any()


# --- learning ----------------------------------------------------------------------------------------------------


def test_model(world):
    learned = learn_model(POISSON, world.data, gated=True, rng=rng())
    assert isinstance(learned.estimate, GatedModel)
    assert learned.observed_weight is None
    assert learned.gate.slope.shape == (40,)
    np.testing.assert_allclose(learned.estimate.gain > 0, learned.gate.slope > 0)
    assert learned.details["genes_gated_shut"] == (learned.gate.slope == 0).sum()
    assert learned.details["recipe"] == str(POISSON)


def test_the_poisson_model_matches_totals_and_the_squared_one_does_not(world):
    counts, size_factor = world.data.molecules()
    for recipe, matched in ((POISSON, True), (SQUARED, False)):
        rate = learn_model(recipe, world.data, gated=False, rng=rng()).estimate.rate(slice(0, 120))
        totals = (size_factor[:, None] * rate).sum(axis=0)
        assert np.allclose(totals, counts.sum(axis=0), rtol=1e-3) == matched


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [POISSON, SQUARED], ids=["poisson", "squared"])
def test_shrunk(world, recipe):
    learned = learn_shrunk(recipe, world.data, gated=True, rng=rng())
    assert isinstance(learned.estimate, Shrunk)
    assert set(learned.observed_weight.tolist()) <= set(GRID.astype(np.float32).tolist())
    counts, size_factor = world.data.molecules()
    total = (size_factor[:, None] * (np.exp2(values(learned)) - 1)).sum(axis=0)
    np.testing.assert_allclose(total, counts.sum(axis=0), rtol=1e-3)


def test_shrunk_is_nearer_the_truth_than_what_was_seen_or_the_gene_means(world):
    learned = learn_shrunk(POISSON, world.data, gated=True, rng=rng())
    truth = np.log2(1 + world.rate)
    counts, size_factor = world.data.molecules()
    mean = np.log2(1 + counts.sum(axis=0) / size_factor.sum())

    def error(found):
        return np.mean((found - truth) ** 2)

    assert error(values(learned)) < 0.5 * min(error(world.data.log_values.toarray()), error(mean))


@pytest.mark.slow
def test_a_gene_of_noise_alone_ends_exactly_constant():
    """Gate shut and no weight for what was seen: nothing a rank test could find."""
    rng_of_data = np.random.default_rng(1)
    world = low_rank_world(1500, 30, mean=3)
    noise = rng_of_data.poisson(world.data.size_factor[:, None] * np.full((1500, 40), 3.0))
    data = observations(np.concatenate([world.data.counts.toarray(), noise], axis=1), world.data.size_factor)
    learned = learn_shrunk(POISSON, data, gated=True, rng=rng())
    shut = (learned.gate.slope == 0) & (learned.observed_weight == 0)
    assert shut[30:].sum() >= 10
    assert np.ptp(values(learned, 1500)[:, shut], axis=0).max() == 0


@pytest.mark.slow
def test_without_a_gate_nothing_is_held_back(world):
    for learn in (learn_model, learn_shrunk):
        learned = learn(POISSON, world.data, gated=False, rng=rng())
        assert learned.gate is None
        assert "mean_gate" not in learned.details


def test_detection(world):
    learned = learn_detection([SQUARED, replace(SQUARED, zero_weight=0.0)], world.data, rng=rng())
    assert isinstance(learned.estimate, Detected)
    assert learned.details["heldout_rmse"] > 0
    assert len(learned.details["recipes"]) == 2


def test_as_is_changes_nothing(world):
    negative = Oracle(-np.ones(world.rate.shape), "squared")
    np.testing.assert_array_equal(values(learn_prediction(negative, world.data, rng=rng())), -1)


@pytest.mark.parametrize("learn", [learn_shrunk, learn_model])
@pytest.mark.parametrize("max_folds", [MOST_FOLDS, 4])
def test_small_data_are_refitted_as_often_as_is_allowed(world, learn, max_folds):
    recipe = Recording(POISSON)
    learn(recipe, world.data, gated=True, rng=rng(), max_folds=max_folds)
    assert len(recipe.seen) == max_folds + 1
    assert recipe.seen[-1] == (world.data, None)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [POISSON, SQUARED], ids=["poisson", "squared"])
def test_every_fold_hides_entries_and_thins_the_molecules_of_the_others(world, recipe):
    recipe = Recording(recipe)
    learn_shrunk(recipe, world.data, gated=True, rng=rng())
    everything, hidden_so_far = world.data.counts.toarray(), np.zeros(world.rate.shape)
    for data, held_out in recipe.seen[:-1]:
        hidden, counts = held_out.toarray() > 0, data.counts.toarray()
        assert hidden.mean() == pytest.approx(0.1, abs=0.02)
        assert not counts[hidden].any()
        assert not data.log_values.toarray()[hidden].any()
        assert np.all(counts <= everything)
        assert counts.sum() == pytest.approx(0.9 * everything[~hidden].sum(), rel=0.02)
        hidden_so_far += hidden
    np.testing.assert_array_equal(hidden_so_far, 1)


def test_all_folds_of_many_cells_are_hidden_from_one_fit(monkeypatch, world):
    monkeypatch.setattr(learning, "LEARNING_CELLS", 120)
    recipe = Recording(POISSON)
    learn_shrunk(recipe, world.data, gated=True, rng=rng())
    (_, hidden), (_, of_the_rest) = recipe.seen
    assert hidden.toarray().mean() == pytest.approx(0.2, abs=0.02)
    assert set(hidden.data) == {1}
    assert of_the_rest is None


def test_without_a_gate_molecules_are_thinned_and_nothing_is_hidden(world):
    recipe = Recording(POISSON)
    learn_shrunk(recipe, world.data, gated=False, rng=rng())
    for data, held_out in recipe.seen[:-1]:
        assert held_out is None
        assert data.counts.sum() == pytest.approx(0.9 * world.data.counts.sum(), rel=0.02)


@pytest.mark.parametrize(("recipe", "calibrate"), [(SQUARED, True), (POISSON, False)], ids=["squared", "uncalibrated"])
def test_the_gate_alone_is_learned_from_all_molecules_of_the_entries_that_are_not_hidden(world, recipe, calibrate):
    recipe = Recording(recipe)
    learn_model(recipe, world.data, gated=True, calibrate=calibrate, rng=rng())
    for data, held_out in recipe.seen[:-1]:
        shown = world.data.counts.toarray() * (1 - held_out.toarray())
        np.testing.assert_array_equal(data.counts.toarray(), shown)


def test_large_data_are_learned_from_a_sample(monkeypatch, world):
    monkeypatch.setattr(learning, "SAMPLE_CELLS", 50)
    monkeypatch.setattr(learning, "LEARNING_CELLS", 100)
    recipe = Recording(POISSON)
    learned = learn_shrunk(recipe, world.data, gated=True, rng=rng())
    assert [data.shape[0] for data, _ in recipe.seen] == [50] * 2 + [120]
    assert values(learned).shape == (120, 40)
