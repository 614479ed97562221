"""Lists of names as users keep them: a line each, or separated by commas or tabs."""

import re
from pathlib import Path

from scinfill.errors import DataError
from scinfill.io.streams import display, open_source

SEPARATORS = re.compile(r"[,\t\r\n]")


def read_names(source: str | Path) -> tuple[str, ...]:
    """Return the names in a file of text; what stands behind a ``#`` at the start of a line is a note.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    DataError
        It is no text, or holds no name.
    """
    with open_source(source) as handle:
        try:
            text = handle.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{display(source)} is no list of names: it is not text in UTF-8") from error
    names = split_names("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    if not names:
        raise DataError(f"{display(source)} holds no name; write one a line")
    return names


def split_names(text: str) -> tuple[str, ...]:
    """Return names separated by commas, tabs or ends of lines; quotes around a name go."""
    return tuple(name for part in SEPARATORS.split(text) if (name := part.strip().strip('"')))
