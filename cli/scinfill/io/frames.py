"""Frames of an H5AD file as programs other than anndata write them, so that they can be written again."""

import logging
from collections.abc import Mapping
from typing import Any

import h5py
import pandas as pd
from anndata.io import read_elem

from scinfill.io.legacy import frame_of, is_records

log = logging.getLogger(__name__)

INDEX = "_index"
"""Under this name the index of a frame stands in the file, so no column of a frame can be written under it."""
FORMER_INDEX = "index"
"""Under this name an index goes on as a column, where it has no name of its own."""
CATEGORIES = "__categories"
"""Where anndata before 0.8 kept the categories of all columns; the columns hold codes."""


def read_frame(group: h5py.Group | h5py.Dataset, slot: str) -> Any:  # noqa: ANN401 - whatever the slot holds
    """Read a frame; a column ``_index`` becomes the index, which is said.

    Parameters
    ----------
    group
        Group of the open file. It is read as a frame even without the mark of one, as SeuratDisk leaves ``raw/var``.
    slot
        Its name in messages.
    """
    found = read_elem(group)
    if is_records(found):
        found = frame_of(found)
    if isinstance(found, Mapping):
        found = _read_unmarked(found, group.attrs)
    return with_index(found, slot) if isinstance(found, pd.DataFrame) else found


def _read_unmarked(columns: Mapping[str, Any], attributes: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame of columns in a group that says of itself at most which of them is the index."""
    categories = columns.get(CATEGORIES, {})
    frame = pd.DataFrame(
        {
            name: pd.Categorical.from_codes(column, categories[name]) if name in categories else column
            for name, column in columns.items()
            if name != CATEGORIES
        }
    )
    first = [str(name) for name in attributes.get("column-order", ()) if str(name) in frame]
    frame = frame[[*first, *(name for name in frame if name not in first)]]
    index = str(attributes.get(INDEX, INDEX))
    return frame.set_index(index) if index != INDEX and index in frame else frame


def with_index(frame: pd.DataFrame, slot: str) -> pd.DataFrame:
    """Return a frame whose column ``_index``, if it has one, is its index.

    The former index goes on as a column where it says more than the number of the row. Where ``_index`` holds a name
    twice, the index stays, and the column goes on under another name.
    """
    if INDEX not in frame:
        return frame
    names = pd.Index(frame[INDEX].astype(str))
    if not names.is_unique:
        return without_index(frame, slot)
    rest = frame.drop(columns=INDEX)
    former = frame.index.astype(str)
    said = f"{slot} has a column '_index', as SeuratDisk writes it: taken for the index"
    if former.equals(names) or former.equals(pd.RangeIndex(len(frame)).astype(str)):
        log.warning("%s", said)
    else:
        name = _free_name(str(frame.index.name or FORMER_INDEX), rest)
        log.warning("%s; the former one is kept as column %r", said, name)
        rest[name] = former.to_numpy()
    return rest.set_axis(names.rename(None), axis=0)


def without_index(frame: pd.DataFrame, slot: str) -> pd.DataFrame:
    """Return a frame whose column ``_index`` goes on under another name: its index is that of another frame."""
    if INDEX not in frame:
        return frame
    name = _free_name(FORMER_INDEX, frame)
    log.warning("%s has a column '_index', which no file can hold: kept as %r", slot, name)
    return frame.rename(columns={INDEX: name})


def beside(parts: Mapping[str, Any], axis: pd.DataFrame, group: h5py.Group) -> dict[str, Any]:
    """Return what stands row by row beside ``obs`` or ``var``, frames with its index where that was not the file's."""
    stray = INDEX in group and str(group.attrs.get(INDEX)) != INDEX
    return {
        key: part.set_axis(axis.index) if stray and isinstance(part, pd.DataFrame) and len(part) == len(axis) else part
        for key, part in parts.items()
    }


def _free_name(name: str, frame: pd.DataFrame) -> str:
    while name == INDEX or name in frame:
        name += "_"
    return name
