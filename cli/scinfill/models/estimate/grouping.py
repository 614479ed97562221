"""Groups of cells of which a model predicts the same, in nested sizes.

Cells are compared by the leading components of their predicted log rates, which any model gives a block of cells at a
time. k-means makes small groups, Ward's tree of their centres joins them to larger ones.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.recipe import Prediction
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.decomposition import truncated_svd

Floats = NDArray[np.float32]
Codes = NDArray[np.int16]
Product = Callable[[Floats, Floats], Floats]

GROUPS = (128, 32, 8)
"""Numbers of groups, from small groups to large ones."""
CELLS_PER_GROUP = 20
"""On average in the smallest groups, at least; with fewer cells there are fewer groups."""
FEWEST_CELLS = 10
"""In any group: the cells of a smaller one join the nearest."""
COMPONENTS = 20
"""In which cells are compared, at most."""
LANDMARK_CELLS, LANDMARK_VALUES = 2_000, 2**22
"""Cells, and predicted values of theirs, from which the components are found."""
GROUPING_CELLS = 10_000
"""From which the groups are learned; all others join the nearest."""
KMEANS_ITERATIONS = 12
SMALLEST_SIZE = 1e-3
"""Of a component, relative to the first; less is rounding."""


@dataclass(frozen=True)
class Grouping:
    """Assignment of cells to groups, by what the model predicts of them.

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

    def nearest(self, place: Floats, *, product: Product = np.matmul) -> Codes:
        """Return the smallest group whose centre is nearest to each of some cells, (n_rows,)."""
        distance = np.sum(self.centres**2, axis=1) - 2 * product(place, self.centres.T)
        return np.argmin(distance, axis=1).astype(np.int16)


def assign_all(groupings: Sequence[Grouping], prediction: Prediction, rows: slice) -> list[Codes]:
    """Return the smallest group of each of some cells in groupings that compare cells by the same components."""
    if not groupings:
        return []
    place = _positions(prediction, rows, groupings[0].mean, groupings[0].components)
    return [grouping.nearest(place) for grouping in groupings]


def sizes_for(n_cells: int) -> list[int]:
    """Return how many groups so many cells allow, from small groups to large ones; none if they allow but one."""
    sizes = [size for size in GROUPS if size * CELLS_PER_GROUP <= n_cells] or [n_cells // CELLS_PER_GROUP]
    return [size for size in sizes if size > 1]


def learn_groupings(
    prediction: Prediction, slope: Floats, n_groupings: int, *, rng: np.random.Generator
) -> list[Grouping]:
    """Group the cells of a prediction, several times from different first centres.

    Parameters
    ----------
    prediction
        (n_cells, n_genes) log rates or log2 values.
    slope
        (n_genes,) the gate, by which each gene's deviations count.

    Returns
    -------
    Nothing where there are too few cells for two groups, or all cells are predicted the same.
    """
    sizes = sizes_for(prediction.shape[0])
    if not sizes or not slope.any():
        return []
    mean, components = _components(prediction, slope, rng)
    if components.shape[1] == 0:
        return []
    slices = _spread_rows(prediction.shape, GROUPING_CELLS)
    cells = np.concatenate([_positions(prediction, rows, mean, components) for rows in slices])
    several = (_centres(cells, sizes[0], seed) for seed in rng.integers(2**31, size=n_groupings))
    return [Grouping(mean, components, centres, _merge_small(centres, sizes[1:])) for centres in several]


def _centres(cells: Floats, n_groups: int, seed: int) -> Floats:
    """Return the centres of k-means, (n_groups, n_components), without groups of fewer than FEWEST_CELLS."""
    from scipy.cluster.vq import kmeans2

    first = _first_centres(cells, n_groups, np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a group is empty
        centres, group = kmeans2(cells, first, iter=KMEANS_ITERATIONS, minit="matrix")
    kept = np.bincount(group, minlength=len(centres)) >= FEWEST_CELLS
    return np.asarray(centres[kept], np.float32)


def _first_centres(cells: Floats, n_groups: int, rng: np.random.Generator) -> Floats:
    """Draw cells far from those drawn before: k-means++ (Arthur & Vassilvitskii 2007), fewer where no others differ.

    scikit-learn's takes a second to import, a quarter of a small run.
    """
    chosen, distance = [int(rng.integers(len(cells)))], np.full(len(cells), np.inf)
    while len(chosen) < n_groups:
        distance = np.minimum(distance, np.sum((cells - cells[chosen[-1]]) ** 2, axis=1, dtype=np.float64))
        if not distance.any():
            break
        chosen.append(int(rng.choice(len(cells), p=distance / distance.sum())))
    return cells[chosen]


def _merge_small(centres: Floats, larger: list[int]) -> tuple[NDArray[np.intp], ...]:
    """Join the smallest groups to larger ones; return these from the largest to the smallest."""
    from scipy.cluster.hierarchy import fcluster, linkage

    smallest = np.arange(len(centres))
    if len(centres) == 1:
        return (smallest,) * (len(larger) + 1)
    tree = linkage(centres, "ward")
    return (*(fcluster(tree, size, criterion="maxclust").astype(np.intp) - 1 for size in larger[::-1]), smallest)


def _components(prediction: Prediction, slope: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the mean prediction, and the leading principal components of the gated predictions times the gate."""
    n_cells, n_genes = prediction.shape
    n_landmarks = int(np.clip(LANDMARK_VALUES // n_genes, 5 * COMPONENTS, LANDMARK_CELLS))
    slices = _spread_rows((n_cells, n_genes), n_landmarks)
    values = np.concatenate([_cap(prediction.block(rows)) for rows in slices])
    mean = values.mean(axis=0)
    values -= mean
    values *= slope
    rank = min(COMPONENTS, *values.shape)
    _, size, components = truncated_svd(values.__matmul__, values.T.__matmul__, values.shape, rank, rng=rng)
    kept = size > max(SMALLEST_SIZE * float(size[0]), 1e-6)
    return mean, slope[:, None] * components[kept].T


def _positions(prediction: Prediction, rows: slice, mean: Floats, components: Floats) -> Floats:
    """Return where some cells lie, (n_rows, n_components)."""
    values = _cap(prediction.block(rows))
    values -= mean
    return values @ components


def _cap(values: Floats) -> Floats:
    return np.clip(values, -LARGEST_LOG_RATE, LARGEST_LOG_RATE)


def _spread_rows(shape: tuple[int, int], n_cells: int) -> list[slice]:
    """Cut about ``n_cells`` cells, evenly spread over all, into slices to look at one after the other."""
    step = -(-shape[0] // n_cells)
    return [
        slice(rows.start * step, min(rows.stop * step, shape[0]), step)
        for rows in row_slices(-(-shape[0] // step), shape[1])
    ]
