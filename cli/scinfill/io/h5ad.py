"""H5AD files and streams, whole or not at all; wrong content is named by its slot."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
from anndata import AnnData
from anndata.io import read_elem, write_elem
from numpy.typing import NDArray
from scipy import sparse

from scinfill.errors import DataError
from scinfill.io.hdf5 import new_hdf5, one_line, open_hdf5
from scinfill.io.streams import complete, display
from scinfill.numerics.blocks import RowBlocks

SLOTS = ("X", "obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers")
MAPPINGS = SLOTS[4:]
COMPRESSED = {"csr_matrix": sparse.csr_matrix, "csc_matrix": sparse.csc_matrix}


def read(source: str | Path) -> AnnData:
    """Read an AnnData; ``-`` is standard input.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    DataError
        It is not an H5AD file, or damaged, or holds what a table of numbers has no use for.
    ResourceError
        More data than memory.
    """
    with open_hdf5(source) as file:
        return assemble(file, source)


def assemble(file: h5py.File, source: str | Path) -> AnnData:
    """Read an AnnData from an open file; ``source`` is its name in messages."""
    _check_root(file, source)
    with _naming(source, "the file"), warnings.catch_warnings():
        # What anndata warns of (old encodings, names that repeat) is either harmless or checked by the methods.
        warnings.simplefilter("ignore")
        content = {slot: _element(file, slot, source) for slot in SLOTS if slot in file}
        if isinstance(file.get("raw"), h5py.Group):
            content["raw"] = {key: _element(file, f"raw/{key}", source) for key in file["raw"]}
        return AnnData(**content)


def inventory(file: h5py.File, source: str | Path) -> dict[str, Any]:
    """Return what an open file holds by name, from its frames alone: no matrix is read."""
    _check_root(file, source)
    with _naming(source, "obs or var"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old encodings
        obs, var = read_elem(file["obs"]), read_elem(file["var"])
        return {
            "cells": len(obs),
            "genes": len(var),
            "obs": [str(name) for name in obs.columns],
            "var": [str(name) for name in var.columns],
            **{slot: sorted(file.get(slot, ())) for slot in ("layers", "obsm", "varm", "uns")},
        }


def write(adata: AnnData, target: str | Path, *, row_blocks: Mapping[str, RowBlocks] | None = None) -> None:
    """Write an AnnData so that it is there whole or not at all; ``-`` is standard output.

    The same content gives the same bytes: HDF5 keeps no times, and nothing here adds any.

    Parameters
    ----------
    adata
        Never changed.
    target
        An earlier file there survives every failure.
    row_blocks
        Layers by name that are computed and written a block of rows at a time, so they are never whole in memory.

    Raises
    ------
    DataError
        A slot holds something that H5AD files cannot hold.
    ResourceError
        The disk is full.
    """
    with complete(target) as handle, new_hdf5(handle) as (file, check):
        file.attrs["encoding-type"], file.attrs["encoding-version"] = "anndata", "0.1.0"
        for slot in (*SLOTS, "raw"):
            element = getattr(adata, slot)
            if element is not None:
                _write_slot(file, slot, dict(element) if isinstance(element, Mapping) else element, target)
                check()
        for name, blocks in (row_blocks or {}).items():
            _write_blocks(file["layers"], name, blocks, check)


def _write_slot(file: h5py.File, slot: str, element: Any, target: str | Path) -> None:  # noqa: ANN401
    with _naming(target, slot), anndata.settings.override(allow_write_nullable_strings=True):
        write_elem(file, slot, element)


def _write_blocks(layers: h5py.Group, name: str, blocks: RowBlocks, check: Callable[[], None]) -> None:
    """Write one dense layer in the encoding that anndata reads as an array."""
    if name in layers:
        del layers[name]
    dataset = layers.create_dataset(name, shape=blocks.shape, dtype="float32")
    dataset.attrs["encoding-type"] = "array"
    dataset.attrs["encoding-version"] = "0.2.0"
    for rows, block in blocks:
        dataset[rows] = block
        check()


def _check_root(file: h5py.File, source: str | Path) -> None:
    """Say what the file is, if it is not an AnnData."""
    if {"obs", "var"} <= file.keys():
        if not (isinstance(file["obs"], h5py.Group) and isinstance(file["var"], h5py.Group)):
            raise DataError(f"{display(source)} was written by anndata before 0.7; write it again with a newer one")
        return
    if {"row_attrs", "col_attrs"} <= file.keys():
        raise DataError(f"{display(source)} is a loom file; convert it: anndata.io.read_loom(...).write_h5ad(...)")
    if "matrix" in file:
        raise DataError(f"{display(source)} is a 10x file; `scinfill preprocess` reads it")
    raise DataError(f"{display(source)} is an HDF5 file without obs and var: not an AnnData (it holds {sorted(file)})")


def _element(file: h5py.File, slot: str, source: str | Path) -> Any:  # noqa: ANN401 - whatever the slot holds
    """Read one slot, each of its parts by itself where it holds several, so that an error names the part."""
    item = file[slot]
    if slot in MAPPINGS and isinstance(item, h5py.Group):
        return {key: _element(file, f"{slot}/{key}", source) for key in item}
    with _naming(source, slot):
        if item.attrs.get("encoding-type") in COMPRESSED:
            return _compressed(item)
        return read_elem(item)


def _compressed(group: h5py.Group) -> sparse.csr_matrix | sparse.csc_matrix:
    """Read a sparse matrix of any number type, also those that SciPy does not know, and check all of it."""
    data, indices, indptr = (_native(group[part][:]) for part in ("data", "indices", "indptr"))
    if data.dtype.kind not in "biufc" or indices.dtype.kind not in "iu" or indptr.dtype.kind not in "iu":
        raise ValueError(f"values are {data.dtype}, positions {indices.dtype} and {indptr.dtype}")
    shape = tuple(int(extent) for extent in group.attrs["shape"])
    matrix = COMPRESSED[group.attrs["encoding-type"]]((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    return matrix


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in this machine's byte order, and half precision as single."""
    dtype = np.dtype(np.float32) if values.dtype == np.float16 else values.dtype.newbyteorder("=")
    return values.astype(dtype, copy=False)


@contextmanager
def _naming(source: str | Path, slot: str) -> Iterator[None]:
    """Turn whatever a damaged file makes the libraries raise into one line that names the slot."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the content
            raise
        raise DataError(f"{display(source)}: {slot} is not usable: {one_line(error)}") from error
