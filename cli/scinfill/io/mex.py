"""Counts as a Matrix Market file with the names of its rows and columns in files beside it.

That is how Cell Ranger, STARsolo, kb-python, alevin-fry and GEO leave them, each with names of its own.
"""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.io import matrix_market
from scinfill.io.hdf5 import one_line
from scinfill.io.packed import LARGEST_LIST, check_length, unpack
from scinfill.io.streams import display
from scinfill.io.tenx import table_of_counts

log = logging.getLogger(__name__)

BANNER = b"%%MatrixMarket"
MATRIX = re.compile(r"(?P<stem>.*)\.mtx", re.IGNORECASE)
BARCODES = re.compile(
    r"(?:(?:(?P<stem>.*)[^a-z0-9])?(?:barcodes?|cells?|rows)|barcodes?[_.-](?P<sample>.+))\.(?:tsv|txt)", re.IGNORECASE
)
FEATURES = re.compile(
    r"(?:(?:(?P<stem>.*)[^a-z0-9])?(?:features?|genes?|cols)|(?:features?|genes?)[_.-](?P<sample>.+))\.(?:tsv|txt)",
    re.IGNORECASE,
)
"""The sample stands before the kind of names, or behind it: GSM1_barcodes.tsv or barcodes_GSM1.tsv."""
KIND_IN_FRONT = re.compile(r"(?:matrix|counts)[_.-](?=.)", re.IGNORECASE)
LISTS = (".tsv", ".txt", ".csv")
MOST_LISTED = 6
SYMBOLS = re.compile(r"(?P<stem>.*)\.genes\.names\.txt", re.IGNORECASE)
CLASSES = re.compile(r"(?P<stem>.*)\.ec\.txt", re.IGNORECASE)
SPLICED_AND_NOT = ("-U", "-A")
"""What alevin-fry appends to genes whose unspliced and ambiguous molecules it counts apart."""


class Mex(NamedTuple):
    """The files of one matrix; ``symbols`` are names beside the ids of kb-python."""

    matrix: Path
    barcodes: Path
    features: Path
    symbols: Path | None


def has_matrices(folder: Path) -> bool:
    """Whether any Matrix Market file stands in a folder."""
    return bool(_matrices(_files(folder)))


def begins_a_name(path: Path) -> bool:
    """Whether a path is what the name of some matrix begins with."""
    return any(_begins_with(other, path.name) for other in _matrices(_files(path.parent)))


def is_matrix_market(head: bytes) -> bool:
    """Whether text begins as Matrix Market files do."""
    return head.lower().startswith(BANNER.lower())


def in_folder(folder: Path, prefix: str = "") -> Mex:
    """Find the one matrix in a folder, or the one whose name begins with ``prefix``.

    Where the prefix is a whole word of some names (GSM1 of GSM1_matrix.mtx), names that go on (GSM10) do not count.

    Raises
    ------
    InputError
        There are several, or one of the files is missing.
    """
    files = _files(folder)
    found = [path for path in _matrices(files) if _begins_with(path, prefix)]
    whole = [path for path in found if prefix and re.match(r"[^A-Za-z0-9]", _after(path, prefix) or "")]
    found = whole or found
    complete = [mex for path in found if (mex := _around(path, files)) is not None]
    if not complete:
        raise InputError(_what_is_missing(found, files, folder))
    return _the_one(complete, folder)


def of_file(path: Path) -> Mex | None:
    """Find the matrix that a file belongs to: it may be the matrix itself, or hold names of rows or columns.

    Raises
    ------
    InputError
        It is a matrix without the files beside it.
    """
    files = _files(path.parent)
    if _is_matrix(path):
        mex = _around(path, files)
        if mex is None:
            raise InputError(_what_is_missing([path], files, path.parent))
        return mex
    if not any(_parts(pattern, path) for pattern in (BARCODES, FEATURES, SYMBOLS)):
        return None
    around = [mex for other in _matrices(files) if (mex := _around(other, files)) is not None]
    owners = [mex for mex in around if path in mex]
    return _the_one(owners, path.parent) if owners else None


def read(mex: Mex) -> AnnData:
    """Read the counts of the files, cells × genes; which way round the matrix stands is told from their lengths.

    Raises
    ------
    DataError
        The files do not fit together or cannot be read.
    ResourceError
        The matrix does not fit into memory.
    """
    if _parts(CLASSES, mex.features):
        raise DataError(
            f"{display(mex.matrix)} counts equivalence classes of transcripts, not genes; "
            f"count genes, which kb-python leaves in cells_x_genes.mtx"
        )
    features, barcodes = _table(mex.features), _table(mex.barcodes)
    n_rows, n_columns, _ = matrix_market.info(mex.matrix)
    genes_in_rows = (n_rows, n_columns) == (len(features), len(barcodes))
    cells_in_rows = (n_rows, n_columns) == (len(barcodes), len(features))
    if not (genes_in_rows or cells_in_rows):
        raise DataError(
            f"{display(mex.matrix)} is {n_rows} x {n_columns}, but {len(features)} features "
            f"({mex.features.name}) and {len(barcodes)} barcodes ({mex.barcodes.name}) are beside it; "
            f"they belong to different matrices, or have a header line: delete it"
        )
    matrix = matrix_market.read(mex.matrix)
    if genes_in_rows and not (cells_in_rows and _of_cells_by_genes(mex.matrix)):
        matrix = matrix.T
    names = features[1 if features.shape[1] > 1 else 0]
    if mex.symbols is not None:
        names = _symbols(mex.symbols, features[0])
    _check_molecules_are_together(features[0], mex.matrix)
    return table_of_counts(
        sparse.csr_array(matrix), barcodes[0].tolist(), names.tolist(), _columns(features, mex.matrix), mex.matrix
    )


def _columns(features: pd.DataFrame, matrix: Path) -> dict[str, list[str]]:
    """Return what features.tsv says beside names: the kind, and where on the genome (Cell Ranger ARC)."""
    columns = {"gene_ids": features[0].tolist()}
    if features.shape[1] > 2:
        columns["feature_types"] = features[2].tolist()
    if features.shape[1] > 5:
        places = zip(features[3], features[4], features[5], strict=True)
        columns["interval"] = [f"{name}:{start}-{end}" if name else "" for name, start, end in places]
    if matrix.parent.parent.name.endswith("_gene_bc_matrices"):  # before Cell Ranger 3: one folder a genome
        columns["genome"] = [matrix.parent.name] * len(features)
    return columns


def _symbols(path: Path, ids: pd.Series) -> pd.Series:
    """Return the symbol of every gene, and the id where its line is empty."""
    with path.open("rb") as handle:
        check_length(handle, LARGEST_LIST, path)
        symbols = pd.Series(unpack(handle).read().decode(errors="replace").splitlines(), dtype=str).str.strip()
    if len(symbols) != len(ids):
        raise DataError(f"{display(path)} has {len(symbols)} names for {len(ids)} genes; delete it to use their ids")
    return symbols.where(symbols != "", ids)


def _check_molecules_are_together(ids: pd.Series, path: Path) -> None:
    n_genes, left = divmod(len(ids), 3)
    if left == 0 and n_genes and ids[n_genes] == ids[0] + SPLICED_AND_NOT[0] and ids.iloc[-1].endswith("-A"):
        raise DataError(
            f"{display(path)} counts spliced, unspliced and ambiguous molecules apart (alevin-fry); add them up and "
            f"write H5AD: pyroe.load_fry(folder, output_format='scRNA').write_h5ad('counts.h5ad')"
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _matrices(files: list[Path]) -> list[Path]:
    """Return the matrices among files, the plain one where it stands beside a compressed copy."""
    found = [path for path in files if _parts(MATRIX, path)]
    return [path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found]


def _parts(pattern: re.Pattern[str], path: Path) -> re.Match[str] | None:
    """Match the name of a file, plain or compressed."""
    return pattern.fullmatch(path.name.removesuffix(".gz"))


def _is_matrix(path: Path) -> bool:
    """Whether a file is a matrix: by its start, since its name may be anything."""
    try:
        with path.open("rb") as handle:
            return is_matrix_market(unpack(handle).read(len(BANNER)))
    except (OSError, EOFError):
        return False


def _around(matrix: Path, files: Iterable[Path]) -> Mex | None:
    """Return a matrix with the files that belong to it, where they are there."""
    barcodes = _beside(matrix, files, BARCODES)
    features = _beside(matrix, files, FEATURES) or _beside(matrix, files, CLASSES)
    if barcodes is None or features is None:
        return None
    return Mex(matrix, barcodes, features, _beside(matrix, files, SYMBOLS))


def _beside(matrix: Path, files: Iterable[Path], pattern: re.Pattern[str]) -> Path | None:
    """Return the file of one kind whose stem the matrix' name goes on from; the longest wins, plain before packed."""
    name = matrix.name
    fitting = []
    for path in files:
        parts = (found := _parts(pattern, path)) and found.groupdict()
        stem = ((parts and parts["stem"]) or "").rstrip("_.-")
        sample = parts and parts.get("sample")
        if sample:
            if sample == KIND_IN_FRONT.sub("", _stem(matrix), count=1):
                fitting.append((-len(sample), len(path.name), path))
        elif parts and name.startswith(stem) and not (stem and name[len(stem) : len(stem) + 1].isalnum()):
            fitting.append((-len(stem), len(path.name), path))
    return min(fitting)[2] if fitting else None


def _begins_with(matrix: Path, prefix: str) -> bool:
    return _after(matrix, prefix) is not None


def _after(matrix: Path, prefix: str) -> str | None:
    """Return what follows a prefix in the name of a matrix, or in what stands behind its kind; None without it."""
    for name in (matrix.name, KIND_IN_FRONT.sub("", matrix.name, count=1)):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return None


def _of_cells_by_genes(matrix: Path) -> bool:
    """Whether a program that writes cells in rows gave the name: of a square matrix nothing else tells."""
    return matrix.name.startswith(("cells_x_", "quants_mat"))


def _the_one(found: list[Mex], folder: Path) -> Mex:
    """Return the only matrix, or the plain one of several that share their names (STARsolo's, kb-python's)."""
    if len(found) == 1:
        return found[0]
    plain = [mex for mex in found if _stem(mex.matrix).lower() in ("matrix", "cells_x_genes")]
    plain = plain or [mex for mex in found if _stem(mex.matrix).lower().endswith("matrix")]
    if len(plain) == 1 and all(mex.barcodes == plain[0].barcodes for mex in found):
        others = ", ".join(mex.matrix.name for mex in found if mex != plain[0])
        log.warning("%s is read; beside it are %s: name the file to read it instead", plain[0].matrix.name, others)
        return plain[0]
    names = ", ".join(mex.matrix.name for mex in found)
    raise InputError(f"{display(folder)} holds several matrices: {names}; name one of these files")


def _stem(matrix: Path) -> str:
    parts = _parts(MATRIX, matrix)
    return matrix.name if parts is None else parts["stem"]


def _what_is_missing(matrices: list[Path], files: Iterable[Path], folder: Path) -> str:
    """Return the words for a folder that is not complete."""
    if not matrices:
        return f"{display(folder)} is not a 10x folder: it has no matrix.mtx (nor .gz); {WHAT_IS_READ}"
    matrix = matrices[0]
    kind = "barcodes.tsv" if _beside(matrix, files, BARCODES) is None else "features.tsv"
    lacks = kind if kind == "barcodes.tsv" else "features.tsv or genes.tsv"
    prefix = _stem(matrix).removesuffix("matrix")
    beside = f", each named {prefix!r} as the matrix is or without that" if prefix else ""
    candidates = _lists_of_none(files)
    more = ", ..." if len(candidates) > MOST_LISTED else ""
    there = f"; there is {', '.join(candidates[:MOST_LISTED])}{more}: rename the one" if candidates else ""
    rename = f" that holds them to {prefix}{kind} (.gz if packed)" if candidates else ""
    return (
        f"{display(folder)} is not complete: it has no {lacks} (nor .gz) for {matrix.name}; "
        f"the names of cells and genes must stand beside the matrix{beside}{there}{rename}"
    )


def _lists_of_none(files: Iterable[Path]) -> list[str]:
    """Return the names of the files of text that belong to no matrix among them."""
    files = list(files)
    kinds = (BARCODES, FEATURES, SYMBOLS, CLASSES)
    taken = {_beside(matrix, files, kind) for matrix in _matrices(files) for kind in kinds}
    return [path.name for path in files if path not in taken and path.name.removesuffix(".gz").endswith(LISTS)]


WHAT_IS_READ = "`scinfill preprocess --help` lists what is read"


def _table(path: Path) -> pd.DataFrame:
    with path.open("rb") as handle:
        check_length(handle, LARGEST_LIST, path)
        try:
            return pd.read_csv(unpack(handle), sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"{display(path)} is not a usable table: {one_line(error)}; copy it again") from error
