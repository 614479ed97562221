"""How iterative work goes on where an earlier process left off, without knowing who keeps what.

A model opens a :class:`Point` by :func:`resumable` and hands its state over now and then; :func:`keeping` names
who keeps it. Without a keeper all of this costs nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

MINUTES = 3.0
"""Between two states of one fit, unless another time is asked for."""

Work = Mapping[str, Mapping[str, Any]]
"""What is computed, from what, by what: groups of named facts that JSON can hold. ``input`` holds hashes."""


@dataclass(frozen=True)
class State:
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


class Keeper(Protocol):
    """Keeps the states of one piece of work."""

    def bind(self, work: Work) -> None:
        """Learn what is computed, before anything is recalled; refuse it where other work is kept here."""
        ...

    def recall(self, fit: str, alike: Sequence[State]) -> State | None:
        """Return what was kept of a fit: a state with the names, types and shapes of one in ``alike``."""
        ...

    def due(self) -> bool:
        """Whether it is time to keep the state of a fit under way."""
        ...

    def keep(self, fit: str, state: State) -> None:
        """Keep a state in place of the fit's earlier one."""
        ...


@dataclass(frozen=True)
class Point:
    """Where one fit may be left and taken up again.

    Attributes
    ----------
    keeper
        None: nobody keeps anything.
    fit
        Its number and name.
    """

    keeper: Keeper | None
    fit: str

    def recall(self, *alike: State, rng: "np.random.Generator | None" = None) -> State | None:
        """Return what was kept, and set ``rng`` to where it was then.

        Parameters
        ----------
        alike
            States with the names, types and shapes that may have been kept; their values do not matter.
        """
        kept = None if self.keeper is None else self.keeper.recall(self.fit, alike)
        if kept is not None and kept.generator is not None and rng is not None:
            rng.bit_generator.state = kept.generator
        return kept

    def due(self) -> bool:
        """Whether it is time to keep a state; one that is finished is always kept."""
        return self.keeper is not None and self.keeper.due()

    def keep(self, state: State) -> None:
        """Hand a state over."""
        if self.keeper is not None:
            self.keeper.keep(self.fit, state)


@dataclass(frozen=True)
class _Keeping:
    keeper: Keeper
    numbers: Iterator[int] = field(default_factory=lambda: count(1))


_keeping: ContextVar[_Keeping | None] = ContextVar("scinfill_keeping", default=None)


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Let ``keeper`` keep the states of the fits inside the block."""
    token = _keeping.set(_Keeping(keeper))
    try:
        yield
    finally:
        _keeping.reset(token)


def bind(describe: Callable[[], Work]) -> None:
    """Tell the keeper, if there is one, what is computed; ``describe`` may be expensive."""
    kept_by = _keeping.get()
    if kept_by is not None:
        kept_by.keeper.bind(describe())


def resumable(name: str) -> Point:
    """Begin a fit that may be left and taken up again.

    Fits are numbered in the order in which they begin, which is the same in every process that does the same work.
    """
    kept_by = _keeping.get()
    if kept_by is None:
        return Point(None, name)
    return Point(kept_by.keeper, f"{next(kept_by.numbers):04d}-{name}")
