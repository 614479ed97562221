"""Counts → the genes worth looking at, on the scale that both methods work on."""

import logging

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance, validation
from scinfill.methods.features import expression_only
from scinfill.methods.slots import stored, with_genes, with_unique_names
from scinfill.numerics.filtering import cells_with_gene, seen_genes, spike_ins
from scinfill.numerics.normalization import library_sizes, log2_counts, size_factors
from scinfill.numerics.selection import dispersion_scores, gene_moments, top_genes
from scinfill.numerics.sparse import columns_of, whole_numbers
from scinfill.schema import (
    COUNTS,
    DISPERSION,
    DISPERSION_NORM,
    LOG1P,
    LOG_BASE,
    MEAN,
    N_CELLS,
    SCALE,
    SIZE_FACTOR,
    SPIKE_IN_PREFIX,
    TOTAL_COUNTS,
    Preset,
)

log = logging.getLogger(__name__)


def preprocess(
    adata: AnnData,
    *,
    layer: str | None = None,
    transpose: bool = False,
    min_counts: int = 3,
    min_cells: int = 4,
    n_genes: int | None = 1000,
    keep_spike_ins: bool = False,
    preset: Preset = "recommended",
    unique_names: bool = False,
) -> AnnData:
    """Filter genes, divide by library size, choose the genes that vary most, take log2(x + 1).

    Parameters
    ----------
    adata
        Raw counts, cells × genes; never changed. Where ``var`` has a column ``feature_types`` (or ``feature_type``,
        ``modality``) that tells several kinds of features apart, only gene expression is used.
    layer
        Layer that holds the counts instead of ``X``.
    transpose
        The table has genes in rows.
    min_counts, min_cells
        Keep a gene with at least ``min_counts`` counts in at least ``min_cells`` cells. The papers write
        3 cells; their published data needs 4.
    n_genes
        How many of the kept genes to choose by dispersion; None for all. They stay in their order.
    keep_spike_ins
        Treat ``ERCC-`` molecules as genes.
    preset
        ``"paper"`` follows the papers in everything: it keeps spike-ins.
    unique_names
        Append -1, -2, … to names of cells and genes that stand there before, instead of refusing them.

    Returns
    -------
    A new table of the chosen genes, with

    ``X``
        float32 CSR, log2(1 + counts / size_factor).
    ``layers["counts"]``
        CSR integers.
    ``obs["total_counts"]``, ``obs["size_factor"]``
        Library size over the kept genes, and that over its median. An empty cell keeps its row; nothing is
        known of its depth, so its size factor is 1.
    ``var["n_cells"]``, ``var["mean"]``, ``var["dispersion"]``, ``var["dispersion_norm"]``
        Cells with the gene; mean, variance / mean and the score of the choice, before the logarithm.
    ``uns["log1p"]``
        The base, for scanpy.

    Raises
    ------
    InputError
        There is no such layer.
    DataError
        Not counts, an empty table, names that repeat, genes in rows (told from the names), no gene expression, or
        no gene left.

    Examples
    --------
    >>> import numpy as np, anndata, scinfill
    >>> counts = np.random.default_rng(0).poisson(5, size=(20, 50))
    >>> scinfill.preprocess(anndata.AnnData(counts), n_genes=10).shape
    (20, 10)
    """
    if n_genes is not None and n_genes < 1:
        raise InputError(f"n_genes must be 1 or more, or None for all; it is {n_genes}")
    if transpose:
        adata = adata.T
    adata = expression_only(adata)
    if unique_names:
        adata = with_unique_names(adata)
    validation.check_table(adata, transposed=transpose)
    counts = validation.counts(adata, layer)
    kept = seen_genes(counts, min_counts=min_counts, min_cells=min_cells)
    if not (keep_spike_ins or preset == "paper"):
        kept &= ~_spike_ins(adata, counts)
    if not kept.any():
        raise DataError(
            f"no gene has {min_counts} counts in {min_cells} of the {adata.n_obs} cells; "
            f"lower --min-counts or --min-cells"
        )
    total_counts = library_sizes(counts, kept)
    size_factor = size_factors(total_counts)
    genes = np.flatnonzero(kept)
    moments = gene_moments(counts, size_factor).of(genes)
    scores = dispersion_scores(moments)
    chosen = np.sort(top_genes(scores, _how_many(n_genes, len(genes))))
    selected = whole_numbers(columns_of(counts, genes[chosen]))

    result = with_genes(adata, genes[chosen], without=frozenset({COUNTS}))
    result.X = stored(log2_counts(selected, size_factor))
    result.layers[COUNTS] = stored(selected)
    result.obs[TOTAL_COUNTS] = total_counts
    result.obs[SIZE_FACTOR] = size_factor
    result.var[N_CELLS] = cells_with_gene(selected)
    result.var[MEAN] = moments.mean[chosen]
    result.var[DISPERSION] = moments.dispersion[chosen]
    result.var[DISPERSION_NORM] = scores[chosen]
    result.uns[LOG1P] = {"base": LOG_BASE}
    provenance.sign(
        result,
        command="preprocess",
        parameters={
            "layer": layer,
            "transpose": transpose,
            "min_counts": min_counts,
            "min_cells": min_cells,
            "n_genes": n_genes,
            "keep_spike_ins": keep_spike_ins,
            "preset": preset,
            "unique_names": unique_names,
        },
        seed=None,
        input_sha256=provenance.sha256(counts),
        scale=SCALE,
    )
    log.info(
        "%d of %d genes have %d counts in %d cells; %d chosen by dispersion",
        len(genes),
        adata.n_vars,
        min_counts,
        min_cells,
        len(chosen),
    )
    return result


def _spike_ins(adata: AnnData, counts: csr_array) -> NDArray[np.bool_]:
    spikes = spike_ins(adata.var_names)
    if spikes.any():
        share = library_sizes(counts, spikes).sum() / counts.sum(dtype=np.float64)
        log.warning(
            "%d spike-ins (%s*) with %.1f %% of all counts are left out; --keep-spike-ins keeps them",
            spikes.sum(),
            SPIKE_IN_PREFIX,
            100 * share,
        )
    return spikes


def _how_many(n_genes: int | None, there_are: int) -> int:
    if n_genes is not None and n_genes > there_are:
        log.warning("%d genes were asked for, %d are there: all of them are kept", n_genes, there_are)
    return there_are if n_genes is None else n_genes
