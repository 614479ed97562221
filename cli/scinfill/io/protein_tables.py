"""Counts of surface proteins as a table of text beside a file of cells."""

import logging
from pathlib import Path

import pandas as pd

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io import tables
from scinfill.io.hdf5 import is_hdf5
from scinfill.io.streams import display, open_source

log = logging.getLogger(__name__)

BYTES_PER_VALUE = 8


def read(source: str | Path, cells: pd.Index) -> pd.DataFrame:
    """Read counts, cells × proteins; which way round the table stands is told from the names of cells.

    Parameters
    ----------
    source
        Text with names in its first row and column, plain or gzip.
    cells
        Names of the cells that proteins are wanted of.

    Returns
    -------
    All cells of the table that has any of them.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    DataError
        It is no table of numbers, or names none of the cells.
    """
    with open_source(source) as handle:
        if is_hdf5(handle):
            raise DataError(
                f"{display(source)} is an HDF5 file; the antibodies of a 10x, H5AD or MuData file go into the file by "
                "`preprocess(proteins=True)`, then `proteins='protein'` reads them"
            )
        table = tables.read(handle, source)
    if not table.obs_names.isin(cells).any():
        if not table.var_names.isin(cells).any():
            raise DataError(
                f"{display(source)} names none of the {len(cells)} cells: it has {str(table.obs_names[0])!r} and "
                f"{str(table.var_names[0])!r}, the file {str(cells[0])!r}; give cells the same names in both"
            )
        log.info("%s has cells in columns: turned round", display(source))
        table = table.T
    memory.require(table.n_obs * table.n_vars * BYTES_PER_VALUE, f"the proteins of {display(source)}")
    return pd.DataFrame(table.X.toarray(), index=table.obs_names, columns=table.var_names)
