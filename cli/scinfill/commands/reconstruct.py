"""``scinfill reconstruct``."""

import click

from scinfill.commands._options import input_argument, output_option, runtime_options


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return names separated by commas."""
    return tuple(name for name in (value or "").split(",") if name)


@click.command(name="reconstruct")
@input_argument
@output_option()
@click.option("--genes", metavar="A,B,…", callback=_names, help="Names, in the order wanted.  [default: all]")
@click.option("--cells", metavar="A,B,…", callback=_names, help="Names, in the order wanted.  [default: all]")
@runtime_options
def command(source: str, target: str, *, genes: tuple[str, ...], cells: tuple[str, ...]) -> None:
    """Compute imputed values from the factors that `impute-deepmc --form factors` left in a file.

    \b
      scinfill impute-deepmc --form factors log.h5ad -o factors.h5ad
      scinfill reconstruct --genes CD3D,MS4A1 factors.h5ad -o two_genes.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.reconstruct import reconstruct

    anndata_files.write(reconstruct(anndata_files.read(source), genes=genes, cells=cells), target)
