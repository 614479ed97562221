"""Markers of groups of cells: p-values from the counts, sizes of differences from the estimate."""

import logging
from copy import deepcopy
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_array

from scinfill import memory
from scinfill.errors import DataError
from scinfill.methods import ownership, provenance, validation
from scinfill.methods.batches import batches_are_removed
from scinfill.methods.group_tests import Tested, compare_cells, compare_replicates
from scinfill.methods.grouping import groups_to_compare, read_groups
from scinfill.methods.layers import checked_block, imputed_block
from scinfill.methods.matrices import preprocess_option
from scinfill.methods.measured import measured_genes
from scinfill.methods.reading import read_observations, stored_size_factors
from scinfill.methods.slots import sharing_matrices
from scinfill.numerics.group_means import Block, GroupSums, fold_change, group_sums
from scinfill.schema import (
    COUNTS,
    HELDOUT,
    HELDOUT_COUNTS,
    IMPUTED,
    IMPUTED_SD,
    MARKERS,
    MODEL,
    NULL_GENE,
    RANKED_GENES,
    SCALE,
    SIZE_FACTOR,
)

log = logging.getLogger(__name__)

SIGNIFICANT = 0.05
LEVEL = 0.95
REST = "rest"
N_SUMS = 2 * len(fields(GroupSums))
"""Matrices of groups × genes at once: the sums, and those of a block of cells."""
WORK_BYTES = 2**28
"""Blocks of cells and of genes, with what is computed from them on the way."""

Doubles = NDArray[np.float64]


def markers(adata: AnnData, *, groupby: str, reference: str | None = None, replicate: str | None = None) -> AnnData:
    """Find the genes that mark groups of cells: tested on the counts, with the size of the difference as imputed.

    A test of imputed values takes the errors that a model shares among cells for signal. Here every p-value comes from
    the counts alone, every fold change from ``layers["imputed"]``, and both stand side by side.

    Parameters
    ----------
    adata
        Imputed, with ``layers["counts"]``; never changed. Of a table that is not imputed the fold changes are those
        of the counts.
    groupby
        Column of ``obs`` that names the groups. Groups of fewer than 3 cells are left out. Where the groups are
        clusters of the same counts, p-values are too small, as everywhere: the test does not know of the clustering.
    reference
        Group to compare every other one with; None: all other cells that have a group.
    replicate
        Column of ``obs`` that names replicates, such as donors. Then these are the units: counts are summed up for
        each replicate and group, and a t-test compares log2 means, paired where replicates have both sides, Welch's
        otherwise. It needs two replicates a side, and finds little with fewer than about five.

    Returns
    -------
    A new table that shares its matrices with ``adata``, with

    ``uns["scinfill_markers"]``
        A row for each group and gene, supported ones first, then by fold change: ``group``, ``gene``, ``log2fc`` (of
        group means on the count scale, .01 added to both) with its 95 % interval ``log2fc_low`` to ``log2fc_high``,
        ``log2fc_counts``, ``statistic``, ``p``, ``p_adjusted`` (Benjamini-Hochberg within the group), ``supported``
        (adjusted p at most .05, and estimate and counts agree on the sign), ``seen_in_group`` and ``seen_in_rest``
        (share of cells), ``mean_in_group`` and ``mean_in_rest`` (estimate, counts of a cell of median depth). The rest
        is ``reference`` where one is named. Null genes are left out, and those that not every sample measured
        (``varm["measured"]``), whose zeros are no data.
    ``uns["rank_genes_groups"]``
        The same for scanpy's plots and ``scanpy.get.rank_genes_groups_df``.

    Raises
    ------
    InputError
        There is no such column or group.
    DataError
        No counts, a column of measurements, no two groups to compare, too few replicates, or an imputed layer that
        holds no means (estimate ``detected``, or with seen values put back).

    Notes
    -----
    The interval joins what counts, their spread over the cells and ``layers["imputed_sd"]`` say of the mean with the
    error of the model for the group, which is learned from genes of similar expression: how far the fold changes of
    estimate and counts lie apart beyond what the noise of the molecules explains.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=60, n_genes=50))
    >>> imputed = scinfill.impute_deepmc(table, rank=2)
    >>> found = scinfill.markers(imputed, groupby="cell_type").uns["scinfill_markers"]
    >>> list(found.columns[:3])
    ['group', 'gene', 'log2fc']
    """
    validation.check_table(adata)
    groups = read_groups(adata, groupby)
    counts, size_factor = _counts(adata)
    others = groups_to_compare(adata, groups, groupby, reference)
    ownership.say_replaced(adata, {"uns": (RANKED_GENES, MARKERS)}, by=("markers",))
    if {HELDOUT, HELDOUT_COUNTS} & set(adata.layers):
        log.warning("the table is masked: what `scinfill mask` took out of the counts is in no test and no mean")
    memory.require(WORK_BYTES + 8 * N_SUMS * len(groups.names) * adata.n_vars, f"{len(groups.names)} groups")
    if replicate is None:
        tested = compare_cells(counts, size_factor, groups, others)
    else:
        tested = compare_replicates(adata, counts, size_factor, groups, others, column=replicate)
    sums = group_sums(counts, size_factor, groups.members(), _estimate(adata), _spread(adata))
    genes = _real_genes(adata)
    numbers = np.arange(len(groups.names))
    tables = []
    for group, found in tested.items():
        of_group = _of_group((sums.side(numbers == group), sums.side(others[group])), found, genes)
        of_group.insert(0, "gene", adata.var_names[genes])
        of_group.insert(0, "group", groups.names[group])
        tables.append(of_group.sort_values(["supported", "log2fc"], ascending=False, kind="stable"))
    table = pd.concat(tables, ignore_index=True)
    n_supported = int(table["supported"].sum())
    log.info("%d of %d pairs of group and gene are supported by the counts", n_supported, len(table))
    method = "wilcoxon" if replicate is None else "t-test"
    entries = {MARKERS: table, RANKED_GENES: _for_scanpy(table, groupby, reference or REST, method)}
    result = sharing_matrices(
        adata, obs=adata.obs.copy(), var=adata.var.copy(), uns=deepcopy(dict(adata.uns)) | entries
    )
    provenance.sign(
        result,
        command="markers",
        parameters={"groupby": groupby, "reference": reference, "replicate": replicate},
        seed=None,
        input_sha256=provenance.sha256(counts),
    )
    return result


def _counts(adata: AnnData) -> tuple[csr_array, Doubles]:
    """Return counts and size factors; where the file says that scinfill made these, ``X`` may hold anything by now."""
    if COUNTS not in adata.layers:
        raise DataError(
            f"p-values come from the counts, and there is no layers[{COUNTS!r}]; {preprocess_option(adata)}, "
            f"impute what it writes, and name that file"
        )
    if provenance.record(adata).get(provenance.SCALE_KEY) != SCALE or SIZE_FACTOR not in adata.obs:
        return read_observations(adata, layer=_layer_of_values(adata)).molecules()
    counts = validation.counts(adata, COUNTS, np.float32, remedy=partial(preprocess_option, adata))
    size_factor = stored_size_factors(adata, counts)
    assert size_factor is not None  # noqa: S101 - the column is there
    return counts, size_factor


def _layer_of_values(adata: AnnData) -> str | None:
    """Return the layer that the last imputation read instead of ``X``."""
    layer = _imputation(adata).get("layer")
    return layer if layer in adata.layers else None


def _imputation(adata: AnnData) -> dict[str, Any]:
    step = provenance.last_imputation(adata)
    return step["parameters"] if step else {}


def _estimate(adata: AnnData) -> Block | None:
    """Return the imputed values by blocks of cells; None, with a word, where the table has none.

    Raises
    ------
    DataError
        They are no means, or not on a log2 scale.
    """
    kind = provenance.record(adata).get(MODEL)
    if IMPUTED not in adata.layers and kind is None:
        log.warning(
            "there is no layers[%r], so the fold changes are those of the counts; "
            "`scinfill impute-deepmc` makes the estimate",
            IMPUTED,
        )
        return None
    _check_means(adata)
    return imputed_block(adata)


def _spread(adata: AnnData) -> Block | None:
    """Return the posterior standard deviation by blocks of cells, if the table holds it."""
    return checked_block(adata, IMPUTED_SD) if IMPUTED_SD in adata.layers and IMPUTED in adata.layers else None


def _check_means(adata: AnnData) -> None:
    """Refuse values whose mean over cells is no mean expression."""
    if batches_are_removed(adata):
        log.warning(
            "layers[%r] holds values as in the average batch, and counts are of the cells' own: their fold "
            "changes differ where groups have batches in other shares",
            IMPUTED,
        )
    kept = _imputation(adata).get("keep", "none")
    if provenance.record(adata).get(provenance.ESTIMATE_KEY) == "detected":
        raise DataError(
            f"layers[{IMPUTED!r}] holds the estimate detected (the value, had the gene been detected), whose group "
            f"means are too high; impute with `impute_deepmc(estimate='shrunk')` or `impute_deepmc(estimate='model')`"
        )
    if kept != "none":
        raise DataError(
            f"layers[{IMPUTED!r}] holds seen values beside imputed ones, so its group means are too high; impute "
            f"with `impute_deepmc(keep='none')`"
        )


def _real_genes(adata: AnnData) -> NDArray[np.intp]:
    """Return the genes of which counts tell something: measured in every cell, and no null genes."""
    measured = measured_genes(adata)
    if NULL_GENE not in adata.var:
        return np.flatnonzero(measured)
    genes = np.flatnonzero(measured & ~adata.var[NULL_GENE].to_numpy(dtype=bool))
    if not len(genes):
        raise DataError(f"every gene is a null gene (var[{NULL_GENE!r}]), and null genes mark nothing")
    return genes


def _of_group(sides: tuple[GroupSums, GroupSums], tested: Tested, genes: NDArray[np.intp]) -> pd.DataFrame:
    """Return what there is to say of each gene, in their order."""
    change = fold_change(*sides, genes)
    quantile = stats.norm.ppf((1 + LEVEL) / 2)
    squared = quantile**2 * change.variance
    if tested.half_width is not None:
        squared = np.maximum(squared, tested.half_width**2)
    half_width = np.sqrt(squared + quantile**2 * change.disagreement)
    p_adjusted = stats.false_discovery_control(tested.p[genes])
    agree = (np.sign(change.log2fc) == np.sign(tested.statistic)) & (
        np.sign(change.log2fc_counts) == np.sign(tested.statistic)
    )
    columns = {
        "log2fc": change.log2fc,
        "log2fc_low": change.log2fc - half_width,
        "log2fc_high": change.log2fc + half_width,
        "log2fc_counts": change.log2fc_counts,
        "statistic": tested.statistic,
        "p": tested.p,
    }
    table = pd.DataFrame({name: values[genes] for name, values in columns.items()})
    table["p_adjusted"] = p_adjusted
    table["supported"] = (p_adjusted <= SIGNIFICANT) & agree[genes]
    for name, attribute in (("seen", "share_seen"), ("mean", "mean")):
        for side, place in zip(sides, ("group", "rest"), strict=True):
            table[f"{name}_in_{place}"] = getattr(side, attribute)[genes]
    return table


def _for_scanpy(table: pd.DataFrame, groupby: str, reference: str, method: str) -> dict[str, object]:
    """Return what ``scanpy.tl.rank_genes_groups`` would leave in ``uns``."""
    columns = {
        "names": ("gene", "O"),
        "scores": ("statistic", "float32"),
        "pvals": ("p", "float64"),
        "pvals_adj": ("p_adjusted", "float64"),
        "logfoldchanges": ("log2fc", "float32"),
    }
    by_group = {str(name): rows for name, rows in table.groupby("group", sort=False)}
    entry: dict[str, object] = {
        "params": {
            "groupby": groupby,
            "reference": reference,
            "method": method,
            "use_raw": False,
            "corr_method": "benjamini-hochberg",
        }
    }
    for key, (column, dtype) in columns.items():
        values = [rows[column].to_numpy() for rows in by_group.values()]
        entry[key] = np.rec.fromarrays(values, dtype=[(name, dtype) for name in by_group])
    return entry
