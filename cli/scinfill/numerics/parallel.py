"""Work on row blocks by threads, with the same bytes for any number of them.

Each block's linear algebra runs on one thread and several blocks run at once. Small products gain little
from threads of their own, and lose much where other work shares the cores.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from scinfill.numerics.scratch import release

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 8
"""Blocks handed out at once: results wait in order, so this bounds what waits."""

_workers: ContextVar[int | None] = ContextVar("scinfill_workers", default=None)


@contextmanager
def blocks_in_parallel() -> Iterator[int]:
    """Give the threads of the linear algebra to :func:`map_in_order` while inside; yields their number."""
    n_threads = _workers.get() or _linear_algebra_threads()
    token = _workers.set(n_threads)
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield n_threads
    finally:
        _workers.reset(token)


def map_in_order(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order; as many at once as linear algebra may use threads."""
    with blocks_in_parallel() as n_threads:
        if n_threads == 1 or len(items) < 2:
            for item in items:
                yield function(item)
                release()
            return
        with ThreadPoolExecutor(n_threads) as pool:
            waiting = deque(pool.submit(function, item) for item in items[:IN_FLIGHT])
            for item in items[IN_FLIGHT:]:
                yield waiting.popleft().result()
                waiting.append(pool.submit(function, item))
                release()
            while waiting:
                yield waiting.popleft().result()


def generators(rng: np.random.Generator, n_blocks: int) -> list[np.random.Generator]:
    """Return a generator for each block, so that blocks are drawn side by side and no thread's pace shows."""
    return [np.random.default_rng(seed) for seed in rng.integers(2**63, size=n_blocks)]


def _linear_algebra_threads() -> int:
    """Return how many threads the linear algebra may use now: by ``--threads``, its variables, or all cores."""
    return max((library["num_threads"] for library in _controller().info() if library["user_api"] == "blas"), default=1)


@cache
def _controller() -> ThreadpoolController:
    """Look for the loaded libraries once: it takes milliseconds."""
    return ThreadpoolController()
