"""A case is what estimates are scored on: one table with its labels, its hidden truth and its null genes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError, check_rules
from scinfill.evaluation.estimates import ScoredMatrix, Values
from scinfill.evaluation.numerics.clustering import CORRELATIONS, Correlation
from scinfill.evaluation.protein_counts import Proteins
from scinfill.methods import provenance, validation
from scinfill.methods.counts_kind import classify_counts
from scinfill.methods.reading import read_observations
from scinfill.models.observations import Observations
from scinfill.numerics.scratch import chunks
from scinfill.numerics.sparse import canonical
from scinfill.schema import (
    BULK,
    DE_TRUTH_PREFIX,
    HELDOUT,
    HELDOUT_COUNTS,
    MIN_READS_PER_MOLECULE,
    NULL_GENE,
    SIZE_FACTOR,
    TRUTH,
    CountsKind,
)

log = logging.getLogger(__name__)

ZERO_THRESHOLD = float(np.log2(1.5))
"""A value at or below half a normalised count is a zero."""
UNLABELLED = -1


@dataclass(frozen=True)
class Settings:
    """Settings of the scores; :func:`scinfill.evaluate` says what each means."""

    labels: str | None = None
    batch: str | None = None
    seed: int = 0
    n_starts: int = 10
    max_cells: int = 5000
    correlation: Correlation = "pearson"
    zero_threshold: float = ZERO_THRESHOLD
    cv_label: str | None = None
    openproblems: bool = False
    show_genes: tuple[str, ...] | None = None
    gradient: str | None = None
    gradient_genes: tuple[str, ...] | None = None

    def check(self) -> None:
        """Refuse what cannot be."""
        check_rules(
            self,
            (
                ("seed", self.seed >= 0, "zero or more"),
                ("n_starts", self.n_starts >= 1, "1 or more"),
                ("max_cells", self.max_cells >= 2, "2 or more"),
                ("correlation", self.correlation in CORRELATIONS, " or ".join(CORRELATIONS)),
                ("zero_threshold", 0 <= self.zero_threshold < np.inf, "zero or more"),
            ),
        )
        if self.batch is not None and self.labels is None:
            raise InputError("`batch` asks whether batches mix within labels: name their column as `labels` too")
        if self.gradient_genes and self.gradient is None:
            raise InputError("`gradient_genes` are genes that follow a gradient; name its column of obs as `gradient`")

    @property
    def seeds(self) -> range:
        """Seeds of the k-means starts."""
        return range(self.seed, self.seed + self.n_starts)


@dataclass(frozen=True)
class Labels:
    """Labels as integers; ``UNLABELLED`` for a cell without one."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    def cells(self, *codes: int) -> NDArray[np.intp]:
        """Return the cells of some labels."""
        return np.flatnonzero(np.isin(self.codes, codes))


@dataclass(frozen=True, eq=False)
class Case:
    """One table, ready to score estimates of it; no case equals another.

    Attributes
    ----------
    observations
        What the imputers saw.
    cell_names, gene_names
        In the order of the table.
    null_genes
        True for genes without structure that ``mask --null-genes`` appended, (n_genes,).
    settings
        How to score.
    labels
        None without ``--labels``.
    batches
        None without ``--batch``.
    hidden
        Truth at hidden positions, CSR (n_cells, n_genes) that stores hidden zeros too; None without them.
    heldout_counts
        Molecules that thinning held out, CSR (n_cells, n_genes), None without them.
    mask
        Parameters of the ``mask`` step, as its file says.
    truth
        Simulated true mean expression on the scale of ``X``, (n_cells, n_genes).
    bulk
        Bulk expression, genes × libraries; a library's name starts with its label.
    de_truths
        By ``"A_vs_B"``: 1, 0 or NaN for every gene that bulk data can tell, by gene name.
    proteins
        Antibody counts of the cells, None where none were named.
    dose
        Place of every cell on a known gradient, NaN for none, (n_cells,); None where none was named.
    """

    observations: Observations
    cell_names: pd.Index
    gene_names: pd.Index
    null_genes: NDArray[np.bool_]
    settings: Settings
    size_factor: NDArray[np.float64] | None = None
    labels: Labels | None = None
    batches: Labels | None = None
    hidden: csr_array | None = None
    heldout_counts: csr_array | None = None
    mask: Mapping[str, object] = field(default_factory=dict)
    truth: NDArray[np.float32] | None = None
    bulk: pd.DataFrame | None = None
    de_truths: Mapping[str, pd.Series] = field(default_factory=dict)
    proteins: Proteins | None = None
    dose: NDArray[np.float64] | None = None

    @cached_property
    def real_genes(self) -> NDArray[np.intp]:
        """Genes that are not null genes: the only ones that enter any metric but the guard."""
        return np.flatnonzero(~self.null_genes)

    @cached_property
    def counts_kind(self) -> CountsKind | None:
        """Whether the counts look like molecules or like reads; None without counts."""
        counts = self.observations.counts
        if counts is None or counts.nnz == 0:
            return None
        look = classify_counts(counts)
        if look.is_close:
            log.warning(
                "counts are taken for %s, which decides whether held-out molecules are scored; %.3g counts for each "
                "molecule that the zeros imply is close to the border, %g",
                "molecules (UMI)" if look.kind == "umi" else "reads",
                look.counts_per_molecule,
                MIN_READS_PER_MOLECULE,
            )
        return look.kind

    @property
    def n_cells(self) -> int:
        """Cells of the table."""
        return self.observations.shape[0]

    def require_labels(self) -> Labels:
        """Return the labels, or say that there are none."""
        if self.labels is None:
            raise DataError("needs labels; none were named (scinfill evaluate --labels COLUMN)")
        return self.labels

    def require_batches(self) -> Labels:
        """Return the batches, or say that there are not two."""
        if self.batches is None or len(self.batches.names) < 2:
            raise DataError("needs two batches; scinfill evaluate --batch COLUMN names a column that has them")
        return self.batches

    @cached_property
    def sample(self) -> NDArray[np.intp]:
        """Labelled cells that structure metrics look at: all, or a seeded sample of ``max_cells``."""
        labels = self.require_labels()
        return self.at_most(np.flatnonzero(labels.codes != UNLABELLED))

    def at_most(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the cells, or a seeded sample of ``max_cells`` of them."""
        most = self.settings.max_cells
        if cells.size <= most:
            return cells
        return np.sort(np.random.default_rng(self.settings.seed).choice(cells, most, replace=False))

    def values(self, estimate: ScoredMatrix, cells: NDArray[np.intp]) -> Values:
        """Return an estimate of the real genes in some cells, (n_chosen, n_real_genes)."""
        return estimate.rows(cells)[:, self.real_genes]

    def by_gene(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Spread values of the real genes over all genes, NaN at null genes."""
        spread = np.full(self.null_genes.size, np.nan)
        spread[self.real_genes] = values
        return spread


def build(
    adata: AnnData,
    settings: Settings,
    *,
    bulk: pd.DataFrame | None = None,
    de_truths: Mapping[str, pd.Series] | None = None,
    proteins: Proteins | None = None,
) -> Case:
    """Collect what a table offers to score with.

    Raises
    ------
    DataError, InputError
        Wrong values, another scale, an unknown label column.
    """
    observations = read_observations(adata)
    null_genes = adata.var[NULL_GENE].to_numpy(dtype=bool) if NULL_GENE in adata.var else np.zeros(adata.n_vars, bool)
    if null_genes.all():
        raise DataError(f"every gene is a null gene (var[{NULL_GENE!r}]); there is nothing to score")
    size_factor = observations.size_factor
    if size_factor is None and SIZE_FACTOR in adata.obs:
        size_factor = validation.obs_numbers(adata, SIZE_FACTOR)
    return Case(
        observations=observations,
        cell_names=adata.obs_names,
        gene_names=adata.var_names,
        null_genes=null_genes,
        settings=settings,
        size_factor=size_factor,
        labels=_labels(adata, settings.labels),
        batches=_labels(adata, settings.batch),
        hidden=_hidden(adata),
        heldout_counts=_heldout_counts(adata),
        mask=_mask_parameters(adata),
        truth=adata.layers.get(TRUTH),
        bulk=bulk if bulk is not None else _bulk_in_file(adata),
        de_truths={**_truths_in_file(adata), **(de_truths or {})},
        proteins=proteins,
        dose=_dose(adata, settings, null_genes),
    )


def _labels(adata: AnnData, column: str | None) -> Labels | None:
    if column is None:
        return None
    codes, names = pd.factorize(validation.obs_column(adata, column).astype("string"), sort=True)
    if not len(names):
        raise DataError(f"obs[{column!r}] labels no cell")
    return Labels(tuple(map(str, names)), codes.astype(np.int64))


def _dose(adata: AnnData, settings: Settings, null_genes: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Read the known gradient, and check that the genes that are said to follow it are there."""
    column = settings.gradient
    if column is None:
        return None
    dose = validation.obs_numbers(adata, column)
    known = dose[~np.isnan(dose)]
    if not np.isfinite(known).all():
        raise DataError(f"obs[{column!r}] holds infinite values; a gradient is finite, or missing in some cells")
    if not known.size or np.ptp(known) == 0:
        held = f"{known[0]:g} in every cell" if known.size else "no number"
        raise DataError(f"obs[{column!r}] holds {held}, which is no gradient; name a column whose numbers differ")
    absent = [gene for gene in settings.gradient_genes or () if gene not in adata.var_names[~null_genes]]
    if absent:
        raise InputError(
            f"`gradient_genes`: there is no gene {absent[0]!r} in the table (genes like "
            f"{', '.join(map(str, adata.var_names[:3]))}); keep more genes: `preprocess(n_genes=N)`"
        )
    return dose


def _hidden(adata: AnnData) -> csr_array | None:
    """Read the truth at hidden positions without dropping stored zeros: they are hidden zeros."""
    if HELDOUT not in adata.layers:
        return None
    hidden = csr_array(adata.layers[HELDOUT])
    if not all(np.isfinite(hidden.data[part]).all() for part in chunks(hidden.nnz)):
        raise DataError(f"layers[{HELDOUT!r}] holds values that are not finite")
    return hidden


def _heldout_counts(adata: AnnData) -> csr_array | None:
    if HELDOUT_COUNTS not in adata.layers:
        return None
    return canonical(adata.layers[HELDOUT_COUNTS])


def _mask_parameters(adata: AnnData) -> dict[str, object]:
    """Return how values were hidden; a step that appended null genes alone hid none."""
    steps = [step for step in provenance.steps(adata) if step["command"] == "mask"]
    hiding = [step["parameters"] for step in steps if step["parameters"].get("fraction") != 0]
    return dict(hiding[-1]) if hiding else {}


def _bulk_in_file(adata: AnnData) -> pd.DataFrame | None:
    bulk = adata.varm.get(BULK)
    return bulk if isinstance(bulk, pd.DataFrame) else None


def _truths_in_file(adata: AnnData) -> dict[str, pd.Series]:
    """Read ``var["is_de_A_vs_B"]``, which ``simulate`` writes."""
    return {
        column.removeprefix(DE_TRUTH_PREFIX): adata.var[column].astype("Float64")
        for column in adata.var.columns
        if column.startswith(DE_TRUTH_PREFIX)
    }
