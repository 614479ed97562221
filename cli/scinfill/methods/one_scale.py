"""Whether several tables can stand in one: values of one scale, molecules with molecules, reads with reads."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.methods import matrices, provenance, validation
from scinfill.methods.counts_kind import classify_counts
from scinfill.numerics.rounding import is_fractional
from scinfill.numerics.scales import BASES, Scale, is_logged, same_total, scale_of, undo_log
from scinfill.numerics.scratch import chunks
from scinfill.numerics.sparse import entry_blocks, row_sums
from scinfill.schema import COUNTS, DEPTH_GENES, LOG1P, SIZE_FACTOR, TOTAL_COUNTS, CountsKind

log = logging.getLogger(__name__)

WHOLE: Final = "counts"
ScaleOrCounts = Scale | Literal["counts"]
ALIKE = (
    {"fractional", "fractional or logged", "fractional but large"},
    {"logged", "fractional or logged"},
)
"""Scales that values of one kind may look like."""
WORDS = {"umi": "molecules", "reads": "reads"}
UNIT_TOLERANCE = 1e-3
"""Size factors of one table give the same unit but for rounding; those of two hardly ever come as close."""


@dataclass(frozen=True)
class Sample:
    """A table to be joined: its name, and its values as canonical CSR."""

    name: str
    adata: AnnData
    values: csr_array
    slot: str

    @property
    def scale(self) -> ScaleOrCounts:
        """What the values look like: counts, or one of the scales of fractions."""
        fractions = self.values.dtype.kind == "f" and any(
            is_fractional(self.values.data[part]).any() for part in chunks(self.values.nnz)
        )
        return scale_of(self.values) if fractions else WHOLE


def check_one_scale(samples: list[Sample], counts_kind: CountsKind | None) -> None:
    """Refuse tables whose values do not mean the same.

    Parameters
    ----------
    samples
        In their order.
    counts_kind
        What the user says that all counts are; None to be told from them.

    Raises
    ------
    DataError
        Counts with other values, other logarithms or other totals, size factors of preprocessing apart, or molecules
        with reads.
    """
    scales = [sample.scale for sample in samples]
    for (one, scale), (other, another) in combinations(zip(samples, scales, strict=True), 2):
        if not _are_alike(scale, another):
            raise DataError(
                f"{one.slot} of {one.name!r} holds values that {_words(one, scale)}, {other.slot} of {other.name!r} "
                f"values that {_words(other, another)}: only values of one scale can be joined; "
                f"{_remedy(one if another == WHOLE else other, samples)}"
            )
    if scales[0] == WHOLE:
        _check_one_kind({sample.name: sample.values for sample in samples}, counts_kind)
        return
    _check_one_base(samples)
    if _share_depth_genes([sample.adata for sample in samples]):
        n_known = len(samples)  # totals and units follow from the genes that each has
    else:
        n_known = max(_check_one_unit(samples), _check_one_total(samples, scales[0]))
    if len(samples) > n_known and "fractional" not in scales[0]:
        log.warning("the values do not tell whether all of them are on one scale: join counts where there are any")
    if all(COUNTS in sample.adata.layers for sample in samples):
        counts = {sample.name: validation.counts(sample.adata, COUNTS) for sample in samples}
        _check_one_kind(counts, counts_kind)


def _are_alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= kinds for kinds in ALIKE)


def _words(sample: Sample, scale: ScaleOrCounts) -> str:
    if scale == WHOLE:
        return "are counts"
    total = validation.amount(same_total(row_sums(sample.values)) or 0)
    return validation.LOOKS[scale][0].format(total=total)


def _remedy(odd: Sample, samples: list[Sample]) -> str:
    """Return how a user joins the counts of all."""
    found = [name for name in matrices.with_counts(odd.adata) if name is not None]
    found = [COUNTS] if COUNTS in found else found  # rather than those of some molecules, such as the spliced ones
    for name in found:
        if all(name in matrices.with_counts(sample.adata) for sample in samples):
            return f"`layer={name!r}` joins the counts of all"
    if not found:
        return f"give the counts of {odd.name!r} that these were made of, or leave it out"
    counts = "raw.to_adata()" if found[0] == matrices.RAW else f"layers[{found[0]!r}].copy()"
    into = "adata = adata" if found[0] == matrices.RAW else "adata.X = adata"
    return f"make the counts of {odd.name!r} its X: {into}.{counts}"


def _check_one_kind(counts: Mapping[str, csr_array], counts_kind: CountsKind | None) -> None:
    """Refuse molecules with reads: a fit of one by the other's noise is wrong for both."""
    if counts_kind is not None or len(counts) == 1:
        return
    classes = {name: classify_counts(values) for name, values in counts.items()}
    if len({found.kind for found in classes.values()}) == 1:
        return
    said = ", ".join(
        f"{name!r} {WORDS[found.kind]} ({found.counts_per_molecule:.2g} counts for each molecule)"
        for name, found in classes.items()
    )
    if any(found.is_close for found in classes.values()):
        log.warning("some look like molecules, some like reads: %s; `counts_kind` says what all of them are", said)
        return
    raise DataError(
        f"molecules (UMI) and reads are not joined, since each needs another model: {said}; join either by themselves, "
        f"or say what all of them are: `counts_kind='umi'`"
    )


def _check_one_base(samples: list[Sample]) -> None:
    bases = {sample.name: base for sample in samples if (base := _declared_base(sample.adata)) is not None}
    (one, base), *others = bases.items() or [("", 0.0)]
    for other, another in others:
        if not np.isclose(base, another):
            raise DataError(
                f"{one!r} is on a logarithm of base {base:.4g}, {other!r} of base {another:.4g}: only values of one "
                f"scale can be joined; join the counts, or bring one to the other's base"
            )


def _declared_base(adata: AnnData) -> float | None:
    declared = adata.uns.get(LOG1P)
    if not isinstance(declared, Mapping):
        return None
    base: Any = declared.get("base")
    try:
        return float(np.e) if base is None else float(np.asarray(base).item())
    except (TypeError, ValueError):
        return None


def _check_one_total(samples: list[Sample], scale: ScaleOrCounts) -> int:
    """Refuse CPM with counts per ten thousand, logged or not, and return of how many tables the total is known."""
    totals = {sample.name: total for sample in samples if (total := _total(sample, scale)) is not None}
    (one, total), *others = totals.items() or [("", 0.0)]
    for other, another in others:
        if not np.isclose(total, another, rtol=0.05):
            raise DataError(
                f"every cell of {one!r} has the total {validation.amount(total)}, of {other!r} "
                f"{validation.amount(another)}: only values of one scale can be joined; join the counts, or bring all "
                f"to one total"
            )
    return len(totals)


def _total(sample: Sample, scale: ScaleOrCounts) -> float | None:
    if scale == "same total":
        return same_total(row_sums(sample.values))
    if scale != "logged":
        return None
    declared = _declared_base(sample.adata)
    some = sample.values[: next(iter(entry_blocks(sample.values.indptr))).stop]
    for base in BASES if declared is None else (declared,):
        if is_logged(some, base):
            return same_total(row_sums(undo_log(some, base)))
    return None


def _check_one_unit(samples: list[Sample]) -> int:
    """Refuse tables that were preprocessed apart, and return of how many the unit is known.

    The median total of each is the unit of its size factors.
    """
    units = {sample.name: unit for sample in samples if (unit := _unit(sample.adata)) is not None}
    (one, unit), *others = units.items() or [("", 0.0)]
    for other, another in others:
        if not np.isclose(unit, another, rtol=UNIT_TOLERANCE):
            raise DataError(
                f"{one!r} and {other!r} were preprocessed apart, so that a size factor of 1 stands for "
                f"{validation.amount(unit)} counts in the one and {validation.amount(another)} in the other; join the "
                f"counts that were preprocessed, then run `scinfill preprocess`"
            )
    return len(units)


def _share_depth_genes(tables: Sequence[AnnData]) -> bool:
    """Whether size factors come from the same means of other genes, as those of tables like one model may."""
    means = [depth_genes for adata in tables if (depth_genes := _depth_genes_of(adata)) is not None]
    if len(means) < len(tables):
        return False
    first, *others = means
    common = [first.index.intersection(other.index) for other in others]
    same = all(
        len(genes) and np.array_equal(first[genes], other[genes]) for genes, other in zip(common, others, strict=True)
    )
    return same and any(not first.index.equals(other.index) for other in others)


def _depth_genes_of(adata: AnnData) -> "pd.Series[float] | None":
    """Return the mean of every gene that size factors come from, by name; None where the record does not tell."""
    depth_genes = provenance.record(adata).get(DEPTH_GENES)
    if depth_genes is None or SIZE_FACTOR not in adata.obs:
        return None
    return pd.Series(np.asarray(depth_genes["mean"], np.float64), index=np.asarray(depth_genes["genes"]).astype(str))


def _unit(adata: AnnData) -> float | None:
    """Return how many counts a cell of size factor 1 has."""
    totals = next((name for name in (f"scinfill_{TOTAL_COUNTS}", TOTAL_COUNTS) if name in adata.obs), None)
    if totals is None or SIZE_FACTOR not in adata.obs:
        return None
    total, factor = (validation.obs_numbers(adata, name) for name in (totals, SIZE_FACTOR))
    known = (total > 0) & (factor > 0)
    return float(np.median(total[known] / factor[known])) if known.any() else None
