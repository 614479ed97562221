"""Slots of the user's that have a name of ours: none of them is replaced in silence."""

import logging
from collections.abc import Collection, Iterator, Mapping

import pandas as pd
from anndata import AnnData

from scinfill.methods import provenance

log = logging.getLogger(__name__)

OWN_PREFIX = "scinfill_"
"""Before the name of a column of ours where a column of the user's stays under the plain one."""

Slots = Mapping[str, Collection[str]]
"""Keys by the slot that holds them, such as ``{"layers": ["imputed"]}``."""


def is_written_by(adata: AnnData, *verbs: str) -> bool:
    """Whether the table's record has a step of one of the verbs; a verb may be the beginning of several."""
    return any(step["command"].startswith(verbs) for step in provenance.steps(adata))


def say_replaced(adata: AnnData, slots: Slots, *, by: tuple[str, ...]) -> None:
    """Say in one line what a verb will replace or remove because later steps would take it for scinfill's.

    Parameters
    ----------
    adata
        The input.
    slots
        What the verb owns.
    by
        Verbs that write these slots: what they left in a table that records them is replaced quietly.
    """
    found = list(_present(adata, slots))
    if found and not is_written_by(adata, *by):
        log.warning(
            "%s of the input, not written by scinfill, %s replaced or removed: later steps read %s; "
            "copy what you need under another name first",
            ", ".join(found),
            *(("is", "that name") if len(found) == 1 else ("are", "those names")),
        )


def column_name(columns: pd.Index, name: str, *, ours: bool) -> str:
    """Return under which name a column goes that no later step reads: one of its own beside a column of the user's.

    ``ours`` says that the table was made by the same verb, so that its columns are its own earlier ones.
    """
    own = OWN_PREFIX + name
    return name if name not in columns or (ours and own not in columns) else own


def say_beside(names: Mapping[str, str]) -> None:
    """Say in one line which columns stay the user's, from the plain name, such as ``obs['mean']``, to that of ours."""
    if names:
        log.warning(
            "%s of the input %s as %s; scinfill's own: %s",
            ", ".join(names),
            *(("stays", "it is") if len(names) == 1 else ("stay", "they are")),
            ", ".join(names.values()),
        )


def _present(adata: AnnData, slots: Slots) -> Iterator[str]:
    for slot, keys in slots.items():
        held = getattr(adata, slot)
        yield from (f"{slot}[{key!r}]" for key in keys if key in held)
