import numpy as np
import pytest
from scipy.sparse import csr_array

from scinfill.numerics.decomposition import principal_components, truncated_svd


def spectrum(shape, singular, seed=0):
    """Return a matrix with these singular values."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(shape[0], len(singular))))
    right, _ = np.linalg.qr(rng.normal(size=(shape[1], len(singular))))
    return (left * singular @ right.T).astype(np.float32)


def decompose(matrix, rank, *, seed=0, **settings):
    return truncated_svd(
        lambda thin: matrix @ thin,
        lambda thin: matrix.T @ thin,
        matrix.shape,
        rank,
        rng=np.random.default_rng(seed),
        **settings,
    )


@pytest.mark.parametrize("shape", [(80, 50), (50, 80), (12, 12)])
@pytest.mark.parametrize("rank", [1, 3, 8])
def test_leading_singular_values_and_vectors(shape, rank):
    matrix = spectrum(shape, 10.0 * 0.6 ** np.arange(10))
    left, singular, right = decompose(matrix, rank)
    assert (left.shape, singular.shape, right.shape) == ((shape[0], rank), (rank,), (rank, shape[1]))
    np.testing.assert_allclose(singular, 10 * 0.6 ** np.arange(rank), rtol=0.01)
    np.testing.assert_allclose(left.T @ left, np.eye(rank), atol=1e-4)
    np.testing.assert_allclose(right @ right.T, np.eye(rank), atol=1e-4)
    best = np.linalg.svd(matrix - left * singular @ right, compute_uv=False)[0]
    assert best <= 10 * 0.6**rank * 1.05


def test_a_flat_spectrum_is_found_to_about_one_percent():
    matrix = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)
    expected = np.linalg.svd(matrix, compute_uv=False)[:5]
    np.testing.assert_allclose(decompose(matrix, 5, n_iterations=4)[1], expected, rtol=0.05)
    assert np.all(decompose(matrix, 5)[1] <= expected * 1.0001)


@pytest.mark.parametrize("shape", [(2, 2), (1, 5), (5, 1), (3, 40)])
def test_the_full_rank_rebuilds_the_matrix(shape):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    left, singular, right = decompose(matrix, min(shape))
    np.testing.assert_allclose(left * singular @ right, matrix, atol=1e-5)


def test_a_matrix_of_zeros():
    left, singular, right = decompose(np.zeros((6, 4), np.float32), 2)
    np.testing.assert_array_equal(singular, 0)
    assert np.isfinite(left).all()
    assert np.isfinite(right).all()


def test_same_generator_same_bytes():
    matrix = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    first, second = decompose(matrix, 3), decompose(matrix, 3)
    for one, other in zip(first, second, strict=True):
        assert one.tobytes() == other.tobytes()


def test_principal_components_are_those_of_the_centred_matrix():
    rng = np.random.default_rng(0)
    dense = (spectrum((90, 40), 20.0 * 0.5 ** np.arange(6)) + 3) * (rng.random((90, 40)) < 0.7)
    scores, components, means = principal_components(csr_array(dense.astype(np.float32)), 3, rng=rng, n_iterations=8)
    np.testing.assert_allclose(means, dense.mean(axis=0), rtol=1e-5)
    expected = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    approximation = expected[0][:, :3] * expected[1][:3] @ expected[2][:3]
    centred = dense - dense.mean(axis=0)
    missed = np.linalg.norm(centred - scores @ components)
    assert missed <= 1.02 * np.linalg.norm(centred - approximation)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-3)
