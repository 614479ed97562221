"""Find the file that holds the counts, where a program leaves several folders and files."""

import logging
from pathlib import Path

from scinfill.errors import InputError
from scinfill.io import mex
from scinfill.io.mex import Mex
from scinfill.io.streams import display
from scinfill.io.zarr_checks import is_store

log = logging.getLogger(__name__)

PLACES = (
    "outs",
    "*filtered_feature_bc_matrix.h5",
    "*filtered_feature_bc_matrix",
    "filtered_gene_bc_matrices_h5.h5",
    "filtered_gene_bc_matrices",
    "count",
    "per_sample_outs",
    "counts_filtered",
    "*Solo.out",
    "Gene",
    "GeneFull",
    "filtered",
    "*raw_feature_bc_matrix.h5",
    "*raw_feature_bc_matrix",
    "raw_gene_bc_matrices_h5.h5",
    "raw_gene_bc_matrices",
    "counts_unfiltered",
    "raw",
    "alevin",
)
"""What Cell Ranger, STARsolo, kb-python and alevin-fry make, cells before droplets, files before folders."""


def locate(path: Path, genome: str | None = None) -> Path | Mex:
    """Return what to read where a path names a folder, one file of several, or what their names begin with.

    A zarr store is a folder too, and is returned as it is.

    Parameters
    ----------
    path
        Whatever a user gave.
    genome
        Chooses among the folders of several genomes (before Cell Ranger 3).

    Raises
    ------
    InputError
        There is nothing to read, or more than one thing.
    """
    try:
        if is_store(path):
            return path
        if path.is_dir():
            return _in_folder(path, genome)
        if path.is_file():
            return mex.of_file(path) or path
        if path.name and path.parent.is_dir() and not path.exists() and mex.begins_a_name(path):
            return mex.in_folder(path.parent, path.name)
    except OSError as error:
        raise InputError(f"{display(path)} cannot be read: {error.strerror}") from error
    return path


def _in_folder(folder: Path, genome: str | None) -> Path | Mex:
    if mex.has_matrices(folder):
        return mex.in_folder(folder)
    for pattern in PLACES:
        found = sorted(folder.glob(pattern))
        if found:
            return _chosen(found, folder, genome)
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and _holds_counts(path)]
    if inner:
        return _chosen(inner, folder, genome)
    return mex.in_folder(folder)  # says what is missing


def _holds_counts(folder: Path) -> bool:
    return mex.has_matrices(folder) or any(True for pattern in PLACES for _ in folder.glob(pattern))


def _chosen(found: list[Path], folder: Path, genome: str | None) -> Path | Mex:
    """Go on with the only place, or that of the genome."""
    of_genome = [path for path in found if path.name == genome]
    if len(found) > 1 and len(of_genome) != 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{display(folder)} holds several: {names}; name one of them, such as {str(found[0])!r}")
    chosen = (of_genome or found)[0]
    if chosen.is_dir() and not mex.has_matrices(chosen):
        return _in_folder(chosen, genome)
    log.info("%s is read", chosen)
    return mex.in_folder(chosen) if chosen.is_dir() else chosen
