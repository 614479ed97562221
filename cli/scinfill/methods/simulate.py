"""A world with known truth: cell types, bulk profiles, library sizes, batches, dropouts."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill import memory
from scinfill.errors import InputError, check_rules
from scinfill.methods import provenance
from scinfill.numerics import simulation
from scinfill.numerics.blocks import RowBlocks
from scinfill.schema import BULK, COUNTS_BEFORE_DROPOUT, DE_TRUTH_PREFIX, TRUE_PROFILES, TRUTH

MOLECULES_PER_GENE = 1.0
BATCH_LOG2_SD = 0.25
BULK_LIBRARIES = 3
BULK_READS_PER_GENE = 1000
SILENT_SHARE = 0.05
LARGEST_DEPTH = 1e7
"""Molecules: beyond it a count may leave int32, and no cell holds that many."""
LARGEST_LOG2FC = 50
"""Beyond it fold changes leave float64."""

BYTES_PER_NAME = 200
"""A cell or gene takes this: its name as a Python text, and its columns of ``obs`` or ``var``."""
BYTES_PER_PROFILE_VALUE = 100
"""A gene takes this for each type or batch: some ten arrays of float64, bulk libraries among them."""
BYTES_PER_COUNT = 16
"""A stored count and its column, while blocks are joined."""

TruthForm = Literal["layer", "factors"]


@dataclass(frozen=True)
class World:
    """Settings of a simulation; see :func:`simulate`."""

    n_cells: int = 2000
    n_genes: int = 2000
    n_types: int = 5
    n_batches: int = 1
    depth: float | None = None
    density: float | None = None
    de_share: float = 0.15
    de_log2fc: float = 1.5
    dropout: float | None = None
    truth: TruthForm = "layer"

    def check(self) -> None:
        """Refuse what cannot be."""
        rules = (
            ("n_cells", self.n_cells >= 2, "2 or more"),
            ("n_genes", self.n_genes >= 2, "2 or more"),
            ("n_types", 1 <= self.n_types <= self.n_cells, "at least 1 and at most the cells"),
            ("n_batches", 1 <= self.n_batches <= self.n_cells, "at least 1 and at most the cells"),
            ("depth", self.depth is None or 0 < self.depth <= LARGEST_DEPTH, f"positive, at most {LARGEST_DEPTH:g}"),
            ("density", self.density is None or 0 < self.density <= 1 - 2 * SILENT_SHARE, "above 0, at most .9"),
            ("de_share", 0 <= self.de_share <= 1, "from 0 to 1"),
            ("de_log2fc", 0 <= self.de_log2fc <= LARGEST_LOG2FC, f"from 0 to {LARGEST_LOG2FC}"),
            ("dropout", self.dropout is None or np.isfinite(self.dropout), "a number"),
        )
        check_rules(self, rules)
        if self.depth is not None and self.density is not None:
            raise InputError("`depth` and `density` both say how many molecules there are; give one of them")


def simulate(
    *,
    n_cells: int = 2000,
    n_genes: int = 2000,
    n_types: int = 5,
    n_batches: int = 1,
    depth: float | None = None,
    density: float | None = None,
    de_share: float = 0.15,
    de_log2fc: float = 1.5,
    dropout: float | None = None,
    truth: TruthForm = "layer",
    seed: int = 0,
) -> AnnData:
    """Simulate counts of cells of several types, with the truth beside them.

    Library sizes, gene means and dispersions are like those of three human cell lines sequenced with CEL-seq2
    (the constants and their source stand in :mod:`scinfill.numerics.simulation`).

    Parameters
    ----------
    n_cells, n_genes, n_types
        Size of the world; types have fewer and fewer cells.
    n_batches
        Batches, each with its own small factor for every gene.
    depth
        Molecules of a cell of median library size; 1 per gene unless given.
    density
        Share of non-zeros to reach by choosing the depth, before dropout.
    de_share, de_log2fc
        Share of genes that deviate in each type, and the standard deviation of their log2 fold changes.
    dropout
        Midpoint of additional logistic zero inflation on the log2(1 + mean) scale; None for none.
    truth
        ``"layer"`` for the dense layer, ``"factors"`` for ``varm["true_profiles"]`` alone.
    seed
        Random seed.

    Returns
    -------
    A table with

    ``X``
        CSR int32 counts.
    ``obs["cell_type"]``, ``obs["batch"]``, ``obs["true_size"]``
        Type, batch, and library size relative to the median.
    ``layers["truth"]``
        float32 true mean expression, log2(1 + mean in a cell of median size), without batch and dropout.
    ``layers["counts_before_dropout"]``
        CSR counts before zero inflation, where there is any.
    ``varm["true_profiles"]``
        Mean counts of each type in a cell of median size, genes × types.
    ``varm["bulk"]``
        Bulk counts of each type, genes × libraries.
    ``var["is_de_A_vs_B"]``
        For neighbouring types, whether bulk expression differs (two-fold or more), missing in between.

    Examples
    --------
    >>> import scinfill
    >>> world = scinfill.simulate(n_cells=100, n_genes=50, n_types=3, seed=1)
    >>> world.shape, sorted(world.obs["cell_type"].unique())
    ((100, 50), ['type1', 'type2', 'type3'])
    """
    world = World(n_cells, n_genes, n_types, n_batches, depth, density, de_share, de_log2fc, dropout, truth)
    adata, layers = simulate_in_blocks(world, seed=seed)
    for name, blocks in layers.items():
        adata.layers[name] = blocks.dense()
    return adata


def simulate_in_blocks(world: World, *, seed: int) -> tuple[AnnData, dict[str, RowBlocks]]:
    """Simulate, leaving the dense layer to be computed a block of rows at a time.

    Returns
    -------
    The table without dense layers, and those layers by name.

    Raises
    ------
    InputError
        Settings that cannot be.
    ResourceError
        A world that does not fit into memory.
    """
    world.check()
    _require_memory(world)
    rng = np.random.default_rng(seed)
    profiles = simulation.draw_profiles(
        world.n_types,
        world.n_genes,
        de_share=world.de_share,
        de_log2fc=world.de_log2fc,
        silent_share=SILENT_SHARE if world.n_types > 1 else 0,
        rng=rng,
    )
    cells = _draw_cells(world, rng)
    depth = _depth(world, profiles, cells)
    _require_memory(world, simulation.expected_density(depth, profiles, cells))
    counts, before_dropout = simulation.sample_counts(profiles, cells, depth, rng, dropout=world.dropout)
    types = [f"type{number + 1}" for number in range(world.n_types)]
    adata = AnnData(
        counts,
        obs=pd.DataFrame(
            {
                "cell_type": pd.Categorical.from_codes(cells.types, types),
                "batch": pd.Categorical.from_codes(
                    cells.batches, [f"batch{number + 1}" for number in range(world.n_batches)]
                ),
                "true_size": cells.sizes,
            },
            index=[f"cell{number + 1}" for number in range(world.n_cells)],
        ),
        var=_de_truth(profiles, types, world.n_genes),
    )
    mean_counts = profiles.shares.T * depth
    adata.varm[TRUE_PROFILES] = pd.DataFrame(mean_counts, index=adata.var_names, columns=types)
    adata.varm[BULK] = _bulk(profiles, types, adata.var_names, rng)
    if before_dropout is not None:
        adata.layers[COUNTS_BEFORE_DROPOUT] = before_dropout
    provenance.sign(
        adata, command="simulate", parameters=asdict(world), seed=seed, input_sha256="", metrics={"depth": depth}
    )
    return adata, {} if world.truth == "factors" else {TRUTH: _truth(mean_counts, cells.types)}


def _require_memory(world: World, density: float = 0.0) -> None:
    """Refuse a world that does not fit, first for its size alone, then for its expected share of non-zeros."""
    frames = BYTES_PER_NAME * (world.n_cells + world.n_genes)
    profiles = BYTES_PER_PROFILE_VALUE * (world.n_types + world.n_batches) * world.n_genes
    matrices = 1 if world.dropout is None else 2
    counts = BYTES_PER_COUNT * matrices * density * world.n_cells * world.n_genes
    memory.require(int(frames + profiles + counts), f"simulating {world.n_cells} cells x {world.n_genes} genes")


def _draw_cells(world: World, rng: np.random.Generator) -> simulation.Cells:
    effects = np.exp2(rng.normal(0, BATCH_LOG2_SD, size=(world.n_batches, world.n_genes)))
    return simulation.Cells(
        types=simulation.draw_types(world.n_cells, world.n_types, rng),
        batches=rng.permutation(np.arange(world.n_cells) % world.n_batches),
        sizes=simulation.draw_sizes(world.n_cells, rng),
        batch_effects=effects if world.n_batches > 1 else np.ones_like(effects),
    )


def _depth(world: World, profiles: simulation.Profiles, cells: simulation.Cells) -> float:
    if world.density is None:
        return world.depth or MOLECULES_PER_GENE * world.n_genes
    try:
        depth = simulation.depth_for_density(world.density, profiles, cells)
    except ValueError as error:
        raise InputError(f"no depth gives a density of {world.density}: too many genes are silent") from error
    if depth > LARGEST_DEPTH:
        raise InputError(f"a density of {world.density} needs {depth:.3g} molecules a cell, too many; ask for less")
    return depth


def _truth(mean_counts: NDArray[np.float64], types: NDArray[np.int64]) -> RowBlocks:
    """Return log2(1 + mean in a cell of median size), (n_cells, n_genes)."""
    by_type = np.log2(1 + mean_counts.T).astype(np.float32)
    return RowBlocks((types.size, by_type.shape[1]), lambda rows: by_type[types[rows]])


def _de_truth(profiles: simulation.Profiles, types: list[str], n_genes: int) -> pd.DataFrame:
    """Return which genes differ between neighbouring types."""
    bulk = profiles.shares * BULK_READS_PER_GENE * n_genes
    columns = {
        f"{DE_TRUTH_PREFIX}{types[number]}_vs_{types[number + 1]}": pd.array(
            simulation.differs(bulk[number], bulk[number + 1]), dtype="Float64"
        ).astype("boolean")
        for number in range(len(types) - 1)
    }
    return pd.DataFrame(columns, index=[f"gene{number + 1}" for number in range(n_genes)])


def _bulk(profiles: simulation.Profiles, types: list[str], genes: pd.Index, rng: np.random.Generator) -> pd.DataFrame:
    reads = simulation.sample_bulk(profiles, BULK_READS_PER_GENE * len(genes), BULK_LIBRARIES, rng)
    return pd.DataFrame(
        reads.reshape(-1, len(genes)).T,
        index=genes,
        columns=[f"{name}_rep{library + 1}" for name in types for library in range(BULK_LIBRARIES)],
    )
