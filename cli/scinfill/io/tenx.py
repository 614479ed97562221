"""Counts as 10x Genomics' Cell Ranger leaves them: an ``.h5`` file, or a folder with a Matrix Market file."""

import logging
import warnings
from pathlib import Path

import h5py
import pandas as pd
from anndata import AnnData
from scipy import sparse
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.io import matrix_market
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import LARGEST_LIST, check_length
from scinfill.io.streams import display

log = logging.getLogger(__name__)


def is_tenx(file: h5py.File) -> bool:
    """Whether an open HDF5 file is a 10x count matrix, of Cell Ranger 3 and later or the versions before."""
    return bool(_matrix_groups(file))


def _matrix_groups(file: h5py.File) -> list[h5py.Group]:
    parts = {"barcodes", "data", "indices", "indptr", "shape"}
    return [group for group in file.values() if isinstance(group, h5py.Group) and parts <= group.keys()]


def read_h5(file: h5py.File, source: str | Path) -> AnnData:
    """Read an open 10x ``.h5`` file, cells × genes; the matrix there is the same in compressed columns.

    Raises
    ------
    DataError
        Damaged, or with the matrices of several genomes (before Cell Ranger 3).
    """
    groups = _matrix_groups(file)
    if len(groups) > 1:
        raise DataError(f"{display(source)} holds several genomes: {[group.name for group in groups]}; split it first")
    group = groups[0]
    try:
        features = group.get("features", group)
        n_genes, n_cells = (int(extent) for extent in group["shape"][:])
        matrix = csr_array((group["data"][:], group["indices"][:], group["indptr"][:]), shape=(n_cells, n_genes))
        matrix.check_format(full_check=True)
        columns = {
            "gene_ids": _text(features["id"] if "id" in features else features["genes"]),
            "feature_types": _text(features["feature_type"]) if "feature_type" in features else None,
        }
        symbols = _text(features["name"] if "name" in features else features["gene_names"])
        barcodes = _text(group["barcodes"])
    except (KeyError, ValueError, OSError, TypeError, IndexError) as error:
        raise DataError(f"{display(source)}: {group.name} is not a usable 10x matrix: {one_line(error)}") from error
    return _assemble(matrix, barcodes, symbols, columns, source)


def _text(dataset: h5py.Dataset) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in dataset[:]]


def read_folder(folder: Path) -> AnnData:
    """Read a folder with ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` or ``genes.tsv``, each plain or .gz.

    Raises
    ------
    InputError
        A file is missing.
    DataError
        The files do not fit together or cannot be read.
    ResourceError
        The matrix does not fit into memory.
    """
    path = _one_of(folder, "matrix.mtx")
    features = _table(_one_of(folder, "features.tsv", "genes.tsv"))
    barcodes = _table(_one_of(folder, "barcodes.tsv"))
    n_genes, n_cells, _ = matrix_market.info(path)
    if (n_genes, n_cells) != (len(features), len(barcodes)):
        raise DataError(
            f"{display(path)} is {n_genes} genes x {n_cells} cells, but {len(features)} features "
            f"and {len(barcodes)} barcodes are beside it"
        )
    matrix = sparse.csr_array(matrix_market.read(path).T)
    names = features[1 if features.shape[1] > 1 else 0]
    columns = {
        "gene_ids": features[0].tolist(),
        "feature_types": features[2].tolist() if features.shape[1] > 2 else None,
    }
    return _assemble(matrix, barcodes[0].tolist(), names.tolist(), columns, folder)


def _one_of(folder: Path, *names: str) -> Path:
    """Return the first file that is there, plain or compressed."""
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise InputError(f"{display(folder)} is not a 10x folder: it has no {' or '.join(names)} (nor .gz)")


def _table(path: Path) -> pd.DataFrame:
    with path.open("rb") as handle:
        check_length(handle, LARGEST_LIST, path)
    try:
        return pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{display(path)} is not a usable table: {one_line(error)}") from error


def _assemble(
    matrix: csr_array, barcodes: list[str], symbols: list[str], columns: dict[str, list[str] | None], source: str | Path
) -> AnnData:
    """Build the table of all features; ``var["feature_types"]`` says which are genes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # symbols that repeat are told apart below
        try:
            var = pd.DataFrame({key: value for key, value in columns.items() if value is not None}, index=symbols)
            adata = AnnData(X=matrix, obs=pd.DataFrame(index=barcodes), var=var)
        except ValueError as error:
            raise DataError(f"{display(source)}: matrix, barcodes and features differ: {one_line(error)}") from error
    repeated = int(adata.var_names.duplicated().sum())
    if repeated:
        log.warning("%d gene symbols stand there before; they get -1, -2, ... (ids in var['gene_ids'])", repeated)
        adata.var_names_make_unique()
    return adata
