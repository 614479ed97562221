"""The matrices of a table by the names that ``--layer`` takes, and which of them hold counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill.numerics.survey import survey
from scinfill.schema import HELDOUT_COUNTS

RAW = "raw"
"""What ``--layer`` calls ``adata.raw``, unless a layer has that name."""


def is_raw(adata: AnnData, layer: str | None) -> bool:
    """Whether a name means ``adata.raw``: a layer called ``raw`` comes first."""
    return layer == RAW and RAW not in adata.layers and adata.raw is not None


def from_raw(adata: AnnData) -> AnnData:
    """Return the table of ``adata.raw``: its matrix, its genes, and all that the table knows of its cells.

    What the table knows of its genes goes along where ``raw`` has the same genes in the same order.
    """
    raw = adata.raw
    same = raw.var_names.equals(adata.var_names)
    more = [column for column in adata.var if column not in raw.var] if same else []
    return AnnData(
        X=raw.X,
        obs=adata.obs,
        var=pd.concat([raw.var, adata.var[more]], axis=1) if more else raw.var,
        uns=adata.uns,
        obsm=dict(adata.obsm),
        varm=(dict(adata.varm) if same else {}) | dict(raw.varm),
        layers=dict(adata.layers) if same else {},
        obsp=dict(adata.obsp),
        varp=dict(adata.varp) if same else {},
        raw={"X": raw.X, "var": raw.var, "varm": dict(raw.varm)},
    )


def source(adata: AnnData, layer: str | None) -> tuple[AnnData, str | None, str]:
    """Return the table that holds the counts, in which layer of it (None is ``X``), and what messages call them."""
    if is_raw(adata, layer):
        return from_raw(adata), None, "raw.X"
    return adata, layer, "X" if layer is None else f"layers[{layer!r}]"


def counts_option(adata: AnnData, layer: str | None) -> str:
    """Return how a user names the counts of a table whose ``layer`` (None is ``X``) does not hold them."""
    found = [name for name in with_counts(adata) if name != layer]
    if not found:
        present = ", ".join(sorted(map(str, adata.layers))) or "none"
        beside = " and raw" if is_raw(adata, RAW) else ""
        none = "; counts are in none" if layer is not None or adata.layers or beside else ""
        return f"name the raw counts as `layer` (layers present: {present}{beside}{none})"
    named = " or ".join(f"`layer={name!r}`" for name in found if name is not None)
    if None in found:
        return f"X holds counts: leave out `layer`{f', or name them as {named}' if named else ''}"
    return f"name the raw counts as {named}"


def preprocess_option(adata: AnnData) -> str:
    """Return how a user makes log2 values of the counts of a table, wherever they are; those of ``X`` come first."""
    found = with_counts(adata)
    if not found:
        return "run `scinfill preprocess` on the counts"
    if None in found:
        return "run `scinfill preprocess`"
    return f"run {' or '.join(f'`preprocess(layer={name!r})`' for name in found)}"


def with_counts(adata: AnnData) -> list[str | None]:
    """Return the names of all matrices that hold counts for a verb to start from."""
    names = []
    for name, matrix in named_matrices(adata):
        values = getattr(matrix, "data", None) if sparse.issparse(matrix) else matrix
        if name != HELDOUT_COUNTS and isinstance(values, np.ndarray) and survey(values).counts:
            names.append(name)
    return names


def named_matrices(adata: AnnData) -> Iterator[tuple[str | None, Any]]:
    """Yield every matrix under the name that ``--layer`` takes; None is ``X``."""
    if adata.X is not None:
        yield None, adata.X
    yield from adata.layers.items()
    if is_raw(adata, RAW):
        yield RAW, adata.raw.X
