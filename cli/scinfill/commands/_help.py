"""``--help`` with the options of a verb in groups, what is its own before what all verbs share."""

from typing import Any

import click

FILES = "Input and output"
SHARED = {
    FILES: (
        *("target", "layer", "modality", "genome", "transpose", "form", "title", "figures", "gene_table"),
        *("matrix", "counts", "cost", "model", "save_model", "like"),
    ),
    "Resources": ("seed", "threads", "max_memory", "device", "folder", "minutes"),
    "Messages": ("verbosity", "debug", "log_json", "_click_default_help"),
}
"""Groups by their headings, with the names of the parameters that belong there wherever they occur."""
PUBLISHED = "As published (--preset paper)"


class Verb(click.Command):
    """A command whose own options stand under a heading between those for input and output and the rest.

    Parameters
    ----------
    own
        Heading of its own options.
    published
        Names of the parameters that only the published algorithm has; they stand under a heading of their own.
    """

    def __init__(self, *args: Any, own: str = "Options", published: tuple[str, ...] = (), **kwargs: Any) -> None:  # noqa: ANN401 - Click's
        super().__init__(*args, **kwargs)
        self.own = own
        self.groups = {PUBLISHED: published, **SHARED}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group."""
        for heading, options in self.group_options(ctx).items():
            records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def group_options(self, ctx: click.Context) -> dict[str, list[click.Option]]:
        """Return the options under their headings, in the order of the help."""
        groups: dict[str, list[click.Option]] = {heading: [] for heading in (FILES, self.own, *self.groups)}
        for option in (param for param in self.get_params(ctx) if isinstance(param, click.Option)):
            groups[FILES if "-o" in option.opts else self._heading(option)].append(option)
        return groups

    def _heading(self, option: click.Option) -> str:
        return next((group for group, names in self.groups.items() if option.name in names), self.own)
