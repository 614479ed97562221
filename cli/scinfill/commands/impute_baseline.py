"""``scinfill impute-baseline``."""

from typing import Any, get_args

import click

from scinfill.commands._help import Verb
from scinfill.commands._imputation import openproblems_option
from scinfill.commands._options import input_argument, layer_option, output_option, runtime_options, seed_option
from scinfill.schema import Baseline, Keep


@click.command(name="impute-baseline", cls=Verb, own="Model")
@input_argument
@output_option()
@click.option(
    "--method",
    type=click.Choice(get_args(Baseline)),
    default="gene-mean",
    show_default=True,
    help="gene-mean: zeros filled by the mean of the gene's seen values; als: plain matrix factorisation; "
    "nuclear-norm: mcImpute; svd: thresholded, after ALRA; magic: needs scinfill[magic].",
)
@click.option("--rank", type=click.IntRange(min=1), help="Rank (methods als and svd only).  [default: 10]")
@click.option(
    "--keep",
    type=click.Choice(get_args(Keep)),
    default="none",
    show_default=True,
    help="Non-zero input values: replace by the estimate (none), keep (observed), or keep where larger (max).",
)
@openproblems_option
@layer_option("Layer that holds the log2 values instead of X.")
@seed_option
@runtime_options
def command(source: str, target: str, **options: Any) -> None:  # noqa: ANN401 - the options above
    """Impute with a simple method, for comparison.

    \b
      scinfill impute-baseline --method svd log.h5ad -o svd.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.baselines import Baselines, baseline

    imputation = baseline(anndata_files.read(source), Baselines(**options))
    anndata_files.write(imputation.adata, target, row_blocks=imputation.layers)
