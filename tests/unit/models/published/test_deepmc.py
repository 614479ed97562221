"""deepMc as published, against dense copies of its update rules, and against the known errors on real data."""

import csv

import numpy as np
import pytest

from _support import shared
from scinfill.models.estimate.detected import hold_out_seen
from scinfill.models.observations import Observations
from scinfill.models.published.deepmc import (
    Chain,
    Majorised,
    PaperFactorization,
    pseudo_inverse,
    random_chain,
    unit_rows,
)
from scinfill.numerics.masking import values_at
from scinfill.numerics.sparse import canonical

N_CELLS, N_GENES = 30, 22
DEPTHS = [(4,), (6, 3), (5, 5), (7, 5, 2), (4, 4, 4)]


def log_values(*, share_seen=0.6, seed=0):
    """Return a low-rank positive matrix of which a part is seen."""
    rng = np.random.default_rng(seed)
    values = 3 + rng.normal(size=(N_CELLS, 3)) @ rng.normal(size=(3, N_GENES)) + rng.normal(0, 0.3, (N_CELLS, N_GENES))
    return canonical(np.maximum(values, 0.1) * (rng.random(values.shape) < share_seen), np.float32)


def fitted(ranks, data, *, seed=0, **settings):
    return PaperFactorization(ranks, **settings).fit(Observations(data), rng=np.random.default_rng(seed))


def whole(chain):
    product = chain.factors[0]
    for factor in chain.factors[1:]:
        product = product @ factor
    return product


# --- the update rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", DEPTHS, ids=str)
@pytest.mark.parametrize("alpha", [1.0, 1.1, 2.0])
def test_no_block_update_raises_the_majorised_objective(ranks, alpha):
    """‖B − X‖ over the block with all others fixed, and with it the error at what was seen."""
    observed = log_values()
    seen, values = observed.toarray() > 0, observed.toarray()
    chain = random_chain(observed.shape, ranks, np.random.default_rng(0))
    for _ in range(6):
        for position in reversed(range(len(chain.factors))):
            before = whole(chain)
            majorised = before + seen * (values - before) / alpha
            update = chain.replace_factor(position, Majorised(chain, observed, alpha).solve(position))
            after = whole(update)
            assert np.linalg.norm(majorised - after) <= np.linalg.norm(majorised - before) * (1 + 1e-9)
            assert np.linalg.norm(seen * (values - after)) <= np.linalg.norm(seen * (values - before)) * (1 + 1e-9)
            if position > 0 and len(ranks) > 1:
                update = update.replace_factor(position, unit_rows(update.factors[position]))
            chain = update


@pytest.mark.slow
@pytest.mark.parametrize("ranks", DEPTHS, ids=str)
def test_each_update_is_the_least_squares_solution(ranks):
    """Against one dense system for all entries of the block: vec(A·D·C) = (A ⊗ Cᵀ) vec(D)."""
    observed = log_values()
    chain = random_chain(observed.shape, ranks, np.random.default_rng(0))
    before = whole(chain)
    majorised = before + (observed.toarray() > 0) * (observed.toarray() - before) / 1.1
    for position in range(len(chain.factors)):
        left, right = np.eye(N_CELLS), np.eye(N_GENES)
        for factor in chain.factors[:position]:
            left = left @ factor
        for factor in reversed(chain.factors[position + 1 :]):
            right = factor @ right
        design = np.kron(left, right.T)
        expected, *_ = np.linalg.lstsq(design, majorised.ravel(), rcond=1e-10)
        found = Majorised(chain, observed, 1.1).solve(position)
        np.testing.assert_allclose(design @ found.ravel(), design @ expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5, atol=1e-5)


def test_a_fit_is_the_published_loop():
    """Two layers written out with dense matrices, genes × cells, as in the papers."""
    observed = log_values()
    y, mask, alpha = observed.toarray().T, observed.toarray().T > 0, 1.1
    z, d2, d1 = (factor.T for factor in random_chain(observed.shape, (6, 3), np.random.default_rng(0)).factors)
    for _ in range(4):
        x = d1 @ d2 @ z
        b = x + mask * (y - x) / alpha
        d1 = unit_rows((b @ np.linalg.pinv(d2 @ z, rcond=1e-8)).T).T
        x = d1 @ d2 @ z
        b = x + mask * (y - x) / alpha
        d2 = unit_rows((np.linalg.pinv(d1, rcond=1e-8) @ b @ np.linalg.pinv(z, rcond=1e-8)).T).T
        x = d1 @ d2 @ z
        b = x + mask * (y - x) / alpha
        z = np.linalg.lstsq(d1 @ d2, b, rcond=1e-8)[0]
    found = fitted((6, 3), observed, n_iterations=4)
    np.testing.assert_allclose(whole(found), (d1 @ d2 @ z).T, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ranks", [(N_GENES,), (N_GENES, N_GENES), (N_GENES,) * 3], ids=["1L", "2L", "3L"])
def test_full_rank_and_nothing_hidden_returns_the_input(ranks):
    observed = log_values(share_seen=1.1)
    found = fitted(ranks, observed, alpha=1.0, n_iterations=30)
    np.testing.assert_allclose(found.block(slice(0, N_CELLS)), observed.toarray(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ranks", [(5, 5), (6, 3), (7, 5, 2)], ids=str)
def test_rows_of_every_d_have_length_one(ranks):
    """But for those beyond the smallest rank: the published start leaves them without a part in the product."""
    chain = fitted(ranks, log_values())
    for factor in chain.factors[1:]:
        lengths = np.linalg.norm(factor, axis=1)
        np.testing.assert_allclose(np.sort(lengths)[-min(ranks) :], 1)
        assert np.all((lengths == 0) | np.isclose(lengths, 1))


def test_one_layer_is_not_normalised():
    assert not np.allclose(np.linalg.norm(fitted((4,), log_values()).factors[1], axis=1), 1, rtol=0.01)


def test_zero_rows_stay_zero():
    np.testing.assert_array_equal(unit_rows(np.array([[0.0, 0.0], [3.0, 4.0]])), [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize("ranks", DEPTHS, ids=str)
def test_factors_have_the_shapes_of_a_chain(ranks):
    chain = fitted(ranks, log_values(), n_iterations=1)
    assert [factor.shape for factor in chain.factors] == list(
        zip((N_CELLS, *reversed(ranks)), (*reversed(ranks), N_GENES), strict=True)
    )
    assert np.linalg.matrix_rank(whole(chain)) == min(ranks)


@pytest.mark.parametrize("ranks", [(20, 10, 2), (13, 11, 5), (22, 2)], ids=str)
def test_decreasing_ranks_do_not_blow_up(ranks):
    """The products are exactly rank-deficient; a cut-off near machine epsilon would diverge."""
    observed = log_values()
    values = fitted(ranks, observed, n_iterations=200, alpha=1.0).block(slice(0, N_CELLS))
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 100


def test_the_cut_off_is_relative():
    matrix = np.diag([1e6, 1.0, 1e-3])
    np.testing.assert_allclose(np.diag(pseudo_inverse(matrix)), [1e-6, 1, 0])


def test_more_iterations_fit_better():
    observed = log_values()
    seen = observed.toarray() > 0
    errors = [
        np.linalg.norm(seen * (observed.toarray() - whole(fitted((4,), observed, n_iterations=n))))
        for n in (1, 5, 15, 50)
    ]
    assert errors == sorted(errors, reverse=True)


# --- the start ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", DEPTHS, ids=str)
def test_the_start_is_successive_decompositions_of_noise(ranks):
    """D_1 has orthonormal rows, later ones are slices of the identity, and the product is noise of the right size."""
    chain = random_chain((200, 150), ranks, np.random.default_rng(0))
    genes = chain.factors[-1]
    np.testing.assert_allclose(genes @ genes.T, np.eye(len(genes)), atol=1e-4)
    for factor in chain.factors[1:-1]:
        np.testing.assert_array_equal(factor, np.eye(*factor.shape))
    # The largest singular value of noise is near √n + √m.
    assert np.linalg.norm(whole(chain), 2) == pytest.approx(np.sqrt(200) + np.sqrt(150), rel=0.1)


def test_same_seed_same_bytes_and_another_seed_another_start():
    first, same, other = (fitted((5, 3), log_values(), seed=seed) for seed in (1, 1, 2))
    assert whole(first).tobytes() == whole(same).tobytes()
    assert not np.allclose(whole(first), whole(other), rtol=1e-6)


# --- reading a fit -----------------------------------------------------------------------------------------------


def test_blocks_and_single_entries_are_the_product():
    chain = fitted((6, 3), log_values())
    pattern = log_values(share_seen=0.2, seed=9)
    assert isinstance(chain, Chain)
    assert chain.shape == (N_CELLS, N_GENES)
    np.testing.assert_allclose(chain.block(slice(4, 19)), whole(chain)[4:19], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(chain.at(pattern), whole(chain)[pattern.nonzero()])
    cells, genes = chain.two_factors()
    np.testing.assert_allclose(cells @ genes.T, whole(chain), rtol=1e-5, atol=1e-5)


def test_zeros_are_not_looked_at():
    """The product need not be small where nothing was seen."""
    observed = log_values(share_seen=0.5)
    values = fitted((3,), observed, n_iterations=200, alpha=1.0).block(slice(0, N_CELLS))
    assert values[observed.toarray() == 0].mean() == pytest.approx(observed.data.mean(), rel=0.1)


@pytest.mark.parametrize("ranks", [(2,), (2, 2), (2, 2, 1)], ids=str)
@pytest.mark.parametrize(
    "values",
    [np.array([[1.0, 2.0], [0.0, 3.0]]), np.eye(4), np.outer([1, 0, 2, 0], [0, 1, 1])],
    ids=["two by two", "diagonal", "empty cells and silent genes"],
)
def test_poor_data_give_finite_values(ranks, values):
    chain = fitted(ranks, canonical(values, np.float32), n_iterations=50)
    assert np.isfinite(chain.block(slice(0, len(values)))).all()


# --- the known errors --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blakeley():
    """The authors' own processed matrix: 30 cells × 1,000 genes."""
    with shared("golden/blakeley_processed_log2.csv").open() as lines:
        rows = list(csv.reader(lines))[1:]
    return canonical(np.array([row[1:] for row in rows], dtype=float), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranks", "n_iterations", "known", "tolerance"),
    [
        ((2,), 50, 3.009, 0.2),
        ((5,), 15, 3.5, 0.2),
        ((5,), 50, 3.726, 0.25),
        ((5, 2), 50, 3.009, 0.15),
        ((5, 3, 2), 50, 3.009, 0.15),
        ((11, 5), 50, 3.707, 0.2),
        ((13, 11), 50, 5.205, 0.4),
    ],
    ids=["1L r=2", "1L r=5 early", "1L r=5", "2L (5,2)", "3L (5,3,2)", "2L (11,5)", "2L (13,11)"],
)
def test_held_out_error_on_blakeley_is_the_known_one(blakeley, ranks, n_iterations, known, tolerance):
    """Measured once by an independent implementation, 10 % of the non-zeros held out; a mask moves it by up to .2."""
    errors = []
    for seed in range(6):
        held_out = hold_out_seen(blakeley, 0.1, np.random.default_rng(seed))
        visible = Observations(blakeley).without(held_out)
        chain = fitted(ranks, visible.log_values, seed=seed, n_iterations=n_iterations, alpha=1.0)
        errors.append(np.sqrt(np.mean((chain.at(held_out) - values_at(blakeley, held_out)) ** 2)))
    assert np.mean(errors) == pytest.approx(known, abs=tolerance)
