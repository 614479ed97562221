"""``scinfill inspect``."""

import json

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import counts_options, input_argument, output_option, runtime_options


@click.command(name="inspect", cls=Verb)
@input_argument
@output_option(binary=False, help="JSON file to write; - is standard output.")
@counts_options
@runtime_options
def command(source: str, target: str, *, modality: str | None, genome: str | None) -> None:
    """Show what a file holds, and which matrix holds counts.

    Cells, genes, names of columns and layers, and raw.

    INPUT is anything that `scinfill preprocess` reads. Under "matrices" stands what the values of each are, and the
    command that reads its counts; under "model", of a saved model, the verb that trained it, what its values
    are, its batches, and under "problem" why it cannot be used, if it cannot. Of an H5AD file some millions of values
    are looked at, so this is quick.

    \b
      scinfill inspect counts.h5ad
      scinfill inspect model.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io.streams import write_text
    from scinfill.verbs import inspect

    write_text(json.dumps(inspect(source, modality=modality, genome=genome), indent=2) + "\n", target)
