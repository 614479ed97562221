"""How much memory there is, so that a job that cannot fit is refused before it starts."""

import os
from pathlib import Path

from scinfill.errors import ResourceError

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux keeps the limit of a container or batch job (version 2, version 1)."""


def available() -> int:
    """Return the bytes that this process may still use: the machine's, or its container's limit if lower."""
    figures = [_free_on_machine()]
    for limit in CGROUP_LIMITS:
        try:
            figures.append(int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(figures)


def _free_on_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require(needed: int, what: str) -> None:
    """Refuse work that cannot fit.

    Raises
    ------
    ResourceError
        ``what`` needs more memory than there is.
    """
    there_is = available()
    if needed > there_is:
        raise ResourceError(f"{what} needs {readable(needed)} of memory, {readable(there_is)} are available")


def readable(size: float) -> str:
    """Return bytes as people read them."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.3g} PiB"
