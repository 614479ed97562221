"""``scinfill report``."""

import logging
from typing import Any

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import output_option, runtime_options
from scinfill.io.streams import STDIO

log = logging.getLogger(__name__)


@click.command(name="report", cls=Verb)
@click.argument("sources", metavar="[RESULTS|INPUT]...", nargs=-1, type=click.Path(allow_dash=True))
@output_option(binary=False, help="HTML file to write; - is standard output.")
@click.option("--title", metavar="TEXT", help="Heading of the page.")
@click.option("--labels", metavar="COLUMN", help="Of an imputed file: column of obs with labels, for its markers.")
@click.option("--figures", metavar="DIR", type=click.Path(), help="Also write every figure as SVG and PNG.")
@click.option(
    "--multiqc",
    metavar="DIR",
    type=click.Path(),
    help="Also write a table and a bar graph as sections of a MultiQC report, NAME_mqc.json.",
)
@click.option(
    "--cost",
    metavar="FILE",
    help="Table of time and memory: columns name, seconds and, where known, peak_mib; one row a run.",
)
@click.option(
    "--missing", metavar="TEXT", multiple=True, help="A result that did not come: the page says so. Repeatable."
)
@runtime_options
def command(sources: tuple[str, ...], target: str, **settings: Any) -> None:  # noqa: ANN401 - the options above
    """Turn results of `scinfill evaluate`, or one imputed file, into an HTML page.

    The page opens with a verdict in plain words, then tables and figures; it needs no network and runs no script.
    Results of the same title and mask are replicates: their mean and spread are shown. Of an imputed file it tells
    what was done to it, for how many genes there is a model, what stayed as it was, and its markers.

    \b
      scinfill report scores/*.json -o report.html --figures figures
      scinfill report scores/*.json -o report.html --multiqc sections && multiqc sections
      scinfill evaluate imputed.h5ad --labels cell_type | scinfill report > report.html
      scinfill report imputed.h5ad --labels cell_type -o imputed.html
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io.streams import write_text
    from scinfill.verbs import report

    made = report(sources or (STDIO,), **settings)
    write_text(made.html, target)
    for sentence in made.sentences:
        about = f"{sentence.question} {sentence.subject}: " if sentence.subject else f"{sentence.question} "
        log.info("%s%s", about, sentence.text)
