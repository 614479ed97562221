"""``scinfill markers``."""

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import input_argument, output_option, runtime_options


@click.command(name="markers", cls=Verb, own="Comparison")
@input_argument
@output_option(
    binary=False,
    help="File to write: .csv or .tsv holds the table, .h5ad the input with the table and scanpy's rank_genes_groups; "
    "- is standard output, as CSV.",
)
@click.option("--groupby", metavar="COLUMN", required=True, help="Column of obs that names the groups of cells.")
@click.option(
    "--reference", metavar="GROUP", help="Compare every other group with this one.  [default: with all other cells]"
)
@click.option(
    "--replicate",
    metavar="COLUMN",
    help="Column of obs that names donors or samples: counts are summed up for each and these are tested, not cells.",
)
@runtime_options
def command(source: str, target: str, *, groupby: str, reference: str | None, replicate: str | None) -> None:
    """Find marker genes: p-values from the counts, fold changes as imputed.

    INPUT is an imputed file with the counts beside, as `scinfill impute-deepmc` writes it. A test of imputed values
    takes the model's errors for signal, so genes are tested on the counts alone (rank-sum test, Benjamini-Hochberg).
    Each row says the fold change of the estimate with its 95 % interval, that of the counts, and whether the counts
    support it.

    \b
      scinfill markers imputed.h5ad --groupby cell_type -o markers.csv
      scinfill markers imputed.h5ad --groupby cell_type --reference "Naive CD4 T" -o markers.csv
      scinfill markers imputed.h5ad --groupby cell_type --replicate donor -o markers.csv
      scinfill markers imputed.h5ad --groupby cell_type -o markers.h5ad    # for sc.pl.rank_genes_groups_dotplot
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import h5ad, marker_tables
    from scinfill.methods.markers import markers

    adata = h5ad.read(source, to_write=marker_tables.is_h5ad(target))
    marker_tables.write(markers(adata, groupby=groupby, reference=reference, replicate=replicate), target)
