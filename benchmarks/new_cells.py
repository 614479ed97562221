"""New cells by a saved model: what they lose to a fit that had them, and whether the model knows what it never saw.

    python benchmarks/new_cells.py DATA_FOLDER [--methods deepmc,auto]
    python benchmarks/new_cells.py --cells 100000,1000000

Held-out molecules: four fifths of the cells train a model. Of the others a tenth of the molecules is held out, and the
rest imputed by the model, and by a fit of all cells together on the same genes and scale. The loss is the mean of
λ − C·log λ over all held-out entries. Left-out cell lines: a model of four fifths of the cells of two lines imputes all
cells of three; how well does ``model_fit`` tell the third line from the cells of the other two that took no part (AUC)?
Speed: 10,000 cells of a simulated world of 12 types and 1,000 genes train a model of rank 10; others are then imputed
by ``scinfill impute-deepmc --model MODEL.h5ad new.h5ad --form factors``, from counts in a file to a file.
The command prints the tables of benchmarks/new_cells.md.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import anndata
import numpy as np
from anndata import AnnData
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

import scinfill

DATA = ("scmix_3lines_celseq2", "tung_partial", "zeisel_subset", "pbmc3k")
LINES = "scmix_3lines_celseq2"
HELD_OUT = 0.1
TRAINING_CELLS, RANK = 10_000, 10


def impute(method: str, table: AnnData, **options: AnnData) -> AnnData:
    """Impute by a method; TensorFlow loads when it is asked for."""
    function = scinfill.impute_deepmc if method == "deepmc" else scinfill.impute_auto
    return function(table, **options)


def counts_of(path: Path) -> AnnData:
    """Return counts with nothing beside them but the labels, so that tables of them can be joined."""
    table = anndata.read_h5ad(path)
    table.obs_names_make_unique()
    table.var_names_make_unique()
    return AnnData(table.X.tocsr(), obs=table.obs[["cell_type"]], var=table.var[[]])


def loss(imputed: AnnData, held_out: csr_array) -> float:
    """Return the Poisson loss of held-out molecules (n_cells, n_genes of the table), the mean over entries."""
    rates = np.exp2(imputed.layers["imputed"].astype(float)) - 1
    expected = rates * imputed.obs["size_factor"].to_numpy()[:, None] * HELD_OUT / (1 - HELD_OUT)
    expected = np.maximum(expected, 1e-9)
    return float(np.mean(expected - held_out.toarray() * np.log(expected)))


def compare(method: str, counts: AnnData) -> tuple[float, float]:
    """Return the losses of new cells by a model, and by a fit that had them."""
    rng = np.random.default_rng(0)
    is_new = np.isin(np.arange(counts.n_obs), rng.permutation(counts.n_obs)[: counts.n_obs // 5])
    known, new = counts[~is_new].copy(), counts[is_new].copy()
    taken = new.X.copy()
    taken.data = rng.binomial(new.X.data.astype(int), HELD_OUT).astype(np.float32)
    new.X = (new.X - taken).tocsr()
    _, model = scinfill.train_model(scinfill.preprocess(known), method)
    alone = impute(method, new, model=model)
    together = impute(method, scinfill.preprocess(anndata.concat([known, new]), like=model))[known.n_obs :]
    columns = new.var_names.get_indexer(model.var_names)
    return tuple(loss(table[:, model.var_names], csr_array(taken[:, columns])) for table in (alone, together))


def tell_line(method: str, counts: AnnData, line: str) -> float:
    """Return the AUC by which ``model_fit`` tells a line that the training never saw."""
    others = np.random.default_rng(0).permutation(np.flatnonzero(counts.obs["cell_type"] != line))
    n_known = 4 * len(others) // 5
    _, model = scinfill.train_model(scinfill.preprocess(counts[np.sort(others[:n_known])].copy()), method)
    fit = impute(method, counts.copy(), model=model).obs["model_fit"].to_numpy()
    unknown = np.flatnonzero(counts.obs["cell_type"] == line)
    asked = np.concatenate([unknown, others[n_known:]])
    return float(roc_auc_score(np.isin(asked, unknown), -fit[asked]))


def measure_speed(n_cells: list[int], folder: Path) -> None:
    """Print processor seconds and seconds of the command for new cells, Python's start included."""
    world = scinfill.simulate(
        n_cells=TRAINING_CELLS + max(n_cells), n_genes=1000, density=0.07, n_types=12, truth="factors"
    )
    training = AnnData(world.X[:TRAINING_CELLS], var=world.var[[]])
    table = scinfill.preprocess(training, min_counts=1, min_cells=1)
    scinfill.train_model(table, rank=RANK).model.write_h5ad(folder / "model.h5ad")
    print("| new cells | processor seconds | seconds |\n| --- | --- | --- |")
    for number in sorted(n_cells):
        AnnData(world.X[TRAINING_CELLS : TRAINING_CELLS + number], var=world.var[[]]).write_h5ad(folder / "new.h5ad")
        command = ("impute-deepmc", "--model", "model.h5ad", "new.h5ad", "--form", "factors", "-o", "out.h5ad")
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([Path(sys.executable).parent / "scinfill", *command], cwd=folder, check=True)
        after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"| {number:,} | {processor:.0f} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Print both tables, or that of the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--methods", default="deepmc,auto")
    parser.add_argument("--cells", help="numbers of new cells, with commas between")
    options = parser.parse_args()
    if options.cells:
        with tempfile.TemporaryDirectory() as folder:
            measure_speed([int(number) for number in options.cells.split(",")], Path(folder))
        return
    if options.data is None:
        parser.error("DATA_FOLDER or --cells is needed")
    print("| data | method | by the model | by a fit that had them | difference |\n| --- | --- | --- | --- | --- |")
    for name in DATA:
        counts = counts_of(options.data / f"{name}.h5ad")
        for method in options.methods.split(","):
            alone, together = compare(method, counts)
            share = 100 * (alone - together) / abs(together)
            print(f"| {name} | {method} | {alone:.5f} | {together:.5f} | {share:.2f} % |", flush=True)
    counts = counts_of(options.data / f"{LINES}.h5ad")
    lines = counts.obs["cell_type"].unique()
    print("\n| method | " + " | ".join(lines) + " |\n| --- |" + " --- |" * len(lines))
    for method in options.methods.split(","):
        found = map(partial(tell_line, method, counts), lines)
        print(f"| {method} | " + " | ".join(f"{auc:.3f}" for auc in found) + " |", flush=True)


if __name__ == "__main__":
    main()
