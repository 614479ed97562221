"""``scinfill impute-baseline``."""

from typing import get_args

import click

from scinfill.commands._imputation import openproblems_option
from scinfill.commands._options import input_argument, layer_option, output_option, runtime_options, seed_option
from scinfill.schema import Baseline, Keep


@click.command(name="impute-baseline")
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
@click.option("--rank", type=click.IntRange(min=1), help="Of als and svd.  [default: 10]")
@click.option(
    "--keep",
    type=click.Choice(get_args(Keep)),
    default="none",
    show_default=True,
    help="observed: leave seen values exactly as they are; max: let none of them fall.",
)
@openproblems_option
@layer_option("Layer that holds the log2 values instead of X.")
@seed_option
@runtime_options
def command(
    source: str,
    target: str,
    *,
    method: Baseline,
    rank: int | None,
    keep: Keep,
    openproblems: bool,
    layer: str | None,
    seed: int,
) -> None:
    """Impute with a simple method, to see what a clever one adds.

    \b
      scinfill impute-baseline --method svd log.h5ad -o svd.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.methods.baselines import baseline_imputation
    from scinfill.methods.imputer import ImputeSettings

    settings = ImputeSettings(keep=keep, openproblems=openproblems, layer=layer, seed=seed, gate=False)
    imputation = baseline_imputation(anndata_files.read(source), settings, method=method, rank=rank)
    anndata_files.write(imputation.adata, target, row_blocks=imputation.layers)
