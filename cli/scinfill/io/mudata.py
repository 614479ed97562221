"""MuData files (``.h5mu``): an AnnData for every modality, of which one holds RNA."""

import logging
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from scinfill import memory
from scinfill.errors import DataError, InputError
from scinfill.io import h5ad
from scinfill.io.streams import display
from scinfill.numerics.feature_kinds import is_expression, is_of_proteins, is_other
from scinfill.numerics.survey import survey

log = logging.getLogger(__name__)

MODALITIES = "mod"
BYTES_PER_COUNT = 8


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


def read_proteins(file: h5py.File, source: str | Path, cells: pd.Index) -> pd.DataFrame | None:
    """Return the counts of the modality that is named after proteins, cells × proteins; None where none is.

    Counts are in its ``X``, else in the first layer that holds some.

    Raises
    ------
    InputError
        Several modalities are named after proteins.
    DataError
        It holds no counts, or not of all cells.
    """
    found = [name for name in names(file) if is_of_proteins(name)]
    if not found:
        return None
    if len(found) > 1:
        raise InputError(
            f"{display(source)} holds several modalities of proteins ({', '.join(found)}); "
            f"leave one: del mdata.mod[{found[1]!r}]"
        )
    [name] = found
    adata = h5ad.assemble(file[MODALITIES][name], source)
    where = f"{display(source)}: the modality {name!r}"
    matrix = next((one for one in (adata.X, *adata.layers.values()) if one is not None and _holds_counts(one)), None)
    if matrix is None:
        raise DataError(f"{where} holds no counts; put the counts of the antibodies into its X or a layer")
    if not adata.obs_names.is_unique:
        raise DataError(f"{where} names cells more than once; tell them apart: .obs_names_make_unique()")
    places = adata.obs_names.get_indexer(cells)
    if (places < 0).any():
        raise DataError(
            f"{where} lacks {int((places < 0).sum())} of the {len(cells)} cells, such as "
            f"{str(cells[places < 0][0])!r}; leave the cells that both have: muon.pp.intersect_obs(mdata)"
        )
    memory.require(BYTES_PER_COUNT * len(cells) * adata.n_vars, f"the counts of {adata.n_vars} antibodies")
    chosen = matrix[places]
    values = np.asarray(chosen.toarray() if sparse.issparse(chosen) else chosen)
    log.info("%d antibodies of the modality %s are read too", adata.n_vars, name)
    return pd.DataFrame(values, index=cells, columns=adata.var_names)


def _holds_counts(matrix: np.ndarray | sparse.spmatrix) -> bool:
    return survey(matrix.data if sparse.issparse(matrix) else matrix).counts


def _the_only(name: str, source: str | Path) -> str:
    """Return the name of the only modality, which is not named after RNA, unless it is named after something else."""
    if is_other(name) or any(map(is_other, re.split(r"[^A-Za-z0-9]+", name))):
        raise InputError(
            f"{display(source)} holds no modality of RNA but {name!r} alone; give the file of the genes' counts, "
            f"or read it as if it were genes: `modality={name!r}`"
        )
    log.warning("%s is read as the counts of genes: the only modality, whose name does not say what it is", name)
    return name
