"""Counts of surface proteins beside a table, from ``obsm`` or from a frame, and what belongs to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.evaluation.protein_genes import find_genes
from scinfill.methods.validation import list_names
from scinfill.numerics.rounding import is_fractional

FEWEST_PROTEINS = 2
"""The centred log ratio compares the proteins of a cell with each other."""
GIVE_COUNTS = "give the counts of the antibodies, neither logged nor centred"


@dataclass(frozen=True, eq=False)
class Proteins:
    """Antibody counts of a table's cells.

    Attributes
    ----------
    names
        Of the proteins.
    counts
        Whole numbers, (n_cells, n_proteins); zero in cells without any.
    cells
        Cells that have counts, as positions in the table.
    genes
        Position of each protein's gene in the table; -1 for none.
    """

    names: tuple[str, ...]
    counts: NDArray[np.number]
    cells: NDArray[np.intp]
    genes: NDArray[np.intp]


def find_counts(tables: Sequence[AnnData], proteins: str | pd.DataFrame) -> pd.DataFrame:
    """Return the counts, cells × proteins, by the names of cells.

    Parameters
    ----------
    tables
        Of the same cells in the same order: what one of them keeps in ``obsm`` belongs to all.
    proteins
        A key of ``obsm``, whose value is a frame or an array (then columns are called 1, 2, …), or a frame.

    Raises
    ------
    InputError
        No table has the key.
    """
    if isinstance(proteins, pd.DataFrame):
        return proteins
    holder = next((table for table in tables if proteins in table.obsm), None)
    if holder is None:
        raise InputError(
            f"there is no obsm[{proteins!r}]; keys present: {list_names(tables[0].obsm)}; "
            f"`preprocess(proteins=True)` keeps the antibodies of a file in obsm['protein']"
        )
    value = holder.obsm[proteins]
    if isinstance(value, pd.DataFrame):
        return value
    array = value.toarray() if sparse.issparse(value) else np.asarray(value)
    if array.ndim != 2:
        raise DataError(f"obsm[{proteins!r}] has {array.ndim} axes; {GIVE_COUNTS}, cells × proteins")
    names = [str(number + 1) for number in range(array.shape[1])]
    return pd.DataFrame(array, index=holder.obs_names, columns=names)


def build(frame: pd.DataFrame, cells: pd.Index, genes: pd.Index, protein_genes: Mapping[str, str]) -> Proteins:
    """Bring counts into the order of the table's cells, and find every protein's gene.

    Proteins without any count are left out, and so are cells.

    Raises
    ------
    DataError
        Not counts, names that repeat, no cell of the table, or a single protein.
    InputError
        Genes that are not there or cannot be told apart; see :func:`find_genes`.
    """
    names = [str(name) for name in frame.columns]
    for what, index in (("protein", pd.Index(names)), ("cell", frame.index)):
        if not index.is_unique:
            raise DataError(f"{what} {str(index[index.duplicated()][0])!r} is there more than once among the proteins")
    values = _counts(frame, names)
    places = frame.index.get_indexer(cells)
    if not (places >= 0).any():
        raise DataError(
            f"none of the {len(cells)} cells has proteins: cells are called {str(cells[0])!r} in the table and "
            f"{str(frame.index[0]) if len(frame) else 'nothing'!r} among the proteins; give them the same names"
        )
    aligned = values if np.array_equal(places, np.arange(len(values))) else _taken(values, places)
    counted = np.flatnonzero(aligned.any(axis=0))
    if counted.size < FEWEST_PROTEINS:
        raise DataError(f"{FEWEST_PROTEINS} proteins with counts are needed to compare them; {counted.size} are there")
    if counted.size < len(names):
        aligned = aligned[:, counted]
    kept = tuple(names[place] for place in counted)
    positions = find_genes(names, list(map(str, genes)), protein_genes)
    return Proteins(
        names=kept,
        counts=aligned,
        cells=np.flatnonzero(aligned.any(axis=1)),
        genes=np.array([positions.get(name, -1) for name in kept], dtype=np.intp),
    )


def _counts(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.number]:
    values = frame.to_numpy()
    if values.dtype.kind == "O":  # columns of several types, or of types that can be missing
        try:
            values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise DataError(f"the proteins hold values that are not numbers; {GIVE_COUNTS}") from error
    if values.dtype.kind not in "biuf":
        raise DataError(f"the proteins hold {values.dtype} values, not numbers; {GIVE_COUNTS}")
    if values.dtype.kind == "f":
        wrong = ~np.isfinite(values) | (values < 0) | is_fractional(values)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DataError(
                f"protein {names[column]!r} holds {values[row, column]:.6g} in cell {str(frame.index[row])!r}, "
                f"which is no count; {GIVE_COUNTS}"
            )
    elif values.dtype.kind == "i" and values.size and values.min() < 0:
        raise DataError(f"the proteins hold negative values; {GIVE_COUNTS}")
    return values


def _taken(values: NDArray[np.number], places: NDArray[np.intp]) -> NDArray[np.number]:
    """Return rows by place, zeros where there is none."""
    taken = values[np.maximum(places, 0)]
    taken[places < 0] = 0
    return taken
