"""Any imputed value on demand from the factors in a file, so that the dense layer need not be kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.batches import stored_batches
from scinfill.methods.reading import read_observations
from scinfill.methods.validation import list_names
from scinfill.models.batch_effect import BatchedPrediction, BatchEffect
from scinfill.models.estimate.detected import Detected
from scinfill.models.estimate.values import GatedModel, ImputedValues, LocalFactors, Shrunk
from scinfill.models.factorization.alternating import Factors
from scinfill.models.factorization.new_cells import ExactFactors
from scinfill.models.recipe import Prediction
from scinfill.schema import (
    CELL_FACTORS,
    CELL_GROUPS,
    CURVE,
    GENE_FACTORS,
    GROUP_FACTORS,
    IMPUTED,
    MODEL,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    UNS,
)

Positions = NDArray[np.intp] | slice
EVERY = slice(None)
VERB = "impute-deepmc"


def reconstruct(adata: AnnData, *, genes: Sequence[str] = (), cells: Sequence[str] = ()) -> AnnData:
    """Compute ``layers["imputed"]`` for some genes and cells from what ``impute_deepmc`` left in the file.

    Parameters
    ----------
    adata
        Written by ``impute-deepmc``, with or without ``--form factors``; never changed.
    genes, cells
        Names, in the order wanted; none means all.

    Returns
    -------
    A new table of these genes and cells with the values that the dense layer would hold (``--keep none``).

    Raises
    ------
    InputError
        A name that is not there.
    DataError
        The file holds no factors, or damaged ones.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> factors = scinfill.impute_deepmc(table, rank=2, form="factors")
    >>> scinfill.reconstruct(factors, genes=table.var_names[:3]).layers["imputed"].shape
    (50, 3)
    """
    kind = provenance.record(adata).get(MODEL)
    if kind is None or CELL_FACTORS not in adata.obsm or GENE_FACTORS not in adata.varm:
        raise DataError(f"the file holds no factors; run `scinfill {VERB}` on it first")
    chosen_cells = _positions("cell", adata.obs_names, cells) if len(cells) else EVERY
    chosen_genes = _positions("gene", adata.var_names, genes) if len(genes) else EVERY
    part = adata[chosen_cells, chosen_genes].copy()
    part.layers[IMPUTED] = estimate_of(adata, kind, cells=chosen_cells, genes=chosen_genes).block(EVERY)
    provenance.sign(
        part,
        command="reconstruct",
        parameters={"genes": list(genes), "cells": list(cells)},
        seed=None,
        input_sha256=provenance.sha256(adata.obsm[CELL_FACTORS]),
    )
    return part


def estimate_of(adata: AnnData, kind: str, *, cells: Positions = EVERY, genes: Positions = EVERY) -> ImputedValues:
    """Return the estimate of some cells and genes from the pieces that the table holds.

    The counts that a value was moved towards are taken from the whole table, which says more on its scale than a
    few cells do.
    """

    def column(name: str) -> NDArray[np.float32]:
        if name not in adata.var:
            raise DataError(f"var[{name!r}] is missing, so values cannot be rebuilt; impute again")
        try:
            return adata.var[name].to_numpy(np.float32)[genes]
        except (TypeError, ValueError) as error:
            raise DataError(f"var[{name!r}] holds values that are not numbers; impute again") from error

    cell_factors, gene_factors = _factors(adata)
    step = provenance.last_imputation(adata)
    by_saved_model = step is not None and step["parameters"].get("model") is not None
    factors = (ExactFactors if by_saved_model else Factors)(
        column(MODEL_OFFSET), cell_factors[cells], gene_factors[genes]
    )
    if kind == "as-is":
        return factors
    if kind == "detected":
        curve = _curve(adata)
        return Detected(
            [_with_offsets(factors, adata, cells, genes)],
            [1.0],
            curve[:, 0],
            curve[:, 1],
            heldout_error=float("nan"),
            recipes={},
        )
    if kind not in ("poisson", "squared"):
        raise DataError(f"uns[{UNS!r}][{MODEL!r}] is {kind!r}, which no version of {VERB} writes")
    scale = column(MODEL_SCALE) if MODEL_SCALE in adata.var else None
    base, gain = column(MODEL_BASE), column(MODEL_GAIN)
    model = GatedModel(factors, "poisson" if kind == "poisson" else "squared", base, gain, scale)
    if (batches := stored_batches(adata)) is not None:
        effect = BatchEffect(batches.codes[cells], batches.offsets[:, genes], model.loss, removed=batches.removed)
        model = replace(model, batches=effect)
    if (local := _local_factors(adata)) is not None:
        model = replace(model, local=LocalFactors(local.group[cells], local.factor[:, genes]))
    if OBSERVED_WEIGHT not in adata.var:
        return model
    data = read_observations(adata, layer=_imputed_layer(adata), new_cells=True)
    data = data if isinstance(cells, slice) else data.cells(cells)
    data = data if isinstance(genes, slice) else data.genes(genes)
    return Shrunk(model, data, column(OBSERVED_WEIGHT))


def _with_offsets(factors: Factors, adata: AnnData, cells: Positions, genes: Positions) -> Prediction:
    """Return factors with the offsets of batches beside them, where the table holds some."""
    effect = stored_batches(adata)
    if effect is None:
        return factors
    return BatchedPrediction(factors, effect.codes[cells], effect.offsets[:, genes], ridge=float("nan"))


def _factors(adata: AnnData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return Z and Dᵀ after checking that they belong together."""
    pair = adata.obsm[CELL_FACTORS], adata.varm[GENE_FACTORS]
    if not all(isinstance(part, np.ndarray) and part.ndim == 2 and part.dtype.kind == "f" for part in pair):
        raise DataError(f"obsm[{CELL_FACTORS!r}] and varm[{GENE_FACTORS!r}] must be matrices of numbers; impute again")
    if pair[0].shape[1] != pair[1].shape[1]:
        raise DataError(
            f"obsm[{CELL_FACTORS!r}] has {pair[0].shape[1]} factors, varm[{GENE_FACTORS!r}] {pair[1].shape[1]}: "
            f"they are of different fits; impute again"
        )
    return pair


def _local_factors(adata: AnnData) -> LocalFactors | None:
    """Return the groups' factors, after checking that they belong together; None where there was no calibration."""
    group, factor = adata.obsm.get(CELL_GROUPS), adata.varm.get(GROUP_FACTORS)
    if group is None and factor is None:
        return None
    names = f"obsm[{CELL_GROUPS!r}] and varm[{GROUP_FACTORS!r}]"
    if group is None or factor is None:
        raise DataError(f"{names} belong together, and one is missing, so values cannot be rebuilt; impute again")
    for part, kinds in ((group, "iu"), (factor, "f")):
        if not (isinstance(part, np.ndarray) and part.ndim == 2 and part.dtype.kind in kinds and part.size):
            raise DataError(f"{names} must be matrices of whole numbers and of factors; impute again")
    if group.min() < 0 or group.max() >= factor.shape[1]:
        raise DataError(
            f"obsm[{CELL_GROUPS!r}] names groups up to {group.max()}, varm[{GROUP_FACTORS!r}] holds {factor.shape[1]}: "
            f"they are of different fits; impute again"
        )
    return LocalFactors(group, factor.T)


def _curve(adata: AnnData) -> NDArray[np.float32]:
    curve = np.asarray(adata.uns.get(CURVE))
    if curve.ndim != 2 or curve.shape[1] != 2 or curve.dtype.kind != "f":
        raise DataError(f"uns[{CURVE!r}] is missing or no curve, so values cannot be rebuilt; impute again")
    return curve.astype(np.float32)


def _imputed_layer(adata: AnnData) -> str | None:
    """Return the layer that the last imputation read instead of ``X``."""
    step = provenance.last_imputation(adata)
    return step["parameters"].get("layer") if step else None


def _positions(what: str, known: pd.Index, names: Sequence[str]) -> NDArray[np.intp]:
    if not known.is_unique:
        raise DataError(f"{what} names must be unique; {known[known.duplicated()][0]!r} is there more than once")
    found = known.get_indexer(list(names))
    missing = [name for name, position in zip(names, found, strict=True) if position < 0]
    if missing:
        raise InputError(
            f"there is no {what} {list_names(missing[:5])} ({len(missing)} of {len(names)} names are not there)"
        )
    return found
