"""The memory limit of this process decides which arrays go to files; a job that cannot fit never starts."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scinfill.errors import ResourceError

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux keeps the limit of a container or batch job (version 2, version 1)."""
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")

_promised: list[int] = []
"""What ``--max-memory`` said, if it did; memory belongs to the process, so this does too."""


@contextmanager
def at_most(size: int | None) -> Iterator[None]:
    """Promise to stay below ``size`` bytes while inside; None promises nothing."""
    before = _promised[:]
    _promised[:] = before if size is None else [size]
    try:
        yield
    finally:
        _promised[:] = before


def limit() -> int:
    """Return the bytes that this process may use in all: what was promised, its container's limit, or the machine's."""
    figures = [*_promised, resident() + _free_on_machine()]
    for path in CGROUP_LIMITS:
        try:
            figures.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(figures)


def available() -> int:
    """Return the bytes that this process may use beside what it uses now."""
    return max(0, limit() - resident())


def resident() -> int:
    """Return the bytes of memory that this process uses now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):  # not Linux: the most it has used so far
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


def _free_on_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require(extra: int, what: str) -> None:
    """Refuse work that cannot fit.

    Raises
    ------
    ResourceError
        ``what`` needs ``extra`` bytes beside what the process uses now, which is more than there may be.
    """
    there_is = available()
    if extra <= there_is:
        return
    used = resident()
    bound = f"`max_memory` allows {readable(limit())}" if limit() in _promised else f"{readable(there_is)} are free"
    raise ResourceError(f"{what} needs {readable(used + extra)} of memory ({readable(used)} are in use), {bound}")


def readable(size: float) -> str:
    """Return bytes as people read them."""
    for unit in UNITS:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.3g} PiB"
