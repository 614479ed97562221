import numpy as np
import pytest
from scipy.stats import poisson

from scinfill.evaluation.numerics import halves
from scinfill.evaluation.numerics.intervals import value_of

N_CELLS, N_GENES = 160, 400
FIRST = np.arange(N_CELLS) < 70


class World:
    """Two halves of Poisson molecules; some genes differ between the two groups."""

    def __init__(self, *, effect, n_true, mean=1.0, seed=0):
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.size_factor = rng.uniform(0.6, 1.6, N_CELLS)
        self.differs = np.arange(N_GENES) < n_true
        self.sign = rng.choice([-1, 1], N_GENES) * self.differs
        shift = 2.0 ** (effect * self.sign / 2)
        base = rng.gamma(2, mean / 2, N_GENES)
        self.rate = np.where(FIRST[:, None], base * shift, base / shift)
        self.visible, self.untouched = (rng.poisson(self.rate * self.size_factor[:, None]) for _ in range(2))

    def log2(self, counts):
        return np.log2(1 + counts / self.size_factor[:, None])

    def leaked(self, size, genes):
        """True means, and in some genes that do not differ the same small error in all cells of a group."""
        factor = 2.0 ** (size * self.rng.choice([-1, 1], N_GENES) * genes)
        rate = np.where(FIRST[:, None], self.rate * factor, self.rate)
        return np.log2(1 + rate * self.rng.lognormal(0, 0.01, self.rate.shape))

    def claims(self, values):
        expected = halves.log_moments(values, self.size_factor)
        return halves.ask_other_half(values, expected, self.log2(self.untouched), FIRST)


def bounds(claims):
    units = np.column_stack(
        [claims.opposite * claims.called, claims.called.astype(float), claims.by_noise * claims.called]
    )
    return value_of(halves.false_at_least, units), value_of(halves.false_at_most, units)


def test_raw_counts_call_hardly_anything_where_nothing_differs():
    for seed in range(3):
        world = World(effect=0, n_true=0, seed=seed)
        assert world.claims(world.log2(world.visible)).called.mean() < 0.02


def test_true_effects_on_raw_counts_hold():
    world = World(effect=1.5, n_true=200)
    claims = world.claims(world.log2(world.visible))
    least, most = bounds(claims)
    assert claims.called[world.differs].mean() > 0.8
    assert least < 0.03
    assert most < 0.06
    assert claims.opposite[claims.best(50)].mean() < 0.02


def test_what_is_made_up_has_either_sign_with_equal_chance():
    world = World(effect=0, n_true=0)
    claims = world.claims(world.leaked(1.0, ~world.differs))
    least, most = bounds(claims)
    assert claims.called.all()
    assert abs(claims.opposite.mean() - 0.5) < 0.08
    assert least > 0.7
    assert most > 0.85


@pytest.mark.parametrize("size", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("n_false", [40, 120])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_share_of_planted_leaks_lies_between_the_bounds(size, n_false, seed):
    world = World(effect=1.0, n_true=200, mean=3, seed=seed)
    leaks = (np.arange(N_GENES) >= 200) & (np.arange(N_GENES) < 200 + n_false)
    values = world.leaked(size, leaks)
    values[:, 200 + n_false :] = 1.0
    claims = world.claims(values)
    least, most = bounds(claims)
    share = (claims.called & ~world.differs).sum() / claims.called.sum()
    assert claims.called[leaks].mean() > 0.9
    chance = 4 * np.sqrt(share / claims.called.sum())  # two standard deviations of twice a share
    assert least - chance <= share <= most + chance
    assert not claims.called[200 + n_false :].any()


def test_small_true_differences_are_explained_by_the_noise_of_the_other_half():
    """Exact means call differences that half the molecules cannot show: not false, and the lower bound knows."""
    world = World(effect=0.1, n_true=N_GENES, mean=0.5)
    claims = world.claims(np.log2(1 + world.rate * world.rng.lognormal(0, 0.001, world.rate.shape)))
    least, most = bounds(claims)
    assert claims.called.all()
    assert most > 0.5
    assert least < 0.1


def test_bounds_stay_between_zero_and_one_and_in_order():
    rng = np.random.default_rng(0)
    for _ in range(200):
        called = rng.random(8) < 0.7
        called[0] = True
        units = np.column_stack([rng.choice([0, 0.5, 1], 8) * called, called, rng.random(8) * called])
        assert 0 <= value_of(halves.false_at_least, units) <= value_of(halves.false_at_most, units) <= 1


@pytest.mark.parametrize("expected", [0.0, 0.004, 0.9, 1.1, 5.0, 19.9, 20.1, 60.0])
@pytest.mark.parametrize("size_factor", [0.3, 1.0, 4.0])
def test_moments_of_a_logarithm(expected, size_factor):
    y = np.arange(400)
    chance, logs = poisson.pmf(y, expected), np.log2(1 + y / size_factor)
    mean = (chance * logs).sum()
    values = np.log2(1 + np.full((2, 3), expected) / size_factor).astype(np.float32)
    found = halves.log_moments(values, np.full(2, size_factor))
    np.testing.assert_allclose(found.mean, mean, rtol=0.01, atol=1e-5)
    np.testing.assert_allclose(found.variance, (chance * (logs - mean) ** 2).sum(), rtol=0.12, atol=1e-5)


@pytest.mark.slow
def test_the_noise_of_fold_changes_is_what_repeated_halves_show():
    world = World(effect=0.5, n_true=100, mean=4)
    groups = np.flatnonzero(FIRST), np.flatnonzero(~FIRST)
    draws = [world.rng.poisson(world.rate * world.size_factor[:, None]) for _ in range(200)]
    found = [halves.log_fold_change(draw / world.size_factor[:, None], *groups) for draw in draws]
    predicted = np.mean([halves.fold_change_noise(draw, world.size_factor, groups) for draw in draws[:20]], axis=0)
    expressed = world.rate.mean(axis=0) > 0.5
    assert np.mean(np.var(found, axis=0)[expressed] / predicted[expressed]) == pytest.approx(1, abs=0.1)


def test_the_most_similar_groups_come_first_and_small_ones_not_at_all():
    profiles = np.array([[0.0, 0], [1, 0], [5, 5], [0, 0.1]])
    codes = np.repeat([0, 1, 2, 3, -1], [60, 60, 60, 10, 5])
    log_values = profiles[np.maximum(codes, 0)]
    pairs = halves.similar_pairs(log_values, codes, fewest_cells=50, most=2)
    assert pairs == [(0, 1), (1, 2)]
    assert halves.similar_pairs(log_values, codes, fewest_cells=61, most=2) == []
