"""Groups of cells of which a model predicts the same, in nested sizes.

Cells are compared by the leading components of their predicted log rates, which any model gives a block of cells at a
time. k-means makes small groups, Ward's tree of their centres joins them to larger ones.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.recipe import Prediction
from scinfill.numerics.blocks import row_slices

Floats = NDArray[np.float32]
Codes = NDArray[np.int16]

GROUPS = (128, 32, 8)
"""Numbers of groups, from small groups to large ones."""
FEWEST_CELLS = 20
"""On average in the smallest groups; with fewer cells there are fewer groups."""
COMPONENTS = 20
"""In which cells are compared, at most."""
LANDMARK_CELLS, LANDMARK_VALUES = 2_000, 2**22
"""Cells, and predicted values of theirs, from which the components are found."""
GROUPING_CELLS = 20_000
"""From which the groups are learned; all others join the nearest."""
KMEANS_ITERATIONS = 25
SMALLEST_VARIANCE = 1e-6
"""Of a component, relative to the first; less is rounding."""


@dataclass(frozen=True)
class Grouping:
    """Which group a cell belongs to, by what the model predicts of it.

    Attributes
    ----------
    mean
        (n_genes,) mean prediction.
    components
        (n_genes, n_components) directions of the gated predictions, times the gate.
    centres
        (n_groups, n_components) of the smallest groups.
    scales
        For each size, from large groups to the smallest: the group to which every smallest one belongs, (n_groups,).
    """

    mean: Floats
    components: Floats
    centres: Floats
    scales: tuple[NDArray[np.intp], ...]

    def assign(self, prediction: Prediction, rows: slice) -> Codes:
        """Return the smallest group whose centre is nearest to each of some cells, (n_rows,)."""
        place = _placed(prediction, rows, self.mean, self.components)
        distance = np.sum(self.centres**2, axis=1) - 2 * place @ self.centres.T
        return np.argmin(distance, axis=1).astype(np.int16)


def sizes_for(n_cells: int) -> list[int]:
    """Return how many groups so many cells allow, from small groups to large ones; none if they allow but one."""
    sizes = [size for size in GROUPS if size * FEWEST_CELLS <= n_cells] or [n_cells // FEWEST_CELLS]
    return [size for size in sizes if size > 1]


def learn_grouping(prediction: Prediction, slope: Floats, *, rng: np.random.Generator) -> Grouping | None:
    """Group the cells of a prediction.

    Parameters
    ----------
    prediction
        (n_cells, n_genes) log rates or log2 values.
    slope
        (n_genes,) the gate, by which each gene's deviations count.

    Returns
    -------
    None where there are too few cells for two groups, or all cells are predicted the same.
    """
    from scipy.cluster.vq import kmeans2
    from sklearn.cluster import kmeans_plusplus

    sizes = sizes_for(prediction.shape[0])
    seed = int(rng.integers(2**31))
    if not sizes or not slope.any():
        return None
    mean, components = _components(prediction, slope)
    if components.shape[1] == 0:
        return None
    slices = _spread_rows(prediction.shape, GROUPING_CELLS)
    cells = np.concatenate([_placed(prediction, rows, mean, components) for rows in slices])
    first, _ = kmeans_plusplus(cells, min(sizes[0], len(cells)), random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty cluster is left out below
        centres, group = kmeans2(cells, first, iter=KMEANS_ITERATIONS, minit="matrix")
    centres = centres[np.unique(group)].astype(np.float32)
    return Grouping(mean, components, centres, _nested(centres, sizes[1:]))


def _nested(centres: Floats, larger: list[int]) -> tuple[NDArray[np.intp], ...]:
    """Join the smallest groups to larger ones; return these from the largest to the smallest."""
    from scipy.cluster.hierarchy import fcluster, linkage

    smallest = np.arange(len(centres))
    if len(centres) == 1:
        return (smallest,) * (len(larger) + 1)
    tree = linkage(centres, "ward")
    return (*(fcluster(tree, size, criterion="maxclust").astype(np.intp) - 1 for size in larger[::-1]), smallest)


def _components(prediction: Prediction, slope: Floats) -> tuple[Floats, Floats]:
    """Return the mean prediction, and the leading principal components of the gated predictions times the gate."""
    n_cells, n_genes = prediction.shape
    n_landmarks = int(np.clip(LANDMARK_VALUES // n_genes, 5 * COMPONENTS, LANDMARK_CELLS))
    values = np.concatenate(
        [_limited(prediction.block(rows)) for rows in _spread_rows((n_cells, n_genes), n_landmarks)]
    )
    mean = values.mean(axis=0)
    values -= mean
    values *= slope
    variance, vectors = np.linalg.eigh((values @ values.T).astype(np.float64))
    kept = np.flatnonzero(variance > max(SMALLEST_VARIANCE * variance[-1], 1e-12))[::-1][:COMPONENTS]
    directions = values.T @ (vectors[:, kept] / np.sqrt(variance[kept])).astype(np.float32)
    return mean, slope[:, None] * directions


def _placed(prediction: Prediction, rows: slice, mean: Floats, components: Floats) -> Floats:
    """Return where some cells lie, (n_rows, n_components)."""
    values = _limited(prediction.block(rows))
    values -= mean
    return values @ components


def _limited(values: Floats) -> Floats:
    return np.clip(values, -LARGEST_LOG_RATE, LARGEST_LOG_RATE)


def _spread_rows(shape: tuple[int, int], n_cells: int) -> list[slice]:
    """Cut about ``n_cells`` cells, evenly spread over all, into slices to look at one after the other."""
    step = -(-shape[0] // n_cells)
    return [
        slice(rows.start * step, min(rows.stop * step, shape[0]), step)
        for rows in row_slices(-(-shape[0] // step), shape[1])
    ]
