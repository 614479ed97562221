"""Describe what a file holds, by name, and for each of its matrices whether it holds counts."""

import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill.numerics.survey import Survey, survey

RAW = "raw"


def of_table(adata: AnnData) -> dict[str, Any]:
    """Return what a table in memory holds."""
    matrices = {"X": adata.X, **{f"layers/{name}": layer for name, layer in adata.layers.items()}}
    if adata.raw is not None:
        matrices["raw/X"] = adata.raw.X
    surveys = {
        slot: survey(matrix.data if sparse.issparse(matrix) else matrix)
        for slot, matrix in matrices.items()
        if matrix is not None
    }
    names = {slot: sorted(map(str, getattr(adata, slot))) for slot in ("layers", "obsm", "varm", "uns")}
    return describe(adata.obs, adata.var, names, surveys, None if adata.raw is None else adata.raw.var)


def describe(
    obs: pd.DataFrame,
    var: pd.DataFrame,
    names: Mapping[str, list[str]],
    surveys: Mapping[str, Survey],
    raw_var: pd.DataFrame | None,
) -> dict[str, Any]:
    """Return the description of a table as JSON takes it.

    Parameters
    ----------
    obs, var
        Its frames.
    names
        Keys by slot.
    surveys
        What the matrices hold, by slot: ``X``, ``layers/NAME`` or ``raw/X``.
    raw_var
        The frame of ``raw``, None where there is no raw.

    Returns
    -------
    Among others ``matrices``: by slot whether it can hold counts, what its values are (of a large matrix some millions
    are looked at), and the command that reads its counts.
    """
    return {
        "cells": len(obs),
        "genes": len(var),
        "obs": [str(name) for name in obs.columns],
        "var": [str(name) for name in var.columns],
        **names,
        RAW: None if raw_var is None else {"genes": len(raw_var), "var": [str(name) for name in raw_var.columns]},
        "matrices": {slot: _matrix(slot, found, names["layers"]) for slot, found in surveys.items()},
    }


def _matrix(slot: str, found: Survey, layers: list[str]) -> dict[str, Any]:
    description = {"counts": found.counts, "values": found.values}
    command = _command(slot, layers)
    return description | ({"command": command} if found.counts and command else {})


def _command(slot: str, layers: list[str]) -> str | None:
    """Return the command that reads the counts of a matrix; None for a raw that a layer of that name hides."""
    if slot == "X":
        return "scinfill preprocess"
    if slot == "raw/X" and RAW in layers:
        return None
    return f"scinfill preprocess --layer {shlex.quote(RAW if slot == 'raw/X' else slot.partition('/')[2])}"
