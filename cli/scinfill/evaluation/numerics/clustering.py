"""Measure how well cells of one label hold together: k-means, silhouettes and correlations between cells."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_samples
from threadpoolctl import threadpool_limits

from scinfill.errors import DataError
from scinfill.numerics.parallel import map_in_order

KMEANS_ITERATIONS = 1000
"""The papers' limit."""

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]
"""Label of every cell as an integer from 0, (n_cells,)."""
Correlation = Literal["pearson", "spearman"]
CORRELATIONS: tuple[Correlation, ...] = get_args(Correlation)


def principal_components(values: Floats, n_components: int, *, seed: int = 0) -> Floats:
    """Project the cells on their first principal components: genes centred, not scaled.

    Parameters
    ----------
    values
        Log expression, (n_cells, n_genes).
    n_components
        Components wanted; fewer come back where the matrix has fewer.

    Returns
    -------
    (n_cells, n_components)

    Raises
    ------
    DataError
        When all cells are the same, so that there is no direction to project on.
    """
    if values.shape[0] < 2 or not np.ptp(values, axis=0).any():
        raise DataError("principal components need two cells that differ; all cells are the same")
    most = min(values.shape)
    # ARPACK is exact and quick for a few components, but cannot return all of them.
    solver = "arpack" if n_components < most else "full"
    return np.asarray(PCA(min(n_components, most), svd_solver=solver, random_state=seed).fit_transform(values))


@dataclass(frozen=True)
class Agreement:
    """Agreement of k-means with the labels, one value per seed."""

    ari: NDArray[np.float64]
    nmi: NDArray[np.float64]


def kmeans_agreement(values: Floats, codes: Codes, *, seeds: Sequence[int]) -> Agreement:
    """Cluster the cells by k-means, k the number of labels, and compare with the labels.

    Each seed is one k-means++ start, so that the spread over seeds is the spread a user meets.

    Parameters
    ----------
    values
        Log expression or principal components, (n_cells, n_features).
    codes
        Label of every cell; at least two labels.
    """
    n_labels = _require_labels(codes)
    if not np.ptp(values, axis=0).any():
        raise DataError("k-means needs cells that differ; all cells are the same")

    def clusters_from(seed: int) -> Codes:
        # One thread each: sums in one order, so the same clusters on any machine.
        with threadpool_limits(1, user_api="openmp"):
            kmeans = KMeans(n_labels, n_init=1, max_iter=KMEANS_ITERATIONS, random_state=seed)
            return np.asarray(kmeans.fit_predict(values))

    with warnings.catch_warnings():
        # Fewer distinct cells than labels: the clustering stands as it is.
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusterings = list(map_in_order(clusters_from, seeds))
    return Agreement(
        ari=np.array([adjusted_rand_score(codes, clusters) for clusters in clusterings]),
        nmi=np.array([normalized_mutual_info_score(codes, clusters) for clusters in clusterings]),
    )


def silhouettes(components: Floats, codes: Codes) -> NDArray[np.float64]:
    """Silhouette of every cell among the labels (Euclidean); a label's only cell has 0."""
    n_labels = _require_labels(codes)
    if n_labels >= codes.size:
        raise DataError("silhouettes need a label with two cells; every cell has a label of its own")
    return np.asarray(silhouette_samples(components, codes))


@dataclass(frozen=True)
class PairSimilarity:
    """Cell-type separability of one pair of labels: ``cts = intra − inter``."""

    first: int
    second: int
    cts: float
    intra: float
    inter: float


def cell_type_separability(
    values: Floats, codes: Codes, *, correlation: Correlation = "pearson"
) -> list[PairSimilarity]:
    """Separability of every pair of labels (deepMc, section 3.4).

    ``intra`` is the mean of the two within-label medians of the correlation between distinct cells, ``inter``
    the median correlation over all pairs of one cell of each label. Labels of one cell have no within-label pair
    and are left out; so are pairs of cells without a correlation (a cell of constant expression).

    Parameters
    ----------
    values
        Log expression, (n_cells, n_genes).
    codes
        Label of every cell.
    """
    _require_labels(codes)
    between_cells = _correlation_between_cells(values, correlation)
    members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    members = [cells for cells in members if cells.size > 1]
    if len(members) < 2:
        raise DataError("separability needs two labels of two or more cells; fewer were given")
    within = [_median_within(between_cells[np.ix_(cells, cells)]) for cells in members]
    pairs = []
    for a, b in combinations(range(len(members)), 2):
        inter = _nan_median(between_cells[np.ix_(members[a], members[b])])
        intra = (within[a] + within[b]) / 2
        if np.isfinite(intra - inter):
            pairs.append(
                PairSimilarity(
                    first=int(codes[members[a][0]]),
                    second=int(codes[members[b][0]]),
                    cts=intra - inter,
                    intra=intra,
                    inter=inter,
                )
            )
    if not pairs:
        raise DataError("separability needs cells whose expression varies over genes; none has")
    return pairs


def _correlation_between_cells(values: Floats, correlation: Correlation) -> Floats:
    """Return correlations (n_cells, n_cells); NaN for cells of constant expression."""
    if values.shape[1] < 2:
        raise DataError("correlations between cells need two genes; fewer were given")
    profiles = rankdata(values, axis=1) if correlation == "spearman" else values
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.corrcoef(profiles, dtype=np.float32))


def _median_within(block: Floats) -> float:
    upper = np.triu_indices(block.shape[0], k=1)
    return _nan_median(block[upper])


def _nan_median(correlations: Floats) -> float:
    defined = correlations[np.isfinite(correlations)]
    return float(np.median(defined)) if defined.size else float("nan")


def _require_labels(codes: Codes) -> int:
    n_labels = np.unique(codes).size
    if n_labels < 2:
        raise DataError(f"at least two labels are needed to tell cells apart; received {n_labels}")
    return n_labels
