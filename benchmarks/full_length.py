"""Full-length reads: what the squared loss should weigh, and on which scale it should fit.

    python benchmarks/full_length.py DATA_FOLDER

Two criteria, neither of which looks at labels. A tenth of all entries, zeros too, is predicted from the others: the
error on the scale log2(1 + x), after a monotone curve learned from another tenth, so that no scale has an advantage.
And the genes are split in two at random, each half is fitted alone, and every cell is asked for its nearest neighbours:
the share that both halves agree on. Rank and ridge of every way are chosen by a third tenth. The command prints the
tables of benchmarks/full_length.md.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson, rankdata
from sklearn.isotonic import IsotonicRegression
from sklearn.neighbors import NearestNeighbors

import scinfill
from scinfill.methods.reading import read_observations
from scinfill.models.factorization.recipes import LEAST_NOISE, SquaredFactorization
from scinfill.models.observations import Observations, pattern_of
from scinfill.models.recipe import predicted_at

Matrix = NDArray[np.float64]
DATA = ("blakeley", "preimplantation_deng")
SEEDS = range(5)
SHARE = 0.1
RANKS = (2, 3, 5, 8, 12)
RIDGES = (1.0, 4.0, 16.0)
ROUNDS = 12
PRODUCT_RANKS = (3, 5, 10, 15)
LOGNORMAL_SPREAD = 2.0
"""Of quasi-UMIs: the shape that Townes & Irizarry (Genome Biology 2020) use most."""


def weighted_factors(values: Matrix, weights: Matrix, rank: int, ridge: float) -> tuple[Matrix, Matrix, Matrix]:
    """Return μ + Z·D, Z and D of min Σ W·(X − μ − Z·D)² + ρ·(|Z|² + |D|²), any weights, by alternating solutions."""
    mean = (weights * values).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-9)
    _, singular, right = np.linalg.svd(np.where(weights > 0, values - mean, 0), full_matrices=False)
    genes = right[:rank].T * np.sqrt(singular[:rank])
    genes_penalty = np.diag([1e-3, *[ridge] * rank])
    for _ in range(ROUNDS):
        cells = _solve(weights, values - mean, genes, ridge * np.eye(rank))
        cells = (cells - cells.mean(axis=0)) / (cells.std(axis=0) + 1e-12)
        solved = _solve(weights.T, values.T, np.column_stack([np.ones(len(cells)), cells]), genes_penalty)
        mean, genes = solved[:, 0], solved[:, 1:]
    cells = _solve(weights, values - mean, genes, ridge * np.eye(rank))
    return mean + cells @ genes.T, cells, genes


def _solve(weights: Matrix, values: Matrix, design: Matrix, penalty: Matrix) -> Matrix:
    curvature = np.einsum("ij,ja,jb->iab", weights, design, design, optimize=True) + penalty
    return np.linalg.solve(curvature, ((weights * values) @ design)[:, :, None])[:, :, 0]


def quasi_umis(counts: Matrix) -> Matrix:
    """Return each cell's reads as quantiles of a Poisson-lognormal law that has as many zeros as the cell."""
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(60)
    node_weights = node_weights / node_weights.sum()
    locations = np.linspace(-9, 5, 120)
    zeros = np.array([node_weights @ np.exp(-np.exp(at + LOGNORMAL_SPREAD * nodes)) for at in locations])
    result = np.zeros_like(counts)
    for cell, row in enumerate(counts):
        seen, empty = row > 0, np.mean(row == 0)
        rates = np.exp(np.interp(-empty, -zeros, locations) + LOGNORMAL_SPREAD * nodes)
        cumulative = np.cumsum(node_weights @ poisson.pmf(np.arange(2_000), rates[:, None]))
        quantiles = empty + (1 - empty) * (rankdata(row[seen]) - 0.5) / seen.sum()
        result[cell, seen] = np.maximum(1, np.searchsorted(cumulative, quantiles))
    return result


def scales(data: Observations) -> dict[str, Matrix]:
    """Return the values of all cells on each scale, of standard deviation 1."""
    stored, size_factor = data.molecules()
    counts = stored.toarray().astype(np.float64)
    normal = counts / size_factor[:, None]
    mean, variance = normal.mean(axis=0), normal.var(axis=0)
    overdispersion = np.median((variance - mean) / mean**2)
    quasi = quasi_umis(counts)
    quasi /= (quasi.sum(axis=1) / np.median(quasi.sum(axis=1)))[:, None]
    named = {
        "log2(1 + x)": np.log2(1 + normal),
        "log2(1 + x / 10)": np.log2(1 + normal / 10),
        "log2(1 + x / 100)": np.log2(1 + normal / 100),
        "square root": np.sqrt(normal),
        "fourth root": normal**0.25,
        "arcosh of a negative binomial": np.arccosh(2 * overdispersion * normal + 1),
        "quasi-UMIs, log2(1 + x)": np.log2(1 + quasi),
        "quasi-UMIs, square root": np.sqrt(quasi),
    }
    return {name: values / values.std() for name, values in named.items()}


def alike(values: Matrix, seen: Matrix, rank: int, ridge: float) -> tuple[Matrix, Matrix, Matrix]:
    """Weigh all entries alike."""
    return weighted_factors(values, seen, rank, ridge)


def by_gene(values: Matrix, seen: Matrix, rank: int, ridge: float) -> tuple[Matrix, Matrix, Matrix]:
    """Weigh a gene by the inverse of its unexplained variance."""
    squares = seen * (values - weighted_factors(values, seen, rank, ridge)[0]) ** 2
    variance = squares.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    weights = seen / (variance + LEAST_NOISE * variance.mean())
    return weighted_factors(values, weights * seen.sum() / weights.sum(), rank, ridge)


def by_value(values: Matrix, seen: Matrix, rank: int, ridge: float) -> tuple[Matrix, Matrix, Matrix]:
    """Weigh an entry by the inverse of the unexplained variance of entries that are predicted alike."""
    fit = weighted_factors(values, seen, rank, ridge)[0]
    squares = seen * (values - fit) ** 2
    level = np.digitize(fit, np.quantile(fit, np.arange(0.05, 1, 0.05)))
    variance = np.bincount(level.ravel(), squares.ravel()) / np.maximum(np.bincount(level.ravel(), seen.ravel()), 1)
    weights = seen / (variance + LEAST_NOISE * variance.mean())[level]
    return weighted_factors(values, weights * seen.sum() / weights.sum(), rank, ridge)


def zeros_less(values: Matrix, seen: Matrix, rank: int, ridge: float) -> tuple[Matrix, Matrix, Matrix]:
    """Weigh zeros .3."""
    return weighted_factors(values, seen * np.where(values > 0, 1, 0.3), rank, ridge)


Way = Callable[[Matrix, Matrix, int, float], tuple[Matrix, Matrix, Matrix]]
LOG = "log2(1 + x)"
WAYS: dict[str, tuple[str, Way]] = {
    "a weight a gene": (LOG, by_gene),
    "a weight a value, by its prediction": (LOG, by_value),
    "zeros weigh .3": (LOG, zeros_less),
}


def neighbours(cells: Matrix, genes: Matrix) -> NDArray[np.intp]:
    """Return the nearest neighbours of every cell among the predictions: 15, of few cells 5."""
    among = 16 if len(cells) > 100 else 6
    positions = cells @ np.linalg.qr(genes)[1].T
    return NearestNeighbors(n_neighbors=among).fit(positions).kneighbors(return_distance=False)[:, 1:]


def agreement(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """Return the share of neighbours that both have."""
    return float(np.mean([np.isin(mine, theirs).mean() for mine, theirs in zip(one, other, strict=True)]))


def try_way(values: Matrix, truth: Matrix, fit: Way, rng: np.random.Generator) -> tuple[float, float]:
    """Return the error at hidden entries and the agreement of neighbours."""
    draw = rng.random(values.shape)
    test, choosing, curve = draw < SHARE, (draw >= SHARE) & (draw < 2 * SHARE), (draw >= 2 * SHARE) & (draw < 3 * SHARE)
    seen = (draw >= 3 * SHARE).astype(np.float64)
    best, error, chosen = np.inf, np.inf, (RANKS[0], RIDGES[0])
    for rank in (rank for rank in RANKS if rank < len(values) / 3):
        for ridge in RIDGES:
            fitted = fit(values, seen, rank, ridge)[0]
            monotone = IsotonicRegression(out_of_bounds="clip").fit(fitted[curve], truth[curve])
            loss = np.mean((monotone.predict(fitted[choosing]) - truth[choosing]) ** 2)
            if loss < best:
                squares = (monotone.predict(fitted[test]) - truth[test]) ** 2
                best, error, chosen = loss, float(np.sqrt(squares.mean())), (rank, ridge)
    half = rng.permutation(values.shape[1]) < values.shape[1] // 2
    halves = [neighbours(*fit(values[:, part], np.ones_like(values[:, part]), *chosen)[1:]) for part in (half, ~half)]
    return error, agreement(*halves)


def try_product(data: Observations, recipe: SquaredFactorization, seed: int) -> tuple[float, float]:
    """Return the same of scinfill's own fit, without a curve."""
    rng = np.random.default_rng(seed)
    held_out = pattern_of(*np.nonzero(rng.random(data.shape) < SHARE), data.shape)
    fit = recipe.fit(data.without(held_out), rng=np.random.default_rng(seed), held_out=held_out)
    truth = data.log_values.toarray()[held_out.nonzero()]
    error = float(np.sqrt(np.mean((predicted_at(fit, held_out) - truth) ** 2)))
    order = rng.permutation(data.shape[1])
    halves = []
    for part in np.array_split(order, 2):
        factors = recipe.fit(data.genes(np.sort(part)), rng=np.random.default_rng(seed))
        halves.append(neighbours(factors.cells, factors.genes))
    return error, agreement(*halves)


def row(name: str, results: list[tuple[float, float]], base: list[tuple[float, float]]) -> str:
    """Return a line of the table: means, and differences to the base with their standard errors."""
    here, differences = np.array(results), np.array(results) - np.array(base)
    errors = differences.std(axis=0, ddof=1) / np.sqrt(len(here))
    cells = [
        f"{mean:.3f} ({change:+.3f} ± {error:.3f})".replace("-", "−")
        for mean, change, error in zip(here.mean(axis=0), differences.mean(axis=0), errors, strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"


def main(folder: Path) -> None:
    """Print the tables."""
    head = "| --- | ---: | ---: |"
    for name in DATA:
        data = read_observations(scinfill.preprocess(anndata.read_h5ad(folder / f"{name}.h5ad")))
        truth = data.log_values.toarray().astype(np.float64)
        on = scales(data)
        ways = {scale: (scale, alike) for scale in on} | WAYS
        tried = {
            way: [try_way(on[scale], truth, fit, np.random.default_rng(seed)) for seed in SEEDS]
            for way, (scale, fit) in ways.items()
        }
        print(f"\n## {name}, {data.shape[0]} cells\n", "| way | error | agreement |", head, sep="\n")
        for way, results in tried.items():
            print(row(way, results, tried[LOG]))
        print("\n| scinfill, rank | error | agreement |", head, sep="\n")
        for rank in (rank for rank in PRODUCT_RANKS if rank < data.shape[0] / 3):
            recipes = [SquaredFactorization(rank, by_noise=by_noise) for by_noise in (False, True)]
            same, weighted = ([try_product(data, recipe, seed) for seed in SEEDS] for recipe in recipes)
            print(
                row(f"{rank}, genes alike", same, same), row(f"{rank}, by noise", weighted, same), sep="\n", flush=True
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
