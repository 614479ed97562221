"""What an earlier imputation left in a table: said where it is not ours, and left out of a new one."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from anndata import AnnData

from scinfill.methods import ownership
from scinfill.schema import (
    BATCH_OFFSETS,
    BATCHES,
    CELL_FACTORS,
    CELL_GROUPS,
    CURVE,
    DENOISED,
    GATE,
    GENE_FACTORS,
    GROUP_FACTORS,
    HELDOUT_R2,
    IMPUTED,
    IMPUTED_SD,
    MARKERS,
    METHOD_ID,
    MODEL_BASE,
    MODEL_FIT,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    RANKED_GENES,
    UNS,
)

STALE_LAYERS = (IMPUTED, IMPUTED_SD, DENOISED)
STALE_COLUMNS = (GATE, HELDOUT_R2, OBSERVED_WEIGHT, MODEL_OFFSET, MODEL_BASE, MODEL_GAIN, MODEL_SCALE)
STALE_OBS = (MODEL_FIT,)
STALE_UNS = (CURVE, METHOD_ID)
STALE_OBSM = (CELL_FACTORS, CELL_GROUPS)
STALE_VARM = (BATCH_OFFSETS, GENE_FACTORS, GROUP_FACTORS)
"""What an earlier imputation left; beside a new one it would be taken for its own."""


def say_replaced(adata: AnnData) -> None:
    """Say, before the work, which of these names hold what no imputation of ours left."""
    slots = {
        "layers": STALE_LAYERS,
        "obs": STALE_OBS,
        "var": STALE_COLUMNS,
        "obsm": STALE_OBSM,
        "varm": STALE_VARM,
        "uns": STALE_UNS,
    }
    ownership.say_replaced(adata, slots, by=("impute-", "adopt", "reconstruct"))


def without_earlier_imputation(adata: AnnData) -> AnnData:
    """Return a table of its own frames and mappings that shares the matrices nobody changes.

    Markers go too, since they hold fold changes of the earlier imputation; those of scanpy itself stay.
    """
    stale = (*STALE_UNS, *((MARKERS, RANKED_GENES) if MARKERS in adata.uns else ()))
    return AnnData(
        X=adata.X,
        obs=adata.obs.drop(columns=[column for column in STALE_OBS if column in adata.obs]),
        var=adata.var.drop(columns=[column for column in STALE_COLUMNS if column in adata.var]),
        uns=_without_batches(deepcopy({name: value for name, value in adata.uns.items() if name not in stale})),
        obsm={name: value for name, value in adata.obsm.items() if name not in STALE_OBSM},
        varm={name: value for name, value in adata.varm.items() if name not in STALE_VARM},
        layers={name: layer for name, layer in adata.layers.items() if name not in STALE_LAYERS},
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        raw=None if adata.raw is None else {"X": adata.raw.X, "var": adata.raw.var, "varm": dict(adata.raw.varm)},
    )


def _without_batches(uns: dict[str, Any]) -> dict[str, Any]:
    """Return entries whose record names no batches of an earlier imputation."""
    record = uns.get(UNS)
    if isinstance(record, Mapping) and BATCHES in record:
        uns[UNS] = {name: value for name, value in record.items() if name != BATCHES}
    return uns
