"""``scinfill simulate``."""

from typing import Any

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import output_option, runtime_options, seed_option


@click.command(name="simulate", cls=Verb, own="Data")
@output_option()
@click.option("--cells", "n_cells", type=click.IntRange(min=2), default=2000, show_default=True)
@click.option("--genes", "n_genes", type=click.IntRange(min=2), default=2000, show_default=True)
@click.option(
    "--types",
    "n_types",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Cell types; each has fewer cells than the one before.",
)
@click.option(
    "--batches",
    "n_batches",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Batches, each with a small factor of its own for every gene.",
)
@click.option(
    "--depth",
    type=click.FloatRange(min=0, max=1e7, min_open=True),
    help="Molecules of a median cell.  [default: 1 per gene]",
)
@click.option(
    "--density",
    type=click.FloatRange(min=0, max=0.9, min_open=True),
    help="Share of non-zeros, reached by choosing the depth.",
)
@click.option(
    "--de-share",
    type=click.FloatRange(min=0, max=1),
    default=0.15,
    show_default=True,
    help="Share of genes that deviate in each type.",
)
@click.option(
    "--de-log2fc",
    type=click.FloatRange(min=0, max=50),
    default=1.5,
    show_default=True,
    help="Standard deviation of their log2 fold changes.",
)
@click.option(
    "--dropout",
    metavar="MIDPOINT",
    type=float,
    help="Add zero inflation: half of the values with log2(1 + mean) = MIDPOINT are lost, more below.",
)
@click.option(
    "--truth",
    type=click.Choice(["layer", "factors"]),
    default="layer",
    show_default=True,
    help="Write true means as a dense layer, or only as one profile a type.",
)
@seed_option
@runtime_options
def command(target: str, *, seed: int, **settings: Any) -> None:  # noqa: ANN401 - the options above
    """Simulate counts of several cell types with their truth.

    Library sizes, gene means and dispersions are like those of real cells (three human lung cancer lines, CEL-seq2,
    unique molecules). The file holds counts in X, labels in obs, true means, bulk counts of the same types in
    varm["bulk"], and in var which genes differ between types.

    \b
      scinfill simulate --cells 2000 --genes 2000 --types 5 -o counts.h5ad
      scinfill simulate --cells 68000 --genes 1000 --density 0.07 --truth factors | scinfill preprocess -o log.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.simulate import World, simulate_in_blocks

    adata, layers = simulate_in_blocks(World(**settings), seed=seed)
    anndata_files.write(adata, target, row_blocks=layers)
