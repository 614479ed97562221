"""MuData files (``.h5mu``): an AnnData for every modality, of which one holds RNA."""

import logging
from pathlib import Path

import h5py

from scinfill.errors import InputError
from scinfill.io.streams import display

log = logging.getLogger(__name__)

MODALITIES = "mod"
RNA = ("rna", "gex", "mrna", "scrna", "gene expression", "gene_expression", "transcriptome", "transcriptomics")
"""What people call the modality of RNA, in any case."""


def is_mudata(file: h5py.File) -> bool:
    """Whether an open HDF5 file holds modalities."""
    return isinstance(file.get(MODALITIES), h5py.Group)


def names(file: h5py.File) -> list[str]:
    """Return the names of the modalities."""
    return sorted(file[MODALITIES])


def modality_of(file: h5py.File, source: str | Path, name: str | None) -> h5py.Group:
    """Return one modality, an AnnData by itself; by default the one that holds RNA, and say which.

    Raises
    ------
    InputError
        There is none of that name, or none or several that are named after RNA.
    """
    there_are = names(file)
    if name is None:
        fitting = [other for other in there_are if other.lower() in RNA]
        fitting = fitting or (there_are if len(there_are) == 1 else [])
        if len(fitting) != 1:
            raise InputError(
                f"{display(source)} holds several modalities and does not say which is RNA; "
                f"name it with --modality: {', '.join(there_are)}"
            )
        name = fitting[0]
        if len(there_are) > 1:
            log.info("%s is read, of the modalities %s; --modality names another", name, ", ".join(there_are))
    elif name not in there_are:
        raise InputError(
            f"{display(source)} has no modality {name!r}; name one with --modality: {', '.join(there_are)}"
        )
    return file[MODALITIES][name]
