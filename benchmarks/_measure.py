"""Wall time and peak resident memory of a command, and simulated data to run it on."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SCINFILL = Path(sys.executable).with_name("scinfill")


@dataclass(frozen=True)
class Cost:
    """What a command cost."""

    seconds: float
    processor_seconds: float
    peak_gib: float


def measure(*command: object) -> Cost:
    """Run a command to its end."""
    started = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    seconds = time.perf_counter() - started
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def simulated(
    folder: Path, n_cells: int, n_genes: int, density: float, depth: float | None = None
) -> tuple[Path, Path, Path]:
    """Simulate and preprocess; return counts, the preprocessed file with every gene kept, and a name for results.

    ``depth``, molecules of a median cell, takes the place of ``density`` where it is given.
    """
    counts, prepared = folder / f"counts_{n_cells}.h5ad", folder / f"log_{n_cells}.h5ad"
    filled = ("--density", density) if depth is None else ("--depth", depth)
    size = ("--cells", n_cells, "--genes", n_genes, *filled, "--types", 12)
    measure(SCINFILL, "simulate", "-q", *size, "--truth", "factors", "-o", counts)
    measure(SCINFILL, "preprocess", "-q", "--n-genes", "all", "--min-counts", 1, counts, "-o", prepared)
    return counts, prepared, folder / f"result_{n_cells}.h5ad"


def machine() -> str:
    """Return processor and cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} cores"
