"""``scinfill mask``."""

from typing import Any

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import input_argument, layer_option, output_option, runtime_options, seed_option
from scinfill.schema import MASK_MODES


@click.command(name="mask", cls=Verb, own="What to hide")
@input_argument
@output_option()
@layer_option("Layer that holds the log2 values instead of X, and receives them back.")
@click.option(
    "--mode",
    type=click.Choice(MASK_MODES),
    default="nonzero",
    show_default=True,
    help="Hide values that were seen, as the papers do; any entries, zeros too; single molecules; or one half of them "
    "all, which shows whether differences hold.",
)
@click.option(
    "--fraction",
    type=click.FloatRange(min=0, max=1, max_open=True),
    help="Share of the non-zeros, the entries or the molecules to hide; 0 hides nothing, for --null-genes alone.  "
    "[default: 0.1; 0.5 with --mode halves]",
)
@click.option(
    "--null-genes",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Append N simulated genes that depend on library size only.",
)
@seed_option
@runtime_options
def command(source: str, target: str, **settings: Any) -> None:  # noqa: ANN401 - the options above
    """Hide known values and keep the truth in the file.

    Hidden positions become zero in X and in the counts; `scinfill evaluate` compares what an imputer puts there
    with the truth. Genes appended by --null-genes show whether an imputer invents signal.

    \b
      scinfill mask log.h5ad --fraction 0.1 --seed 1 -o masked.h5ad
      scinfill mask log.h5ad --fraction 0 --null-genes 200 -o guarded.h5ad
      scinfill mask log.h5ad --mode halves --null-genes 200 -o halves.h5ad
      scinfill preprocess counts.h5ad | scinfill mask --mode thin | scinfill impute-deepmc | scinfill evaluate
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.mask import mask

    anndata_files.write(mask(anndata_files.read(source), **settings), target)
