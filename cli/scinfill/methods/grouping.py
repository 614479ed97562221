"""Groups of cells from a column of ``obs``."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.methods.validation import list_names, obs_column

log = logging.getLogger(__name__)

FEWEST_CELLS = 3
"""A group of fewer cells is left out: its mean has no spread to speak of."""
SHOWN = 10
"""Groups that a message names."""
MOST_NUMBERS = 100
"""A column of more different numbers is a measurement, not the numbers of clusters."""


@dataclass(frozen=True)
class Groups:
    """Cells by group.

    Attributes
    ----------
    names
        In the order of the categories, or sorted.
    codes
        (n_cells,) positions in ``names``, -1 for a cell without a group.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Cells of each group."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def members(self) -> csr_array:
        """Return 0/1, (n_cells, n_groups)."""
        cells = np.flatnonzero(self.codes >= 0)
        shape = len(self.codes), len(self.names)
        return csr_array((np.ones(len(cells)), (cells, self.codes[cells])), shape=shape)


def read_groups(adata: AnnData, column: str) -> Groups:
    """Return the groups that a column of ``obs`` names; a missing value or an empty text is no group.

    Raises
    ------
    InputError
        There is no such column.
    DataError
        It holds a measurement, or nothing.
    """
    values = obs_column(adata, column)
    _check_labels(adata, column, values)
    categories = values.astype("category").cat.remove_unused_categories()
    empty = [category for category in categories.cat.categories if not str(category).strip()]
    categories = categories.cat.remove_categories(empty)
    if not len(categories.cat.categories):
        raise DataError(f"obs[{column!r}] names no group of any cell; {columns_of_labels(adata, column)}")
    # Clusters read back as 0.0, 1.0, … are numbers of clusters all the same; what reads alike is one group.
    shown = [_shown(category) for category in categories.cat.categories]
    position, names = pd.factorize(np.array(shown, dtype=object))
    codes = categories.cat.codes.to_numpy()
    return Groups(tuple(names), np.where(codes >= 0, position[codes], -1).astype(np.int64))


def _shown(category: object) -> str:
    whole = isinstance(category, float) and category.is_integer()
    return str(int(category)) if whole and isinstance(category, float) else str(category)


def _check_labels(adata: AnnData, column: str, values: pd.Series) -> None:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return
    numbers = pd.unique(values.dropna())
    fractions = bool((np.asarray(numbers, dtype=np.float64) % 1 != 0).any())
    if fractions or len(numbers) > MOST_NUMBERS:
        what = "with fractions" if fractions else "of whole numbers"
        otherwise = "" if fractions else "; if its numbers are names, make them texts: .astype(str)"
        raise DataError(
            f"obs[{column!r}] is a measurement ({len(numbers)} different values {what}), not a label of groups; "
            f"{columns_of_labels(adata, column)}{otherwise}"
        )


def columns_of_labels(adata: AnnData, column: str) -> str:
    """Return the remedy: columns whose values repeat."""
    found = [
        name
        for name, values in adata.obs.items()
        if name != column
        and (not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))
        and 1 < values.nunique() <= len(values) / 2
    ]
    return f"columns that look like labels: {list_names(found)}"


def groups_to_compare(
    adata: AnnData, groups: Groups, column: str, reference: str | None
) -> dict[int, NDArray[np.bool_]]:
    """Return each group that can be compared, with the groups that stand on the other side; name those left out.

    Raises
    ------
    InputError
        ``reference`` is no group, or one of too few cells.
    DataError
        No two sides have cells enough.
    """
    sizes = groups.sizes
    if len(groups.names) < 2:
        raise DataError(
            f"obs[{column!r}] has one group only, {groups.names[0]!r}, and markers tell groups apart; "
            f"{columns_of_labels(adata, column)}"
        )
    if reference is not None and reference not in groups.names:
        raise InputError(f"`reference={reference!r}` is no group of obs[{column!r}]: {', '.join(groups.names)}")
    small = [name for name, size in zip(groups.names, sizes, strict=True) if size < FEWEST_CELLS]
    if reference in small:
        raise InputError(
            f"`reference={reference!r}` has {sizes[groups.names.index(str(reference))]} cells; {FEWEST_CELLS} or more "
            f"are needed: leave out `reference`, or name a larger group"
        )
    sides = {group: _others(groups, group, reference) for group in range(len(sizes))}
    chosen = {
        group: others
        for group, others in sides.items()
        if groups.names[group] not in (*small, reference) and sizes[others].sum() >= FEWEST_CELLS
    }
    if not chosen:
        raise DataError(
            f"obs[{column!r}]: of {len(groups.names)} groups none can be compared; each side needs {FEWEST_CELLS} "
            f"cells; {columns_of_labels(adata, column)}"
        )
    if small:
        more = f" and {len(small) - SHOWN} more" if len(small) > SHOWN else ""
        remain = "; they stay among the cells that others are compared with" if reference is None else ""
        log.warning("left out, with fewer than %d cells: %s%s%s", FEWEST_CELLS, ", ".join(small[:SHOWN]), more, remain)
    unnamed = int((groups.codes < 0).sum())
    if unnamed:
        log.warning("%d cells have no group in obs[%r]: they are in no comparison", unnamed, column)
    return chosen


def _others(groups: Groups, group: int, reference: str | None) -> NDArray[np.bool_]:
    """Return which groups one group is compared with."""
    numbers = np.arange(len(groups.names))
    return numbers != group if reference is None else numbers == groups.names.index(reference)
