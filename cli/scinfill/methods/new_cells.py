"""Impute new cells by a saved model: genes matched by name, nothing trained, every cell by itself."""

import logging

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance, saved_model
from scinfill.methods.batches import NamedBatches, read_named
from scinfill.methods.earlier import say_replaced
from scinfill.methods.imputer import Imputation, assemble, impute, require_memory, store_batches
from scinfill.methods.knowledge import BADLY_KNOWN, MANY
from scinfill.methods.like import find_model_genes
from scinfill.methods.measured import drop_unmeasured
from scinfill.methods.preprocess import preprocess
from scinfill.methods.reading import read_observations
from scinfill.methods.saved_model import SavedModel
from scinfill.methods.settings import MethodSettings
from scinfill.methods.slots import append_genes, of_genes
from scinfill.models.estimate.learning import Learned
from scinfill.models.estimate.model_fit import depth_of
from scinfill.models.estimate.new_cells import NewCells, impute_new_cells
from scinfill.models.observations import Observations
from scinfill.models.requirements import BLOCKS, DOUBLE, SINGLE
from scinfill.numerics.batches import Batches
from scinfill.numerics.blocks import RowBlocks
from scinfill.numerics.parallel import blocks_in_parallel
from scinfill.numerics.sparse import canonical
from scinfill.schema import COUNTS, IMPUTED_SD, MEASURED, MODEL_FIT, SIZE_FACTOR

log = logging.getLogger(__name__)

ROUNDING = 1e-6
"""By which a logarithm of a depth may differ between a training and a reading."""
NEW_CELLS = "new cells"
"""What ``varm["measured"]`` calls the sample whose genes it tells."""


def impute_cells(adata: AnnData, settings: MethodSettings, *, with_model: bool = False) -> Imputation:
    """Train on the cells, or apply the model that the settings name."""
    if settings.model is None:
        return impute(adata, settings, with_model=with_model)
    return apply_model(adata, settings)


def apply_model(adata: AnnData, settings: MethodSettings) -> Imputation:
    """Impute new cells by the model that the settings name.

    Parameters
    ----------
    adata
        Counts, or what ``preprocess(like=model)`` made of them; never changed.
    settings
        With a saved model.

    Raises
    ------
    InputError
        The model is of another method, or does not have what is asked of it.
    DataError
        It is no model, or no gene of it is in the table.
    """
    model = saved_model.read_model(_given(settings), command=settings.command)
    removed = "remove" in (settings.batch_effect, model.batch_effect)
    _check_model_has(model, settings, removed=removed)
    if settings.device == "gpu":
        log.warning("`device='gpu'` has no effect beside `model`: nothing is trained, and cells are read by the CPU")
    prepared, layer = _on_scale_of(adata, model, settings)
    table, measured = at_model_genes(prepared, model, said=prepared is not adata)
    data = _observations(table) if prepared is not adata else read_observations(table, layer=layer, new_cells=True)
    named = _batches(table, model, settings.batch)
    n_factors = model.trained.fixed.n_factors
    numbers = data.shape[0] * (3 * n_factors + 20) * SINGLE
    pairs = data.shape[1] * n_factors * (n_factors + 3) // 2 * (SINGLE + DOUBLE)
    require_memory(numbers + pairs + BLOCKS, data, settings.command)
    say_replaced(adata)
    with blocks_in_parallel():
        codes = None if named is None else np.minimum(named.batches.codes, len(model.batch_names))
        new = impute_new_cells(model.trained, data, measured, codes, removed=removed)
    learned = Learned(
        new.estimate,
        model.gate,
        None if model.trained.observed_weight is None else np.where(measured, model.trained.observed_weight, 0),
        details=_details(new, measured),
        batch_offsets=None if named is None else _offsets(model, named),
    )
    imputation = assemble(table, data, learned, model.estimate, settings)
    imputation.adata.obs[MODEL_FIT] = new.fit
    if named is not None:
        store_batches(imputation.adata, named, learned, "remove" if removed else "keep")
    if settings.uncertainty and new.spread is not None:
        imputation.layers[IMPUTED_SD] = RowBlocks(data.shape, new.spread.block)
    _say_fit(new.fit, data)
    _say_depth(depth_of(data), model.trained.fit_scale.depths)
    return imputation


def _given(settings: MethodSettings) -> AnnData:
    if settings.model is None:
        raise ValueError("a model is needed here")
    return settings.model


def _check_model_has(model: SavedModel, settings: MethodSettings, *, removed: bool) -> None:
    """Refuse what the model cannot give."""
    if settings.uncertainty and model.estimate != "shrunk":
        raise InputError(
            f"`uncertainty` is defined for `estimate='shrunk'`; the model was trained for {model.estimate}"
        )
    if model.batch is None and (settings.batch is not None or settings.batch_effect == "remove"):
        asked = "batch" if settings.batch is not None else "batch_effect"
        raise InputError(f"the model was trained without batches; leave out `{asked}`, or train it with `batch`")
    if removed and (settings.keep != "none" or settings.openproblems):
        asked = "openproblems" if settings.openproblems else "keep"
        raise InputError(f"the model gives values of the average batch, not as they were seen; leave out `{asked}`")


def _on_scale_of(adata: AnnData, model: SavedModel, settings: MethodSettings) -> tuple[AnnData, str | None]:
    """Return the table on the scale of the model, and the layer that holds its log2 values."""
    if model.depth_genes is None:  # trained on log2 values alone: there is no other scale
        return adata, settings.layer
    scales = provenance.scales_of(provenance.steps(adata))
    if not scales:
        return preprocess(adata, like=_given(settings), layer=settings.layer, seed=settings.seed), None
    if scales == {model.identity}:
        return adata, settings.layer
    how = "on its own" if None in scales else "like another model"
    raise DataError(
        f"the table was preprocessed {how}: its genes and size factors are not the model's; give its counts, or "
        f"what `preprocess(like='MODEL')` makes of them"
    )


def _observations(table: AnnData) -> Observations:
    """Return what is seen of a table that was preprocessed a moment ago: nothing in it can disagree."""
    values, counts = (canonical(matrix, np.float32) for matrix in (table.X, table.layers[COUNTS]))
    return Observations(values, counts, table.obs[SIZE_FACTOR].to_numpy(np.float64))


def at_model_genes(adata: AnnData, model: SavedModel, *, said: bool = False) -> tuple[AnnData, NDArray[np.bool_]]:
    """Return a table of the model's genes in its order, and which of them were measured, (n_genes,).

    In the others' columns stand zeros, which ``varm["measured"]`` says are no data. Where the table itself says so of
    a gene, as after an earlier imputation by a model, the gene is absent. ``said`` keeps silent of absent genes.
    """
    adata = drop_unmeasured(adata)
    found = find_model_genes(adata.var, model, said=said)
    measured = found >= 0
    if measured.all():
        same = len(found) == adata.n_vars and bool((found == np.arange(len(found))).all())
        return adata if same else of_genes(adata, found), measured
    known = of_genes(adata, found[measured])
    wider = append_genes(known, pd.DataFrame(index=model.genes[~measured]))
    order = np.empty(len(found), np.intp)
    order[np.flatnonzero(measured)] = np.arange(measured.sum())
    order[np.flatnonzero(~measured)] = measured.sum() + np.arange((~measured).sum())
    table = of_genes(wider, order)
    table.varm[MEASURED] = pd.DataFrame({NEW_CELLS: measured}, index=table.var_names)
    return table, measured


def _batches(table: AnnData, model: SavedModel, column: str | None) -> NamedBatches | None:
    """Return the cells' batches, those of the model first; None where cells are as of the average batch."""
    if model.batch is None:
        return None
    if column is None and model.batch not in table.obs:
        log.warning(
            "obs has no column %r, which named the batches of the training: every cell is taken as of the average "
            "batch; `batch` names another column",
            model.batch,
        )
        return None
    named = read_named(table, column or model.batch)
    unknown = tuple(name for name in named.names if name not in model.batch_names)
    if unknown:
        log.warning(
            "obs[%r]: the model knows no batch %s: these cells are taken as of the average batch",
            named.column,
            ", ".join(map(repr, unknown)),
        )
    names = pd.Index([*model.batch_names, *unknown])
    codes = names.get_indexer(list(named.names))[named.batches.codes].astype(np.intp)
    return NamedBatches(named.column, tuple(names), Batches(codes, len(names)))


def _offsets(model: SavedModel, named: NamedBatches) -> NDArray[np.float32] | None:
    """Return the offsets of all named batches, zeros for those that the model does not know."""
    offsets = model.trained.offsets
    return None if offsets is None else offsets[np.minimum(np.arange(len(named.names)), len(offsets) - 1)]


def _details(new: NewCells, measured: NDArray[np.bool_]) -> dict[str, float]:
    known = new.fit[np.isfinite(new.fit)]
    return {
        provenance.GENES_ABSENT: int((~measured).sum()),
        "cells_badly_known": int((known < BADLY_KNOWN).sum()),
        "median_model_fit": float(np.median(known)) if len(known) else 0.0,
    }


def _say_fit(fit: NDArray[np.float64], data: Observations) -> None:
    """Say how many cells the model does not know, of how many it cannot tell, and how many have no counts."""
    n_cells, n_bad, n_told = len(fit), int((fit < BADLY_KNOWN).sum()), int(np.isfinite(fit).sum())
    n_empty = int((np.diff(data.log_values.indptr) == 0).sum())
    if n_told:
        log.log(
            logging.WARNING if n_bad > MANY * n_told else logging.INFO,
            "%s of %s cells are known to the model worse than nearly all of its training cells (obs[%r] below %g)%s",
            f"{n_bad:,}",
            f"{n_told:,}",
            MODEL_FIT,
            BADLY_KNOWN,
            ": of types that it never saw it says nothing" if n_bad else "",
        )
    elif n_empty < n_cells:
        log.warning(
            "too few of the genes that tell whether the model knows a cell are in the table: obs[%r] is missing",
            MODEL_FIT,
        )
    if n_empty:
        log.warning(
            "%s of %s cells have no counts of the model's genes: they are predicted by its average",
            f"{n_empty:,}",
            f"{n_cells:,}",
        )


def _say_depth(depth: NDArray[np.float64], known: tuple[float, float]) -> None:
    """Warn of cells with fewer or more counts than any training cell, whose fit is that of the nearest depth."""
    for word, beyond in (("shallower", depth < known[0] - ROUNDING), ("deeper", depth > known[1] + ROUNDING)):
        n_beyond = int((beyond & np.isfinite(depth)).sum())
        if n_beyond > MANY * len(depth):
            log.warning(
                "%s of %s cells are %s than every training cell (size factors to %.3g, of the training %.3g to %.3g): "
                "are these counts of the same kind?",
                f"{n_beyond:,}",
                f"{len(depth):,}",
                word,
                np.exp(depth[beyond & np.isfinite(depth)].min() if word == "shallower" else depth.max()),
                *np.exp(known),
            )
