"""Sort the tables of one call into trials: a case, the estimates of it, and the baselines beside them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import DataError, InputError
from scinfill.evaluation import case as cases
from scinfill.evaluation import estimates, protein_counts
from scinfill.evaluation.case import Case, Settings
from scinfill.evaluation.estimates import ScoredMatrix, Values
from scinfill.evaluation.protein_counts import Proteins
from scinfill.methods import provenance, validation
from scinfill.methods.batches import batches_are_removed
from scinfill.methods.effects import effect_of
from scinfill.methods.knowledge import knowledge_of
from scinfill.methods.measured import drop_unmeasured
from scinfill.methods.reconstruct import estimate_of
from scinfill.numerics.blocks import walk
from scinfill.schema import HELDOUT, HELDOUT_COUNTS, IMPUTED, IMPUTED_SD, MODEL, OBSERVED_WEIGHT, UNS

UNKNOWN_METHOD = "imputed"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One table and all estimates made from it.

    Attributes
    ----------
    case
        What the estimates are scored on.
    estimates
        Baselines first, then the inputs.
    baselines
        By plain name (``raw``), the unique name of the baseline in this call.
    """

    case: Case
    estimates: tuple[ScoredMatrix, ...]
    baselines: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """Measurements beside the tables to compare estimates with; :func:`scinfill.evaluate` says what each is."""

    bulk: pd.DataFrame | None = None
    de_truths: Mapping[str, pd.Series] | None = None
    proteins: str | pd.DataFrame | None = None
    protein_genes: Mapping[str, str] | None = None


NOTHING_MEASURED = Measured()


def trials(
    tables: Sequence[tuple[str | None, AnnData]],
    settings: Settings,
    *,
    layer: str | None,
    measured: Measured,
) -> list[Trial]:
    """Group tables by what they were made from, so that each estimate stands beside its own raw matrix.

    Raises
    ------
    InputError
        No table, or a named layer that no table holds.
    DataError
        Wrong values, or tables of different cells or genes.
    """
    if not tables:
        raise InputError("there is no table to evaluate")
    series = [_series(name, adata, layer or IMPUTED) for name, adata in tables]
    names = _unique(series)
    aligned = _align([adata for _, adata in tables], names)
    if layer is not None and not any(layer in adata.layers for adata in aligned):
        validation.matrix_of(aligned[0], layer)
    for name, adata in zip(names, aligned, strict=True):
        if name != estimates.RAW and not _holds(adata, layer or IMPUTED):
            log.warning("%s has no layers[%r]: it is scored as raw only", name, layer or IMPUTED)
    proteins = _proteins(measured, aligned)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, adata in enumerate(aligned):
        groups.setdefault(_content(adata), []).append(number)
    found: list[Trial] = []
    for members in groups.values():
        case = cases.build(
            aligned[members[0]], settings, bulk=measured.bulk, de_truths=measured.de_truths, proteins=proteins
        )
        own = [
            _estimate(aligned[number], names[number], series=series[number], layer=layer or IMPUTED)
            for number in members
            if _holds(aligned[number], layer or IMPUTED)
        ]
        suffix = "" if not found else f" of {names[members[0]]}"
        found.append(_trial(case, own, suffix))
    return found


def _proteins(measured: Measured, tables: Sequence[AnnData]) -> Proteins | None:
    """Find the counts of proteins and the gene of each; None where none are named."""
    if measured.proteins is None:
        if measured.protein_genes:
            raise InputError("`protein_genes` names genes of proteins; say where their counts are with `proteins`")
        return None
    counts = protein_counts.find_counts(tables, measured.proteins)
    first = tables[0]
    return protein_counts.build(counts, first.obs_names, first.var_names, measured.protein_genes or {})


def _trial(case: Case, own: list[ScoredMatrix], suffix: str) -> Trial:
    baselines = [replace(baseline, name=baseline.name + suffix, series=baseline.name) for baseline in _baselines(case)]
    return Trial(case, (*baselines, *own), {baseline.series: baseline.name for baseline in baselines})


def _baselines(case: Case) -> list[ScoredMatrix]:
    log_values = case.observations.log_values
    beside = [estimates.raw(log_values), estimates.gene_mean(log_values)]
    if min(log_values.shape) > estimates.SVD_RANK:
        beside.append(estimates.svd(log_values, seed=case.settings.seed))
    return beside


def _series(name: str | None, adata: AnnData, layer: str) -> str:
    """Return how an input is called: as the caller does, else after its method; a baseline's name is taken."""
    wanted = name or method_of(adata) or UNKNOWN_METHOD
    if wanted in estimates.BASELINES and _holds(adata, layer):
        log.info("%r is scored beside every input; this one stands as %r", wanted, f"{wanted} (input)")
        return f"{wanted} (input)"
    return wanted


def _unique(series: Sequence[str]) -> list[str]:
    """Return a name of its own for every table."""
    seen: Counter[str] = Counter()
    unique = []
    for name in series:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def method_of(adata: AnnData) -> str | None:
    """Return what made the imputed layer, as a user calls it: ``deepmc``, ``auto``, ``magic``."""
    step = provenance.last_imputation(adata)
    if step is None:
        return None
    method = step["command"].removeprefix("impute-")
    return str(step["parameters"].get("method", method)) if method in ("baseline", "adopt") else method


def _align(tables: list[AnnData], names: list[str]) -> list[AnnData]:
    """Return the tables with cells and genes in the order of the first."""
    for adata in tables:
        validation.check_table(adata)
    tables = [drop_unmeasured(adata) for adata in tables]
    first = tables[0]
    aligned = [first]
    for adata, name in zip(tables[1:], names[1:], strict=True):
        for what, ours, theirs in (
            ("cell", first.obs_names, adata.obs_names),
            ("gene", first.var_names, adata.var_names),
        ):
            odd = ours.symmetric_difference(theirs)
            if len(odd):
                raise DataError(
                    f"{names[0]} ({first.n_obs} cells x {first.n_vars} genes) and {name} ({adata.n_obs} x "
                    f"{adata.n_vars}) differ in {len(odd)} {what}s, such as {str(odd[0])!r}; "
                    f"only estimates of the same {what}s can be compared"
                )
        same = first.obs_names.equals(adata.obs_names) and first.var_names.equals(adata.var_names)
        aligned.append(adata if same else adata[first.obs_names, first.var_names].copy())
    return aligned


def _content(adata: AnnData) -> tuple[str, ...]:
    """Tell tables apart by what was given to the imputer and what was hidden from it."""
    hidden = [adata.layers[name] for name in (HELDOUT, HELDOUT_COUNTS) if name in adata.layers]
    return tuple(provenance.sha256(matrix) for matrix in (validation.matrix_of(adata, None), *hidden))


def _estimate(adata: AnnData, name: str, *, series: str, layer: str) -> ScoredMatrix:
    rows = _row_function(adata, name, layer)
    _check_finite(adata, rows, f"{name}: layers[{layer!r}]")
    recorded = adata.uns.get(UNS, {}).get("estimate")
    return ScoredMatrix(
        name,
        adata.shape,
        rows,
        question=None if recorded is None or layer != IMPUTED else str(recorded),
        method=method_of(adata),
        keeps_seen=_keeps_seen(adata) and layer == IMPUTED,
        series=series,
        effect=effect_of(adata) if layer == IMPUTED else None,
        observed_weight=_observed_weight(adata) if layer == IMPUTED else None,
        batches_removed=batches_are_removed(adata) and layer == IMPUTED,
        saved_model=knowledge_of(adata) if layer == IMPUTED else None,
    )


def _holds(adata: AnnData, layer: str) -> bool:
    """Whether a table holds the layer, or the factors that it is made of (``--form factors``)."""
    return layer in adata.layers or (layer == IMPUTED and MODEL in adata.uns.get(UNS, {}))


def _row_function(adata: AnnData, name: str, layer: str) -> estimates.RowFunction:
    if layer not in adata.layers:
        return estimates.from_blocks(adata.shape, estimate_of(adata, str(adata.uns[UNS][MODEL])).block)
    matrix = validation.matrix_of(adata, layer)
    if matrix.shape != adata.shape:
        raise DataError(f"{name}: layers[{layer!r}] is {matrix.shape}, the table {adata.shape}")
    if not isinstance(matrix, np.ndarray):
        matrix = matrix.tocsr()

    def rows(chosen: estimates.Rows) -> Values:
        block = matrix[chosen]
        return np.asarray(block if isinstance(block, np.ndarray) else block.toarray(), dtype=np.float32)

    return rows


def _check_finite(adata: AnnData, rows: estimates.RowFunction, slot: str) -> None:
    for block in walk(*adata.shape):
        wrong = np.argwhere(~np.isfinite(rows(block)))
        if len(wrong):
            row, column = wrong[0]
            raise DataError(
                f"{slot} holds NaN or infinite values, the first at "
                f"{validation.where(adata, block.start + int(row), int(column))}"
            )


def _keeps_seen(adata: AnnData) -> bool:
    """Whether the layer is a merge: seen values as they are, the model's elsewhere."""
    step = provenance.last_imputation(adata)
    return step is not None and step["parameters"].get("keep", "none") != "none"


def _observed_weight(adata: AnnData) -> NDArray[np.float64] | None:
    if IMPUTED_SD not in adata.layers or OBSERVED_WEIGHT not in adata.var:
        return None
    return adata.var[OBSERVED_WEIGHT].to_numpy(dtype=np.float64)
