"""``scinfill rerun``."""

import logging
from typing import Any

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import (
    counts_options,
    device_option,
    input_argument,
    model_file_option,
    output_option,
    read_model_file,
    runtime_options,
)
from scinfill.errors import InputError, ThresholdError
from scinfill.io.streams import STDIO

log = logging.getLogger(__name__)

SHOWN = 5
"""Differences that the one line names; --verbose names all."""


@click.command(name="rerun", cls=Verb)
@input_argument
@output_option(
    optional=True,
    help="H5AD file or .zarr store to write the repeated table to; - is standard output.  [default: none]",
)
@click.option(
    "--input",
    "counts",
    metavar="COUNTS",
    multiple=True,
    help="What the first recorded step read. Not needed where that step is `simulate`. Repeatable: where several files "
    "were joined, all of them in their order.",
)
@counts_options
@model_file_option("--model", "File of the saved model, where a step used one (--model, --like).")
@device_option(default=None)
@runtime_options
def command(
    source: str,
    target: str | None,
    *,
    counts: tuple[str, ...],
    modality: str | None,
    genome: str | None,
    device: Any,  # noqa: ANN401 - a Device
    model: str | None,
) -> None:
    """Repeat the steps recorded in a file, and compare.

    INPUT is a file that scinfill wrote: it records every step with all parameters and seeds. They are done again on
    COUNTS, and every matrix, column and entry is compared. Exit code 0: identical; 1: something differs, and by how
    much. Other versions of scinfill or of libraries, and another COUNTS than the recorded one, are warned of.

    \b
      scinfill rerun imputed.h5ad --input counts.h5ad
      scinfill rerun imputed.h5ad --input counts.h5ad -o repeated.h5ad
      scinfill rerun new.h5ad --input new_counts.h5ad --model model.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    if [source, *counts].count(STDIO) > 1:
        raise InputError("only one of INPUT and --input can be standard input; name files for the others")
    from scinfill.io import anndata_files
    from scinfill.io.sources import read_several
    from scinfill.methods.rerun import keeps_proteins, rerun

    recorded = anndata_files.read(source)
    several = dict(enumerate(counts))
    tables = list(read_several(several, modality=modality, genome=genome, proteins=keeps_proteins(recorded)).values())
    saved = read_model_file(model, source, *counts)
    repeated = rerun(recorded, tables if len(tables) > 1 else next(iter(tables), None), device=device, model=saved)
    if target is not None:
        anndata_files.write(repeated.adata, target)
    if repeated.identical:
        steps = "1 step" if repeated.n_steps == 1 else f"{repeated.n_steps} steps"
        log.info("identical: %s repeated, and every matrix and column is as in the file", steps)
        return
    for difference in repeated.differences:
        log.debug("%s", difference)
    shown, others = repeated.differences[:SHOWN], len(repeated.differences) - SHOWN
    raise ThresholdError(f"not identical: {'; '.join(shown)}{f'; and {others} more (--verbose)' if others > 0 else ''}")
