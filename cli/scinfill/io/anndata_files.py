"""AnnData in either form that programs share: H5AD files and streams, and zarr stores."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from anndata import AnnData

from scinfill.errors import InputError
from scinfill.io import h5ad, zarr_stores
from scinfill.io.rehearsal import check_writable_again
from scinfill.io.streams import STDIO, new_folder
from scinfill.io.zarr_checks import is_store
from scinfill.numerics.blocks import RowBlocks

UNUSABLE = re.compile(r"[/\x00-\x1f]|^\.+")
"""What no name of a file can hold, or would hide it."""


def read(source: str | Path, *, to_write: bool = True) -> AnnData:
    """Read an AnnData from an H5AD file, a zarr store, or ``-`` (H5AD from standard input); see both modules.

    Parameters
    ----------
    source
        File or folder; which it is, its content tells.
    to_write
        Whether what is read will be written again, so that it is checked now whether it can be.
    """
    if str(source) == STDIO or not is_store(Path(source)):
        return h5ad.read(source, to_write=to_write)
    adata = zarr_stores.read(source)
    if to_write:
        check_writable_again(adata, source)
    return adata


def write_each(tables: Iterable[tuple[str, AnnData]], target: str | Path) -> None:
    """Write tables into a new folder, each as an H5AD file of its name; the folder appears when all are written.

    A character that no file name can hold becomes ``_``.

    Raises
    ------
    InputError
        The folder is there already, or two tables would go into one file.
    """
    with new_folder(target) as folder:
        for name, adata in tables:
            path = folder / f"{UNUSABLE.sub('_', name)}.h5ad"
            if path.exists():
                raise InputError(f"{name!r} and another name both become the file {path.name!r}; rename one of them")
            h5ad.write(adata, path)


def write_packed(adata: AnnData, target: str | Path) -> None:
    """Write a small table so that it takes little room: H5AD with packed arrays, or a zarr store."""
    if zarr_stores.is_target(target):
        zarr_stores.write(adata, target)
    else:
        h5ad.write(adata, target, packed=True)


def write(adata: AnnData, target: str | Path, *, row_blocks: Mapping[str, RowBlocks] | None = None) -> None:
    """Write an AnnData, whole or not at all: as a zarr store where the name ends in ``.zarr``, else as H5AD."""
    place = zarr_stores if zarr_stores.is_target(target) else h5ad
    place.write(adata, target, row_blocks=row_blocks)
