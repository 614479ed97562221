"""H5AD files of anndata before 0.7: frames as records, categories in ``uns``, raw beside the rest."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

CATEGORIES = "_categories"
"""A column holds codes where ``uns`` has its name and this, with the categories."""
RAW = "raw."
"""Begins the names of what stands in ``raw`` today."""


def is_legacy(file: h5py.Group) -> bool:
    """Whether the frames of an open file are records."""
    return all(isinstance(file[axis], h5py.Dataset) and file[axis].dtype.names for axis in ("obs", "var"))


def is_records(found: Any) -> bool:  # noqa: ANN401 - whatever a slot holds
    """Whether something is an array of records."""
    return isinstance(found, np.ndarray) and found.dtype.names is not None


def frame_of(records: NDArray[Any]) -> pd.DataFrame:
    """Return records as a frame; the first field is the index."""
    fields = fields_of(records)
    index, *columns = fields
    names = pd.Index(fields[index].astype(str), dtype=object)
    return pd.DataFrame({name: fields[name] for name in columns}, index=names)


def fields_of(records: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the fields of records as arrays, texts as objects."""
    return {
        name: records[name].astype(object) if records[name].dtype.kind in "US" else np.ascontiguousarray(records[name])
        for name in records.dtype.names or ()
    }


def with_categories(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's parts with the categories of ``uns`` in the columns that they belong to."""
    parts = dict(content)
    uns = dict(parts.get("uns", {}))
    for key in [key for key in uns if key.endswith(CATEGORIES)]:
        name, categories = key.removesuffix(CATEGORIES), np.atleast_1d(uns[key])
        for axis in ("obs", "var"):
            frame = parts[axis]
            # A name that both frames have has one list of categories; codes beyond it are not its own.
            if name in frame and frame[name].dtype.kind in "iu" and (frame[name] < len(categories)).all():
                parts[axis] = frame.assign(**{name: pd.Categorical.from_codes(frame[name], categories)})
                uns.pop(key, None)
    return parts | {"uns": uns}
