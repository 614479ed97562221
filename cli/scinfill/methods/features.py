"""Several kinds of features in one table: only the genes' expression is worked on."""

import logging
import re
from collections import Counter

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError
from scinfill.methods.slots import of_genes

log = logging.getLogger(__name__)

KIND_COLUMNS = ("feature_types", "feature_type", "modality")
"""Columns of ``var`` that say what a feature is, as Cell Ranger, R and MuData write them; the first one counts."""
EXPRESSION = re.compile(r"geneexpression|gex|(?:m|sc|sn)?rna(?:seq)?")
"""What the expression of genes is called, in small letters and without signs between them."""
OTHER = re.compile(
    r"peaks|peak|atac|scatac|atacseq|chromatinaccessibility|antibodycapture|antigencapture|"
    r"antibody|antibodies|adt|hto|hashtag|prot|protein|proteins|cite|citeseq|surfaceprotein|"
    r"crisprguidecapture|crispr|guide|guides|sgrna|grna|multiplexingcapture|custom|vdj|vdjt|"
    r"vdjb|motif|motifs|methylation"
)
"""What features that are no genes are called. Other words, such as ``protein_coding``, are kinds of genes."""


def expression_only(adata: AnnData) -> AnnData:
    """Return the table of the features that are genes' expression, the same object where all are.

    A column of ``var`` named in :data:`KIND_COLUMNS` says what each feature is. Where some are gene expression,
    all others go; where none is called so, those that are surely something else (peaks, antibodies, guides, ...) go.
    What was left out is said in one line.

    Parameters
    ----------
    adata
        Cells × features; never changed.

    Raises
    ------
    DataError
        No feature is gene expression.
    """
    column = _kind_column(adata.var)
    if column is None:
        return adata
    kinds = adata.var[column].astype(str).to_numpy()
    genes = _is_expression(kinds)
    if not len(genes) or genes.all():
        return adata
    if not genes.any():
        raise DataError(
            f"no feature is Gene Expression: var[{column!r}] holds {_counted(kinds)}; "
            "give the matrix of the genes' counts"
        )
    log.warning(
        "%d features that are not Gene Expression are left out (var[%r]: %s)",
        int((~genes).sum()),
        column,
        _counted(kinds[~genes]),
    )
    return of_genes(adata, np.flatnonzero(genes))


def check_expression_only(adata: AnnData) -> None:
    """Refuse several kinds of features where none can be left out, as in a table whose shape must stay.

    Raises
    ------
    DataError
        With the line of Python that leaves the others out.
    """
    column = _kind_column(adata.var)
    if column is None:
        return
    kinds = adata.var[column].astype(str).to_numpy()
    genes = _is_expression(kinds)
    if not genes.all():
        kept = sorted(set(kinds[genes]))
        remedy = (
            f"keep the genes: adata[:, adata.var[{column!r}].isin({kept})].copy()"
            if kept
            else "none is gene expression"
        )
        raise DataError(f"var[{column!r}] holds several kinds of features ({_counted(kinds)}); {remedy}")


def _kind_column(var: pd.DataFrame) -> str | None:
    return next((column for column in KIND_COLUMNS if column in var), None)


def _is_expression(kinds: NDArray[np.str_]) -> NDArray[np.bool_]:
    names, of_name = np.unique(kinds, return_inverse=True)
    plain = [re.sub(r"[^a-z0-9]", "", str(name).lower()) for name in names]
    known = np.array([EXPRESSION.fullmatch(name) is not None for name in plain], dtype=bool)
    if not known.any():
        known = np.array([OTHER.fullmatch(name) is None for name in plain], dtype=bool)
    return known[of_name]


def _counted(kinds: NDArray[np.str_]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in Counter(kinds.tolist()).most_common())
