"""Arguments of the form NAME=FILE."""

from collections.abc import Sequence
from pathlib import Path

import click


class NamedFile(click.ParamType):
    """``NAME=FILE``, or a file alone, as (name or None, path); a file whose own name holds ``=`` is a file."""

    name = "[NAME=]FILE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str | None, str]:
        """Split the text."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            return None, text
        if not name or not path:
            self.fail(f"{text!r} is not NAME=FILE", param, ctx)
        return name, path


def stem(path: str) -> str:
    """Return a file's name without its folder and endings."""
    return Path(path).name.split(".")[0]


def named_by_file(files: Sequence[tuple[str | None, str]]) -> list[tuple[str | None, str]]:
    """Name files that carry no name after themselves, where there are several to tell apart."""
    if len(files) < 2:
        return list(files)
    return [(name or stem(path), path) for name, path in files]
