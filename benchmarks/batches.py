"""What offsets of batches do: three cell lines, joined with a copy of them that another protocol might have seen.

    python benchmarks/batches.py DATA_FOLDER [deepmc] [auto] > benchmarks/batches.md

The copy of `scmix_3lines_celseq2` is thinned to 40 % of the molecules, and every gene's share is multiplied by a factor
of log-normal spread .5. A tenth of the molecules is held out, 200 null genes are appended. Log2 fold changes are those
of gene means (rates + .1): between batches within a line, root mean square, of real genes and of null genes; between
lines, as correlation of both batches. Held-out molecules are scored in every batch by mean(mu − y·log mu), less is
better, beside imputing each batch by itself.
"""

import sys
from itertools import combinations
from pathlib import Path

import anndata
import numpy as np
from anndata import AnnData
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

import scinfill

BATCH, LABELS = "protocol", "cell_type"
PSEUDORATE = 0.1
WAYS = {
    "without --batch": {},
    "--batch, keep": {"batch": BATCH},
    "--batch, remove": {"batch": BATCH, "batch_effect": "remove"},
}
IMPUTERS = {"deepmc": scinfill.impute_deepmc, "auto": scinfill.impute_auto}
HEADS = ("method", "batches, rms", "nulls, rms", "lines agree", "ARI", "first", "second", "nulls open")


def two_protocols(folder: Path) -> AnnData:
    """Return the preprocessed table of both batches, with held-out molecules and null genes."""
    first = anndata.read_h5ad(folder / "scmix_3lines_celseq2.h5ad")
    rng = np.random.default_rng(0)
    share = np.minimum(1, 0.4 * rng.lognormal(0, 0.5, first.n_vars))
    counts = sparse.csr_matrix(first.X)
    thinned = counts.copy()
    thinned.data = rng.binomial(counts.data.astype(int), share[counts.indices])
    thinned.eliminate_zeros()
    second = AnnData(thinned, obs=first.obs.copy(), var=first.var[[]].copy())
    second.obs_names = [f"{name}-second" for name in first.obs_names]
    first = AnnData(counts, obs=first.obs.copy(), var=first.var[[]].copy())
    first.obs[BATCH], second.obs[BATCH] = "first", "second"
    table = scinfill.preprocess(anndata.concat([first, second]))
    return scinfill.mask(table, mode="thin", null_genes=200, seed=1)


def structure(table: AnnData, values: np.ndarray) -> list[str]:
    """Return differences between batches of real and null genes, agreement of lines, and the ARI."""
    lines, batches = table.obs[LABELS].to_numpy(), table.obs[BATCH].to_numpy()
    real = ~table.var["null_gene"].to_numpy(bool)
    rates = np.exp2(values) - 1
    means = {
        (line, batch): np.log2(rates[(lines == line) & (batches == batch)].mean(axis=0) + PSEUDORATE)
        for line in np.unique(lines)
        for batch in ("first", "second")
    }
    between = np.array([means[line, "first"] - means[line, "second"] for line in np.unique(lines)])
    agreement = [
        np.corrcoef(*(means[one, batch][real] - means[other, batch][real] for batch in ("first", "second")))[0, 1]
        for one, other in combinations(np.unique(lines), 2)
    ]
    components = PCA(20, random_state=0).fit_transform(values[:, real])
    clusters = KMeans(len(np.unique(lines)), n_init=10, random_state=0).fit_predict(components)
    return [
        f"{np.sqrt(np.mean(between[:, real] ** 2)):.3f}",
        f"{np.sqrt(np.mean(between[:, ~real] ** 2)):.3f}",
        f"{np.mean(agreement):.4f}",
        f"{adjusted_rand_score(lines, clusters):.2f}",
    ]


def heldout(table: AnnData, values: np.ndarray) -> list[str]:
    """Return the score of held-out molecules in each batch."""
    real = ~table.var["null_gene"].to_numpy(bool)
    molecules = table.layers["heldout_counts"].toarray()[:, real]
    expected = ((np.exp2(values) - 1) * table.obs["size_factor"].to_numpy()[:, None])[:, real]
    expected *= molecules.sum() / expected.sum()
    scores = (expected - molecules * np.log(expected + 1e-6)).mean(axis=1)
    return [f"{scores[(table.obs[BATCH] == batch).to_numpy()].mean():.5f}" for batch in ("first", "second")]


def one_by_one(table: AnnData, impute) -> np.ndarray:
    """Return what imputing each batch by itself gives."""
    values = np.empty(table.shape, np.float32)
    for batch in ("first", "second"):
        rows = np.flatnonzero(table.obs[BATCH] == batch)
        values[rows] = impute(table[rows].copy()).layers["imputed"]
    return values


def say(*cells: str) -> None:
    """Print a row of the table."""
    print("|", " | ".join(cells), "|", flush=True)


def main() -> None:
    """Print the page."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(IMPUTERS)
    table = two_protocols(folder)
    introduction = __doc__.split("\n\n")
    print(f"# Batches\n\nMade by `python benchmarks/batches.py DATA_FOLDER`. {introduction[0]}\n\n{introduction[2]}")
    say(*HEADS)
    say(*["---"] * len(HEADS))
    say("raw", *structure(table, table.X.toarray()), "", "", "")
    for name in names:
        impute = IMPUTERS[name]
        values = one_by_one(table, impute)
        say(f"{name}, one by one", *structure(table, values), *heldout(table, values), "")
        for way, options in WAYS.items():
            result = impute(table, **options)
            values = result.layers["imputed"]
            molecules = heldout(table, values) if "remove" not in way else ["", ""]
            shut = result.var["imputation_gate"][result.var["null_gene"]] == 0
            say(f"{name}, {way}", *structure(table, values), *molecules, str(int((~shut).sum())))


if __name__ == "__main__":
    main()
