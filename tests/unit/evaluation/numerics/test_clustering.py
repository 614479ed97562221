import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from scinfill.errors import DataError
from scinfill.evaluation.numerics.clustering import (
    cell_type_separability,
    kmeans_agreement,
    principal_components,
    silhouettes,
)

CODES = np.repeat([0, 1, 2], 20)


def cells(*, apart: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (apart * rng.normal(size=(3, 40))[CODES] + rng.normal(size=(60, 40))).astype(np.float32)


def test_well_separated_labels_are_found_again():
    agreement = kmeans_agreement(cells(apart=10), CODES, seeds=range(8))
    assert np.median(agreement.ari) == pytest.approx(1)
    assert np.median(agreement.nmi) == pytest.approx(1)
    assert agreement.ari.shape == (8,)


def test_noise_agrees_with_no_label():
    assert abs(kmeans_agreement(cells(apart=0), CODES, seeds=range(5)).ari.mean()) < 0.15


def test_same_seed_same_clusters():
    values = cells(apart=0.5)
    first, again = (kmeans_agreement(values, CODES, seeds=[3, 4]).ari for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_components_are_the_singular_vectors():
    values = cells(apart=2).astype(float)
    centred = values - values.mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)
    components = principal_components(values, 2)
    np.testing.assert_allclose(np.abs(components), np.abs(expected[0][:, :2] * expected[1][:2]), atol=1e-8)


def test_more_components_than_the_matrix_has():
    assert principal_components(cells(apart=1)[:5], 20).shape == (5, 5)


@pytest.mark.parametrize("n_components", [2, 20])
def test_identical_cells_have_no_components(n_components):
    with pytest.raises(DataError, match="all cells are the same"):
        principal_components(np.ones((10, 30)), n_components)


def test_kmeans_of_identical_cells_is_refused():
    with pytest.raises(DataError, match="all cells are the same"):
        kmeans_agreement(np.ones((60, 3)), CODES, seeds=[0])


def test_fewer_distinct_cells_than_labels_is_not_a_warning():
    values = np.zeros((60, 3))
    values[:20] = 1
    assert kmeans_agreement(values, CODES, seeds=[0]).ari[0] > 0.5


def test_silhouettes_average_to_scikit_learns_score():
    components = principal_components(cells(apart=1), 2)
    assert silhouettes(components, CODES).mean() == pytest.approx(silhouette_score(components, CODES))


@pytest.mark.parametrize(
    "measure",
    [
        lambda values, codes: kmeans_agreement(values, codes, seeds=[0]),
        silhouettes,
        cell_type_separability,
    ],
)
def test_one_label_is_refused(measure):
    with pytest.raises(DataError, match="at least two labels"):
        measure(cells(apart=1), np.zeros(60, dtype=int))


def brute_force_cts(values, codes, a, b):
    def correlations(first, second):
        return [np.corrcoef(values[i], values[j])[0, 1] for i in first for j in second if i < j or not same]

    same = True
    in_a, in_b = np.flatnonzero(codes == a), np.flatnonzero(codes == b)
    intra = (np.median(correlations(in_a, in_a)) + np.median(correlations(in_b, in_b))) / 2
    same = False
    return intra - np.median(correlations(in_a, in_b))


def test_separability_equals_its_definition():
    values = cells(apart=1)
    pairs = cell_type_separability(values, CODES)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    for pair in pairs:
        assert pair.cts == pytest.approx(brute_force_cts(values, CODES, pair.first, pair.second), abs=1e-5)
        assert pair.cts == pytest.approx(pair.intra - pair.inter)


def test_spearman_does_not_mind_a_monotone_transformation():
    values = cells(apart=1)
    plain = cell_type_separability(values, CODES, correlation="spearman")
    curved = cell_type_separability(np.exp(values), CODES, correlation="spearman")
    assert [pair.cts for pair in plain] == pytest.approx([pair.cts for pair in curved])


def test_label_of_one_cell_is_left_out_of_the_pairs():
    codes = CODES.copy()
    codes[0] = 9
    assert all(9 not in (pair.first, pair.second) for pair in cell_type_separability(cells(apart=1), codes))


def test_constant_cell_is_dropped_and_not_nan():
    values = cells(apart=1)
    values[0] = 1
    assert all(np.isfinite(pair.cts) for pair in cell_type_separability(values, CODES))


def test_only_constant_cells_are_refused():
    with pytest.raises(DataError, match="varies over genes"):
        cell_type_separability(np.ones((60, 5)), CODES)
