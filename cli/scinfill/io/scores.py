"""Results of ``evaluate`` as JSON, and what a report is made of beside them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from scinfill.errors import DataError, InputError
from scinfill.io import anndata_files, h5ad
from scinfill.io.hdf5 import checked_hdf5, is_hdf5, one_line
from scinfill.io.streams import STDIO, complete, display, open_source, write_text
from scinfill.io.zarr_checks import is_store

FLAT_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def write(document: dict[str, Any], target: str | Path) -> None:
    """Write results as JSON that people can read too: indented, lists of numbers on one line."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(FLAT_LIST.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n", target)


def read(source: str | Path) -> dict[str, Any] | AnnData:
    """Read results, or a table to report on; what they must hold is the reader's concern.

    Which it is, the content tells: HDF5 by its first bytes, a zarr store by its folder; results are JSON.

    Raises
    ------
    InputError
        There is no such file.
    DataError
        It is neither a JSON object nor a table.
    """
    if str(source) != STDIO and is_store(Path(source)):
        return anndata_files.read(source, to_write=False)
    with open_source(source) as handle:
        if is_hdf5(handle):
            with checked_hdf5(handle, source) as file:
                return h5ad.assemble(file, source)
        try:
            document = json.loads(handle.read())
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{display(source)} is not JSON, as `scinfill evaluate` writes it, nor H5AD: {one_line(error)}"
            ) from error
    if not isinstance(document, dict):
        raise DataError(f"{display(source)} holds a JSON {type(document).__name__}, not an object")
    return document


def read_costs(source: str | Path) -> pd.DataFrame:
    """Read a comma or tab separated table of times and memory.

    Raises
    ------
    InputError
        There is no such file.
    DataError
        It is not a table.
    """
    with open_source(source) as handle:
        separator = "\t" if b"\t" in handle.readline() else ","
        handle.seek(0)
        try:
            return pd.read_csv(handle, sep=separator)
        except ValueError as error:
            raise DataError(f"{display(source)} is not a table: {one_line(error)}") from error


def write_folder(files: Mapping[str, bytes], folder: str | Path) -> None:
    """Write files into a folder, which is made if it is not there; each is whole or not there.

    Raises
    ------
    InputError
        The folder cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{display(folder)} cannot be made a folder: {error.strerror}") from error
    for name, content in files.items():
        with complete(Path(folder) / name) as handle:
            handle.write(content)
