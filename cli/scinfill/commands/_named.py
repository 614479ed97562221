"""Arguments of the form NAME=FILE or NAME=NAME, and lists of names."""

from collections.abc import Sequence
from pathlib import Path

import click

from scinfill.errors import InputError
from scinfill.io.streams import STDIO


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


class ProteinGenes(click.ParamType):
    """``protein=gene,…`` as a dictionary; names of proteins may hold commas, those of genes do not."""

    name = "PROTEIN=GENE,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        """Split the text; what has no = belongs to the name of the protein behind it."""
        if isinstance(value, dict):
            return value
        genes: dict[str, str] = {}
        begun: list[str] = []
        for part in str(value).split(","):
            protein, equals, gene = part.rpartition("=")
            begun.append(protein if equals else part)
            if equals:
                name = ",".join(begun).strip()
                if not name or not gene.strip():
                    self.fail(f"{part!r} is not PROTEIN=GENE", param, ctx)
                genes[name], begun = gene.strip(), []
        if begun:
            self.fail(f"{','.join(begun)!r} is not PROTEIN=GENE", param, ctx)
        return genes


class Names(click.ParamType):
    """Names separated by commas."""

    name = "NAME,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split the text."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names):
            self.fail(f"{value!r} holds an empty name", param, ctx)
        return names


def stem(path: str) -> str:
    """Return a file's name without its folder and endings."""
    return Path(path).name.split(".")[0]


def one_name_each(files: Sequence[tuple[str | None, str]]) -> dict[str, str]:
    """Return files by name, those that carry none by their own.

    Raises
    ------
    InputError
        No file, standard input without a name or twice, or two files of one name.
    """
    if not files:
        raise InputError("no input: name the files to join, such as a.h5ad b.h5ad")
    if sum(path == STDIO for _, path in files) > 1:
        raise InputError("standard input can be one of the inputs only; name files for the others")
    named: dict[str, str] = {}
    for name, path in files:
        if name is None and path == STDIO:
            raise InputError("standard input needs a name: NAME=-")
        called = name or stem(path)
        if called in named:
            raise InputError(f"{named[called]!r} and {path!r} are both called {called!r}; name them apart: NAME={path}")
        named[called] = path
    return named


def named_by_file(files: Sequence[tuple[str | None, str]]) -> list[tuple[str | None, str]]:
    """Name files that carry no name after themselves, where there are several to tell apart."""
    if len(files) < 2:
        return list(files)
    return [(name or stem(path), path) for name, path in files]
