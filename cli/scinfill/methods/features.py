"""Several kinds of features in one table: only the genes' expression is worked on."""

import logging
from collections import Counter

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods.slots import of_genes
from scinfill.numerics.feature_kinds import is_expression, is_of_genes, is_of_proteins, is_other

log = logging.getLogger(__name__)

KIND_COLUMNS = ("feature_types", "feature_type", "feature.type", "modality")
"""Columns of ``var`` that say what a feature is, as Cell Ranger, R and MuData write them; the first that tells genes
from others counts."""
LOOSE_COLUMNS = ("Type", "type")
"""Columns that may say so, and may say other things: they count only where every word in them is known."""
MOST_SAID = 6
"""Kinds that a message names."""


def expression_only(adata: AnnData, *, proteins: bool = False) -> AnnData:
    """Return the table of the features that are genes' expression, the same object where all are.

    A column of ``var`` named in :data:`KIND_COLUMNS` says what each feature is. Where some are gene expression,
    all others go; where none is called so, those that are surely something else (peaks, antibodies, guides, ...) go.
    What was left out is said in one line, and so are several kinds of which none is known.

    Parameters
    ----------
    adata
        Cells × features; never changed.
    proteins
        Antibodies are kept elsewhere: they are not said to be left out.

    Raises
    ------
    DataError
        No feature is gene expression.
    """
    column = _telling_column(adata.var)
    if column is None:
        _say_unknown_kinds(adata.var)
        return adata
    kinds = adata.var[column].astype(str).to_numpy()
    genes = _is_expression(kinds)
    if not genes.any():
        raise DataError(
            f"no feature is Gene Expression: var[{column!r}] holds {_counted(kinds)}; "
            "give the matrix of the genes' counts"
        )
    left_out = ~genes & ~mark_antibodies(adata.var) if proteins else ~genes
    if left_out.any():
        log.warning(
            "%d features that are not Gene Expression are left out (var[%r]: %s)",
            int(left_out.sum()),
            column,
            _counted(kinds[left_out]),
        )
    return of_genes(adata, np.flatnonzero(genes))


def mark_antibodies(var: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark the features that are antibodies against proteins, (n_features,); none where no column says so."""
    column = _telling_column(var)
    if column is None:
        return np.zeros(len(var), dtype=bool)
    kinds = var[column].astype(str).to_numpy()
    return ~_is_expression(kinds) & np.array([is_of_proteins(kind) for kind in kinds], dtype=bool)


def describe_kinds(var: pd.DataFrame) -> str | None:
    """Return the kinds of features with their numbers, in words; None where no column says them."""
    column = next(iter(_kind_columns(var)), None)
    return None if column is None else f"var[{column!r}] holds {_counted(var[column].astype(str).to_numpy())}"


def check_expression_only(adata: AnnData) -> None:
    """Refuse several kinds of features where none can be left out, as in a table whose shape must stay.

    Raises
    ------
    DataError
        With the line of Python that leaves the others out.
    """
    column = _telling_column(adata.var)
    if column is None:
        _say_unknown_kinds(adata.var)
        return
    kinds = adata.var[column].astype(str).to_numpy()
    kept = sorted(set(kinds[_is_expression(kinds)]))
    remedy = (
        f"keep the genes: adata[:, adata.var[{column!r}].isin({kept})].copy()" if kept else "none is gene expression"
    )
    raise DataError(f"var[{column!r}] holds several kinds of features ({_counted(kinds)}); {remedy}")


def _telling_column(var: pd.DataFrame) -> str | None:
    """Return the first column by which some features are no genes."""
    for column in _kind_columns(var):
        kinds = var[column].astype(str).to_numpy()
        known = column in KIND_COLUMNS or all(map(_is_known, set(kinds)))
        if known and not _is_expression(kinds).all():
            return column
    return None


def _say_unknown_kinds(var: pd.DataFrame) -> None:
    """Say which features may be no genes, where no column tells: they are all worked on."""
    for column in _kind_columns(var):
        kinds = var[column].astype(str).to_numpy()
        names = set(kinds)
        if len(names) > 1 and not all(map(_is_known, names)):
            log.warning(
                "all features are taken for genes: var[%r] holds several kinds that are not known (%s); "
                "leave out what is no gene, or call the genes 'Gene Expression' there",
                column,
                _counted(kinds),
            )
            return


def _kind_columns(var: pd.DataFrame) -> list[str]:
    """Return the columns that may say what features are: words, not numbers."""
    return [
        column for column in (*KIND_COLUMNS, *LOOSE_COLUMNS) if column in var and var[column].dtype.kind not in "biufc"
    ]


def _is_known(name: str) -> bool:
    return is_expression(name) or is_other(name) or is_of_genes(name)


def _is_expression(kinds: NDArray[np.str_]) -> NDArray[np.bool_]:
    names, of_name = np.unique(kinds, return_inverse=True)
    known = np.array([is_expression(str(name)) for name in names], dtype=bool)
    if not known.any():
        known = np.array([not is_other(str(name)) for name in names], dtype=bool)
    return known[of_name]


def _counted(kinds: NDArray[np.str_]) -> str:
    counts = Counter(kinds.tolist()).most_common()
    more = f", and {len(counts) - MOST_SAID} more" if len(counts) > MOST_SAID else ""
    return ", ".join(f"{n} {kind}" for kind, n in counts[:MOST_SAID]) + more
