import numpy as np
import pytest
from scipy.sparse import csr_array

from _models import low_rank_world, observations
from scinfill.models.estimate.detected import hold_out_seen
from scinfill.models.observations import Observations
from scinfill.models.published.baselines import GeneMean, LowRank, NuclearNorm, ThresholdedSvd
from scinfill.numerics.masking import values_at
from scinfill.numerics.sparse import canonical


def fitted(recipe, data, *, seed=0):
    return recipe.fit(data, rng=np.random.default_rng(seed))


def values(recipe, data):
    return fitted(recipe, data).block(slice(0, data.shape[0]))


@pytest.fixture(scope="module")
def data():
    return low_rank_world(80, 40, mean=1.5).data


# --- gene mean ---------------------------------------------------------------------------------------------------


def test_gene_mean_fills_zeros_by_the_mean_of_what_was_seen(data):
    seen = data.log_values.toarray()
    means = seen.sum(axis=0) / np.maximum((seen > 0).sum(axis=0), 1)
    np.testing.assert_allclose(values(GeneMean(), data), np.where(seen == 0, means, seen), rtol=1e-6)


def test_gene_mean_needs_no_counts_and_leaves_a_silent_gene_at_zero(data):
    alone = Observations(data.log_values.multiply(np.arange(data.shape[1]) > 0).tocsr())
    np.testing.assert_array_equal(values(GeneMean(), alone)[:, 1:], values(GeneMean(), data)[:, 1:])
    assert (values(GeneMean(), alone)[:, 0] == 0).all()


# --- nuclear norm ------------------------------------------------------------------------------------------------


def objective(observed, low_rank, penalty):
    """½‖M ∘ (Y − X)‖² + λ‖X‖_* of a dense copy."""
    dense = low_rank.cells @ low_rank.genes.T
    residual = (observed.toarray() - dense) * (observed.toarray() > 0)
    return np.sum(residual**2) / 2 + penalty * np.linalg.svd(dense, compute_uv=False).sum()


@pytest.mark.parametrize("penalty", [0.5, 5.0, 30.0])
def test_no_sweep_raises_the_objective(data, penalty):
    recipe, observed = NuclearNorm(), data.log_values
    current = LowRank(np.zeros((80, 1), np.float32), np.zeros((40, 1), np.float32))
    before = objective(observed, current, penalty)
    for _ in range(30):
        residual = observed.data - current.at(observed)
        current, norm = recipe._sweep(current, observed, residual, penalty, np.random.default_rng(0))
        after = objective(observed, current, penalty)
        assert norm == pytest.approx(np.linalg.svd(current.cells @ current.genes.T, compute_uv=False).sum(), rel=1e-3)
        assert after <= before * (1 + 1e-5)
        before = after


def test_with_hardly_any_penalty_the_seen_values_come_back(data):
    seen = data.log_values.toarray() > 0
    error = (values(NuclearNorm(), data) - data.log_values.toarray())[seen]
    assert np.sqrt(np.mean(error**2)) < 0.02 * data.log_values.data.std()


def test_nuclear_norm_fills_hidden_values(data):
    held_out = hold_out_seen(data.log_values, 0.1, np.random.default_rng(0))
    truth = values_at(data.log_values, held_out)
    guess = values(NuclearNorm(), data.without(held_out))[held_out.nonzero()]
    assert np.mean((guess - truth) ** 2) < 0.5 * np.mean(truth**2)


# --- thresholded SVD ---------------------------------------------------------------------------------------------


def test_no_seen_value_is_lost(data):
    """ALRA: what was seen and cut by the threshold comes back as it was seen."""
    found, seen = values(ThresholdedSvd(5), data), data.log_values.toarray() > 0
    assert np.all(found[seen] > 0)


def test_what_was_cut_comes_back_exactly(data):
    fit = fitted(ThresholdedSvd(5), data)
    raw = fit.low_rank.cells @ fit.low_rank.genes.T
    observed = data.log_values.toarray()
    cut = (observed > 0) & (raw <= fit.threshold)
    assert cut.any()
    np.testing.assert_array_equal(fit.block(slice(0, 80))[cut], observed[cut])


def test_zeros_below_the_noise_stay_zero(data):
    fit = fitted(ThresholdedSvd(5), data)
    raw = fit.low_rank.cells @ fit.low_rank.genes.T
    low = (data.log_values.toarray() == 0) & (raw <= fit.threshold)
    assert low.any()
    np.testing.assert_array_equal(fit.block(slice(0, 80))[low], 0)


def test_the_threshold_mirrors_the_most_negative_value(data):
    fit = fitted(ThresholdedSvd(5), data)
    raw = fit.low_rank.cells @ fit.low_rank.genes.T
    np.testing.assert_allclose(fit.threshold, np.abs(np.minimum(np.quantile(raw, 0.001, axis=0), 0)), atol=1e-6)


def test_what_is_kept_has_the_spread_of_what_was_seen(data):
    fit = fitted(ThresholdedSvd(5), data)
    raw = fit.low_rank.cells @ fit.low_rank.genes.T
    for gene in range(40):
        kept = raw[raw[:, gene] > fit.threshold[gene], gene] * fit.stretch[gene] + fit.shift[gene]
        seen = data.log_values.toarray()[:, gene]
        seen = seen[seen > 0]
        assert kept.mean() == pytest.approx(seen.mean(), rel=1e-3)
        assert kept.std() == pytest.approx(seen.std(), rel=1e-3)


# --- all ---------------------------------------------------------------------------------------------------------

RECIPES = [GeneMean(), NuclearNorm(), ThresholdedSvd(2)]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_blocks_are_rows_of_the_whole(recipe, data):
    fit = fitted(recipe, data)
    assert fit.shape == data.shape
    assert fit.block(slice(0, 80)).dtype == np.float32
    np.testing.assert_allclose(fit.block(slice(9, 31)), fit.block(slice(0, 80))[9:31], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fit.block(slice(9, 31)), fit.block(slice(9, 31)))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_same_seed_same_bytes(recipe, data):
    assert values(recipe, data).tobytes() == values(recipe, data).tobytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
@pytest.mark.parametrize(
    "counts",
    [
        np.full((10, 6), 4.0),
        np.eye(6) * 3,
        np.array([[3.0, 0.0], [1.0, 2.0]]),
        np.concatenate([np.zeros((5, 8)), np.random.default_rng(0).poisson(1.0, (20, 8))]),
        np.concatenate([np.zeros((20, 3)), np.random.default_rng(0).poisson(1.0, (20, 8))], axis=1),
    ],
    ids=["constant", "diagonal", "two by two", "empty cells", "silent genes"],
)
def test_poor_data_give_finite_values(recipe, counts):
    found = values(recipe, observations(counts))
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_single_entries_of_a_low_rank_matrix():
    rng = np.random.default_rng(0)
    low_rank = LowRank(rng.normal(size=(9, 2)).astype(np.float32), rng.normal(size=(7, 2)).astype(np.float32))
    pattern = canonical(csr_array(rng.random((9, 7)) < 0.4), np.float32)
    expected = (low_rank.cells @ low_rank.genes.T)[pattern.nonzero()]
    np.testing.assert_allclose(low_rank.at(pattern), expected, rtol=1e-6)
    assert low_rank.block(slice(0, 9)).min() == 0
