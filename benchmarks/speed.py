"""Whole commands at the papers' largest size, 68,000 cells × 1,000 genes, beside MAGIC in the same run; or at others.

    python benchmarks/speed.py
    python benchmarks/speed.py --cells 10000 --genes 20000 --depth 6000 --without auto --out all_genes.md \
        --title "Time and memory with all genes"

Needs ``pip install '.[magic]'`` for MAGIC. Every row is one process of its own; figures are wall time and peak
resident memory, and the ratio to MAGIC's exact form. Writes ``speed.md``, or what ``--out`` names, beside this file.
Many sizes in one table: ``scale.py``.
"""

import argparse
import shlex
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


def main() -> None:
    """Measure everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=68_000)
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--density", type=float, default=0.07)
    parser.add_argument("--depth", type=float, help="molecules of a median cell, in place of --density")
    parser.add_argument("--without", default="")
    parser.add_argument("--out", default="speed.md")
    parser.add_argument("--title", default="Time and memory, whole commands")
    options = parser.parse_args()
    left_out = options.without.split(",")
    rows: list[tuple[str, Cost]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, source, target = simulated(folder, options.cells, options.genes, options.density, options.depth)
        deepmc = (SCINFILL, "impute-deepmc", "-q", source, "-o", target)
        rows += [
            ("impute-deepmc, rank 10, factors", measure(*deepmc, "--rank", 10, "--form", "factors")),
            ("impute-deepmc, rank 10", measure(*deepmc, "--rank", 10)),
            ("impute-deepmc, rank chosen", measure(*deepmc)),
            ("impute-deepmc, rank chosen, with uncertainty", measure(*deepmc, "--uncertainty")),
        ]
        if "auto" not in left_out:
            rows.append(("impute-auto", measure(SCINFILL, "impute-auto", "-q", source, "-o", target)))
        if "magic" not in left_out:
            for form in ("exact", "approximate"):
                rows.append(
                    (f"MAGIC {form}", measure(sys.executable, "-W", "ignore", "-c", MAGIC, source, target, form))
                )
    lines = [
        f"# {options.title}\n",
        f"`{shlex.join(['python', 'benchmarks/speed.py', *sys.argv[1:]])}`;",
        f"{options.cells:,} cells, {options.genes:,} genes; {machine()}.\n",
        "| command | seconds | peak memory, GiB | MAGIC exact / this |",
        "|---|---|---|---|",
    ]
    exact = dict(rows).get("MAGIC exact")
    for title, cost in rows:
        ratio = f"{exact.seconds / cost.seconds:.1f}" if exact else ""
        lines.append(f"| {title} | {cost.seconds:.1f} | {cost.peak_gib:.2f} | {ratio} |")
    (HERE / options.out).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
