"""``scinfill impute-deepmc``."""

import logging
from typing import Any, get_args

import click

from scinfill.commands._help import Verb
from scinfill.commands._imputation import (
    Numbers,
    batch_options,
    check_model_files,
    checkpoint_options,
    imputer_options,
    model_options,
    preset_option,
    read_cells,
    write_imputation,
    zero_weight_option,
)
from scinfill.commands._options import read_model_file
from scinfill.schema import Form

log = logging.getLogger(__name__)


@click.command(name="impute-deepmc", cls=Verb, own="Model", published=("depth", "alpha", "n_iterations"))
@imputer_options
@batch_options
@model_options
@preset_option("paper: deepMc as published, every zero missing, no gate.")
@click.option(
    "--rank",
    type=Numbers(),
    help="Rank, or with --preset paper one a layer.  [default: chosen from held-out molecules or entries]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 3),
    help="Layers (the papers' 1L, 2L, 3L). The product is linear and has the smallest rank, so depth changes the path "
    "of the optimisation, not what the model can express.  [default: 1]",
)
@zero_weight_option
@click.option("--ridge", type=click.FloatRange(min=0), help="Penalty on factors.  [default: 5 Poisson, 20 squared]")
@click.option("--alpha", type=click.FloatRange(min=1), help="Landweber step.  [default: 1.1]")
@click.option("--iterations", "n_iterations", type=click.IntRange(min=1), help="Sweeps.  [default: 15]")
@click.option(
    "--form",
    type=click.Choice(get_args(Form)),
    default="dense",
    show_default=True,
    help="factors: leave the dense layer out, keep what `scinfill reconstruct` rebuilds it from.",
)
@checkpoint_options
def command(
    source: str,
    target: str,
    *,
    folder: str | None,
    minutes: float,
    model: str | None,
    save_model: str | None,
    **options: Any,  # noqa: ANN401 - the options above
) -> None:
    """Impute by deep matrix factorisation.

    INPUT is a file that `scinfill preprocess` made, or any H5AD with log2(1 + x) values in X. Imputed values are for
    looking, clustering and means of few cells; p-values belong on the counts, which stay in the file: see
    `scinfill markers`.

    \b
      scinfill impute-deepmc log.h5ad -o imputed.h5ad
      scinfill impute-deepmc log.h5ad -o imputed.h5ad --save-model model.h5ad
      scinfill impute-deepmc --model model.h5ad new_counts.h5ad -o new.h5ad
      scinfill impute-deepmc log.h5ad --form factors -o factors.h5ad
      scinfill impute-deepmc log.h5ad --batch sample --batch-effect remove -o imputed.h5ad
      scinfill mask log.h5ad | scinfill impute-deepmc --estimate detected | scinfill evaluate > scores.json
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io.checkpoints import checkpointed
    from scinfill.methods.deepmc import DeepMc, deepmc

    check_model_files(save_model, model, source, target, folder)
    settings = DeepMc(model=read_model_file(model, source), **options)
    if target in get_args(Form):
        log.warning("the result is written to the file %r; did you mean `--form %s`?", target, target)
    with checkpointed(folder, minutes=minutes):
        adata = read_cells(source, new=model is not None)
        write_imputation(deepmc(adata, settings, with_model=save_model is not None), target, save_model)
