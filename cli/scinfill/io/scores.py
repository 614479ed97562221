"""Results of ``evaluate`` as JSON."""

import json
import re
from pathlib import Path
from typing import Any

from scinfill.errors import DataError
from scinfill.io.hdf5 import one_line
from scinfill.io.streams import display, opened, write_text

FLAT_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def write(document: dict[str, Any], target: str | Path) -> None:
    """Write results as JSON that people can read too: indented, lists of numbers on one line."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(FLAT_LIST.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n", target)


def read(source: str | Path) -> dict[str, Any]:
    """Read results; what they must hold is the reader's concern.

    Raises
    ------
    InputError
        There is no such file.
    DataError
        It is not a JSON object.
    """
    with opened(source) as handle:
        try:
            document = json.loads(handle.read())
        except (ValueError, RecursionError) as error:
            raise DataError(f"{display(source)} is not JSON: {one_line(error)}") from error
    if not isinstance(document, dict):
        raise DataError(f"{display(source)} holds a JSON {type(document).__name__}, not an object")
    return document
