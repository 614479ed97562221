"""The command line: options, one call, write."""

from importlib import import_module
from typing import Any

import click

from scinfill import __version__
from scinfill.commands._failures import translate_errors

COMMANDS = (
    "demo",
    "simulate",
    "inspect",
    "join",
    "preprocess",
    "mask",
    "impute-deepmc",
    "impute-auto",
    "impute-baseline",
    "reconstruct",
    "split",
    "markers",
    "evaluate",
    "report",
    "export",
    "adopt",
    "rerun",
)
"""Verbs in the order of work; each is ``command`` in the module of its name, imported when it is needed."""


class Verbs(click.Group):
    """A group that imports a verb when it is asked for, and turns every failure into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - Click's signature
        """Run a verb."""
        with translate_errors(ctx):
            return super().invoke(ctx)


@click.group(
    name="scinfill", cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="scinfill")
def main() -> None:
    """Fill the dropouts of single-cell RNA-seq data, and say honestly whether that helped.

    Every verb reads a file or standard input and writes a file or standard output, so verbs can be joined:

    \b
      scinfill preprocess counts.h5ad | scinfill impute-deepmc -o imputed.h5ad

    Exit codes: 0 success, 1 a threshold that you asked for failed (or a bug), 2 wrong usage, 3 wrong data,
    4 not enough memory, disk or GPU, 130 interrupted, 143 terminated.
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
