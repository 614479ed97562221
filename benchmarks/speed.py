"""Solver and whole command at the papers' largest size, 68,000 cells × 1,000 genes, beside MAGIC in the same run.

    python benchmarks/speed.py [--cells 68000] [--genes 1000] [--density 0.07] [--without magic,auto]

Needs ``pip install '.[magic]'`` for MAGIC. Every row is one process of its own; figures are wall time and peak
resident memory, and the ratio to MAGIC's exact form. Writes ``speed.md`` beside this file. Other sizes: ``scale.py``.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import SCINFILL, Cost, machine, measure, simulated

HERE = Path(__file__).parent

MAGIC = """
import sys, anndata, magic, numpy as np
table = anndata.read_h5ad(sys.argv[1])
solver = "exact" if sys.argv[3] == "exact" else "approximate"
operator = magic.MAGIC(random_state=0, n_jobs=2, verbose=0, solver=solver)
table.layers["imputed"] = np.asarray(operator.fit_transform(table.X), dtype=np.float32)
table.write_h5ad(sys.argv[2])
"""
SOLVER = """
import sys, time, anndata
from scinfill.methods.deepmc import deepmc_imputation
from scinfill.methods.imputer import ImputeSettings
table = anndata.read_h5ad(sys.argv[1])
started = time.perf_counter()
deepmc_imputation(table, ImputeSettings(dense=False), ranks=(10,))
print(f"{time.perf_counter() - started:.1f}")
"""


def solver_seconds(source: Path) -> float:
    """Return the time of fit, gate and weights alone, without reading and writing."""
    done = subprocess.run([sys.executable, "-c", SOLVER, source], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=68_000)
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--density", type=float, default=0.07)
    parser.add_argument("--without", default="")
    options = parser.parse_args()
    left_out = options.without.split(",")
    rows: list[tuple[str, Cost]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, source, target = simulated(folder, options.cells, options.genes, options.density)
        deepmc = (SCINFILL, "impute-deepmc", "-q", source, "-o", target)
        solver = solver_seconds(source)
        rows += [
            ("impute-deepmc, rank 10, factors", measure(*deepmc, "--rank", 10, "--form", "factors")),
            ("impute-deepmc, rank 10", measure(*deepmc, "--rank", 10)),
            ("impute-deepmc, rank chosen", measure(*deepmc)),
        ]
        if "auto" not in left_out:
            rows.append(("impute-auto", measure(SCINFILL, "impute-auto", "-q", source, "-o", target)))
        if "magic" not in left_out:
            for form in ("exact", "approximate"):
                rows.append(
                    (f"MAGIC {form}", measure(sys.executable, "-W", "ignore", "-c", MAGIC, source, target, form))
                )
    lines = [
        "# Time and memory, whole commands\n",
        f"`python benchmarks/speed.py --cells {options.cells} --genes {options.genes} --density {options.density}`;",
        f"{machine()}. impute-deepmc's solver alone (fit, gate, weights; rank 10): {solver:.1f} s.\n",
        "| command | seconds | peak memory, GiB | MAGIC exact / this |",
        "|---|---|---|---|",
    ]
    exact = dict(rows).get("MAGIC exact")
    for title, cost in rows:
        ratio = f"{exact.seconds / cost.seconds:.1f}" if exact else ""
        lines.append(f"| {title} | {cost.seconds:.1f} | {cost.peak_gib:.2f} | {ratio} |")
    (HERE / "speed.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
