"""Whether a table can be written again, found out when it is read: afterwards the work would be lost."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.experimental import write_dispatched
from numpy.typing import NDArray
from scipy import sparse

from scinfill.errors import DataError
from scinfill.io.streams import display

SLOTS = ("X", "obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers", "raw")
TEXTS_AT_ONCE = 2**16
NOTE = re.compile(r"writing key '(?P<key>.*)' of <class .*> to (?P<parent>/.*)")


def check_writable_again(adata: AnnData, source: str | Path) -> None:
    """Write everything but the values of numbers into memory, and name what cannot be written.

    Every text is looked at; of arrays of numbers the type tells enough.

    Parameters
    ----------
    adata
        As it was read; never changed.
    source
        Where from, for messages.

    Raises
    ------
    DataError
        With the slot, the reason and the remedy.
    """
    with (
        h5py.File("rehearsal", "w", driver="core", backing_store=False) as file,
        anndata.settings.override(allow_write_nullable_strings=True),
    ):
        for slot in SLOTS:
            element = getattr(adata, slot)
            if element is not None:
                _rehearse(file, slot, dict(element) if isinstance(element, Mapping) else element, source)


def _rehearse(file: h5py.File, slot: str, element: Any, source: str | Path) -> None:  # noqa: ANN401
    try:
        write_dispatched(file, slot, element, callback=_write_small)
    except MemoryError:
        raise
    except Exception as error:
        path = _path(error) or slot
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{display(source)}: {path} could not be written again: {reason}; {_remedy(path)}") from error


def _write_small(
    write: Callable[..., None],
    parent: h5py.Group,
    key: str,
    element: Any,  # noqa: ANN401 - whatever a slot holds
    *,
    dataset_kwargs: Mapping[str, Any],
    **_: Any,  # noqa: ANN401
) -> None:
    write(parent, key, _small(element), dataset_kwargs=dataset_kwargs)


def _path(error: Exception) -> str | None:
    """Return the place of the innermost element that failed, which anndata adds to the error as a note."""
    found = NOTE.search("\n".join(getattr(error, "__notes__", ())))
    return None if found is None else f"{found['parent']}/{found['key']}".strip("/").removesuffix("/categories")


def _small(element: Any) -> Any:  # noqa: ANN401
    """Return something of the same type that can be written if, and only if, the element can."""
    if sparse.issparse(element):
        return type(element)((1, 1), dtype=element.dtype) if element.format in ("csr", "csc") else element
    if isinstance(element, np.ndarray) and element.ndim:
        if element.dtype.kind in "biufc":
            return element[:0]
        if element.dtype.kind in "OTU" and pd.api.types.infer_dtype(element.ravel(), skipna=False) == "string":
            _check_texts(element.ravel())
            return element[:0]
    return element


def _check_texts(texts: NDArray[Any]) -> None:
    """Refuse texts that HDF5 does not hold."""
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        joined = "".join(texts[start : start + TEXTS_AT_ONCE])
        if "\0" in joined:
            raise ValueError("a text holds a zero byte, which ends texts in HDF5")
        try:
            joined.encode()
        except UnicodeEncodeError as error:
            raise ValueError("a text is not UTF-8") from error


def _remedy(path: str) -> str:
    """Return how a user gets rid of a fault before the file is read again."""
    slot, *keys = path.split("/")
    place = f"adata.{slot}" + "".join(f"[{key!r}]" for key in keys)
    if slot in ("obs", "var") and keys == ["_index"]:
        return f"give other names: adata.{slot}_names = [...], and write the file again"
    if slot == "raw":
        return "mend adata.raw, or leave it out: adata.raw = None, and write the file again"
    if not keys:
        return f"mend {place} in Python, and write the file again"
    return f"leave it out, del {place}, and write the file again"
