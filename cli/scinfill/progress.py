"""Report the progress of long work, without knowing who listens.

The models call :func:`track`; a command line puts a progress bar behind it with :func:`listening`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Called with the name of the work, the steps done and the steps in all."""

_listener: ContextVar[Listener | None] = ContextVar("scinfill_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of all work inside the block to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def track(steps: Sequence[Item], name: str) -> Iterable[Item]:
    """Yield the steps, telling the listener after each, and the end also where the work stops early."""
    listener = _listener.get()
    try:
        for done, step in enumerate(steps):
            if listener is not None:
                listener(name, done, len(steps))
            yield step
    finally:
        if listener is not None:
            listener(name, len(steps), len(steps))
