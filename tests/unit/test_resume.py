"""Fits go on where they were left: any fit, left anywhere, ends with the same bytes."""

from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import scinfill
from _support import make_counts, to_bytes
from scinfill import resume
from scinfill.io import checkpoints
from scinfill.io.checkpoints import Folder, checkpointed
from scinfill.methods import provenance
from scinfill.methods.autoimpute import AutoImpute
from scinfill.models import deepmc, learning
from scinfill.resume import State, keeping, resumable

LOOPS = {
    "poisson factors": ("deepmc", {"rank": 3}, 25),
    "squared factors": ("deepmc", {"estimate": "detected", "rank": 3}, 31),
    "choice of rank": ("deepmc", {"gate": False}, 19),
    "chain": ("deepmc", {"preset": "paper", "depth": 3, "n_iterations": 4}, 2),
    "network": ("auto", {"hidden_units": (6, 4)}, 66),
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
    usual = AutoImpute._recipe
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            AutoImpute,
            "_recipe",
            lambda *args: replace(usual(*args), most_steps=72, batch_cells=25, learning_rate=0.1),
        )
        patch.setattr(deepmc, "SAMPLE_CELLS", 45)
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

        def keep(self, fit, state):
            usual(self, fit, state)
            kept.append((fit, state.finished))
            if len(kept) == n_states:
                raise Interrupted

        monkeypatch.setattr(Folder, "keep", keep)
        return kept

    usual = Folder.keep
    return after


def impute(name, table, folder=None, *, minutes=resume.MINUTES):
    verb, settings, _ = LOOPS[name]
    with scinfill.checkpointed(folder, minutes=minutes):
        return to_bytes(getattr(scinfill, f"impute_{verb}")(table, **settings))


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


@pytest.mark.parametrize("name", loops(*LOOPS))
def test_left_at_once_it_ends_with_the_same_bytes(name, table, uninterrupted, tmp_path, leaving):
    leaving(1)
    with pytest.raises(Interrupted):
        impute(name, table, tmp_path, minutes=0)
    leaving(np.inf)
    assert impute(name, table, tmp_path, minutes=0) == uninterrupted(name)


@pytest.mark.parametrize("name", loops("poisson factors", "network"))
def test_without_its_first_files_it_ends_with_the_same_bytes(name, table, uninterrupted, tmp_path, leaving):
    """As where a process was killed while it emptied the folder."""
    leaving(60)
    with pytest.raises(Interrupted):
        impute(name, table, tmp_path, minutes=0)
    (tmp_path / sorted(path.name for path in tmp_path.glob("0*"))[0]).unlink()
    leaving(np.inf)
    assert impute(name, table, tmp_path, minutes=0) == uninterrupted(name)


def test_between_two_states_only_ends_are_kept(table, tmp_path, leaving):
    kept = leaving(np.inf)
    impute("network", table, tmp_path)
    assert all(finished for _, finished in kept)
    assert len(kept) == len(set(kept)) > 3


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


def test_without_a_keeper_nothing_is_asked_for():
    point = resumable("fit")
    point.keep(State({}))
    assert point.recall(State({})) is None
    assert not point.due()
    resume.bind(lambda: pytest.fail("nobody wants to know"))


def test_fits_are_numbered_anew_in_every_block(tmp_path):
    for _ in range(2):
        with keeping(Folder(tmp_path, 1)):
            assert [resumable("a").fit, resumable("b").fit] == ["0001-a", "0002-b"]
    assert resumable("a").fit == "a"


def test_random_numbers_go_on(tmp_path):
    drawn = np.random.default_rng(3)
    drawn.random(5)
    with checkpointed(tmp_path):
        resume.bind(lambda: {"input": {}})
        state = State({}, generator=drawn.bit_generator.state)
        resumable("a").keep(state)
        other = np.random.default_rng(0)
        with keeping(resumable("b").keeper):
            resumable("a").recall(state, rng=other)
        assert other.random() == drawn.random()
