"""Fits go on where they were left: any fit, left anywhere, ends with the same bytes."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

import scinfill
from _support import make_counts, to_bytes
from scinfill import resume
from scinfill.io import checkpoints
from scinfill.io.checkpoints import Folder
from scinfill.methods import provenance
from scinfill.methods.autoimpute import AutoImpute
from scinfill.models.estimate import learning
from scinfill.models.factorization import recipes
from scinfill.resume import resumable, storing_in

LOOPS = {
    "poisson factors": ("deepmc", {"rank": 3}, 25),
    "squared factors": ("deepmc", {"estimate": "detected", "rank": 3}, 31),
    "choice of rank": ("deepmc", {"gate": False}, 19),
    "chain": ("deepmc", {"preset": "paper", "depth": 3, "n_iterations": 4}, 2),
    "network": ("auto", {"hidden_units": (6, 4)}, 41),
    "networks and factors": ("auto", {"hidden_units": 6, "estimate": "detected"}, 61),
    "autoencoder of the paper": ("auto", {"preset": "paper", "hidden_units": 6, "iterations": 8}, 3),
}
"""Verb, options, and after how many kept states to leave it, again and again."""
SLOW = ("network", "networks and factors")

MOST_PROCESSES = 100


def loops(*names):
    return [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in names]


class Interrupted(Exception):
    """The process was killed."""


@pytest.fixture(autouse=True, scope="module")
def short_training():
    """Few steps, but several batches an epoch, epochs a look and a slowdown; fits of a sample, then of all cells."""
    usual = AutoImpute._network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            AutoImpute,
            "_network",
            lambda *args: replace(usual(*args), max_steps=72, batch_cells=25, learning_rate=0.1),
        )
        patch.setattr(recipes, "SAMPLE_CELLS", 45)
        patch.setattr(learning, "SAMPLE_CELLS", 55)
        yield


@pytest.fixture(scope="module")
def table():
    return scinfill.preprocess(make_counts(60, 24, seed=2), n_genes=None)


@pytest.fixture(scope="module")
def uninterrupted(table):
    """What comes out of a process that nobody ends and that keeps nothing."""
    return cache(lambda name: impute(name, table))


@pytest.fixture
def leaving(monkeypatch):
    """Kill the process right after it has kept so many states."""

    def after(n_states):
        kept = []

        def save(self, fit, checkpoint):
            usual(self, fit, checkpoint)
            kept.append((fit, checkpoint.finished))
            if len(kept) == n_states:
                raise Interrupted

        monkeypatch.setattr(Folder, "save", save)
        return kept

    usual = Folder.save
    return after


def impute(name, table, folder=None, *, minutes=resume.MINUTES):
    verb, settings, _ = LOOPS[name]
    with scinfill.checkpointed(folder, minutes=minutes):
        return to_bytes(getattr(scinfill, f"impute_{verb}")(table, **settings))


@pytest.mark.slow
@pytest.mark.parametrize("name", loops(*LOOPS))
def test_left_again_and_again_it_ends_with_the_same_bytes(name, table, uninterrupted, tmp_path, leaving):
    """Every process gets a few states further; the places where they end fall into all parts of the fits."""
    finished, result, n_processes = [], None, 0
    while result is None and n_processes < MOST_PROCESSES:
        kept = leaving(LOOPS[name][2] + n_processes % 3)
        with suppress(Interrupted):
            result = impute(name, table, tmp_path, minutes=0)
        finished += [fit for fit, is_finished in kept if is_finished]
        n_processes += 1
    assert n_processes > 2
    assert finished == sorted(set(finished)), "each fit comes to its end once"
    assert list(tmp_path.iterdir()) == []
    assert result == uninterrupted(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", loops(*LOOPS))
def test_left_at_once_it_ends_with_the_same_bytes(name, table, uninterrupted, tmp_path, leaving):
    leaving(1)
    with pytest.raises(Interrupted):
        impute(name, table, tmp_path, minutes=0)
    leaving(np.inf)
    assert impute(name, table, tmp_path, minutes=0) == uninterrupted(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", loops("poisson factors", "network"))
def test_without_its_first_files_it_ends_with_the_same_bytes(name, table, uninterrupted, tmp_path, leaving):
    """As where a process was killed while it emptied the folder."""
    leaving(60)
    with pytest.raises(Interrupted):
        impute(name, table, tmp_path, minutes=0)
    (tmp_path / sorted(path.name for path in tmp_path.glob("0*"))[0]).unlink()
    leaving(np.inf)
    assert impute(name, table, tmp_path, minutes=0) == uninterrupted(name)


@pytest.mark.slow
def test_between_two_states_only_ends_are_kept(table, tmp_path, leaving):
    kept = leaving(np.inf)
    impute("network", table, tmp_path)
    assert all(finished for _, finished in kept)
    assert len(kept) == len(set(kept)) > 3


@pytest.mark.slow
def test_nothing_of_it_is_recorded(table, tmp_path):
    with scinfill.checkpointed(tmp_path / "folder"):
        result = scinfill.impute_deepmc(table, rank=2)
    assert "checkpoint" not in str(provenance.steps(result))


def test_a_failed_run_keeps_everything(table, tmp_path, monkeypatch):
    def fail(*args):
        raise Interrupted

    monkeypatch.setattr("scinfill.methods.imputer.Imputation.to_anndata", fail)
    with pytest.raises(Interrupted):
        impute("chain", table, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001-chain.npz", checkpoints.MANIFEST]


@dataclass(frozen=True)
class Walk:
    """A state of all kinds of parts."""

    place: np.ndarray
    pair: tuple
    trail: list
    n_steps: int = 0


def walk(n_steps=6, *, rng=None, until=lambda state: False, step=None, **options):
    """Take random steps; the result is a walk."""
    rng = np.random.default_rng(4) if rng is None else rng

    def one_step(state, number):
        moved = state.place + rng.normal(size=2)
        assert number == state.n_steps
        return Walk(moved, (moved[:1], state.pair[0]), [*state.trail, (number, float(moved[0]))], number + 1)

    start = Walk(np.zeros(2), (np.zeros(1), np.zeros(1)), [(0, 0.0)])
    return resumable("walk", start, step or one_step, n_steps, until=until, rng=rng, label="walk", **options)


def assert_same_walk(one, other):
    np.testing.assert_array_equal(one.place, other.place)
    np.testing.assert_array_equal(one.pair, other.pair)
    assert np.array_equal(one.trail, other.trail)
    assert one.n_steps == other.n_steps


def test_without_a_store_nothing_is_asked_for():
    assert walk().n_steps == 6
    resume.identify(lambda: pytest.fail("nobody wants to know"))


def test_fits_are_numbered_anew_in_every_block(tmp_path):
    for _ in range(2):
        with storing_in(Folder(tmp_path, 1)):
            walk(), walk()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001-walk.npz", "0002-walk.npz"]


@pytest.mark.parametrize("n_saved", [1, 3, 6])
def test_state_and_random_numbers_go_on(tmp_path, leaving, n_saved):
    """Also those that are drawn after the loop, by whoever comes next."""
    rng = np.random.default_rng(4)
    whole, after = walk(rng=rng), rng.random()
    leaving(n_saved)
    with pytest.raises(Interrupted), storing_in(Folder(tmp_path, 0)):
        walk()
    leaving(np.inf)
    rng = np.random.default_rng(9)
    with storing_in(Folder(tmp_path, 0)):
        assert_same_walk(walk(rng=np.random.default_rng(4)), whole)
    with storing_in(Folder(tmp_path, 0)):
        assert_same_walk(walk(rng=rng, step=lambda *_: pytest.fail("it is done")), whole)
    assert rng.random() == after


def test_an_early_end_is_an_end(tmp_path):
    with storing_in(Folder(tmp_path, 0)):
        short = walk(until=lambda state: state.n_steps == 2)
    with storing_in(Folder(tmp_path, 0)):
        again = walk(step=lambda *_: pytest.fail("it is done"))
    assert_same_walk(short, again)
    assert short.n_steps == 2


def test_only_the_result_of_a_finished_fit_is_stored(tmp_path):
    with storing_in(Folder(tmp_path, 0)):
        assert_same_walk(walk(result=lambda state: replace(state, pair=())), replace(walk(), pair=()))
    with np.load(tmp_path / "0001-walk.npz") as archive:
        assert "pair-0" not in archive
