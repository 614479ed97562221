"""Counts in any form that ``scinfill preprocess`` takes, told apart by their content, never by their name."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import h5py
from anndata import AnnData

from scinfill.io import h5ad, tables, tenx
from scinfill.io.hdf5 import SIGNATURE, checked_hdf5, first_bytes
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
        return _read(source, h5ad.assemble)


def inventory(source: str | Path) -> dict[str, Any]:
    """Return what is in a file by name: the columns of ``obs``, the layers, ...; no matrix of an H5AD file is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = _read(source, h5ad.inventory)
    if isinstance(content, dict):
        return content
    return {"cells": content.n_obs, "genes": content.n_vars, "obs": list(content.obs), "var": list(content.var)}


def _read(source: str | Path, read_h5ad: Callable[[h5py.File, str | Path], Content]) -> AnnData | Content:
    if str(source) != STDIO and Path(source).is_dir():
        return tenx.read_folder(Path(source))
    with opened(source) as handle:
        if first_bytes(handle) != SIGNATURE:
            return tables.read(handle, source)
        with checked_hdf5(handle, source) as file:
            return tenx.read_h5(file, source) if tenx.is_tenx(file) else read_h5ad(file, source)
