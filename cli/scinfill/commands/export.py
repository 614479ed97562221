"""``scinfill export``."""

from typing import Any

import click

from scinfill.commands._options import input_argument, layer_option, runtime_options


def _new_folder(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from scinfill.io.exchange import check_new_folder

    if not ctx.resilient_parsing:
        check_new_folder(value)
    return value


@click.command(name="export")
@input_argument
@click.option("-o", "--output", "target", metavar="FOLDER", required=True, callback=_new_folder, help="Folder to make.")
@layer_option("Layer that holds the log2 values instead of X.")
@runtime_options
def command(source: str, target: str, layer: str | None) -> None:
    """Write Matrix Market files for imputers in other languages.

    INPUT is a file that `scinfill preprocess` or `scinfill mask` made. FOLDER receives counts.mtx, log2.mtx (genes in
    rows), genes.txt and cells.txt. `scinfill adopt` takes the result back.

    \b
      scinfill export masked.h5ad -o exchange
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files, exchange
    from scinfill.methods.observations import observed

    adata: Any = anndata_files.read(source, to_write=False)
    data = observed(adata, layer=layer)
    exchange.write_folder(
        target, counts=data.counts, log2=data.log_values, genes=adata.var_names, cells=adata.obs_names
    )
