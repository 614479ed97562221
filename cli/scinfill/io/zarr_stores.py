"""AnnData as zarr stores: folders that are whole or not there at all."""

import os
import tempfile
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.io import read_elem, write_elem
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.io.frames import with_index, without_index
from scinfill.io.h5ad import FRAMES, MAPPINGS, SLOTS, check_positions, name_slot
from scinfill.io.streams import check_folder, display, follow_links, space_for, sync_folder
from scinfill.io.zarr_checks import GROUP_MARKS, check_store, is_store
from scinfill.numerics.blocks import RowBlocks

SUFFIX = ".zarr"
NEEDS_ZARR = "needs the package zarr: pip install 'scinfill[zarr]'"
OURS = {*SLOTS, "raw", *GROUP_MARKS, ".zattrs", ".zmetadata"}
"""All that the root of an AnnData store holds."""


def read(source: str | Path) -> AnnData:
    """Read an AnnData from a zarr store.

    Raises
    ------
    InputError
        The package zarr is not installed.
    DataError
        The store is damaged, hostile, or holds no AnnData.
    ResourceError
        More data than memory.
    """
    zarr = _zarr(source)
    path = Path(source)
    check_store(path)
    with name_slot(source, "the store"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old encodings, names that repeat, which the methods check
        # The consolidated metadata is a copy that need not be what was checked.
        root = zarr.open_group(path, mode="r", use_consolidated=False)
        _check_root(root, source)
        content = {slot: _element(root, slot, source) for slot in SLOTS if slot in root}
        if isinstance(root.get("raw"), zarr.Group):
            content["raw"] = {key: _element(root, f"raw/{key}", source) for key in root["raw"]}
        return AnnData(**content)


def _check_root(root: Any, source: str | Path) -> None:  # noqa: ANN401 - a zarr group
    if "mod" in root:
        raise DataError(f"{display(source)} holds several modalities; name one of its folders: {Path(source) / 'mod'}")
    if not {"obs", "var"} <= set(root):
        raise DataError(
            f"{display(source)} is a zarr store without obs and var (it holds {', '.join(sorted(root)) or 'nothing'}); "
            f"if it is SpatialData, name its table: {Path(source) / 'tables' / 'table'}"
        )


def _element(root: Any, slot: str, source: str | Path) -> Any:  # noqa: ANN401
    """Read one slot, each of its parts by itself where it holds several, so that an error names the part."""
    item = root[slot]
    if slot in MAPPINGS and hasattr(item, "keys"):
        return {key: _element(root, f"{slot}/{key}", source) for key in item}
    with name_slot(source, slot):
        found = read_elem(item)
        if sparse.issparse(found) and found.format in ("csr", "csc"):
            return check_positions(found)
        if isinstance(found, pd.DataFrame):
            return (with_index if slot in FRAMES else without_index)(found, slot.replace("/", "."))
        return _with_objects(found)


def _with_objects(found: Any) -> Any:  # noqa: ANN401 - whatever a slot holds
    """Return texts as objects, as every H5AD file gives them; zarr knows a type of NumPy's own."""
    if isinstance(found, Mapping):
        return {key: _with_objects(part) for key, part in found.items()}
    return found.astype(object) if isinstance(found, np.ndarray) and found.dtype.kind == "T" else found


def is_target(target: str | Path) -> bool:
    """Whether a result goes into a zarr store: its name says so."""
    return Path(target).suffix == SUFFIX


def check_target(target: str | Path) -> None:
    """Find out whether a store can be written, before any work is done.

    Raises
    ------
    InputError
        The package zarr is not installed, the folder around it may not be written, or something else has that name:
        only a store of an AnnData, with nothing else in it, is ever replaced.
    """
    _zarr(target)
    path = follow_links(target)
    if not path.parent.is_dir():
        raise InputError(f"{display(target)}: there is no folder {str(path.parent)!r}")
    check_folder(path.parent)
    if path.exists() and not _is_ours(path):
        raise InputError(
            f"{display(target)} exists and is not (only) a zarr store of an AnnData, so it is not replaced; "
            f"name another, or remove it yourself"
        )


def _is_ours(path: Path) -> bool:
    return (
        path.is_dir()
        and is_store(path)
        and (path / "obs").is_dir()
        and (path / "var").is_dir()
        and {part.name for part in path.iterdir()} <= OURS
    )


def write(adata: AnnData, target: str | Path, *, row_blocks: Mapping[str, RowBlocks] | None = None) -> None:
    """Write an AnnData as a zarr store that is there whole or not at all.

    Parameters
    ----------
    adata
        Never changed.
    target
        A new name, or a store of an AnnData, which survives every failure.
    row_blocks
        Layers by name that are computed and written a block of rows at a time, so they are never whole in memory.

    Raises
    ------
    InputError
        See :func:`check_target`.
    DataError
        A slot holds something that stores cannot hold.
    ResourceError
        The disk is full.
    """
    check_target(target)
    path = follow_links(target)
    with space_for(display(target)), tempfile.TemporaryDirectory(dir=path.parent, prefix=".scinfill-") as scratch:
        new = Path(scratch) / "store"
        _fill(new, adata, row_blocks or {}, target)
        _replace(path, new, Path(scratch) / "earlier")
    sync_folder(path.parent)


def _fill(path: Path, adata: AnnData, row_blocks: Mapping[str, RowBlocks], target: str | Path) -> None:
    zarr = _zarr(target)
    root = zarr.open_group(path, mode="w", zarr_format=2)  # which every program reads
    root.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    for slot in (*SLOTS, "raw"):
        element = getattr(adata, slot)
        if element is not None:
            with name_slot(target, slot), anndata.settings.override(allow_write_nullable_strings=True):
                write_elem(root, slot, dict(element) if isinstance(element, Mapping) else element)
    for name, blocks in row_blocks.items():
        _write_blocks(root["layers"], name, blocks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(root.store)
    _sync(path)


def _write_blocks(layers: Any, name: str, blocks: RowBlocks) -> None:  # noqa: ANN401 - a zarr group
    """Write one dense layer, a chunk a block."""
    dataset = None
    for rows, block in blocks:
        if dataset is None:
            dataset = layers.create_array(name, shape=blocks.shape, chunks=block.shape, dtype="float32", overwrite=True)
            dataset.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        dataset[rows] = block


def _replace(path: Path, new: Path, earlier: Path) -> None:
    """Put the new store in its place; the earlier one is kept until it stands there."""
    if not path.exists():
        new.rename(path)
        return
    try:
        path.rename(earlier)
        new.rename(path)
    except BaseException:  # a signal too, which may come between the two
        if earlier.exists() and not path.exists():
            earlier.rename(path)
        raise


def _sync(path: Path) -> None:
    """Make sure that all files are on the disk before they get their name."""
    for root, _, files in os.walk(path):
        for name in files:
            with (Path(root) / name).open("rb") as file:
                os.fsync(file.fileno())


def _zarr(name: str | Path) -> ModuleType:
    """Return the package, which is not everywhere."""
    if find_spec("zarr") is None:
        raise InputError(f"{display(name)} is a zarr store, which {NEEDS_ZARR}")
    import zarr

    if not hasattr(zarr.Group, "create_array"):
        raise InputError(f"{display(name)} is a zarr store, which needs zarr 3: pip install 'scinfill[zarr]'")
    return zarr
