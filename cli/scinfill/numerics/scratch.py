"""Arrays too large for memory live in files without a name, and the system fetches their pages when they are read.

Small arrays are plain ones, so whoever makes or fills an array need not know. Whoever walks over a large one
in blocks calls :func:`release` after each: pages that have been seen are given back where memory grows short.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

import numpy as np
from numpy.typing import DTypeLike, NDArray

from scinfill import memory

LARGE_SHARE = 32
"""An array of more than this part of the memory limit lives in a file: several of them are alive at once."""
ENTRIES_PER_CHUNK = 2**20
"""Values looked at together: temporary arrays stay small beside any memory."""

_mappings: WeakSet[mmap.mmap] = WeakSet()
_n_tables = [1]
"""How many tables are to be in memory at once."""


def empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Return an array whose values are yet to be set, in memory or in a file.

    Raises
    ------
    OSError
        The folder for temporary files (TMPDIR) has no room.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if fits(size):
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), size)
        mapping = mmap.mmap(file.fileno(), size)
    _mappings.add(mapping)
    return np.frombuffer(mapping, dtype).reshape(shape)


def full(n_entries: int, value: float, dtype: DTypeLike) -> NDArray:
    """Return an array of one value."""
    values = empty(n_entries, dtype)
    for part in chunks(n_entries):
        values[part] = value
    return values


def fits(size: int) -> bool:
    """Whether an array of so many bytes is kept in memory."""
    return size <= memory.limit() // (LARGE_SHARE * _n_tables[-1])


@contextmanager
def beside_others(n_tables: int) -> Iterator[None]:
    """Leave each of several tables its part of the memory while they are read."""
    _n_tables.append(max(1, n_tables))
    try:
        yield
    finally:
        _n_tables.pop()


def _reserve(descriptor: int, size: int) -> None:
    """Take the room at once: a page that finds the disk full later would end the process without a word."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def release() -> None:
    """Give pages back if a third of the memory is in use; their values stay in their files."""
    if _mappings and memory.resident() > memory.limit() // 3:
        give_back()


def give_back() -> None:
    """Give all pages of large arrays back, before it is measured how much memory is in use."""
    for mapping in list(_mappings):
        mapping.madvise(mmap.MADV_DONTNEED)


def chunks(n_entries: int) -> Iterator[slice]:
    """Cut ``n_entries`` values into slices to look at together, and let go of what has been seen."""
    for start in range(0, n_entries, ENTRIES_PER_CHUNK):
        yield slice(start, min(start + ENTRIES_PER_CHUNK, n_entries))
        release()


def convert(values: NDArray, dtype: DTypeLike) -> NDArray:
    """Return values as another type; the array itself where it has that type already."""
    if values.dtype == np.dtype(dtype):
        return values
    return copy(values, dtype)


def copy(values: NDArray, dtype: DTypeLike | None = None) -> NDArray:
    """Return a copy, of another type where one is given."""
    out = empty(values.shape, values.dtype if dtype is None else dtype)
    for part in chunks(len(values)):
        out[part] = values[part]
    return out
