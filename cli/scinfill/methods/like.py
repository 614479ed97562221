"""Bring new counts to the genes and the scale of a saved model, by names alone: no cell tells anything of another."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.methods.saved_model import DepthGenes, SavedModel
from scinfill.numerics.sparse import product

log = logging.getLogger(__name__)

SMALL_SHARE = 0.5
"""Of the model's genes, or of the counts by which depth is told: with less a line warns."""
SHOWN = 3
"""Names that a message tells."""


def find_model_genes(var: pd.DataFrame, model: SavedModel, *, said: bool = False) -> NDArray[np.intp]:
    """Return where the model's genes are in a table, (n_model_genes,), -1 for those that are absent.

    Absent and unknown genes are said, and absent ones that stand there in another spelling, unless they were ``said``.

    Raises
    ------
    DataError
        None is there.
    """
    found = var.index.get_indexer(model.genes)
    n_absent, n_unknown = int((found < 0).sum()), len(var) - int((found >= 0).sum())
    if n_absent == len(found):
        raise DataError(
            f"no gene of the model is in the table: the model has {_some(model.genes)}, the table "
            f"{_some(var.index)}; {_naming(var, model.genes)}"
        )
    if said:
        return found
    if n_absent:
        log.log(
            logging.WARNING if n_absent > SMALL_SHARE * len(found) else logging.INFO,
            "%d of the model's %d genes are absent (such as %s): they take no part, and are predicted",
            n_absent,
            len(found),
            _some(model.genes[found < 0]),
        )
        _say_other_spelling(model.genes[found < 0], var.index.difference(model.genes, sort=False))
    if n_unknown:
        log.info(
            "%d genes that the model does not know (such as %s) are left out",
            n_unknown,
            _some(var.index.difference(model.genes, sort=False)),
        )
    return found


def depth_genes_of(names: pd.Index, depth_genes: DepthGenes) -> DepthGenes:
    """Return which of a model's depth genes a table has, with their means; too few are warned of.

    Raises
    ------
    DataError
        Nothing is there.
    """
    present = depth_genes.names.isin(names)
    share = float(depth_genes.mean[present].sum() / depth_genes.mean.sum())
    if share == 0:
        raise DataError(
            "no gene by which the model tells a cell's depth is in the table; name genes as in the training"
        )
    if share < SMALL_SHARE:
        log.warning(
            "the table has genes with %.0f %% of the counts by which the training told a cell's depth: size factors "
            "come from these alone; give the counts of all genes where there are such",
            100 * share,
        )
    return DepthGenes(depth_genes.names[present], depth_genes.mean[present])


def depths(
    counts: csr_array, names: pd.Index, depth_genes: DepthGenes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the total of every cell over its depth genes, and its size factor: that total over the genes' means.

    An empty cell has size factor 1.
    """
    counted = np.zeros(len(names))
    counted[names.get_indexer(depth_genes.names)] = 1
    totals = product(counts, counted)
    return totals, np.where(totals > 0, totals / depth_genes.mean.sum(), 1.0)


def _say_other_spelling(absent: pd.Index, unknown: pd.Index) -> None:
    """Warn of absent genes that stand in the table under a name that differs in case, version, dots or dashes."""
    there = dict(zip(_plain_names(unknown), map(str, unknown), strict=True))
    alike = {
        str(name): there[plain] for name, plain in zip(absent, _plain_names(absent), strict=True) if plain in there
    }
    if alike:
        name, other = next(iter(alike.items()))
        log.warning(
            "%d of the absent genes stand in the table in another spelling, such as %r for %r; if they are the same "
            "genes, write them as in the training",
            len(alike),
            other,
            name,
        )


def _plain_names(names: pd.Index) -> list[str]:
    """Return names in one case, dots as dashes (R writes HLA.A), identifiers of Ensembl without their version."""
    plain = names.astype(str).str.lower().str.replace(r"^(ens[a-z]*\d+)\.\d+$", r"\1", regex=True)
    return [str(name) for name in plain.str.replace(".", "-", regex=False)]


def _some(names: pd.Index) -> str:
    return ", ".join(repr(str(name)) for name in names[:SHOWN])


def _naming(var: pd.DataFrame, genes: pd.Index) -> str:
    """Return what to do where names differ: a column that holds the model's, or other advice."""
    for column in var:
        if var[column].dtype.kind not in "biufc" and var[column].astype(str).isin(genes).any():
            return f"var[{column!r}] has the model's names: adata.var_names = adata.var[{column!r}].astype(str)"
    if var.index.astype(str).str.lower().isin(genes.astype(str).str.lower()).any():
        return "names differ in upper and lower case, as those of mouse and human genes do: is it the same species?"
    without_version = var.index.astype(str).str.replace(r"\.\d+$", "", regex=True)
    if without_version.isin(genes.astype(str).str.replace(r"\.\d+$", "", regex=True)).any():
        return "names differ in the version behind the dot; write them alike"
    return "write names as in the training (symbols or identifiers, of the same species)"
