"""``scinfill join``."""

from typing import Any, get_args

import click

from scinfill.commands._help import Verb
from scinfill.commands._named import NamedFile, one_name_each
from scinfill.commands._options import counts_options, layer_option, output_option, runtime_options
from scinfill.schema import CountsKind, JoinedGenes


@click.command(name="join", cls=Verb, own="Samples, genes and counts")
@click.argument("sources", metavar="[[NAME=]INPUT]...", nargs=-1, type=NamedFile())
@output_option()
@layer_option("Layer that holds the counts instead of X in every input; raw is the table's raw. It becomes X.")
@counts_options
@click.option("--transpose", is_flag=True, help="The inputs have genes in rows.")
@click.option(
    "--batch",
    metavar="COLUMN",
    default="sample",
    show_default=True,
    help="Column of obs that receives the name of each cell's sample: NAME, or the file's name without its endings.",
)
@click.option(
    "--genes",
    type=click.Choice(get_args(JoinedGenes)),
    default="common",
    show_default=True,
    help="common: genes that all inputs have. all: genes that any has; where a sample did not measure a gene stands a "
    "zero that is no data. varm['measured'] says where, and `scinfill preprocess` leaves these genes out.",
)
@click.option(
    "--counts",
    "counts_kind",
    type=click.Choice(get_args(CountsKind)),
    help="What the counts of all inputs are: molecules or reads.  [default: told from each; both together are refused]",
)
@click.option(
    "--unique-names",
    is_flag=True,
    help="Tell names that repeat within an input apart by -1, -2, ... instead of refusing them.",
)
@runtime_options
def command(
    sources: tuple[tuple[str | None, str], ...],
    target: str,
    *,
    modality: str | None,
    genome: str | None,
    **settings: Any,  # noqa: ANN401 - the options above
) -> None:
    """Join samples into one file, cell under cell.

    Join raw counts, then preprocess and impute them together; `scinfill split` takes the result apart again.

    INPUT is anything that `scinfill preprocess` reads; one of them may be NAME=- for standard input. Labels stay, and
    layers, columns of var and the like where all inputs have them and agree; what is left out is said. Where two inputs
    have a cell of one name, -NAME is put behind that of every cell. Values of different scales, and molecules beside
    reads, are refused.

    \b
      scinfill join a.h5ad b.h5ad -o joined.h5ad --batch sample
      scinfill join donor1=d1/outs donor2=d2/outs --batch donor | scinfill preprocess -o log.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.io.sources import read_several
    from scinfill.methods.join import join

    tables = read_several(one_name_each(sources), modality=modality, genome=genome)
    anndata_files.write(join(tables, **settings), target)
