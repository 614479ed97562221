"""Loops that go on where an earlier process left off, without knowing who stores their checkpoints.

A fit is one call of :func:`resumable` with its first state and the step from one state to the next;
:func:`storing_in` names who stores the states. Without a store all of this costs nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scinfill.progress import track

if TYPE_CHECKING:
    import numpy as np

MINUTES = 3.0
"""Between two checkpoints of one fit, unless another time is asked for."""

Job = Mapping[str, Mapping[str, Any]]
"""What is computed, from what, by what: groups of named facts that JSON can hold. ``input`` holds hashes."""
State = TypeVar("State")


@dataclass(frozen=True)
class Checkpoint:
    """All that a fit needs to go on.

    Attributes
    ----------
    arrays
        Plain arrays by name.
    facts
        Numbers, and lists and dictionaries of them: what JSON holds exactly.
    generator
        State of the random numbers, where the fit draws any.
    finished
        Whether the fit is done, so that its arrays are its result.
    """

    arrays: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    generator: Mapping[str, Any] | None = None
    finished: bool = False


class CheckpointStore(Protocol):
    """Stores the checkpoints of one job."""

    def identify(self, job: Job) -> None:
        """Learn what is computed, before anything is loaded; refuse it where another job is stored here."""
        ...

    def load(self, fit: str, alike: Sequence[Checkpoint]) -> Checkpoint | None:
        """Return what was stored of a fit, with the names, types and shapes of one of ``alike``."""
        ...

    def due(self) -> bool:
        """Whether it is time to store a fit that is under way."""
        ...

    def save(self, fit: str, checkpoint: Checkpoint) -> None:
        """Store a checkpoint in place of the fit's earlier one."""
        ...


@dataclass(frozen=True)
class _Storing:
    store: CheckpointStore
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


_storing: ContextVar[_Storing | None] = ContextVar("scinfill_storing", default=None)


@contextmanager
def storing_in(store: CheckpointStore) -> Iterator[None]:
    """Let ``store`` hold the checkpoints of the fits inside the block."""
    token = _storing.set(_Storing(store))
    try:
        yield
    finally:
        _storing.reset(token)


def identify(describe: Callable[[], Job]) -> None:
    """Tell the store, if there is one, what is computed; ``describe`` may be expensive."""
    storing = _storing.get()
    if storing is not None:
        storing.store.identify(describe())


def resumable(
    name: str,
    state: State,
    step: Callable[[State, int], State],
    n_steps: int,
    *,
    result: Callable[[State], Any] = lambda state: state,
    until: Callable[[State], bool] = lambda _: False,
    rng: "np.random.Generator | None" = None,
    label: str,
) -> Any:  # noqa: ANN401 - what ``result`` returns
    """Take ``n_steps`` steps from a first state and return what ``result`` takes of the last.

    Fits are numbered in the order in which they begin, which is the same in every process that does the same work.

    Parameters
    ----------
    name
        The kind of fit, in lower-case letters.
    state
        A dataclass of arrays, TensorFlow variables, tuples of those, and numbers and lists of numbers.
    step
        From a state and the number of the step to the next state.
    result
        The part of the last state to return and to store; all of it by default.
    until
        Whether a state is the last one, before all steps are taken.
    rng
        Random numbers that the steps draw.
    label
        What the progress is called.
    """
    storing = _storing.get()
    done = 0
    if storing is not None:
        fit = f"{next(storing.numbers):04d}-{name}"
        alike = _checkpoint(state, rng, done=0), _checkpoint(result(state), rng, finished=True)
        if loaded := storing.store.load(fit, alike):
            if loaded.generator is not None and rng is not None:
                rng.bit_generator.state = loaded.generator
            if loaded.finished:
                return _restore(result(state), loaded)
            state, done = _restore(state, loaded), loaded.facts["done"]
    for number in track(range(n_steps), label):
        if number < done:
            continue
        state = step(state, number)
        if until(state):
            break
        if storing is not None and storing.store.due():
            storing.store.save(fit, _checkpoint(state, rng, done=number + 1))
    end = result(state)
    if storing is not None:
        storing.store.save(fit, _checkpoint(end, rng, finished=True))
    return end


def _checkpoint(
    state: Any,  # noqa: ANN401 - whatever a fit is made of
    rng: "np.random.Generator | None",
    *,
    finished: bool = False,
    **facts: int,
) -> Checkpoint:
    parts = dict(_parts(state))
    arrays = {name: _plain(part) for name, part in parts.items() if hasattr(part, "shape")}
    facts |= {name: part for name, part in parts.items() if name not in arrays}
    return Checkpoint(arrays, facts, None if rng is None else rng.bit_generator.state, finished)


def _parts(state: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield the arrays and numbers of a state with their names."""
    if is_dataclass(state):
        for item in fields(state):
            yield from _parts(getattr(state, item.name), f"{name}-{item.name}".lstrip("-"))
    elif isinstance(state, tuple):
        for number, part in enumerate(state):
            yield from _parts(part, f"{name}-{number}")
    else:
        yield name, state


def _restore(like: Any, loaded: Checkpoint, name: str = "") -> Any:  # noqa: ANN401
    """Return a state built as ``like`` from what was loaded; variables are assigned to."""
    if is_dataclass(like) and not isinstance(like, type):
        names = {item.name: f"{name}-{item.name}".lstrip("-") for item in fields(like)}
        return replace(like, **{key: _restore(getattr(like, key), loaded, part) for key, part in names.items()})
    if isinstance(like, tuple):
        return tuple(_restore(part, loaded, f"{name}-{number}") for number, part in enumerate(like))
    if hasattr(like, "assign"):
        like.assign(loaded.arrays[name])
        return like
    return loaded.arrays[name] if name in loaded.arrays else loaded.facts[name]


def _plain(array: Any) -> Any:  # noqa: ANN401 - a NumPy array or a TensorFlow variable
    return array.numpy() if hasattr(array, "numpy") else array
