"""Replace the parameters that messages of the package name by the options that a person at the shell typed."""

import re
import shlex
from ast import literal_eval
from collections.abc import Callable

import click

PARAMETER = re.compile(r"`(?:(?P<function>\w+)\()?(?P<name>\w+)(?:=(?P<value>[^`]*?))?(?(function)\))`")
"""A parameter as :class:`scinfill.errors.ScinfillError` writes it, also of another function: `mask(null_genes=3)`."""

Reword = Callable[[str], str]


def in_options_of(command: click.Command) -> Reword:
    """Return a function that puts a command's options in the place of the parameters that a message names.

    An option of the command itself goes by its name alone, such as ``--estimate shrunk``; one of another function with
    the verb before it. What is no option, such as a parameter that a file records, stays as it is.
    """

    def option(found: re.Match[str]) -> str:
        function, name, value = found.groups()
        verb = command if function is None else _verb(function.replace("_", "-"))
        known = [param for param in verb.params if isinstance(param, click.Option)] if verb else []
        typed = next((_as_typed(param, value) for param in known if param.name == name), None)
        if verb is None or typed is None:
            return found[0]
        return typed if function is None else f"`scinfill {verb.name} {typed}`"

    return lambda message: PARAMETER.sub(option, message)


def _verb(name: str) -> click.Command | None:
    from scinfill.commands import main  # late: the group is what imports this module

    return main.get_command(click.Context(main), name)


def _as_typed(option: click.Option, value: str | None) -> str:
    """Return an option, with a value as it is typed: no brackets, quotes for the shell alone; a flag's name says it."""
    name = max(option.opts, key=len)
    if option.is_flag:
        return option.secondary_opts[0] if value == "False" and option.secondary_opts else name
    if value is None:
        return name
    try:
        plain = literal_eval(value)
    except (SyntaxError, ValueError):  # what stands for a value, such as N
        plain = value
    return f"{name} {shlex.quote(','.join(map(str, plain)) if isinstance(plain, list | tuple) else str(plain))}"
