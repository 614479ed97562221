"""``scinfill export``."""

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import input_argument, layer_option, new_folder_option, runtime_options


@click.command(name="export", cls=Verb)
@input_argument
@new_folder_option
@layer_option("Layer that holds the log2 values instead of X.")
@runtime_options
def command(source: str, target: str, layer: str | None) -> None:
    """Write Matrix Market files for other programs.

    INPUT is a file that `scinfill preprocess` or `scinfill mask` made. FOLDER receives counts.mtx, log2.mtx (genes in
    rows), genes.txt and cells.txt. `scinfill adopt` takes the result back.

    \b
      scinfill export masked.h5ad -o exchange
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.verbs import export

    export(anndata_files.read(source, to_write=False), target, layer=layer)
