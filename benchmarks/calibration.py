"""What local calibration does to the means of groups: one half of the molecules is imputed, the other one judges.

    python benchmarks/calibration.py DATA_FOLDER

It prints the table of "Fold changes" in benchmarks/calibration.md. MAGIC needs ``pip install '.[magic]'``.

Each cell's molecules are split in two at random. One half is preprocessed and imputed with and without calibration;
the log2 fold changes of its group means are compared with those of the half that nobody touched: the root mean
squared error over genes, for all cells of two labels and for draws of 20 cells a side.
"""

import sys
from pathlib import Path

import anndata
import numpy as np
from scipy.stats import false_discovery_control, mannwhitneyu

import scinfill

PAIRS = {
    "pbmc3k": [("Memory CD4 T", "Naive CD4 T"), ("CD8 T", "NK"), ("Memory CD4 T", "CD8 T")],
    "zeisel_subset": [("ca1pyramidal", "s1pyramidal")],
    "scmix_3lines_celseq2": [("H1975", "HCC827")],
}
FEW_CELLS, DRAWS = 20, 20
PSEUDORATE = 0.02
"""Added to mean rates: a gene without a molecule in one group has a fold change too."""
WAYS = {
    "not calibrated": {"calibrate": False},
    "calibrated": {},
    "model, not calibrated": {"calibrate": False, "estimate": "model"},
    "model, calibrated": {"estimate": "model"},
    "model, calibrated, no gate": {"estimate": "model", "gate": False},
}


def halves(path: Path) -> tuple[anndata.AnnData, np.ndarray]:
    """Return one half, preprocessed and with 200 null genes behind the others, and the other half's counts."""
    table = anndata.read_h5ad(path)
    table.obs_names_make_unique()
    table.var_names_make_unique()
    if "doublet_call" in table.obs:
        table = table[table.obs["doublet_call"] == "SNG"].copy()
    whole, half = table.X.tocsr().copy(), table.X.tocsr().copy()
    half.data = np.random.default_rng(7).binomial(whole.data.astype(int), 0.5).astype(np.float32)
    table.X, table.layers["other_half"] = half, whole - half
    prepared = scinfill.preprocess(table)
    other = prepared.layers["other_half"].toarray()
    return scinfill.mask(prepared, fraction=0, null_genes=200, seed=3), other


def main(folder: Path) -> None:
    """Write the table."""
    print("| data | pair | estimate | all cells | 20 cells a side | genes without structure called |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, pairs in PAIRS.items():
        table, other = halves(folder / f"{name}.h5ad")
        layers = {"raw": table.X.toarray()} | {
            way: scinfill.impute_deepmc(table, device="cpu", **options).layers["imputed"]
            for way, options in WAYS.items()
        }
        layers["magic"] = scinfill.impute_baseline(table, method="magic").layers["imputed"]
        for pair in pairs:
            for way, values in layers.items():
                print(f"| {name} | {' / '.join(pair)} | {way} | {row(table, other, values, pair)} |", flush=True)


def row(table: anndata.AnnData, other: np.ndarray, values: np.ndarray, pair: tuple[str, str]) -> str:
    """Return the errors for all cells and for few, and the share of null genes that a rank test calls."""
    labels = table.obs["cell_type"].to_numpy(str)
    first, second = (np.flatnonzero(labels == label) for label in pair)
    size_factor = table.obs["size_factor"].to_numpy()[:, None]
    truth = fold_changes(other / size_factor, first, second)
    rates = np.exp2(values[:, : other.shape[1]]) - 1
    rng = np.random.default_rng(0)

    def error(cells: np.ndarray, others: np.ndarray) -> float:
        return float(np.sqrt(np.mean((fold_changes(rates, cells, others) - truth) ** 2)))

    def draw(cells: np.ndarray) -> np.ndarray:
        return rng.choice(cells, min(FEW_CELLS, len(cells)), replace=False)

    few = np.mean([error(draw(first), draw(second)) for _ in range(DRAWS)])
    p = mannwhitneyu(values[first], values[second], method="asymptotic").pvalue
    called = false_discovery_control(np.nan_to_num(p, nan=1.0)) < 0.05
    null = table.var["null_gene"].to_numpy(bool)
    return f"{error(first, second):.3f} | {few:.3f} | {called[null].mean():.3f}"


def fold_changes(rates: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the log2 ratio of mean rates, (n_genes,)."""
    one, two = (rates[cells].mean(axis=0) + PSEUDORATE for cells in (first, second))
    return np.log2(one / two)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
