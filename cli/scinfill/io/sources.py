"""Counts in any form that ``scinfill preprocess`` takes, told apart by their content, never by their name."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import h5py
from anndata import AnnData

from scinfill.io import h5ad, tables, tenx
from scinfill.io.contents import of_table
from scinfill.io.hdf5 import SIGNATURE, checked_hdf5, first_bytes
from scinfill.io.rehearsal import check_writable_again
from scinfill.io.streams import STDIO, opened

Content = TypeVar("Content")


def read_counts(source: str | Path) -> AnnData:
    """Read cells × genes from H5AD, 10x ``.h5``, a 10x folder, or a comma or tab separated table.

    Parameters
    ----------
    source
        File, folder or ``-`` for standard input.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that repeat, which the methods check
        adata = _read(source, h5ad.assemble)
        check_writable_again(adata, source)
        return adata


def inventory(source: str | Path) -> dict[str, Any]:
    """Return what is in a file by name: columns of ``obs``, layers, ...; of an H5AD file some values are read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = _read(source, h5ad.inventory)
    if isinstance(content, dict):
        return content
    return of_table(content)


def _read(source: str | Path, read_h5ad: Callable[[h5py.File, str | Path], Content]) -> AnnData | Content:
    if str(source) != STDIO and Path(source).is_dir():
        return tenx.read_folder(Path(source))
    with opened(source) as handle:
        if first_bytes(handle) != SIGNATURE:
            return tables.read(handle, source)
        with checked_hdf5(handle, source) as file:
            return tenx.read_h5(file, source) if tenx.is_tenx(file) else read_h5ad(file, source)
