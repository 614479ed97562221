"""How one set of measurements follows another in the same cells: correlations, and what components explain."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from scinfill.numerics.blocks import row_slices

FOLDS = 5
PENALTIES = np.logspace(-2, 4, 13)
"""From which ridge regression takes one for each target by leave-one-out error within the training cells."""
SMALLEST_COMPONENT = 1e-4
"""Spread relative to the largest component below which a component is rounding, as beyond the rank of an estimate."""
NEGLIGIBLE = 1e-11
"""Share of the sum of squares below which a variance is rounding."""

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]
Block = tuple[Floats, Floats, Codes]
"""Two measurements of some cells, (n_rows, n_columns) each, and the group of every cell, (n_rows,)."""


def centred_log_ratio(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """Return log(1 + count) minus its mean over the proteins of the cell, (n_cells, n_proteins).

    The mean of a cell takes out how many antibodies were sequenced of it (Stoeckius et al. 2017, with 1 added so that
    zeros have a logarithm).
    """
    logs = np.log1p(counts, dtype=np.float64)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


@dataclass(frozen=True)
class Correlations:
    """Pearson correlations of columns, 0 where one of them does not vary.

    Attributes
    ----------
    n_cells
        Of each group, (n_groups,).
    overall
        Over the cells of all groups, (n_columns,).
    by_group
        Over the cells of each, (n_groups, n_columns).
    """

    n_cells: NDArray[np.int64]
    overall: NDArray[np.float64]
    by_group: NDArray[np.float64]

    def within(self, groups: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the mean over some groups, weighted by their cells, (n_columns,)."""
        return np.asarray(np.average(self.by_group[groups], axis=0, weights=self.n_cells[groups]))


def correlate(blocks: Iterable[Block], n_groups: int) -> Correlations:
    """Correlate column by column, over all cells and within groups, a block of cells at a time.

    Parameters
    ----------
    blocks
        At least one; every cell belongs to a group from 0 to ``n_groups`` - 1.
    """
    n_cells = np.zeros(n_groups, dtype=np.int64)
    sums: NDArray[np.float64] | None = None
    shift_x = shift_y = np.zeros(0)
    for x, y, groups in blocks:
        if sums is None:
            # Correlations do not depend on where zero is; near the mean, sums of squares lose no digits.
            shift_x, shift_y = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
            sums = np.zeros((5, n_groups, x.shape[1]))
        shifted_x, shifted_y = x - shift_x, y - shift_y
        members = _indicator(groups, n_groups)
        n_cells += np.bincount(groups, minlength=n_groups)
        parts = (shifted_x, shifted_y, shifted_x**2, shifted_y**2, shifted_x * shifted_y)
        sums += np.stack([members @ part for part in parts])
    if sums is None:
        raise ValueError("there is no block of cells")
    return Correlations(
        n_cells,
        overall=_pearson(sums.sum(axis=1), np.array(n_cells.sum())),
        by_group=_pearson(sums, n_cells[:, None]),
    )


def _indicator(groups: Codes, n_groups: int) -> csr_array:
    """Return membership, (n_groups, n_rows): a product with it sums by group."""
    ones, rows = np.ones(groups.size), np.arange(groups.size)
    return csr_array((ones, (groups, rows)), shape=(n_groups, groups.size))


def _pearson(sums: NDArray[np.float64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    x, y, xx, yy, xy = sums
    n = np.maximum(n, 1)
    variance_x, variance_y = xx - x * x / n, yy - y * y / n
    varies = (variance_x > NEGLIGIBLE * xx) & (variance_y > NEGLIGIBLE * yy)
    scale = np.sqrt(np.where(varies, variance_x * variance_y, 1))
    return np.asarray(np.where(varies, (xy - x * y / n) / scale, 0))


def explain(components: Floats, targets: Floats, *, seed: int) -> NDArray[np.float64]:
    """Return R² of each target from components by cross-validated ridge regression, (n_targets,).

    Every cell is predicted by a model of the other folds; below 0 is worse than the mean. Components count alike,
    whatever their spread.

    Parameters
    ----------
    components
        (n_cells, n_components)
    targets
        (n_cells, n_targets)
    """
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES, alpha_per_target=True))
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    components = components.astype(np.float64)
    spread = components.std(axis=0)
    used = components[:, spread > SMALLEST_COMPONENT * spread.max()]
    with threadpool_limits(1):  # sums in one order: the same numbers on any machine
        predicted = cross_val_predict(model, used, targets, cv=folds)
    return np.asarray(r2_score(targets, predicted, multioutput="raw_values"))


def permute_within(groups: Codes, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return for every cell another one, or itself, of its group, each once, (n_cells,)."""
    order = np.empty(groups.size, dtype=np.intp)
    for group in np.unique(groups):
        cells = np.flatnonzero(groups == group)
        order[cells] = rng.permutation(cells)
    return order


def centre_ranks(values: Floats) -> NDArray[np.float64]:
    """Return ranks over cells minus their mean, ties by their mean rank; of one or many columns."""
    ranks = np.asarray(rankdata(values, axis=0), dtype=np.float64)
    return np.asarray(ranks - (values.shape[0] + 1) / 2)


def spearman(values: Floats, dose: Floats) -> NDArray[np.float64]:
    """Return the rank correlation of each gene with a dose, 0 where the gene does not vary, (n_genes,).

    Parameters
    ----------
    values
        (n_cells, n_genes); ranked some genes at a time.
    dose
        (n_cells,), not constant.
    """
    found = np.zeros(values.shape[1])
    of_dose = centre_ranks(dose)
    norm = np.sqrt(of_dose @ of_dose)
    for genes in row_slices(values.shape[1], values.shape[0]):
        ranks = centre_ranks(values[:, genes])
        scale = np.sqrt((ranks**2).sum(axis=0)) * norm
        found[genes] = np.divide(of_dose @ ranks, scale, out=np.zeros(ranks.shape[1]), where=scale > 0)
    return found
