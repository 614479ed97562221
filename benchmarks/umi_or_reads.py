"""Molecules or reads: how far the figure that decides lies from its threshold, on real and simulated counts.

    python benchmarks/umi_or_reads.py DATA_FOLDER

Each real data set (H5AD counts) is looked at as it is, with the genes that ``preprocess`` selects, with genes chosen
for their scatter, on a few cells, and with half of the non-zeros hidden. Simulated molecules are sequenced at several
depths, after PCR that copies some of them more than others. Beside the figure stand two that were not taken: the lower
quartile of variance / mean over genes with a mean of .5 to 2, and the median non-zero count. Writes
``umi_or_reads.md`` beside this file.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_array, vstack

import scinfill
from scinfill.methods.counts_kind import classify_counts
from scinfill.numerics.normalization import size_factors
from scinfill.numerics.sparse import canonical, column_sums, row_of_entry, row_sums
from scinfill.schema import COUNTS, MIN_READS_PER_MOLECULE

HERE = Path(__file__).parent
READS = ("blakeley", "preimplantation_deng")
FIGURES = {
    "per_molecule": "counts per molecule",
    "scatter": "variance / mean, lower quartile",
    "median": "median count",
}


def scatter_of(counts: csr_array) -> np.ndarray:
    """Return variance / mean of every gene after size factors, and its mean, (2, n_genes)."""
    n_cells, n_genes = counts.shape
    size_factor = size_factors(row_sums(counts))
    per_entry = size_factor[row_of_entry(counts.indptr)]
    total, squares, products = (
        np.bincount(counts.indices, weights, n_genes)
        for weights in (counts.data, counts.data**2.0, counts.data * per_entry)
    )
    mean = total / size_factor.sum()
    spread = squares - 2 * mean * products + mean**2 * (size_factor**2).sum()
    return np.stack([spread / np.maximum(total, 1e-9) * n_cells / max(n_cells - 1, 1), mean])


def figures(counts: csr_array) -> dict[str, float]:
    """Return the figure that decides and the two that do not."""
    scatter, mean = scatter_of(counts)
    weak = scatter[(mean >= 0.5) & (mean < 2)]
    return {
        "n_cells": counts.shape[0],
        "n_genes": counts.shape[1],
        "per_molecule": classify_counts(counts).counts_per_molecule,
        "scatter": float(np.quantile(weak, 0.25)) if len(weak) else np.nan,
        "median": float(np.median(counts.data)) if counts.nnz else np.nan,
    }


def forms(table: AnnData, rng: np.random.Generator) -> Iterator[tuple[str, csr_array]]:
    """Yield the counts as they are, and as people have them, with a word on each."""
    counts = canonical(table.X, np.float64)
    yield "all cells and genes", counts
    selected = canonical(scinfill.preprocess(table).layers[COUNTS], np.float64)
    yield "1,000 genes by `preprocess`", selected
    scatter = scatter_of(counts)[0]
    for n_genes in (1000, 200, 50):
        yield f"{n_genes:,} genes of largest variance / mean", counts[:, np.sort(np.argsort(-scatter)[:n_genes])]
    n_cells = counts.shape[0]
    for n_some in (30, 100):
        if n_some < n_cells:
            some = np.sort(rng.permutation(n_cells)[:n_some])
            yield f"{n_some} cells", counts[some]
            yield f"{n_some} cells, 1,000 genes by `preprocess`", selected[rng.permutation(selected.shape[0])[:n_some]]
    for name, whole in (("all genes", counts), ("1,000 genes by `preprocess`", selected)):
        hidden = whole.copy()
        hidden.data = hidden.data * (rng.random(hidden.nnz) >= 0.5)
        yield f"half of the non-zeros hidden, {name}", canonical(hidden)
    yield "with 5 nearly empty droplets (1 % ambient) a cell", _with_droplets(counts, rng)


def _with_droplets(counts: csr_array, rng: np.random.Generator) -> csr_array:
    ambient = column_sums(counts) / counts.shape[0] * 0.01
    n_blocks = -(-counts.shape[0] // 100)
    droplets = (csr_array(rng.poisson(ambient, (500, len(ambient))).astype(float)) for _ in range(n_blocks))
    return canonical(vstack([counts, *droplets], format="csr"))


def profiles(rng: np.random.Generator, n_genes: int, n_types: int) -> np.ndarray:
    """Return the mean molecules of several types, (n_types, n_genes), with genes from rare to common."""
    return rng.lognormal(-1, 1.5, n_genes) * rng.lognormal(0, 0.7, (n_types, n_genes))


def molecules(rng: np.random.Generator, types: np.ndarray, n_cells: int) -> np.ndarray:
    """Return negative binomial molecules of cells of random types and different size, (n_cells, n_genes)."""
    mean = types[rng.integers(0, len(types), n_cells)] * rng.lognormal(0, 0.4, n_cells)[:, None]
    return rng.poisson(mean * rng.gamma(4, 1 / 4, mean.shape))


def sequenced(found: np.ndarray, reads: float, rng: np.random.Generator) -> csr_array:
    """Return reads of molecules, ``reads`` of each on average, that PCR copied with a coefficient of variation of 1."""
    return canonical(csr_array(rng.poisson(rng.gamma(np.maximum(found, 1e-300), reads)).astype(float)))


def real_rows(folder: Path) -> pd.DataFrame:
    """Return the figures of all real data."""
    rows = []
    for path in sorted(folder.glob("*.h5ad")):
        kind = "reads" if path.stem in READS else "umi"
        for form, counts in forms(anndata.read_h5ad(path), np.random.default_rng(0)):
            rows.append({"data": path.stem, "kind": kind, "form": form} | figures(counts))
    return pd.DataFrame(rows)


def simulated_rows() -> pd.DataFrame:
    """Return the figures of simulated molecules and their reads."""
    rows = []
    for n_cells, n_types in ((30, 1), (300, 1), (300, 8), (3000, 8)):
        rng = np.random.default_rng(n_cells + n_types)
        found = molecules(rng, profiles(rng, 1000, n_types), n_cells)
        made = {"molecules": canonical(csr_array(found.astype(float)))}
        made |= {f"{depth:g} reads each": sequenced(found, depth, rng) for depth in (0.3, 1, 3, 5, 10, 30, 100)}
        for form, counts in made.items():
            rows.append({"cells": n_cells, "types": n_types, "form": form} | figures(counts))
    return pd.DataFrame(rows)


def large_row() -> dict[str, float]:
    """Return the figures of 100,000 cells of both kinds, and the seconds that the decision takes."""
    rng = np.random.default_rng(5)
    types = profiles(rng, 1000, 8)
    blocks = [molecules(rng, types, 10_000) for _ in range(10)]
    found = {"molecules": blocks, "10 reads each": [sequenced(block, 10, rng) for block in blocks]}
    row: dict[str, float] = {}
    for name, parts in found.items():
        counts = canonical(vstack([csr_array(part) for part in parts], format="csr"), np.float32)
        start = time.perf_counter()
        row[name] = classify_counts(counts).counts_per_molecule
        row[f"{name}, seconds"] = time.perf_counter() - start
        row[f"{name}, non-zeros"] = counts.nnz
    return row


def as_table(frame: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    head = "| " + " | ".join(frame.columns) + " |\n| " + " | ".join("---" for _ in frame.columns) + " |"
    lines = ("| " + " | ".join(_text(value) for value in row) + " |" for row in frame.itertuples(index=False))
    return "\n".join([head, *lines])


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def by_form(real: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return the largest figure of molecules and the smallest of reads for every form."""
    groups = real.groupby(["form", "kind"], sort=False)[figure].agg(["min", "max"]).unstack("kind")
    return pd.DataFrame({"molecules, largest": groups["max", "umi"], "reads, smallest": groups["min", "reads"]})


def document(real: pd.DataFrame, simulated: pd.DataFrame, large: dict[str, float]) -> str:
    """Return the page."""
    whole = real[real["form"] == "all cells and genes"]
    sides = pd.concat({FIGURES[figure]: by_form(real, figure) for figure in FIGURES}, axis=1)
    sides.columns = [f"{figure}: {side}" for figure, side in sides.columns]
    wrong = real[(real["per_molecule"] >= MIN_READS_PER_MOLECULE) != (real["kind"] == "reads")]
    shown = simulated.pivot_table(index="form", columns=["cells", "types"], values="per_molecule", sort=False)
    shown.columns = [f"{cells:,} cells, {types} type{'s' * (types > 1)}" for cells, types in shown.columns]
    return f"""# Molecules or reads?

Made by `python benchmarks/umi_or_reads.py DATA_FOLDER`.

PCR copies molecules and so changes every count but no zero. A gene that a share p of the cells has holds
−log(1 − p) molecules a cell; its mean count over that is **counts per molecule**, and the median over genes (weight
p·(1 − p)) decides: {MIN_READS_PER_MOLECULE:g} or more are reads. The threshold lies in the middle, on a logarithmic
scale, between the largest figure of molecules and the smallest of reads on whole data sets.

Two other figures stand beside it. The scatter of weakly expressed genes (variance / mean, lower quartile over genes
with a mean of .5 to 2) needs such genes ("–": none), and overlaps where genes were chosen for their scatter or where
stray reads make up the weak genes. The median count depends on what was selected and how deep it was sequenced.

## Whole data sets

{as_table(whole[["data", "kind", "n_cells", "n_genes", *FIGURES]].rename(columns=FIGURES))}

## The same data as people have them

The molecules nearest to reads and the reads nearest to molecules.

{as_table(sides.reset_index().rename(columns={"form": "form of the data"}))}

Taken for the wrong kind:

{as_table(wrong[["data", "kind", "form", "n_cells", "n_genes", *FIGURES]].rename(columns=FIGURES))}

## Simulated counts, counts per molecule

Negative binomial molecules (1,000 genes), copied by PCR with a coefficient of variation of 1. The figure is the mean
number of reads of a *sequenced* molecule, so it stays above 1 where most molecules are missed. Reads below the
threshold have few copies, and are treated as molecules: what that costs is that weights lean towards what was seen.

{as_table(shown.reset_index().rename(columns={"form": "sequenced"}))}

100,000 cells x 1,000 genes: {large["molecules"]:.3g} for molecules, {large["10 reads each"]:.3g} for 10 reads each;
{large["molecules, seconds"]:.2g} s for {large["molecules, non-zeros"]:,} non-zeros.
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    page = document(real_rows(folder), simulated_rows(), large_row())
    (HERE / "umi_or_reads.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
