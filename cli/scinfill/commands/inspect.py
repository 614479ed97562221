"""``scinfill inspect``."""

import json

import click

from scinfill.commands._options import counts_options, input_argument, output_option, runtime_options


@click.command(name="inspect")
@input_argument
@output_option(binary=False, help="JSON file to write; - is standard output.")
@counts_options
@runtime_options
def command(source: str, target: str, *, modality: str | None, genome: str | None) -> None:
    """Say what a file holds: cells, genes, names of columns and layers, raw, and which matrix holds counts.

    INPUT is anything that `scinfill preprocess` reads. Under "matrices" stands what the values of each are, and the
    command that reads its counts. Of an H5AD file some millions of values are looked at, so this is
    quick.

    \b
      scinfill inspect counts.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io.sources import inventory
    from scinfill.io.streams import write_text

    write_text(json.dumps(inventory(source, modality=modality, genome=genome), indent=2) + "\n", target)
