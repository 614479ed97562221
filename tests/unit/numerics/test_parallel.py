import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from scinfill.numerics.parallel import IN_FLIGHT, blocks_in_parallel, generators, map_in_order


def blas_threads():
    """Return the threads of NumPy's linear algebra, which all blocks are computed with; SciPy brings its own."""
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    (numpys,) = [library for library in blas if "numpy" in library["filepath"]] or blas[:1]
    return numpys["num_threads"]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_items", [0, 1, 2, IN_FLIGHT, 3 * IN_FLIGHT + 1])
def test_results_come_in_order(n_threads, n_items):
    with threadpool_limits(n_threads, user_api="blas"):
        assert list(map_in_order(lambda item: item**2, range(n_items))) == [item**2 for item in range(n_items)]


def test_as_many_at_once_as_the_linear_algebra_may_use():
    meeting = threading.Barrier(2)
    with threadpool_limits(2, user_api="blas"):
        assert len(set(map_in_order(lambda _: meeting.wait(30), range(2)))) == 2


def test_one_thread_works_in_the_callers():
    with threadpool_limits(1, user_api="blas"):
        assert set(map_in_order(lambda _: threading.get_ident(), range(5))) == {threading.get_ident()}


def test_each_block_has_one_thread_of_linear_algebra_and_all_are_given_back():
    with threadpool_limits(2, user_api="blas"):
        assert set(map_in_order(lambda _: blas_threads(), range(4))) == {1}
        assert blas_threads() == 2
        with blocks_in_parallel() as n_threads:
            assert (n_threads, blas_threads()) == (2, 1)
            with blocks_in_parallel() as inside:
                assert inside == 2
            assert set(map_in_order(lambda _: blas_threads(), range(4))) == {1}
        assert blas_threads() == 2


def test_a_failure_reaches_the_caller_and_gives_the_threads_back():
    def fail(item):
        if item == 3:
            raise ValueError("three")
        return item

    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ValueError, match="three"):
            list(map_in_order(fail, range(20)))
        assert blas_threads() == 2


def test_whoever_stops_early_leaves_the_threads_as_they_were():
    with threadpool_limits(2, user_api="blas"):
        results = map_in_order(lambda item: item, range(100))
        assert next(results) == 0
        results.close()
        assert blas_threads() == 2


def test_each_block_draws_its_own_numbers_and_the_same_again():
    draws = [[one.random() for one in generators(np.random.default_rng(seed), 3)] for seed in (0, 0, 1)]
    assert draws[0] == draws[1]
    assert len({*draws[0], *draws[2]}) == 6
    rng = np.random.default_rng(0)
    assert [one.random() for _ in range(2) for one in generators(rng, 3)][3:] != draws[0]
