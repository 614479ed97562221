"""What several tables say of their cells, of their genes and of themselves, as far as it can stand in one table."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.methods.features import KIND_COLUMNS
from scinfill.schema import MEASURED, UNS

log = logging.getLogger(__name__)

Tables = Mapping[str, AnnData]
COLORS = "_colors"
"""Behind the name of a column, where scanpy keeps a colour for each of its categories."""
MOST_SAID = 5
"""Names that a message tells."""


def list_some(names: Sequence[object]) -> str:
    """Return some names as a message tells them."""
    more = f" and {len(names) - MOST_SAID} more" if len(names) > MOST_SAID else ""
    return ", ".join(map(repr, names[:MOST_SAID])) + more


# --- cells ----------------------------------------------------------------------------------------------------------


def merge_cells(tables: Tables, frames: Mapping[str, pd.DataFrame], names: Mapping[str, pd.Index]) -> AnnData:
    """Return ``obs``, ``obsm`` and ``uns`` of all cells, in the order of the tables, without any gene.

    Parameters
    ----------
    tables, frames, names
        The tables, their ``obs`` and the names of the cells to be, by the table.

    Returns
    -------
    All columns of ``obs`` stay, with missing values where a table has none; one that holds numbers here and words there
    holds words. Of ``obsm`` stays what all tables have in one width, of ``uns`` what is the same in all. What does not
    stay is said.
    """
    order = list(dict.fromkeys(column for frame in frames.values() for column in frame))
    frames = _with_one_type(frames)
    parts = _common_parts(tables)
    light = [
        AnnData(
            obs=frames[name].set_axis(names[name]),
            obsm={key: _set_names(adata.obsm[key], names[name]) for key in parts},
            uns=deepcopy({key: value for key, value in adata.uns.items() if key != UNS}),
        )
        for name, adata in tables.items()
    ]
    together = anndata.concat(light, join="outer", uns_merge="same")
    together.obs = together.obs[order].apply(_to_writable)
    _order_categories(together, list(frames.values()))
    return together


def _order_categories(together: AnnData, frames: Sequence[pd.DataFrame]) -> None:
    """Put categories in the order in which the tables name them; colours that are not of all of them go."""
    for name in together.obs.select_dtypes("category"):
        orders = [
            list(frame[name].cat.categories)
            for frame in frames
            if name in frame and isinstance(frame[name].dtype, pd.CategoricalDtype)
        ]
        order = list(dict.fromkeys(category for found in orders for category in found))
        column = together.obs[name]
        if not column.cat.ordered and set(order) == set(column.cat.categories):
            together.obs[name] = column.cat.reorder_categories(order)
        if any(found != list(together.obs[name].cat.categories) for found in orders):
            together.uns.pop(f"{name}{COLORS}", None)


def _to_writable(column: pd.Series) -> pd.Series:
    """Return words of which some are missing as categories, the form in which files hold them."""
    return column.astype("category") if column.dtype.kind == "O" and column.isna().any() else column


def _with_one_type(frames: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the frames where every column is of one kind, numbers, yes or no, or words; what had to change is said."""
    kinds: dict[str, dict[str, str]] = {}
    for name, frame in frames.items():
        for column in frame:
            kinds.setdefault(column, {})[name] = _kind(frame[column])
    several = {column: found for column, found in kinds.items() if len(set(found.values()) - {"nothing"}) > 1}
    for column, found in several.items():
        said = ", ".join(f"{kind} in {name!r}" for name, kind in list(found.items())[:MOST_SAID])
        log.warning("obs[%r] holds %s: kept as text", column, said)
    partly = [column for column, found in kinds.items() if len(found) < len(frames)]
    if partly:
        log.info("columns of obs that some tables lack are kept, with missing values there: %s", list_some(partly))
    made = {}
    for name, frame in frames.items():
        # Nothing but gaps has a type of its own, which would be mixed with that of values.
        gaps = [
            column
            for column in frame
            if kinds[column][name] == "nothing" and set(kinds[column].values()) != {"nothing"}
        ]
        made[name] = frame.drop(columns=gaps)
        for column in several:
            if column in made[name]:
                made[name][column] = _text(frame[column])
    return made


def _kind(column: pd.Series) -> str:
    """Return of what kind values are, as a user calls it."""
    if column.isna().all():
        return "nothing"
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    if pd.api.types.is_bool_dtype(values.dtype):
        return "yes or no"
    return "numbers" if pd.api.types.is_numeric_dtype(values.dtype) else "text"


def _text(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.isna(), column.astype(str)).where(column.notna(), None)


def _common_parts(tables: Tables) -> list[str]:
    """Return the keys of ``obsm`` that all tables have in one form; the others are said."""
    keys = list(dict.fromkeys(key for adata in tables.values() for key in adata.obsm))
    forms = {key: {_form(adata.obsm[key]) for adata in tables.values() if key in adata.obsm} for key in keys}
    kept = [key for key in keys if all(key in adata.obsm for adata in tables.values()) and len(forms[key]) == 1]
    say_left_out("obsm", [key for key in keys if key not in kept], "not in all tables, or not of one width")
    return kept


def _form(part: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever a slot may hold
    if isinstance(part, pd.DataFrame):
        return ("frame", *map(str, part.columns))
    return (type(part).__module__.partition(".")[0], *getattr(part, "shape", (0,))[1:])


def _set_names(part: Any, names: pd.Index) -> Any:  # noqa: ANN401 - whatever a slot may hold
    return part.set_axis(names) if isinstance(part, pd.DataFrame) else part


def say_left_out(slot: str, keys: Sequence[str], why: str) -> None:
    """Say what of a slot does not stand in the joined table."""
    if keys:
        log.warning("%s of %s left out: %s", list_some(keys), slot, why)


# --- genes ----------------------------------------------------------------------------------------------------------


def merge_genes(tables: Tables, genes: pd.Index) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return ``var`` and ``varm`` of some genes: what all tables say of their genes, and say alike.

    A column that says what kind a feature is stays where only some tables have it, too. What does not stay is said.
    """
    columns = list(dict.fromkeys(column for adata in tables.values() for column in adata.var))
    var = pd.DataFrame(index=genes)
    contradicted = []
    for column in columns:
        found = {name: adata.var[column] for name, adata in tables.items() if column in adata.var}
        if len(found) < len(tables) and column not in KIND_COLUMNS:
            contradicted.append(column)
            continue
        merged = _merge([(tables[name].var_names, values) for name, values in found.items()], genes)
        if merged is None:
            contradicted.append(column)
        else:
            var[column] = merged
    say_left_out("var", contradicted, "not in all tables, or not the same for a gene")
    keys = list(dict.fromkeys(key for adata in tables.values() for key in adata.varm if key != MEASURED))
    varm: dict[str, Any] = {}
    for key in keys:
        if all(key in adata.varm for adata in tables.values()):
            parts = [(adata.var_names, adata.varm[key]) for adata in tables.values()]
            if (merged := _merge(parts, genes)) is not None:
                varm[key] = merged
    say_left_out("varm", [key for key in keys if key not in varm], "not in all tables, or not the same for a gene")
    return var, varm


def _merge(parts: Sequence[tuple[pd.Index, Any]], genes: pd.Index) -> Any:  # noqa: ANN401 - column, frame or array
    """Return what is said of each gene by the first table that has it; None where another says something else.

    Parameters
    ----------
    parts
        The genes of a table, and what it says of them, row by row.
    """
    values = [part for _, part in parts]
    if not all(isinstance(part, pd.Series | pd.DataFrame | np.ndarray) for part in values):
        return None
    if len({_form(part) for part in values}) > 1:
        return None
    together: Any = (
        np.concatenate(values) if isinstance(values[0], np.ndarray) else pd.concat(values, ignore_index=True)
    )
    n_before, first, places = 0, np.full(len(genes), -1), []
    for names, part in parts:
        found = names.get_indexer(genes)
        places.append(np.where(found < 0, -1, found + n_before))
        first = np.where(first < 0, places[-1], first)
        n_before += len(part)
    for place in places:
        if not _equal(_rows(together, place[place >= 0]), _rows(together, first[place >= 0])):
            return None
    said = _rows(together, first)
    if isinstance(said, np.ndarray):
        return said
    return said.where(first >= 0).set_axis(genes) if (first < 0).any() else said.set_axis(genes)


def _rows(values: Any, rows: NDArray[np.intp]) -> Any:  # noqa: ANN401 - column, frame or array
    return values[rows] if isinstance(values, np.ndarray) else values.iloc[rows].reset_index(drop=True)


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - column, frame or array
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one.equals(other))
