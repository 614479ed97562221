"""Differential expression between groups of cells, and how well it finds genes known from bulk data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm, rankdata
from sklearn.metrics import roc_auc_score, roc_curve

from scinfill.errors import DataError
from scinfill.evaluation.numerics.intervals import Weights, ratio
from scinfill.numerics.parallel import map_in_order

GENES_AT_ONCE = 64
"""Ranks are float64 and of the size of the data, so genes are ranked in blocks."""

Floats = NDArray[np.floating]


def rank_sum_z(values: Floats, groups: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Standardised Wilcoxon rank-sum (Mann-Whitney U) statistic of every gene and group against all other cells.

    With ``R`` the ranks of a gene over cells (mean ranks at ties) and ``g`` the 0/1 membership of a group,
    the statistic with the tie-corrected variance is ``z = sqrt(N − 1)·corr(R, g)``: one ranking serves every
    group. It equals ``scipy.stats.mannwhitneyu`` (asymptotic, without continuity correction) and, unlike a
    p-value, does not underflow. A gene of constant expression has ``z = 0``.

    Parameters
    ----------
    values
        Expression, (n_cells, n_genes); only its order over cells matters.
    groups
        Membership, (n_cells,) or (n_cells, n_groups). Every group and its complement hold a cell.

    Returns
    -------
    (n_genes,) or (n_genes, n_groups), positive where the group is higher.
    """
    members = groups.astype(np.float64)
    if not (members.any(axis=0) & (1 - members).any(axis=0)).all():
        raise DataError("a rank-sum test needs a cell in each of two groups; one group is empty")
    standardised_members = _standardise(members)
    n_cells, n_genes = values.shape

    def correlations(start: int) -> NDArray[np.float64]:
        # A gene's values are sorted faster where they lie in one piece.
        genes = np.ascontiguousarray(values[:, start : start + GENES_AT_ONCE].T)
        return _standardise(rankdata(genes, axis=1).T).T @ standardised_members

    blocks = map_in_order(correlations, range(0, n_genes, GENES_AT_ONCE))
    return np.concatenate(list(blocks)) * np.sqrt(n_cells - 1)


def two_sided_p(z: Floats) -> NDArray[np.float64]:
    """Two-sided p-value of a standardised statistic (normal approximation)."""
    return np.asarray(2 * norm.sf(np.abs(z)))


def benjamini_hochberg(p_values: Floats) -> NDArray[np.float64]:
    """Adjust the p-values of all genes of a comparison so that a threshold bounds the false discovery rate.

    Benjamini & Hochberg 1995. ``p_values`` is (n_genes,) or (n_genes, n_comparisons), each column a family of its own.
    """
    return np.asarray(false_discovery_control(p_values, axis=0, method="bh"), dtype=np.float64)


def _standardise(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre columns and scale them to unit norm; a constant column becomes zero."""
    centred = columns - columns.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(norms > 0, norms, 1))


def auc(is_differential: NDArray[np.bool_], scores: Floats, weights: Weights) -> NDArray[np.float64]:
    """Area under the ROC curve: the share of pairs in order, ties counting half; NaN without genes of both kinds.

    With all weights 1 it is the ``auc`` of :func:`roc`.

    Parameters
    ----------
    is_differential, scores
        As for :func:`roc`.
    weights
        (n_draws, n_genes) how often each gene counts.

    Returns
    -------
    (n_draws,)
    """
    order = np.argsort(scores[~is_differential])
    negative = scores[~is_differential][order]
    passed = np.zeros((len(weights), negative.size + 1))
    np.cumsum(weights[:, ~is_differential][:, order], axis=1, out=passed[:, 1:])
    positive, times = scores[is_differential], weights[:, is_differential]
    # Of the genes that do not differ, those below each that does, and those not above it.
    below, not_above = (passed[:, np.searchsorted(negative, positive, side=side)] for side in ("left", "right"))
    in_order = np.sum(times * (below + not_above), axis=1) / 2
    return ratio(in_order, times.sum(axis=1) * passed[:, -1])


@dataclass(frozen=True)
class RocCurve:
    """Receiver operating characteristic of gene scores against a known truth."""

    auc: float
    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]


def roc(is_differential: NDArray[np.bool_], scores: Floats) -> RocCurve:
    """Score how well genes known to differ come first.

    Parameters
    ----------
    is_differential
        Truth from bulk data, (n_genes,).
    scores
        Higher means more evidence, such as ``|z|`` of :func:`rank_sum_z`, (n_genes,).
    """
    if is_differential.all() or not is_differential.any():
        raise DataError(
            "a ROC curve needs genes that differ and genes that do not; "
            f"received {int(is_differential.sum())} and {int((~is_differential).sum())}"
        )
    false_positive_rate, true_positive_rate, _ = roc_curve(is_differential, scores)
    return RocCurve(float(roc_auc_score(is_differential, scores)), false_positive_rate, true_positive_rate)
