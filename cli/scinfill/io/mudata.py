"""MuData files (``.h5mu``): an AnnData for every modality, of which one holds RNA."""

import logging
import re
from pathlib import Path

import h5py

from scinfill.errors import InputError
from scinfill.io.streams import display
from scinfill.numerics.feature_kinds import is_expression, is_other

log = logging.getLogger(__name__)

MODALITIES = "mod"


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
        There is none of that name, none or several are named after RNA, or the only one is named after something else.
    """
    there_are = names(file)
    if name is None:
        fitting = [other for other in there_are if is_expression(other)]
        if not fitting and len(there_are) == 1:
            return file[MODALITIES][_the_only(there_are[0], source)]
        if len(fitting) != 1:
            raise InputError(
                f"{display(source)} holds several modalities and does not say which is RNA; "
                f"name it with `modality`: {', '.join(there_are)}"
            )
        name = fitting[0]
        if len(there_are) > 1:
            log.info("%s is read, of the modalities %s; `modality` names another", name, ", ".join(there_are))
    elif name not in there_are:
        raise InputError(
            f"{display(source)} has no modality {name!r}; name one with `modality`: {', '.join(there_are)}"
        )
    return file[MODALITIES][name]


def _the_only(name: str, source: str | Path) -> str:
    """Return the name of the only modality, which is not named after RNA, unless it is named after something else."""
    if is_other(name) or any(map(is_other, re.split(r"[^A-Za-z0-9]+", name))):
        raise InputError(
            f"{display(source)} holds no modality of RNA but {name!r} alone; give the file of the genes' counts, "
            f"or read it as if it were genes: `modality={name!r}`"
        )
    log.warning("%s is read as the counts of genes: the only modality, whose name does not say what it is", name)
    return name
