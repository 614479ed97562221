"""``scinfill impute-auto``."""

from typing import Any

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


@click.command(
    name="impute-auto",
    cls=Verb,
    own="Model",
    published=("regularisation", "learning_rate", "iterations", "threshold"),
)
@imputer_options
@batch_options
@model_options
@preset_option("paper: AutoImpute as published, every zero missing, no gate.")
@click.option(
    "--hidden",
    "hidden_units",
    type=Numbers(),
    help="Width of the hidden layer; several stack layers with a mirrored decoder.  [default: 512; paper 2000]",
)
@zero_weight_option
@click.option(
    "--lambda", "regularisation", type=click.FloatRange(min=0), help="Penalty λ on the weights.  [default: 1]"
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Learning rate.  [default: 0.0001]",
)
@click.option("--iterations", type=click.IntRange(min=1), help="Largest number of iterations.  [default: 7000]")
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    help="Stop when the loss per cell changes by no more.  [default: 0.0001]",
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
    """Impute by an overcomplete autoencoder.

    INPUT is a file that `scinfill preprocess` made, or any H5AD with log2(1 + x) values in X. Imputed values are for
    looking, clustering and means of few cells; p-values belong on the counts, which stay in the file: see
    `scinfill markers`.

    \b
      scinfill impute-auto log.h5ad -o imputed.h5ad
      scinfill impute-auto log.h5ad -o imputed.h5ad --save-model model.h5ad
      scinfill impute-auto --model model.h5ad new_counts.h5ad -o new.h5ad
      scinfill impute-auto log.h5ad --batch sample --batch-effect remove -o imputed.h5ad
      scinfill mask --mode thin log.h5ad | scinfill impute-auto --hidden 512,128 | scinfill evaluate > scores.json
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io.checkpoints import checkpointed
    from scinfill.methods.autoimpute import AutoImpute
    from scinfill.methods.new_cells import impute_cells

    check_model_files(save_model, model, source, target, folder)
    settings = AutoImpute(model=read_model_file(model, source), **options)
    with checkpointed(folder, minutes=minutes):
        adata = read_cells(source, new=model is not None)
        write_imputation(impute_cells(adata, settings, with_model=save_model is not None), target, save_model)
