"""Counts in any form that ``scinfill preprocess`` takes, told apart by their content, never by their name."""

import warnings
from pathlib import Path

from anndata import AnnData

from scinfill.io import h5ad, tables, tenx
from scinfill.io.hdf5 import SIGNATURE, checked_hdf5, first_bytes
from scinfill.io.streams import STDIO, opened


def read_counts(source: str | Path, *, transpose: bool = False) -> AnnData:
    """Read cells × genes from H5AD, 10x ``.h5``, a 10x folder, or a comma or tab separated table.

    Parameters
    ----------
    source
        File, folder or ``-`` for standard input.
    transpose
        The file has genes in rows.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that repeat, which the methods check
        adata = _read(source)
        return adata.T.copy() if transpose else adata


def _read(source: str | Path) -> AnnData:
    if str(source) != STDIO and Path(source).is_dir():
        return tenx.read_folder(Path(source))
    with opened(source) as handle:
        if first_bytes(handle) != SIGNATURE:
            return tables.read(handle, source)
        with checked_hdf5(handle, source) as file:
            return tenx.read_h5(file, source) if tenx.is_tenx(file) else h5ad.assemble(file, source)
