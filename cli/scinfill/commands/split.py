"""``scinfill split``."""

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import input_argument, new_folder_option, runtime_options


@click.command(name="split", cls=Verb)
@input_argument
@new_folder_option
@click.option(
    "--by",
    metavar="COLUMN",
    default="sample",
    show_default=True,
    help="Column of obs whose values part the cells and name the files.",
)
@runtime_options
def command(source: str, target: str, by: str) -> None:
    """Write each sample of a file into a file of its own.

    The way back from `scinfill join`: FOLDER receives NAME.h5ad for every NAME in the column, with the names that the
    cells had in the sample. It appears when all files are written.

    \b
      scinfill split imputed.h5ad --by sample -o samples
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.split import pieces

    anndata_files.write_each(pieces(anndata_files.read(source), by=by), target)
