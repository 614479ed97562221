"""Counts as 10x Genomics' Cell Ranger leaves them in an ``.h5`` file."""

import logging
import warnings
from pathlib import Path

import h5py
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.io.hdf5 import one_line
from scinfill.io.streams import display

log = logging.getLogger(__name__)

COLUMNS = {"feature_type": "feature_types"}
"""Columns of a 10x file that scanpy calls otherwise; ``genome``, ``interval`` and others keep their names."""


def is_tenx(file: h5py.File) -> bool:
    """Whether an open HDF5 file is a 10x count matrix, of Cell Ranger 3 and later or the versions before."""
    return bool(_matrix_groups(file))


def _matrix_groups(file: h5py.File) -> list[h5py.Group]:
    parts = {"barcodes", "data", "indices", "indptr", "shape"}
    return [group for group in file.values() if isinstance(group, h5py.Group) and parts <= group.keys()]


def read_h5(file: h5py.File, source: str | Path, genome: str | None = None) -> AnnData:
    """Read an open 10x ``.h5`` file, cells × genes; the matrix there is the same in compressed columns.

    Parameters
    ----------
    genome
        Which of several matrices to read: before Cell Ranger 3 every genome has its own.

    Raises
    ------
    InputError
        There are several genomes and none was named, or there is no such genome.
    DataError
        Damaged.
    """
    group = _matrix_of(file, source, genome)
    try:
        features = group.get("features", group)
        n_genes, n_cells = (int(extent) for extent in group["shape"][:])
        matrix = csr_array((group["data"][:], group["indices"][:], group["indptr"][:]), shape=(n_cells, n_genes))
        matrix.check_format(full_check=True)
        columns = {"gene_ids": _text(features["id"] if "id" in features else features["genes"])}
        if features is group:
            columns["genome"] = [group.name.lstrip("/")] * n_genes
        else:
            columns |= {COLUMNS.get(name, name): _text(features[name]) for name in _kept_columns(features, n_genes)}
        symbols = _text(features["name"] if "name" in features else features["gene_names"])
        barcodes = _text(group["barcodes"])
    except (KeyError, ValueError, OSError, TypeError, IndexError) as error:
        raise DataError(
            f"{display(source)}: {group.name} is not a usable 10x matrix: {one_line(error)}; copy the file again"
        ) from error
    return table_of_counts(matrix, barcodes, symbols, columns, source)


def _matrix_of(file: h5py.File, source: str | Path, genome: str | None) -> h5py.Group:
    """Return the only matrix, or that of the genome."""
    groups = {group.name.lstrip("/"): group for group in _matrix_groups(file)}
    if len(groups) == 1:
        return next(iter(groups.values()))
    if genome not in groups:
        what = "holds several genomes" if genome is None else f"has no genome {genome!r}"
        raise InputError(f"{display(source)} {what}; name one with --genome: {', '.join(sorted(groups))}")
    return groups[genome]


def _kept_columns(features: h5py.Group, n_genes: int) -> list[str]:
    """Return the columns that say something of every feature, beside its id and name."""
    return [
        name
        for name, column in features.items()
        if name not in ("id", "name")
        and isinstance(column, h5py.Dataset)
        and column.shape == (n_genes,)
        and column.dtype.kind in "OS"
        and not name.startswith("_")
    ]


def _text(dataset: h5py.Dataset) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in dataset[:]]


def table_of_counts(
    matrix: csr_array, barcodes: list[str], symbols: list[str], columns: dict[str, list[str]], source: str | Path
) -> AnnData:
    """Build the table of all features; ``var["feature_types"]`` says which are genes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # symbols that repeat are told apart below
        try:
            var = pd.DataFrame(columns, index=symbols)
            adata = AnnData(X=matrix, obs=pd.DataFrame(index=barcodes), var=var)
        except ValueError as error:
            raise DataError(
                f"{display(source)}: matrix, barcodes and features differ: {one_line(error)}; copy the file again"
            ) from error
    repeated = int(adata.var_names.duplicated().sum())
    if repeated:
        log.warning("%d gene symbols stand there before; they get -1, -2, ... (ids in var['gene_ids'])", repeated)
        adata.var_names_make_unique()
    return adata
