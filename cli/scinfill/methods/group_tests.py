"""Tests between groups of cells: of the cells, or of the replicates that they come from."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_array

from scinfill import memory
from scinfill.errors import DataError
from scinfill.methods.grouping import Groups, columns_of_labels, read_groups
from scinfill.numerics import pseudobulk, ranks

log = logging.getLogger(__name__)

Doubles = NDArray[np.float64]
Others = Mapping[int, NDArray[np.bool_]]
"""For each group that is tested, which groups it is compared with, (n_groups,)."""


@dataclass(frozen=True)
class Tested:
    """Test of one group on counts, (n_genes,).

    Attributes
    ----------
    statistic, p
        Statistic and p-value of the rank-sum test, or of the t-test of replicates; positive where the group is higher.
    half_width
        Half of the 95 % interval of the mean log2 difference between replicates; None where cells were tested.
    """

    statistic: Doubles
    p: Doubles
    half_width: Doubles | None = None


def compare_cells(counts: csr_array, size_factor: Doubles, groups: Groups, others: Others) -> dict[int, Tested]:
    """Test by the ranks of the cells' counts / size_factor."""
    comparisons = []
    for group, compared in others.items():
        cells = np.flatnonzero((groups.codes == group) | ((groups.codes >= 0) & compared[groups.codes]))
        comparisons.append(ranks.Comparison(cells, groups.codes[cells] == group))
    z = ranks.rank_sum_z(counts, size_factor, comparisons)
    return {group: Tested(found, 2 * stats.norm.sf(np.abs(found))) for group, found in zip(others, z, strict=True)}


def compare_replicates(
    adata: AnnData, counts: csr_array, size_factor: Doubles, groups: Groups, others: Others, *, column: str
) -> dict[int, Tested]:
    """Test sums over the cells of each replicate, which a column of ``obs`` names; groups in too few are left out.

    Raises
    ------
    DataError
        No group is in two replicates.
    """
    replicates = read_groups(adata, column)
    n_units = len(replicates.names) * len(groups.names)
    memory.require(
        2 * 8 * n_units * counts.shape[1], f"{len(replicates.names)} replicates x {len(groups.names)} groups"
    )
    both = (groups.codes >= 0) & (replicates.codes >= 0)
    units = Groups(("",) * n_units, np.where(both, replicates.codes * len(groups.names) + groups.codes, -1))
    shape = len(replicates.names), len(groups.names)
    sizes, depth = (units.members().T @ weights for weights in (np.ones(counts.shape[0]), size_factor))
    totals = pseudobulk.sums_by(counts, units.members()).reshape(*shape, -1)

    def side(chosen: NDArray[np.bool_]) -> pseudobulk.Pseudobulk:
        of_sizes, of_depth = (values.reshape(shape)[:, chosen].sum(axis=1) for values in (sizes, depth))
        return pseudobulk.Pseudobulk(of_sizes, of_depth, totals[:, chosen].sum(axis=1))

    tested, left_out = {}, []
    for group, compared in others.items():
        found = pseudobulk.compare(side(np.arange(shape[1]) == group), side(compared))
        if found is None:
            left_out.append(groups.names[group])
        else:
            tested[group] = Tested(found.t, found.p, found.half_width)
    too_few = f"fewer than 2 replicates of obs[{column!r}] with {pseudobulk.FEWEST_CELLS} cells or more on a side"
    if not tested:
        raise DataError(
            f"every group has {too_few}, so replicates cannot be compared; name a column of donors or samples as "
            f"`replicate` ({columns_of_labels(adata, column)}), or leave `replicate` out: what cells show then holds "
            f"for these donors only"
        )
    if left_out:
        log.warning("left out, with %s: %s", too_few, ", ".join(left_out))
    return tested
