"""Options that every imputer shares, and the one call that ends each of their commands."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from scinfill.commands._options import (
    check_model_stays,
    check_output,
    device_option,
    input_argument,
    is_same_file,
    layer_option,
    model_file_option,
    output_option,
    runtime_options,
    seed_option,
)
from scinfill.errors import InputError
from scinfill.io.streams import STDIO
from scinfill.resume import MINUTES
from scinfill.schema import ESTIMATES, MIN_READS_PER_MOLECULE, BatchEffectKind, CountsKind, Keep, Preset

if TYPE_CHECKING:
    from anndata import AnnData

    from scinfill.methods.imputer import Imputation

Function = TypeVar("Function", bound=Callable[..., Any])


class Numbers(click.ParamType):
    """One positive number a layer: ``A`` or ``A,B,…``."""

    name = "A[,B,…]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is not a positive number, or several with commas between", param, ctx)
        return tuple(int(part) for part in parts)


def openproblems_option(function: Function) -> Function:
    """Add ``--openproblems``."""
    return click.option(
        "--openproblems",
        is_flag=True,
        help="Also write what the Open Problems denoising task reads: layers['denoised'] (expected counts), "
        "uns['dataset_id'], uns['method_id'].",
    )(function)


def imputer_options(function: Function) -> Function:
    """Add input, output, ``--estimate``, ``--keep`` and what else every imputer understands."""
    decorated: Any = runtime_options(device_option()(function))
    for option in reversed(
        (
            input_argument,
            output_option(),
            layer_option("Layer that holds the log2 values instead of X."),
            click.option(
                "--estimate",
                type=click.Choice(["auto", *ESTIMATES]),
                default="auto",
                show_default=True,
                help="shrunk, model: what is the mean expression (looking, clustering, means of few cells; test for DE "
                "on the counts)? detected: what would have been seen here (filling hidden values)? auto: shrunk for "
                "UMI counts, model for reads.",
            ),
            click.option(
                "--loss",
                type=click.Choice(["auto", "poisson", "squared"]),
                default="auto",
                show_default=True,
                help="auto: poisson (on counts) for UMI-like counts, squared (on log2 values) otherwise.",
            ),
            click.option(
                "--counts",
                "counts_kind",
                type=click.Choice(["auto", *get_args(CountsKind)]),
                default="auto",
                show_default=True,
                help=f"What the counts are. auto: reads where {MIN_READS_PER_MOLECULE:g} or more counts stand for one "
                "molecule that the zeros imply, else molecules (UMI).",
            ),
            click.option(
                "--keep",
                type=click.Choice(get_args(Keep)),
                default="none",
                show_default=True,
                help="Non-zero input values: replace by the estimate (none), keep (observed), or keep where larger "
                "(max).",
            ),
            click.option(
                "--gate/--no-gate",
                default=True,
                show_default=True,
                help="Keep a gene at its mean unless held-out entries support its prediction.",
            ),
            click.option(
                "--calibrate/--no-calibrate",
                default=True,
                show_default=True,
                help="Let means of groups of similar cells follow their counts, as far as held-out molecules support "
                "it (estimate shrunk; model with the Poisson loss).",
            ),
            click.option("--uncertainty", is_flag=True, help="Also write layers['imputed_sd'] (estimate shrunk)."),
            openproblems_option,
            seed_option,
        )
    ):
        decorated = option(decorated)
    return decorated


def preset_option(help: str) -> Callable[[Function], Function]:
    """Add ``--preset``; ``help`` says what the paper's does."""
    presets = click.Choice(get_args(Preset))
    return click.option("--preset", type=presets, default="recommended", show_default=True, help=help)


def batch_options(function: Function) -> Function:
    """Add ``--batch`` and ``--batch-effect``."""
    column = click.option(
        "--batch",
        metavar="COLUMN",
        help="Column of obs that names each cell's batch (sample, donor, protocol): batches get offsets of their own "
        "for every gene, and predict one another's structure.",
    )
    effect = click.option(
        "--batch-effect",
        type=click.Choice(get_args(BatchEffectKind)),
        default="keep",
        show_default=True,
        help="Values as in the cell's own batch (keep) or as in the average batch (remove; what was seen moves "
        "likewise).",
    )
    return column(effect(function))


def zero_weight_option(function: Function) -> Function:
    """Add ``--zero-weight``."""
    return click.option(
        "--zero-weight",
        type=click.FloatRange(0, 1),
        help="Weight of zeros in the squared loss: 0 as the papers, 1 zeros are data.  "
        "[default: 1; chosen for detected]",
    )(function)


def model_options(function: Function) -> Function:
    """Add ``--model`` and ``--save-model``."""
    model = model_file_option(
        "--model",
        "File of a saved model. INPUT holds new cells then, as counts or as `scinfill preprocess --like` left them: "
        "nothing is trained, each cell is read by itself, and obs['model_fit'] says how well the model knows it.",
    )
    save = click.option(
        "--save-model",
        metavar="MODEL",
        type=click.Path(allow_dash=True, readable=False),
        callback=check_output,
        help="H5AD file for the model, by which new cells are imputed later (--model). It holds genes and no cells.",
    )
    return model(save(function))


def read_cells(source: str, *, new: bool) -> "AnnData":
    """Read the table to impute: log2 values, or new cells for a model in whatever form `scinfill preprocess` reads."""
    from scinfill.io import anndata_files
    from scinfill.io.sources import read_counts

    return read_counts(source) if new else anndata_files.read(source)


def check_model_files(
    save_model: str | None, model: str | None, source: str, target: str, checkpoint: str | None
) -> None:
    """Refuse what a model cannot stand beside, and files of which one would take the other's place."""
    check_model_stays(model, target)
    if model is not None and checkpoint is not None:
        raise InputError("with `model` nothing is trained, so there is no state to keep; leave out --checkpoint")
    if save_model is None:
        return
    if model is not None:
        raise InputError("with `model` nothing is trained, so there is nothing for `save_model` to save; leave one out")
    if is_same_file(save_model, target):
        raise InputError("the result and the model would go into one file; name another for `save_model`")
    if save_model != STDIO and is_same_file(save_model, source):
        raise InputError("the model, which holds no cells, would replace the input; name another file for `save_model`")


def write_imputation(imputation: "Imputation", target: str, save_model: str | None) -> None:
    """Write the result, and the model where that was asked for."""
    from scinfill.io import anndata_files

    anndata_files.write(imputation.adata, target, row_blocks=imputation.layers)
    if save_model is not None and imputation.model is not None:
        anndata_files.write_packed(imputation.model, save_model)


def checkpoint_options(function: Function) -> Function:
    """Add ``--checkpoint`` and ``--checkpoint-minutes``."""
    folder = click.option(
        "--checkpoint",
        "folder",
        metavar="DIR",
        help="Folder for intermediate states. A run that was killed continues from there when the same command is "
        "repeated, with an identical result; the folder is emptied once the output is written.",
    )
    minutes = click.option(
        "--checkpoint-minutes",
        "minutes",
        type=click.FloatRange(min=0),
        default=MINUTES,
        show_default=True,
        help="Time between two checkpoints.",
    )
    return folder(minutes(function))
