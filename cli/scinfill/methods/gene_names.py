"""Genes that a user asks for by name: where they are, and what may have been meant where they are not."""

import logging
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scinfill.errors import InputError

log = logging.getLogger(__name__)

MOST_SAID = 5
"""Names that a message tells, each with what may have been meant: a comparison with all names takes a while."""


def find_genes(names: Sequence[str], var: pd.DataFrame, *, parameter: str) -> NDArray[np.intp]:
    """Return the positions of genes, each once, in the order of the table; names that are not there are said.

    Parameters
    ----------
    names
        As the user writes them.
    var
        The genes of the table; their names are unique.
    parameter
        What the user wrote the names in.

    Raises
    ------
    InputError
        None of them is there, so they are of another table or another kind.
    """
    wanted = list(dict.fromkeys(names))
    found = var.index.get_indexer(wanted)
    missing = [name for name, position in zip(wanted, found, strict=True) if position < 0]
    if missing:
        more = f", and {len(missing) - MOST_SAID} more" if len(missing) > MOST_SAID else ""
        said = ", ".join(_with_closest(name, var) for name in missing[:MOST_SAID]) + more
        if len(missing) == len(wanted):
            raise InputError(f"`{parameter}`: no gene of the table is called so: {said}")
        log.warning("`%s`: %d of %d genes are not there: %s", parameter, len(missing), len(wanted), said)
    return np.unique(found[found >= 0])


def _with_closest(name: str, var: pd.DataFrame) -> str:
    close = _closest(name, var)
    return f"{name!r} (there is {' or '.join(map(repr, close))})" if close else repr(name)


def _closest(name: str, var: pd.DataFrame) -> list[str]:
    """Return names of genes that may be meant: called so in a column, but for capitals, or nearly so."""
    for column in var:
        if var[column].dtype.kind not in "biufc":
            called = var.index[(var[column].astype(str) == name).to_numpy()]
            if len(called):
                return [str(other) for other in called[:2]]
    known = list(map(str, var.index))
    same = [other for other in known if other.casefold() == name.casefold()]
    return same[:2] or get_close_matches(name, known, n=2, cutoff=0.75)
