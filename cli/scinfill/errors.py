"""The kinds of failure, each with the exit code of its command.

A message is one line: the thing, the rule, what was received, and the remedy. It names the parameters of the Python
functions, in back-ticks and with values as in code: `estimate`, `rank=5`, `mask(null_genes=200)`. The command line puts
its options in their place, so that each caller reads the name that it used.
"""

from collections.abc import Iterable


class ScinfillError(Exception):
    """Anything the user can act on; the command line prints the message alone."""

    exit_code = 1


class ThresholdError(ScinfillError):
    """A threshold that the user asked for failed (``evaluate --fail-if-worse-than``)."""

    exit_code = 1


class InputError(ScinfillError):
    """Wrong usage: an option, a path, or a combination that cannot be."""

    exit_code = 2


class DataError(ScinfillError):
    """Wrong data: the file or its values."""

    exit_code = 3


class ResourceError(ScinfillError):
    """Not enough memory or disk, or a device that was asked for and is not there."""

    exit_code = 4


def check_rules(settings: object, rules: Iterable[tuple[str, bool, str]]) -> None:
    """Refuse settings that break a rule.

    Parameters
    ----------
    settings
        Object with the settings as attributes.
    rules
        Name of a setting, whether its rule holds, and the rule in words.

    Raises
    ------
    InputError
        With the setting, its rule and what was received.
    """
    for name, holds, rule in rules:
        if not holds:
            raise InputError(f"`{name}` must be {rule}; received {getattr(settings, name)!r}")
