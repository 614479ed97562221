"""``scinfill impute-deepmc``."""

from typing import Any

import click

from scinfill.commands._imputation import (
    Numbers,
    checkpoint_options,
    imputer_options,
    preset_option,
    settings_from,
    zero_weight_option,
)


@click.command(name="impute-deepmc")
@imputer_options
@preset_option("paper: deepMc as published, every zero missing, no gate.")
@click.option(
    "--rank",
    "ranks",
    type=Numbers(),
    default=(),
    help="Rank, or with --preset paper one a layer.  [default: chosen from held-out molecules or entries]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 3),
    help="Layers of --preset paper (the papers' 1L, 2L, 3L). The product is linear and has the smallest rank, so depth "
    "changes the path of the optimisation, not what the model can express.",
)
@zero_weight_option
@click.option("--ridge", type=click.FloatRange(min=0), help="Penalty on factors.  [default: 5 Poisson, 20 squared]")
@click.option("--alpha", type=click.FloatRange(min=1), help="Landweber step of --preset paper.  [default: 1.1]")
@click.option(
    "--iterations", "n_iterations", type=click.IntRange(min=1), help="Sweeps of --preset paper.  [default: 15]"
)
@checkpoint_options
def command(source: str, target: str, *, checkpoint: str | None, checkpoint_minutes: float, **options: Any) -> None:  # noqa: ANN401 - the options above
    """Impute by deep matrix factorisation.

    INPUT is a file that `scinfill preprocess` made, or any H5AD with log2(1 + x) values in X.

    \b
      scinfill impute-deepmc log.h5ad -o imputed.h5ad
      scinfill preprocess counts.h5ad | scinfill impute-deepmc --estimate detected | scinfill evaluate
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.io.checkpoints import checkpointed
    from scinfill.methods.deepmc import deepmc_imputation

    settings = settings_from(options)
    with checkpointed(checkpoint, minutes=checkpoint_minutes):
        imputation = deepmc_imputation(anndata_files.read(source), settings, **options)
        anndata_files.write(imputation.adata, target, row_blocks=imputation.layers)
