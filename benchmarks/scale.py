"""Time and memory from ten thousand to a million cells × 1,000 genes, beside MAGIC where it can run.

    python benchmarks/scale.py [--sizes 10000,68000,250000,1000000] [--without magic,auto] [--max-memory 4G]

Needs ``pip install '.[magic]'`` for MAGIC, exact as is its default. Every figure is one process of its own, start and
files included: wall time, processor time and peak resident memory. An exponent is the slope of the logarithm over that
of the cells, from 68,000 cells up (below, starting Python is what takes the time). Writes ``scale.md`` beside this file
after every command.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _measure import SCINFILL, Cost, machine, measure, simulated

HERE = Path(__file__).parent
GENES, DENSITY = 1_000, 0.07
LARGE = 68_000
"""Cells from which on time grows with the data."""
DENSE_COPIES = 3
"""Of cells × genes, in double precision, that MAGIC holds at its peak: it is left out where they do not fit."""
MAGIC = """
import sys, anndata, magic, numpy as np
table = anndata.read_h5ad(sys.argv[1])
operator = magic.MAGIC(random_state=0, n_jobs=2, verbose=0)
table.layers["imputed"] = np.asarray(operator.fit_transform(table.X), dtype=np.float32)
table.write_h5ad(sys.argv[2])
"""


@dataclass(frozen=True)
class Row:
    """One command at one size; without a cost, why there is none."""

    command: str
    cells: int
    cost: Cost | None = None
    reason: str = ""


def rows_at(n_cells: int, folder: Path, max_memory: str, left_out: Sequence[str]) -> Iterator[Row]:
    """Run every command on data of one size."""
    counts, source, target = simulated(folder, n_cells, GENES, DENSITY)
    bounded = ("-q", "--max-memory", max_memory)
    ours: dict[str, tuple[object, ...]] = {
        "preprocess": ("preprocess", "--n-genes", "all", "--min-counts", 1, counts),
        "mask": ("mask", source),
        "impute-deepmc, rank 10, factors": ("impute-deepmc", "--rank", 10, "--form", "factors", source),
        "impute-deepmc, rank 10": ("impute-deepmc", "--rank", 10, source),
        "impute-deepmc, rank chosen": ("impute-deepmc", source),
        "impute-auto": ("impute-auto", source),
    }
    for name, command in ours.items():
        if command[0] != "impute-auto" or "auto" not in left_out:
            yield Row(name, n_cells, measure(SCINFILL, *command, "-o", target, *bounded))
    if "magic" not in left_out:
        yield magic(n_cells, source, target)
    for path in (counts, source, target):
        path.unlink(missing_ok=True)


def magic(n_cells: int, source: Path, target: Path) -> Row:
    """Run MAGIC, if it can."""
    if DENSE_COPIES * 8 * n_cells * GENES > 0.9 * free_memory():
        return Row("MAGIC", n_cells, reason="more than the memory")
    try:
        return Row("MAGIC", n_cells, measure(sys.executable, "-W", "ignore", "-c", MAGIC, source, target))
    except subprocess.CalledProcessError as error:
        return Row("MAGIC", n_cells, reason=f"exit code {error.returncode}")


def free_memory() -> int:
    """Return bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def table(title: str, rows: Sequence[Row], value: Callable[[Row], float | None], digits: int) -> str:
    """Return a Markdown table, commands × sizes, with the exponent of every command."""
    sizes = list(dict.fromkeys(row.cells for row in rows))
    lines = [
        f"## {title}\n",
        "| command | " + " | ".join(f"{size:,} cells" for size in sizes) + " | exponent |",
        "| --- |" + " ---: |" * (len(sizes) + 1),
    ]
    for command in dict.fromkeys(row.command for row in rows):
        by_size = {row.cells: row for row in rows if row.command == command}
        known = {size: number for size, row in by_size.items() if (number := value(row)) is not None}
        reasons = {size: row.reason for size, row in by_size.items()}
        cells = [f"{known[size]:.{digits}f}" if size in known else reasons.get(size, "") for size in sizes]
        if known:
            lines.append(f"| {command} | " + " | ".join([*cells, exponent(known)]) + " |")
    return "\n".join([*lines, ""])


def exponent(values: Mapping[int, float]) -> str:
    """Return the slope of log value over log cells for the large sizes."""
    large = [(math.log(cells), math.log(value)) for cells, value in values.items() if cells >= LARGE]
    return f"{np.polyfit(*np.transpose(large), 1)[0]:.2f}" if len(large) > 1 else ""


def written(rows: Sequence[Row], arguments: str) -> str:
    """Return the text of ``scale.md``."""
    exact = {row.cells: row.cost.seconds for row in rows if row.command == "MAGIC" and row.cost}

    def times_faster(row: Row) -> float | None:
        ours = row.cost if row.command.startswith("impute") and row.cells in exact else None
        return None if ours is None else exact[row.cells] / ours.seconds

    lines = [
        "# Time and memory, whole commands\n",
        f"`python benchmarks/scale.py {arguments}`; {GENES:,} genes, {DENSITY:.0%} non-zero; {machine()}.".replace(
            "%", " %"
        ),
        "Wall time counts what else the machine did; processor time does not.\n",
        table("Seconds", rows, lambda row: row.cost and row.cost.seconds, 1),
        table("Processor seconds", rows, lambda row: row.cost and row.cost.processor_seconds, 1),
        table("Peak memory, GiB", rows, lambda row: row.cost and row.cost.peak_gib, 2),
    ]
    if exact:
        lines.append(table("Times faster than MAGIC", rows, times_faster, 1))
    return "\n".join(lines)


def main() -> None:
    """Measure everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,68000,250000,1000000")
    parser.add_argument("--without", default="")
    parser.add_argument("--max-memory", default="4G", help="promised by every command of ours")
    options = parser.parse_args()
    arguments = f"--sizes {options.sizes} --max-memory {options.max_memory}"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for n_cells in map(int, options.sizes.split(",")):
            for row in rows_at(n_cells, Path(folder), options.max_memory, options.without.split(",")):
                rows.append(row)
                print(row, flush=True)
                (HERE / "scale.md").write_text(written(rows, arguments))


if __name__ == "__main__":
    main()
