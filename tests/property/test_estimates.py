"""What must hold of every imputed value, whatever a model predicts and whatever was seen."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from _models import Given, everything, observations
from scinfill.models.centre import gene_centre
from scinfill.models.estimate.detected import Detected, hold_out_seen
from scinfill.models.estimate.gate import Moments, draw_folds, gate_from_moments
from scinfill.models.estimate.shrinkage import GRID, choose_weights, loglikelihood_grid
from scinfill.models.estimate.uncertainty import posterior_spread
from scinfill.models.estimate.values import ExpectedCounts, GatedModel, Shrunk, gated_model
from scinfill.models.factorization.least_squares import column_pairs, solve_packed
from scinfill.numerics.masking import split

N_CELLS, N_GENES = 7, 4
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = arrays(np.int64, (N_CELLS, N_GENES), elements=st.integers(0, 60) | st.just(0))
PREDICTIONS = arrays(np.float32, (N_CELLS, N_GENES), elements=st.floats(-40, 40, width=32))
SHARES = arrays(np.float32, N_GENES, elements=st.floats(0, 1, width=32))
FACTORS = arrays(np.float64, N_CELLS, elements=st.floats(0.05, 20))
POSITIVE = st.floats(0, 1e6)


def whole(estimate):
    return estimate.block(everything((N_CELLS, N_GENES)))


@given(PREDICTIONS, COUNTS, FACTORS, SHARES, st.sampled_from(["poisson", "squared"]), st.booleans())
def test_a_gated_model_is_finite_and_never_negative(prediction, counts, factors, slope, loss, match_totals):
    data = observations(counts, factors)
    values = whole(gated_model(Given(prediction), loss, data, slope, match_totals=match_totals))
    assert np.isfinite(values).all()
    assert (values >= 0).all()


@given(PREDICTIONS, COUNTS, FACTORS, SHARES)
def test_a_gene_whose_gate_is_shut_is_exactly_constant(prediction, counts, factors, slope):
    """A rank test finds rounding noise."""
    slope[1] = 0
    for loss in ("poisson", "squared"):
        model = gated_model(Given(prediction), loss, observations(counts, factors), slope, match_totals=True)
        assert np.ptp(whole(model)[:, 1]) == 0


@given(arrays(np.float32, (N_CELLS, N_GENES), elements=st.floats(-5, 5, width=32)), COUNTS, FACTORS, SHARES)
def test_matched_totals_are_the_observed_ones(prediction, counts, factors, slope):
    data = observations(counts, factors)
    model = gated_model(Given(prediction), "poisson", data, slope, match_totals=True)
    expected = whole(ExpectedCounts(model, factors)).sum(axis=0)
    np.testing.assert_allclose(expected, counts.sum(axis=0), rtol=1e-3, atol=1e-3)


@given(arrays(np.float32, (N_CELLS, N_GENES), elements=st.floats(-5, 5, width=32)), COUNTS, FACTORS, SHARES, SHARES)
def test_a_shrunk_value_lies_between_the_model_and_what_was_seen(prediction, counts, factors, slope, weight):
    data = observations(counts, factors)
    model = gated_model(Given(prediction), "poisson", data, slope, match_totals=True)
    values, modelled, seen = whole(Shrunk(model, data, weight)), whole(model), data.log_values.toarray()
    tolerance = 1e-4 * (1 + np.maximum(modelled, seen))
    assert (values >= np.minimum(modelled, seen) - tolerance).all()
    assert (values <= np.maximum(modelled, seen) + tolerance).all()


@given(arrays(np.float32, (N_CELLS, N_GENES), elements=st.floats(-5, 5, width=32)), COUNTS, FACTORS)
def test_no_weight_is_the_model_and_all_of_it_is_what_was_seen(prediction, counts, factors):
    data = observations(counts, factors)
    model = gated_model(Given(prediction), "poisson", data, np.ones(N_GENES, np.float32), match_totals=True)
    none, everything_seen = (np.full(N_GENES, weight, np.float32) for weight in (0, 1))
    np.testing.assert_allclose(whole(Shrunk(model, data, none)), whole(model), rtol=1e-6)
    np.testing.assert_allclose(whole(Shrunk(model, data, everything_seen)), data.log_values.toarray(), atol=1e-5)


@given(PREDICTIONS, COUNTS, FACTORS, SHARES)
def test_the_spread_is_finite_and_none_where_all_was_seen_is_believed(prediction, counts, factors, weight):
    data = observations(counts, factors)
    model = GatedModel(
        Given(np.clip(prediction, -15, 15)), "poisson", np.zeros(N_GENES, np.float32), np.ones(N_GENES, np.float32)
    )
    spread = whole(posterior_spread(Shrunk(model, data, weight)))
    assert np.isfinite(spread).all()
    assert (spread >= 0).all()


@given(
    *(arrays(np.float64, N_GENES, elements=POSITIVE) for _ in range(2)),
    arrays(np.float64, N_GENES, elements=st.floats(-1, 1)),
    arrays(np.float64, N_GENES, elements=st.integers(0, 1000).map(float)),
)
def test_a_gate_is_a_share_and_shut_for_what_predicts_the_wrong_way(predicted, truth, correlation, n_entries):
    """Any moments that obey Cauchy and Schwarz."""
    cross = correlation * np.sqrt(predicted * truth)
    gate = gate_from_moments(Moments(predicted, cross, truth, n_entries))
    assert ((gate.slope >= 0) & (gate.slope <= 1)).all()
    assert (gate.slope[(correlation <= 0) | (n_entries <= 1)] == 0).all()
    assert (gate.r_squared <= 1 + 1e-5).all()
    assert (gate.r_squared[gate.slope == 0] == 0).all()


@given(arrays(np.float64, N_GENES, elements=st.floats(0.1, 1e3)), st.integers(12, 1000), st.floats(0.01, 100))
def test_a_perfect_prediction_opens_the_gate_and_its_scale_does_not_matter_to_the_test(squares, n_entries, scale):
    count = np.full(N_GENES, float(n_entries))
    perfect = gate_from_moments(Moments(squares, squares, squares, count))
    np.testing.assert_allclose(perfect.slope, 1)
    np.testing.assert_allclose(perfect.r_squared, 1, rtol=1e-5)
    scaled = gate_from_moments(Moments(squares * scale**2, squares * scale, squares, count))
    np.testing.assert_allclose(scaled.slope, min(1, 1 / scale), rtol=1e-5)


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 10), SEEDS)
def test_folds_are_disjoint(n_cells, n_genes, n_folds, seed):
    folds = draw_folds((n_cells, n_genes), n_folds=n_folds, rng=np.random.default_rng(seed))
    assert len(folds) == n_folds
    assert sum(fold.toarray() for fold in folds).max() <= 1


@given(COUNTS, FACTORS, SEEDS, st.sampled_from(["poisson", "squared"]))
def test_what_is_hidden_has_no_part_in_a_genes_centre(counts, factors, seed, loss):
    rng = np.random.default_rng(seed)
    held_out = draw_folds(counts.shape, n_folds=1, rng=rng)[0]
    other = np.where(held_out.toarray() > 0, rng.integers(0, 99, counts.shape), counts)
    centres = [
        gene_centre(loss, observations(values, factors).without(held_out), held_out, zero_weight=1.0)
        for values in (counts, other)
    ]
    np.testing.assert_array_equal(*centres)
    assert (centres[0] >= 0).all()


@given(COUNTS.filter(lambda counts: counts.any()), SEEDS, st.floats(0.01, 0.99))
def test_hidden_values_are_seen_ones_and_at_least_one(counts, seed, share):
    data = observations(counts)
    held_out = hold_out_seen(data.log_values, share, np.random.default_rng(seed))
    assert 1 <= held_out.nnz <= data.log_values.nnz
    assert (counts[held_out.nonzero()] > 0).all()
    assert split(data.log_values, held_out)[0].nnz == data.log_values.nnz - held_out.nnz


@given(PREDICTIONS, st.lists(st.floats(0, 20, width=32), min_size=2, max_size=6, unique=True), SEEDS)
def test_a_detected_value_grows_with_its_prediction_and_stays_on_its_curve(prediction, nodes, seed):
    curve_from = np.sort(np.array(nodes, np.float32))
    curve_to = np.sort(np.random.default_rng(seed).uniform(0, 15, len(nodes))).astype(np.float32)
    values = whole(Detected([Given(prediction)], [1.0], curve_from, curve_to, 0.0, {}))
    order = np.argsort(prediction.ravel(), kind="stable")
    assert (np.diff(values.ravel()[order]) >= -1e-6).all()
    assert ((values >= curve_to[0]) & (values <= curve_to[-1])).all()


@given(
    arrays(np.float64, (len(GRID), N_GENES), elements=st.floats(-1e4, 0)),
    arrays(np.float64, N_GENES, elements=st.integers(0, 10_000).map(float)),
    arrays(np.float64, N_GENES, elements=st.floats(0, 100)),
    st.integers(0, len(GRID) - 1),
)
def test_weights_are_of_the_grid_and_the_likeliest_where_genes_agree(likelihood, molecules, mean, best):
    assert np.isin(choose_weights(likelihood, molecules, mean), GRID.astype(np.float32)).all()
    likelihood[best] = 1
    np.testing.assert_array_equal(choose_weights(likelihood, molecules, mean), np.float32(GRID[best]))


@given(COUNTS, FACTORS, SEEDS, st.floats(0.05, 0.9))
def test_the_likelihood_of_weights_is_finite_and_only_of_held_out_molecules(counts, factors, seed, fraction):
    rng = np.random.default_rng(seed)
    kept, taken = observations(counts, factors).thinned(fraction, rng)
    model = gated_model(Given(rng.normal(size=counts.shape)), "poisson", kept, np.ones(N_GENES), match_totals=True)
    found = loglikelihood_grid(ExpectedCounts(model, factors), kept.counts, taken)
    assert np.isfinite(found).all()
    assert (found[:, taken.toarray().sum(axis=0) == 0] == 0).all()
    np.testing.assert_array_equal((kept.counts + taken).toarray(), counts)


@given(st.integers(1, 6), st.integers(1, 8), SEEDS)
@settings(max_examples=50)
def test_packed_systems_are_solved(n_columns, n_rows, seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n_rows, n_columns, n_columns + 2))
    matrices = half @ half.transpose(0, 2, 1) + np.eye(n_columns)
    right = rng.normal(size=(n_rows, n_columns))
    first, second = column_pairs(n_columns)
    found = solve_packed(matrices[:, first, second], right, np.zeros(n_columns))
    expected = np.linalg.solve(matrices, right[..., None])[..., 0]
    # The tiny multiple of the trace that keeps empty rows regular moves the solution by about as much.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
