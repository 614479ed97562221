"""Which genes of a table of counts are worked on, and what their counts are divided by."""

import logging
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError
from scinfill.methods import barcodes
from scinfill.methods.like import depth_genes_of, depths, find_model_genes
from scinfill.methods.saved_model import DepthGenes, SavedModel
from scinfill.numerics.filtering import cells_with_gene, find_spike_ins, seen_genes
from scinfill.numerics.normalization import library_sizes, size_factors
from scinfill.numerics.selection import GeneMoments, dispersion_scores, gene_moments, top_genes
from scinfill.numerics.sparse import column_sums

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Genes that were chosen, and what their counts are divided by.

    Attributes
    ----------
    genes
        Their positions in the table, in the order of the result.
    total_counts, size_factor
        (n_cells,).
    moments
        Of all genes, on the scale of counts over size factors.
    scores
        By which genes were chosen, by position; none of others.
    depth_genes
        The genes that totals are over.
    """

    genes: NDArray[np.intp]
    total_counts: NDArray[np.float64]
    size_factor: NDArray[np.float64]
    moments: GeneMoments
    scores: pd.Series
    depth_genes: DepthGenes


@dataclass(frozen=True)
class ByDispersion:
    """How genes are filtered and chosen by their dispersion; :func:`scinfill.preprocess` says what each option means.

    Attributes
    ----------
    min_counts, min_cells, n_genes
        See there.
    keep_spike_ins
        Whether spike-ins are genes.
    pattern
        In the names of other spike-ins than the known.
    """

    min_counts: int
    min_cells: int
    n_genes: int | None
    keep_spike_ins: bool
    pattern: re.Pattern[str] | None

    def choose(
        self, adata: AnnData, counts: csr_array, totals: NDArray[np.float64], wanted: NDArray[np.intp]
    ) -> Choice:
        """Filter genes, and choose those that vary most, and those that were asked for."""
        kept = seen_genes(counts, min_counts=self.min_counts, min_cells=self.min_cells)
        if not kept.any():
            raise DataError(
                f"no gene has {self.min_counts} counts in {self.min_cells} of the {counts.shape[0]} cells; "
                f"lower `min_counts` or `min_cells`"
            )
        if not self.keep_spike_ins:
            kept &= ~_spike_ins(adata, counts, self.pattern)
        if not kept.any():
            raise DataError(
                "no gene is left but spike-ins; name fewer by `spike_ins`, or keep them by `keep_spike_ins=True`"
            )
        total_counts = library_sizes(counts, kept)
        size_factor = size_factors(total_counts, barcodes.with_a_cell(totals))
        genes = np.flatnonzero(kept)
        moments = gene_moments(counts, size_factor)
        scores = dispersion_scores(moments.of(genes))
        by_dispersion = genes[top_genes(scores, _how_many(self.n_genes, len(genes)))]
        chosen = np.union1d(by_dispersion, _with_counts(adata, counts, wanted))
        log.info(
            "%d of %d genes have %d counts in %d cells; %d chosen by dispersion%s",
            len(genes),
            adata.n_vars,
            self.min_counts,
            self.min_cells,
            len(by_dispersion),
            f", and {len(chosen) - len(by_dispersion)} kept as asked" if len(wanted) else "",
        )
        mean = column_sums(counts)[genes] / size_factor[total_counts > 0].sum()
        depth_genes = DepthGenes(adata.var_names[genes], mean)
        return Choice(chosen, total_counts, size_factor, moments, pd.Series(scores, index=genes), depth_genes)


def choose_like(adata: AnnData, counts: csr_array, model: SavedModel) -> Choice:
    """Take the genes of a model that are there, and its scale."""
    if model.depth_genes is None:
        raise DataError(
            "the model was trained on log2 values without counts, so there is no scale for counts; give log2(1 + x) "
            "values made as those of the training to `impute_deepmc(model='FILE')` or `impute_auto(model='FILE')`"
        )
    found = find_model_genes(adata.var, model)
    depth_genes = depth_genes_of(adata.var_names, model.depth_genes)
    total_counts, size_factor = depths(counts, adata.var_names, depth_genes)
    moments = gene_moments(counts, size_factor)
    return Choice(found[found >= 0], total_counts, size_factor, moments, pd.Series(dtype=np.float64), depth_genes)


def _with_counts(adata: AnnData, counts: csr_array, wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the genes asked for that have any count; the others are said."""
    seen = cells_with_gene(counts)[wanted] > 0
    if not seen.all():
        names = adata.var_names[wanted[~seen]]
        log.warning(
            "`keep_genes`: %d genes (such as %r) have no count in any cell and are left out: nothing could be said of "
            "them",
            len(names),
            str(names[0]),
        )
    return wanted[seen]


def _spike_ins(adata: AnnData, counts: csr_array, pattern: re.Pattern[str] | None) -> NDArray[np.bool_]:
    spikes = find_spike_ins(adata.var_names, pattern)
    if pattern is not None and not any(map(pattern.search, adata.var_names)):
        log.warning("`spike_ins=%r` is found in no gene's name", pattern.pattern)
    if spikes.any():
        share = library_sizes(counts, spikes).sum() / counts.sum(dtype=np.float64)
        log.warning(
            "%d spike-ins (such as %s) with %.1f %% of all counts are left out; `keep_spike_ins=True` keeps them",
            spikes.sum(),
            adata.var_names[spikes][0],
            100 * share,
        )
    return spikes


def _how_many(n_genes: int | None, there_are: int) -> int:
    if n_genes is not None and n_genes > there_are:
        log.info("all %d genes are kept: there are fewer than %d to choose from", there_are, n_genes)
    return there_are if n_genes is None else n_genes
