"""Counts in any form that ``scinfill preprocess`` takes: files are told apart by their content, never by their name."""

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import h5py
import numpy as np
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.io import folders, h5ad, mex, mudata, tables, tenx, zarr_stores
from scinfill.io.contents import of_table
from scinfill.io.hdf5 import checked_hdf5, is_hdf5
from scinfill.io.mex import Mex
from scinfill.io.rehearsal import check_writable_again
from scinfill.io.streams import STDIO, display, open_source
from scinfill.io.zarr_checks import is_store
from scinfill.numerics import scratch
from scinfill.numerics.feature_kinds import is_of_proteins
from scinfill.schema import PROTEIN

log = logging.getLogger(__name__)

Content = TypeVar("Content")
Name = TypeVar("Name")
GENOME = "genome"
FEATURE_TYPES = "feature_types"


class Choice(NamedTuple):
    """Choice of a table where a source holds several."""

    modality: str | None = None
    genome: str | None = None
    proteins: bool = False


def read_counts(
    source: str | Path, *, modality: str | None = None, genome: str | None = None, proteins: bool = False
) -> AnnData:
    """Read cells × genes from whatever holds counts.

    That is an H5AD file, a MuData file, a zarr store, a 10x ``.h5`` file, a folder or files with a Matrix Market file
    and names (Cell Ranger, STARsolo, kb-python, GEO), or a table of text; plain or gzip where it is text.

    Parameters
    ----------
    source
        File, folder, what the names of several files begin with, or ``-`` for standard input.
    modality
        Part of a MuData file to read; None for the one that holds RNA.
    genome
        Genome to read of a 10x file with several; None where there is one.
    proteins
        Read the modality of a MuData file that is named after proteins too, into ``obsm["protein"]``. Antibodies of
        other formats are features like the genes, and ``preprocess(proteins=True)`` tells them apart.

    Returns
    -------
    Counts as they are in the source; nothing is said of whether they are counts.

    Raises
    ------
    InputError
        There is no such source, it cannot be read, or it holds several tables and none was named.
    DataError
        It is damaged, or nothing that is known.
    ResourceError
        More data than memory.

    Examples
    --------
    >>> import scinfill
    >>> scinfill.simulate(n_cells=20, n_genes=30).write_h5ad("counts.h5ad")
    >>> scinfill.read_counts("counts.h5ad").shape
    (20, 30)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that repeat, which the methods check
        adata = _of_genome(_read(source, Choice(modality, genome, proteins), h5ad.assemble), source, genome)
        check_writable_again(adata, source)
        return adata


def read_several(
    sources: Mapping[Name, str | Path],
    *,
    modality: str | None = None,
    genome: str | None = None,
    proteins: bool = False,
) -> dict[Name, AnnData]:
    """Read several tables, by name, so that all of them fit into memory together; see :func:`read_counts`."""
    with scratch.beside_others(len(sources)):
        return {
            name: read_counts(source, modality=modality, genome=genome, proteins=proteins)
            for name, source in sources.items()
        }


def inventory(
    source: str | Path, *, modality: str | None = None, genome: str | None = None
) -> tuple[dict[str, Any], AnnData | None]:
    """Return what is in a file by name: columns of ``obs``, layers, ...; of an H5AD file some values are read.

    Beside it stands the table where it was read whole, as saved models are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = _read(source, Choice(modality, genome), h5ad.inventory)
    if isinstance(content, dict):
        return content, None
    table = _of_genome(content, source, genome)
    return of_table(table), table


def _read(
    source: str | Path, choice: Choice, read_h5ad: Callable[[h5py.Group, str | Path], Content]
) -> AnnData | Content:
    if str(source) != STDIO:
        found = folders.locate(Path(source), choice.genome)
        if isinstance(found, Mex):
            return _whole(mex.read(found), source, choice)
        if is_store(found):
            return _whole(zarr_stores.read(found), source, choice)
        source = found
    with open_source(source) as handle:
        if not is_hdf5(handle):
            return _whole(tables.read(handle, source), source, choice)
        with checked_hdf5(handle, source) as file:
            if mudata.is_mudata(file):
                content = read_h5ad(mudata.modality_of(file, source, choice.modality), source)
                if choice.proteins and isinstance(content, AnnData):
                    beside = mudata.read_proteins(file, source, content.obs_names)
                    if beside is not None:
                        content.obsm[PROTEIN] = beside
                return content
            return _whole(
                tenx.read_h5(file, source, choice.genome) if tenx.is_tenx(file) else read_h5ad(file, source),
                source,
                choice,
            )


def _whole(content: Content, source: str | Path, choice: Choice) -> Content:
    """Return what has no modalities, unless one was asked for."""
    if choice.modality is not None:
        raise InputError(f"{display(source)} is no MuData file, so it has no modality {choice.modality!r}")
    return content


def _of_genome(adata: AnnData, source: str | Path, genome: str | None) -> AnnData:
    """Return the genes of one genome; several are said."""
    if GENOME not in adata.var:
        if genome is not None:
            raise InputError(f"{display(source)} does not say which genes are of the genome {genome!r}")
        return adata
    of_genes = adata.var[GENOME].astype(str)
    genomes = sorted(set(of_genes) - {""})
    if genome is None:
        if len(genomes) > 1:
            log.warning("genes of %d genomes are read (%s); `genome` takes one", len(genomes), ", ".join(genomes))
        return adata
    if genome not in genomes:
        raise InputError(f"{display(source)} has no genome {genome!r}; name one with `genome`: {', '.join(genomes)}")
    chosen = np.asarray(of_genes == genome)
    if FEATURE_TYPES in adata.var:  # an antibody belongs to no genome, and stays among the features
        chosen |= (of_genes == "") & adata.var[FEATURE_TYPES].astype(str).map(is_of_proteins).astype(bool)
    return adata if chosen.all() else adata[:, chosen].copy()
