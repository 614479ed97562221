"""Batches from a column of ``obs``, and what is said of them before a model gives them offsets."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods import provenance
from scinfill.methods.grouping import read_groups
from scinfill.methods.validation import list_names
from scinfill.numerics.batches import Batches
from scinfill.schema import BATCH_OFFSETS, BATCHES, UNS

log = logging.getLogger(__name__)

FEWEST_CELLS = 20
"""A batch of fewer cells hardly has offsets of its own, which is said."""
CHANCE = 1e-3
"""Probability below which it is no accident that all cells of a label are of one batch."""
MOST_LABELS = 100
"""A column of more different texts holds names, not labels."""
MOST_COLUMNS = 3
"""Columns that are warned of."""
MIN_SHARE = 0.02
"""Of the cells, from which groups of one batch alone are worth a line."""
SHOWN = 5
"""Names that a message lists."""


@dataclass(frozen=True)
class NamedBatches:
    """Batches with the names that a column of ``obs`` gives them, in the order of their codes."""

    column: str
    names: tuple[str, ...]
    batches: Batches


def read_batches(adata: AnnData, column: str) -> NamedBatches | None:
    """Return the batches that a column of ``obs`` names; None, and a warning, where there is but one.

    Raises
    ------
    InputError
        There is no such column.
    DataError
        A cell has no batch, or the column holds a measurement.
    """
    named = read_named(adata, column)
    if len(named.names) == 1:
        log.warning(
            "obs[%r] names one batch only, %r: imputed as without `batch`; name the column that tells samples apart",
            column,
            named.names[0],
        )
        return None
    _warn_of_small(named)
    return named


def read_named(adata: AnnData, column: str) -> NamedBatches:
    """Return the batches that a column of ``obs`` names, be it one; see :func:`read_batches`."""
    groups = read_groups(adata, column)
    unnamed = np.flatnonzero(groups.codes < 0)
    if len(unnamed):
        raise DataError(
            f"obs[{column!r}] names no batch of {len(unnamed):,} cells, the first "
            f"{str(adata.obs_names[unnamed[0]])!r}; give them one, such as 'unknown', or leave these cells out"
        )
    return NamedBatches(column, groups.names, Batches(groups.codes.astype(np.intp), len(groups.names)))


def _warn_of_small(named: NamedBatches) -> None:
    small = [name for name, size in zip(named.names, named.batches.sizes, strict=True) if size < FEWEST_CELLS]
    if small:
        log.warning(
            "obs[%r]: batches of fewer than %d cells hardly have offsets of their own: %s%s",
            named.column,
            FEWEST_CELLS,
            ", ".join(small[:SHOWN]),
            f" and {len(small) - SHOWN} more" if len(small) > SHOWN else "",
        )


def warn_of_confounded_labels(adata: AnnData, named: NamedBatches) -> None:
    """Say which labels of the table are found in one batch alone: nothing tells them and the batch apart."""
    said = 0
    for column, values in adata.obs.items():
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if column == named.column or is_number or not 1 < values.nunique() <= min(MOST_LABELS, len(values) / 2):
            continue
        labels = values.astype("category")
        alone = found_in_one_batch(labels.cat.codes.to_numpy(), named.batches)
        if not alone:
            continue
        said += 1
        if said > MOST_COLUMNS:
            break
        names = [f"{labels.cat.categories[label]!s} ({named.names[batch]})" for label, batch in alone.items()]
        log.warning(
            "obs[%r] has labels that are found in one batch alone: %s%s; if they are cell types, what sets them apart "
            "and what the batch does cannot be told apart, and `batch_effect='remove'` may take out both",
            column,
            ", ".join(names[:SHOWN]),
            f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "",
        )


def warn_of_confounded_groups(named: NamedBatches, groups: NDArray[np.integer] | None) -> None:
    """Say how many cells are in groups of similar cells, found by the model, that one batch alone has."""
    if groups is None:
        return
    alone = found_in_one_batch(groups, named.batches)
    n_cells = dict.fromkeys(alone.values(), 0)
    for group, batch in alone.items():
        n_cells[batch] += int((groups == group).sum())
    if sum(n_cells.values()) < MIN_SHARE * len(groups):
        return
    log.warning(
        "%s of %s cells are in groups of similar cells that one batch alone has (%s): cell types of that batch, or "
        "what offsets of genes do not explain; compare them across batches with care",
        f"{sum(n_cells.values()):,}",
        f"{len(groups):,}",
        ", ".join(f"{named.names[batch]}: {number:,}" for batch, number in sorted(n_cells.items())),
    )


def found_in_one_batch(codes: NDArray[np.integer], batches: Batches) -> dict[int, int]:
    """Return the labels, with their batch, that occur in one batch alone by more than chance; -1 is no label.

    Chance is that all n cells of a label happen to be of a batch with the share f of the cells: fⁿ.
    """
    shares = batches.sizes / max(1, len(codes))
    alone = {}
    for label in np.unique(codes[codes >= 0]):
        members = np.bincount(batches.codes[codes == label], minlength=batches.n_batches)
        batch = int(members.argmax())
        if members[batch] == members.sum() and shares[batch] ** members[batch] < CHANCE:
            alone[int(label)] = batch
    return alone


@dataclass(frozen=True)
class StoredBatches:
    """What an imputation with batches left in a table.

    Attributes
    ----------
    codes
        (n_cells,) the batch of every cell.
    offsets
        (n_batches, n_genes) β.
    removed
        Whether values are those of the average batch.
    """

    codes: NDArray[np.intp]
    offsets: NDArray[np.float32]
    removed: bool


def stored_batches(adata: AnnData) -> StoredBatches | None:
    """Return the batches of the last imputation, None where there were none.

    Raises
    ------
    DataError
        Names, offsets and the column of ``obs`` do not belong together.
    """
    record = provenance.record(adata).get(BATCHES)
    if record is None:
        return None
    offsets = adata.varm.get(BATCH_OFFSETS)
    where = f"uns[{UNS!r}][{BATCHES!r}]"
    if not isinstance(record, Mapping) or not {"column", "names", "effect"} <= record.keys():
        raise DataError(f"{where} is not what an imputer writes, so values cannot be rebuilt; impute again")
    names = pd.Index(np.atleast_1d(record["names"]).astype(str))
    usable = isinstance(offsets, np.ndarray) and offsets.dtype.kind == "f" and offsets.ndim == 2
    if not usable or offsets.shape[1] != len(names) or not names.is_unique:
        raise DataError(
            f"varm[{BATCH_OFFSETS!r}] and the names in {where} do not belong together, so values cannot be rebuilt; "
            f"impute again"
        )
    column = str(record["column"])
    groups = read_groups(adata, column)
    position = np.append(names.get_indexer(list(groups.names)), -1)[groups.codes]
    if (position < 0).any():
        cell = int((position < 0).argmax())
        raise DataError(
            f"obs[{column!r}] of cell {str(adata.obs_names[cell])!r} is no batch that was imputed "
            f"({list_names(names)}), so values cannot be rebuilt; impute again"
        )
    return StoredBatches(position.astype(np.intp), offsets.T.astype(np.float32), record["effect"] == "remove")


def batches_are_removed(adata: AnnData) -> bool:
    """Whether the imputed values of a table are those of the average batch."""
    record = provenance.record(adata).get(BATCHES)
    return isinstance(record, Mapping) and record.get("effect") == "remove"
