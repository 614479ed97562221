"""``scinfill adopt``."""

from typing import Any

import click

from scinfill.commands._options import input_argument, output_option, runtime_options


@click.command(name="adopt")
@input_argument
@output_option()
@click.option(
    "--matrix", metavar="FILE", required=True, help="Matrix Market file with the imputed values, genes in rows."
)
@click.option("--method", metavar="NAME", required=True, help="What made it, for the record.")
@click.option(
    "--scale",
    type=click.Choice(["log2", "counts"]),
    default="log2",
    show_default=True,
    help="Its scale: that of log2.mtx or that of counts.mtx.",
)
@runtime_options
def command(source: str, target: str, matrix: str, **settings: Any) -> None:  # noqa: ANN401 - the options above
    """Take the result of another imputer into the file, as layers['imputed'].

    INPUT is the file that `scinfill export` wrote out; `scinfill evaluate` then scores the other imputer like ours.

    \b
      scinfill adopt masked.h5ad --matrix imputed.mtx --method scImpute --scale counts -o imputed.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files, exchange
    from scinfill.methods.adopt import adopt

    adata = anndata_files.read(source)
    values = exchange.read_matrix(matrix, adata.shape)
    anndata_files.write(adopt(adata, values, **settings), target)
