"""The samples that cells of a joined table come from, and names of cells that tell them apart."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.common_slots import Tables

log = logging.getLogger(__name__)

SEPARATOR = "-"
"""Between the name of a cell and that of its sample."""
METRIC = "sample_in_cell_names"


def samples_of_cells(tables: Tables, batch: str, *, joined_before: bool) -> dict[str, pd.Series]:
    """Return the sample of every cell as categories, by the table.

    Parameters
    ----------
    tables
        By their names, which become those of their samples unless they have the column.
    batch
        Column of ``obs``.
    joined_before
        Whether the tables are pieces of one joined table, so that several may hold cells of one sample.

    Raises
    ------
    InputError
        The column is there, but has gaps or gives cells of two tables one sample.
    """
    found = {name: _own_samples(name, adata, batch) for name, adata in tables.items()}
    seen: dict[str, str] = {}
    for name, samples in found.items():
        for sample in samples.cat.categories:
            other = seen.setdefault(sample, name)
            if other != name and not joined_before:
                raise InputError(
                    f"obs[{batch!r}] calls cells of {other!r} and of {name!r} {sample!r}, so it does not tell the "
                    f"tables apart; name another column as `batch`"
                )
    kept = [name for name, adata in tables.items() if batch in adata.obs]
    if kept:
        log.info("obs[%r] is there already, and stays as it is, in %d of %d tables", batch, len(kept), len(tables))
    return found


def _own_samples(name: str, adata: AnnData, batch: str) -> pd.Series:
    if batch not in adata.obs:
        return pd.Series(name, index=adata.obs_names, dtype=pd.CategoricalDtype([name]))
    column = adata.obs[batch]
    if column.isna().any():
        raise InputError(
            f"obs[{batch!r}] of {name!r} is there already, with {int(column.isna().sum())} values missing; name "
            f"another column as `batch`"
        )
    given = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.unique()
    names = column.astype(str)
    there = set(names)
    order = [sample for sample in dict.fromkeys(map(str, given)) if sample in there]
    return names.astype(pd.CategoricalDtype(order))


def has_sample_in_cell_names(adata: AnnData, batch: str) -> bool:
    """Whether ``join`` put the names of samples behind those of the cells, and no later step took them away."""
    for step in reversed(provenance.steps(adata)):
        if step["command"] == "split" and step["parameters"].get("by") == batch:
            return False
        if step["command"] == "join" and step["parameters"].get("batch") == batch:
            return bool(step["metrics"].get(METRIC))
    return False


def unique_cell_names(tables: Tables, samples: Mapping[str, pd.Series], batch: str) -> tuple[dict[str, pd.Index], bool]:
    """Return the names of the cells by the table, and whether they end in the names of their samples.

    They do where two tables have a cell of one name, or where they did in one of the tables already.

    Raises
    ------
    DataError
        One cell of one sample is in two tables.
    """
    told = {name: has_sample_in_cell_names(adata, batch) for name, adata in tables.items()}
    names = {name: adata.obs_names for name, adata in tables.items()}
    colliding = _repeated(names)
    if not (len(colliding) or any(told.values())):
        return names, False
    unique = {
        name: names[name] if told[name] else names[name] + SEPARATOR + samples[name].astype(str).to_numpy()
        for name in tables
    }
    still = _repeated(unique)
    if len(still):
        holders = [name for name, index in unique.items() if still[0] in index]
        raise DataError(
            f"cell {str(still[0])!r} is in {' and in '.join(map(repr, holders))} ({len(still)} such cells), in one "
            f"sample; leave out what is there twice"
        )
    if len(colliding):
        log.warning(
            "%d names of cells (such as %r) are in several tables: the sample's name stands behind each cell's, such "
            "as %r",
            len(colliding),
            str(colliding[0]),
            str(next(iter(unique.values()))[0]),
        )
    return unique, True


def _repeated(names: Mapping[str, pd.Index]) -> pd.Index:
    together = pd.Index(np.concatenate([index.to_numpy(dtype=object) for index in names.values()]))
    return together[together.duplicated()].unique()
