"""H5AD files and streams, whole or not at all; wrong content is named by its slot."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.experimental import write_dispatched
from anndata.io import read_elem
from numpy.typing import NDArray
from scipy import sparse

from scinfill.errors import DataError
from scinfill.io import legacy
from scinfill.io.contents import describe
from scinfill.io.frames import beside, read_frame, without_index
from scinfill.io.hdf5 import new_hdf5, one_line, open_hdf5, read_array, write_array
from scinfill.io.rehearsal import check_writable_again
from scinfill.io.streams import complete, display
from scinfill.numerics import scratch
from scinfill.numerics.blocks import RowBlocks
from scinfill.numerics.sparse import have_same_positions
from scinfill.numerics.survey import survey
from scinfill.schema import SAVED_MODEL

SLOTS = ("X", "obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers")
MAPPINGS = ("uns", *SLOTS[4:], "raw/varm")
FRAMES = ("obs", "var", "raw/var", f"{legacy.RAW}var")
AWKWARD = "awkward-array"
COMPRESSED = {"csr_matrix": sparse.csr_matrix, "csc_matrix": sparse.csc_matrix}
PACKING = {"compression": "gzip", "shuffle": True}
LARGE = 2**26
"""Bytes above which an array is written in pieces, so that one larger than memory passes through."""


def read(source: str | Path, *, to_write: bool = True) -> AnnData:
    """Read an AnnData; ``-`` is standard input.

    Parameters
    ----------
    source
        The file.
    to_write
        Whether what is read will be written again, so that it is checked now whether it can be.

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
        adata = assemble(file, source)
    if to_write:
        check_writable_again(adata, source)
    return adata


def assemble(file: h5py.File, source: str | Path) -> AnnData:
    """Read an AnnData from an open file; ``source`` is its name in messages."""
    _check_root(file, source)
    with name_slot(source, "the file"), warnings.catch_warnings():
        # What anndata warns of (old encodings, names that repeat) is either harmless or checked by the methods.
        warnings.simplefilter("ignore")
        content = {slot: _element(file, slot, source) for slot in SLOTS if slot in file}
        if isinstance(file.get("raw"), h5py.Group):
            content["raw"] = {key: _element(file, f"raw/{key}", source) for key in file["raw"]}
        if legacy.is_legacy(file):
            names = [name for name in file if name.startswith(legacy.RAW)]
            content["raw"] = {name.removeprefix(legacy.RAW): _element(file, name, source) for name in names} or None
            return AnnData(**legacy.with_categories(content))
        _share_positions(content.get("X"), content.get("layers", {}))
        for slot, axis in (("obsm", "obs"), ("varm", "var")):
            content[slot] = beside(content.get(slot, {}), content[axis], file[axis])
        return AnnData(**content)


def inventory(file: h5py.File, source: str | Path) -> dict[str, Any] | AnnData:
    """Return what an open file holds by name, and of each matrix whether it holds counts, told from some values.

    Files of old layouts and saved models, which are small, are returned whole.
    """
    _check_root(file, source)
    if legacy.is_legacy(file) or SAVED_MODEL in file.get("uns", ()):
        return assemble(file, source)
    raw = file.get("raw")
    has_raw = isinstance(raw, h5py.Group) and {"X", "var"} <= raw.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old encodings
        obs, var = _element(file, "obs", source), _element(file, "var", source)
        raw_var = _element(file, "raw/var", source) if has_raw else None
    names = {slot: sorted(file.get(slot, ())) for slot in ("layers", "obsm", "varm", "uns")}
    slots = ["X", *(f"layers/{name}" for name in names["layers"]), *(["raw/X"] if has_raw else [])]
    surveys = {}
    for slot in slots:
        if slot in file:
            with name_slot(source, slot):
                surveys[slot] = survey(file[slot]["data"] if isinstance(file[slot], h5py.Group) else file[slot])
    return describe(obs, var, names, surveys, raw_var)


def write(
    adata: AnnData,
    target: str | Path,
    *,
    row_blocks: Mapping[str, RowBlocks] | None = None,
    packed: bool = False,
) -> None:
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
    packed
        Whether arrays are packed by gzip: smaller, and slower to write.

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
                part = dict(element) if isinstance(element, Mapping) else element
                _write_slot(file, slot, part, target, PACKING if packed else {})
                check()
        for name, blocks in (row_blocks or {}).items():
            _write_blocks(file["layers"], name, blocks, check)


def _write_slot(file: h5py.File, slot: str, element: Any, target: str | Path, packing: Mapping[str, Any]) -> None:  # noqa: ANN401
    with name_slot(target, slot), anndata.settings.override(allow_write_nullable_strings=True):
        write_dispatched(file, slot, element, callback=_write_element, dataset_kwargs=packing)


def _write_element(
    write: Callable[..., None],
    parent: h5py.Group,
    key: str,
    element: Any,  # noqa: ANN401 - whatever a slot holds
    *,
    dataset_kwargs: Mapping[str, Any],
    **_: Any,  # noqa: ANN401
) -> None:
    """Write as anndata does, but large numeric arrays in pieces."""
    if isinstance(element, np.ndarray) and element.dtype.kind in "biuf" and element.nbytes > LARGE:
        write_array(parent, key, element)
        _say_encoding(parent[key], "array", "0.2.0")
    elif sparse.issparse(element) and element.format in ("csr", "csc") and element.data.nbytes > LARGE:
        group = parent.create_group(key)
        group.attrs["shape"] = element.shape
        for part in ("data", "indices", "indptr"):
            write_array(group, part, getattr(element, part))
        _say_encoding(group, f"{element.format}_matrix", "0.1.0")
    else:
        write(parent, key, element, dataset_kwargs=dataset_kwargs if _can_be_packed(element) else {})


def _can_be_packed(element: Any) -> bool:  # noqa: ANN401 - whatever a slot holds
    """Return whether HDF5 packs an element; what holds others asks again for each of them."""
    if isinstance(element, Mapping | pd.DataFrame):
        return True
    return isinstance(element, np.ndarray) and element.ndim > 0 and element.size > 0


def _say_encoding(item: h5py.Group | h5py.Dataset, encoding: str, version: str) -> None:
    item.attrs["encoding-type"], item.attrs["encoding-version"] = encoding, version


def _write_blocks(layers: h5py.Group, name: str, blocks: RowBlocks, check: Callable[[], None]) -> None:
    """Write one dense layer in the encoding that anndata reads as an array."""
    if name in layers:
        del layers[name]
    dataset = layers.create_dataset(name, shape=blocks.shape, dtype="float32")
    _say_encoding(dataset, "array", "0.2.0")
    for rows, block in blocks:
        dataset[rows] = block
        check()


def _check_root(file: h5py.File, source: str | Path) -> None:
    """Say what the file is, if it is not an AnnData."""
    if "mod" in file:
        raise DataError(f"{display(source)} is a MuData file; `scinfill preprocess --modality NAME` reads one of it")
    if {"obs", "var"} <= file.keys():
        if not (all(isinstance(file[axis], h5py.Group) for axis in ("obs", "var")) or legacy.is_legacy(file)):
            raise DataError(f"{display(source)}: obs or var is no frame; write the file again with anndata")
        return
    if {"row_attrs", "col_attrs"} <= file.keys():
        raise DataError(f"{display(source)} is a loom file; convert it: anndata.io.read_loom(...).write_h5ad(...)")
    if {"assays", "cell.names"} <= file.keys():
        raise DataError(
            f"{display(source)} is an h5Seurat file; convert it in R: SeuratDisk::Convert(FILE, dest = 'h5ad')"
        )
    if "matrix" in file:
        raise DataError(f"{display(source)} is a 10x file; `scinfill preprocess` reads it")
    raise DataError(f"{display(source)} is an HDF5 file without obs and var: not an AnnData (it holds {sorted(file)})")


def _element(file: h5py.File, slot: str, source: str | Path) -> Any:  # noqa: ANN401 - whatever the slot holds
    """Read one slot, each of its parts by itself where it holds several, so that an error names the part."""
    item = file[slot]
    if slot in MAPPINGS and isinstance(item, h5py.Group):
        return {key: _element(file, f"{slot}/{key}", source) for key in item}
    encoding = item.attrs.get("encoding-type")
    if encoding == AWKWARD and find_spec(AWKWARD.split("-", maxsplit=1)[0]) is None:
        key = "".join(f"[{part!r}]" for part in slot.split("/")[1:])
        raise DataError(
            f"{display(source)}: {slot} is an awkward array; `pip install awkward` and it is kept, or leave it out: "
            f"del adata.{slot.split('/', maxsplit=1)[0]}{key}"
        )
    with name_slot(source, slot):
        if slot in FRAMES:
            return read_frame(item, slot.replace("/", "."))
        if encoding in COMPRESSED:
            return _compressed(item)
        if encoding == "array" and item.ndim and item.dtype.kind in "biuf":
            return read_array(item)
        return _usable(read_elem(item), slot)


def _share_positions(one: Any, others: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Keep the positions of matrices that store the same entries, as logarithms and their counts do, only once."""
    compressed = (sparse.csr_matrix, sparse.csc_matrix)
    for other in others.values():
        if isinstance(one, compressed) and isinstance(other, type(one)) and have_same_positions(one, other):
            other.indices, other.indptr = one.indices, one.indptr


def _usable(found: Any, slot: str) -> Any:  # noqa: ANN401
    """Return what anndata read as verbs use it: files before 0.7 hold records and unchecked positions."""
    if legacy.is_records(found) and slot in (*MAPPINGS, f"{legacy.RAW}varm"):
        return legacy.fields_of(found)
    if sparse.issparse(found) and found.format in ("csr", "csc"):
        return check_positions(found)
    return without_index(found, slot) if isinstance(found, pd.DataFrame) else found


def _compressed(group: h5py.Group) -> sparse.csr_matrix | sparse.csc_matrix:
    """Read a sparse matrix of any number type, also those that SciPy does not know, and check all of it."""
    kinds = [group[part].dtype.kind for part in ("data", "indices", "indptr")]
    if kinds[0] not in "biufc" or not set(kinds[1:]) <= {"i", "u"}:
        types = [group[part].dtype for part in ("data", "indices", "indptr")]
        raise ValueError(f"values are {types[0]}, positions {types[1]} and {types[2]}")
    shape = tuple(int(extent) for extent in group.attrs["shape"])
    # A position too large for the narrower type becomes the largest there is, and is found out below.
    positions = np.int32 if max(*shape, group["data"].size) < np.iinfo(np.int32).max else np.int64
    data, indices, indptr = read_array(group["data"]), read_array(group["indices"], positions), group["indptr"][:]
    return check_positions(COMPRESSED[group.attrs["encoding-type"]]((data, indices, indptr), shape=shape))


def check_positions(matrix: sparse.csr_matrix | sparse.csc_matrix) -> sparse.csr_matrix | sparse.csc_matrix:
    """Return a sparse matrix from anyone after checking that all of its positions are inside it.

    Raises
    ------
    ValueError
        They are not.
    """
    matrix.check_format(full_check=False)
    _check_positions(matrix.indices, matrix.indptr, matrix.shape[1 if matrix.format == "csr" else 0])
    return matrix


def _check_positions(indices: NDArray[np.integer], indptr: NDArray[np.integer], extent: int) -> None:
    """Check what would make SciPy read beyond its arrays, a piece at a time."""
    if (np.diff(indptr) < 0).any():
        raise ValueError("index pointer values must form a non-decreasing sequence")
    for part in scratch.chunks(len(indices)):
        if indices[part].min() < 0 or indices[part].max() >= extent:
            raise ValueError(f"positions must lie between 0 and {extent - 1}")


@contextmanager
def name_slot(source: str | Path, slot: str) -> Iterator[None]:
    """Turn whatever a damaged file makes the libraries raise into one line that names the slot."""
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the content
            raise
        raise DataError(f"{display(source)}: {slot} is not usable: {one_line(error)}{_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    """Return what helps where a slot is whole but of a kind that cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        return "; write its texts again as UTF-8, or leave it out"
    if "No read method" in str(error):
        return f"; anndata {version('anndata')} cannot read it: pip install -U anndata, or leave it out"
    return ""
