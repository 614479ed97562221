"""Counts with a known truth: cell types, library sizes, negative-binomial molecules, logistic dropout.

The constants were fitted to three human lung cancer lines sequenced with CEL-seq2 (274 cells, unique molecules,
GSE118767; Tian et al. 2019), over genes seen with three molecules in four cells of one line.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit

from scinfill.numerics.blocks import row_slices

LOG_MEAN_SD = 1.0
"""Standard deviation over genes of the natural logarithm of the mean."""
LOG_SIZE_SD = 0.55
"""Standard deviation over cells of the natural logarithm of the library size, within a line as over all."""
MEAN_MOLECULES = 3.5
"""Molecules a gene and cell at which the dispersions below were read off."""
DISPERSION_FLOOR = 0.05
DISPERSION_SLOPE = 0.42
DISPERSION_POWER = -0.6
"""Median dispersion of a gene with mean m: ``floor + slope·m**power`` (.65 at m = .6, .21 at 5.5, .09 at 55)."""
LOG_DISPERSION_SD = 0.5
"""Spread of dispersions around that curve; half of what is seen, the rest being the noise of their estimation."""

SHARE_RATIO = 0.7
"""Each type has this many cells for one of the type before it."""
DROPOUT_STEEPNESS = 2.0
BULK_DISPERSION = 0.01
BLOCK_BYTES = 4 * 2**20
"""Small enough to stay in the cache of a core: several passes are made over each block."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Profiles:
    """Expression of each cell type.

    Attributes
    ----------
    shares
        Share of each gene in a type's molecules, (n_types, n_genes); rows sum to 1.
    dispersions
        Dispersion φ of each gene, with variance = mean + φ·mean², (n_genes,).
    """

    shares: NDArray[np.float64]
    dispersions: NDArray[np.float64]


def draw_profiles(
    n_types: int, n_genes: int, *, de_share: float, de_log2fc: float, silent_share: float, rng: np.random.Generator
) -> Profiles:
    """Draw what types express: log-normal means, normal log fold changes of some genes, silence of some others.

    Parameters
    ----------
    de_share
        Share of genes that deviate in each type.
    de_log2fc
        Standard deviation of their log2 fold changes.
    silent_share
        Share of genes that each type does not express at all.
    """
    means = np.exp(rng.normal(0, LOG_MEAN_SD, size=n_genes))
    deviates = rng.random((n_types, n_genes)) < de_share
    fold_changes = np.where(deviates, np.exp2(rng.normal(0, de_log2fc, size=(n_types, n_genes))), 1)
    expressed = rng.random((n_types, n_genes)) >= silent_share
    # A type without a single gene would be no cell: its first gene is expressed.
    expressed[~expressed.any(axis=1), 0] = True
    expression = means * fold_changes * expressed
    at_reference = means / means.mean() * MEAN_MOLECULES
    curve = DISPERSION_FLOOR + DISPERSION_SLOPE * at_reference**DISPERSION_POWER
    return Profiles(
        shares=expression / expression.sum(axis=1, keepdims=True),
        dispersions=curve * np.exp(rng.normal(0, LOG_DISPERSION_SD, size=n_genes)),
    )


def draw_types(n_cells: int, n_types: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the type of every cell; sizes fall by :data:`SHARE_RATIO`, and no type is empty if cells suffice."""
    weights = SHARE_RATIO ** np.arange(n_types)
    guaranteed = np.arange(min(n_types, n_cells))
    others = np.searchsorted(np.cumsum(weights / weights.sum()), np.linspace(0, 1, n_cells - guaranteed.size + 2)[1:-1])
    return rng.permutation(np.concatenate([guaranteed, others]))


def draw_sizes(n_cells: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw library sizes relative to their median, (n_cells,)."""
    sizes = np.exp(rng.normal(0, LOG_SIZE_SD, size=n_cells))
    return sizes / np.median(sizes)


@dataclass(frozen=True)
class Cells:
    """Cell properties; the mean of gene g in cell c is ``depth · size_c · share[type_c, g] · effect[batch_c, g]``.

    Attributes
    ----------
    types, batches
        Type and batch of each cell, (n_cells,).
    sizes
        Library size relative to the median, (n_cells,).
    batch_effects
        Factors, (n_batches, n_genes).
    """

    types: NDArray[np.int64]
    batches: NDArray[np.int64]
    sizes: NDArray[np.float64]
    batch_effects: NDArray[np.float64]

    def means(self, profiles: Profiles, depth: float, rows: slice) -> NDArray[np.float32]:
        """Return expected molecules of some cells, (n_rows, n_genes)."""
        shares = (profiles.shares * depth).astype(np.float32)[self.types[rows]]
        effects = self.batch_effects.astype(np.float32)[self.batches[rows]]
        return shares * effects * self.sizes[rows, None].astype(np.float32)


def sample_counts(
    profiles: Profiles, cells: Cells, depth: float, rng: np.random.Generator, *, dropout: float | None
) -> tuple[csr_matrix, csr_matrix | None]:
    """Draw molecules a block of cells at a time.

    Parameters
    ----------
    depth
        Molecules of a cell of median library size.
    dropout
        Midpoint of the logistic zero inflation on the log2(1 + mean) scale; None for none.

    Returns
    -------
    Counts as CSR int32 (n_cells, n_genes), and the counts before dropout where there is any.
    """
    drawn, kept = [], []
    n_genes = profiles.shares.shape[1]
    for rows in row_slices(cells.types.size, n_genes, block_bytes=BLOCK_BYTES):
        means = cells.means(profiles, depth, rows)
        counts = negative_binomial(means, profiles.dispersions, rng)
        drawn.append(counts)
        if dropout is not None:
            kept.append(drop_out(counts, means, dropout, rng))
    stacked = [csr_matrix(vstack(blocks, format="csr")) if blocks else None for blocks in (kept, drawn)]
    return (stacked[1], None) if dropout is None else (stacked[0], stacked[1])


def negative_binomial(means: Floats, dispersions: Floats, rng: np.random.Generator) -> csr_matrix:
    """Draw negative-binomial counts at a cost that grows with the non-zeros, not with the size of the block.

    A negative-binomial count is a Poisson number of clusters, ``λ = log(1 + φ·mean)/φ``, each of logarithmic size
    with ``p = φ·mean/(1 + φ·mean)``. The first cluster comes at an exponential time E, so an entry is zero when
    E ≥ λ; only where it is not are the other ``Poisson(λ − E)`` clusters and the sizes drawn.

    Parameters
    ----------
    means
        (n_cells, n_genes), zero or more.
    dispersions
        φ > 0, (n_genes,).
    """
    phi = dispersions.astype(np.float32)
    clusters = np.log1p(means * phi) / phi
    first = rng.standard_exponential(means.shape, dtype=np.float32)
    rows, columns = np.nonzero(first < clusters)
    scaled = means[rows, columns].astype(np.float64) * dispersions[columns]
    n_clusters = 1 + rng.poisson((clusters[rows, columns] - first[rows, columns]).astype(np.float64))
    probability = np.repeat(scaled / (1 + scaled), n_clusters)
    sizes = rng.logseries(probability)
    starts = np.concatenate([[0], np.cumsum(n_clusters)[:-1]]).astype(np.intp)
    counts = np.add.reduceat(sizes, starts) if rows.size else np.zeros(0)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=means.shape[0]))])
    return csr_matrix((counts.astype(np.int32), columns.astype(np.int32), indptr), shape=means.shape)


def drop_out(counts: csr_matrix, means: Floats, midpoint: float, rng: np.random.Generator) -> csr_matrix:
    """Lose entries with probability ``1/(1 + exp(k·(log2(1 + mean) − midpoint)))``: low means are lost most."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    height = np.log2(1 + means[rows, counts.indices])
    lost = rng.random(counts.nnz) < expit(-DROPOUT_STEEPNESS * (height - midpoint))
    kept = counts.copy()
    kept.data[lost] = 0
    kept.eliminate_zeros()
    return kept


def depth_for_density(density: float, profiles: Profiles, cells: Cells, *, max_cells: int = 500) -> float:
    """Return the depth at which the expected share of non-zeros is ``density``, judged on some cells.

    Raises
    ------
    ValueError
        When no depth gives it, since too many genes are silent.
    """

    def excess(log_depth: float) -> float:
        return expected_density(np.exp(log_depth), profiles, cells, max_cells=max_cells) - density

    return float(np.exp(brentq(excess, np.log(1e-3), np.log(1e12))))


def expected_density(depth: float, profiles: Profiles, cells: Cells, *, max_cells: int = 500) -> float:
    """Return the expected share of non-zeros before dropout, judged on some cells."""
    clusters = np.log1p(cells.means(profiles, depth, slice(0, max_cells)) * profiles.dispersions)
    return float(-np.expm1(-clusters / profiles.dispersions).mean())


def sample_bulk(profiles: Profiles, molecules: float, n_libraries: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw bulk libraries of each type, (n_types, n_libraries, n_genes): a million cells' mean, hardly any noise."""
    means = np.repeat(profiles.shares[:, None, :] * molecules, n_libraries, axis=1)
    return rng.poisson(means * rng.gamma(1 / BULK_DISPERSION, BULK_DISPERSION, size=means.shape))


def differs(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Tell which genes differ between two bulk profiles: 1, 0, or NaN for what lies between.

    1 for two-fold or more, 0 for less than √2-fold, both with a mean of at least ten reads.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log2(second) - np.log2(first))
    seen = (first + second) / 2 >= 10
    return np.where(seen & (change >= 1), 1.0, np.where(seen & (change < 0.5), 0.0, np.nan))
