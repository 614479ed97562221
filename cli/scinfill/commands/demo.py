"""``scinfill demo``."""

from pathlib import Path

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import runtime_options, seed_option


@click.command(name="demo", cls=Verb)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the files of every step; made if it is not there.",
)
@click.option(
    "--cells", "n_cells", type=click.IntRange(min=50), default=500, show_default=True, help="Number of cells."
)
@click.option(
    "--genes", "n_genes", type=click.IntRange(min=50), default=1500, show_default=True, help="Number of genes."
)
@seed_option
@runtime_options
def command(folder: Path, *, n_cells: int, n_genes: int, seed: int) -> None:
    """Run the whole chain on simulated data.

    Simulates counts with known cell types, preprocesses them, hides molecules and values, appends genes without any
    signal, imputes with both methods, and evaluates the results beside raw data, gene mean and SVD.
    """
    from scinfill.verbs import demo

    sentences = demo(folder, n_cells=n_cells, n_genes=n_genes, seed=seed)
    for sentence in sentences:
        subject = f" ({sentence.subject})" if sentence.subject else ""
        click.echo(f"{sentence.question}{subject}\n  {sentence.text}")
    click.echo(f"Files of every step are in {folder}/: {', '.join(sorted(path.name for path in folder.iterdir()))}")
