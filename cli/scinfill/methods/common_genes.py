"""Which genes a joined table has, and which sample measured them."""

import logging
from collections.abc import Mapping

import pandas as pd
from anndata import AnnData

from scinfill.errors import DataError
from scinfill.methods.common_slots import Tables
from scinfill.methods.measured import get_measured
from scinfill.schema import MEASURED, JoinedGenes

log = logging.getLogger(__name__)

FEW = 0.5
"""Less than this share of a table's genes in common is warned of."""


def choose_genes(tables: Tables, which: JoinedGenes) -> pd.Index:
    """Return the genes of the joined table: those of the first, in its order, then others in theirs.

    Raises
    ------
    DataError
        No gene is in all tables.
    """
    measured = {name: _everywhere(adata) if which == "common" else adata.var_names for name, adata in tables.items()}
    (first_name, first), *others = measured.items()
    if which == "all":
        for _, names in others:
            first = first.append(names.difference(first, sort=False))
        return first
    for name, names in measured.items():
        if not len(names):
            raise DataError(f"no gene of {name!r} was measured in all of its samples; `genes='all'` keeps them")
    kept = first
    for _, names in others:
        kept = kept[kept.isin(names)]
    if not len(kept):
        other_name = next((name for name, names in others if not first.isin(names).any()), others[-1][0])
        raise DataError(
            f"no gene is in all {len(tables)} tables: those of {first_name!r} are called such as "
            f"{str(first[0])!r}, those of {other_name!r} such as {str(measured[other_name][0])!r}"
            f"{_renaming(first_name, tables[first_name], other_name, tables[other_name])}"
        )
    for name, names in measured.items():
        if len(kept) < len(names):
            say = log.warning if len(kept) < FEW * len(names) else log.info
            say("%d of %d genes of %r are in all tables", len(kept), len(names), name)
    return kept


def _everywhere(adata: AnnData) -> pd.Index:
    measured = get_measured(adata)
    return adata.var_names if measured is None else adata.var_names[measured.to_numpy().all(axis=1)]


def _renaming(one: str, first: AnnData, other: str, second: AnnData) -> str:
    """Return how genes of two tables get the same names, where a column of one has the names of the other."""
    for name, adata, names in ((one, first, second.var_names), (other, second, first.var_names)):
        for column in adata.var:
            if adata.var[column].astype(str).isin(names).any():
                return f"; var[{column!r}] of {name!r} has the other's: adata.var_names = adata.var[{column!r}]"
    return "; give all genes names of one kind"


def find_measured(tables: Tables, of_cells: Mapping[str, pd.Series], genes: pd.Index) -> pd.DataFrame:
    """Return which sample measured which gene, (n_genes, n_samples)."""
    columns: dict[str, pd.Series] = {}
    for name, adata in tables.items():
        own = get_measured(adata)
        there = pd.Series(genes.isin(adata.var_names), index=genes)
        for sample in of_cells[name].cat.categories:
            known = there
            if own is not None:  # of a sample that it does not name it says what holds for all of its cells
                of_sample = own[sample] if sample in own else own.all(axis=1)
                known = there & of_sample.reindex(genes, fill_value=False)
            columns[sample] = columns.get(sample, known) | known
    return pd.DataFrame(columns, index=genes)


def say_not_measured(measured: pd.DataFrame) -> None:
    """Say how many genes have zeros that are no data."""
    log.warning(
        "%d of %d genes were not measured in every sample: their zeros there are no data, as varm[%r] says; "
        "`scinfill preprocess` leaves these genes out",
        int((~measured.to_numpy().all(axis=1)).sum()),
        len(measured),
        MEASURED,
    )
