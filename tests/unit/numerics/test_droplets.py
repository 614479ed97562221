import anndata
import numpy as np
import pytest

from _support import SHARED_TABLES, shared
from scinfill.numerics.droplets import find_humps, is_unfiltered, nearly_empty
from scinfill.numerics.sparse import canonical, row_sums


def droplets(n_barcodes, n_cells, depth, ambient, *, spread=0.5, least=0, seed=0):
    """Return totals of real cells among droplets that hold a few molecules of the soup, down to ``least``."""
    rng = np.random.default_rng(seed)
    empty = rng.poisson(ambient * rng.lognormal(0, 1, n_barcodes))
    cells = depth * rng.lognormal(0, spread, n_cells) + ambient
    totals = np.concatenate([empty, np.round(cells)]).astype(np.float64)
    return totals[totals >= least]


def assert_nothing_is_said(totals):
    humps = find_humps(totals)
    assert not is_unfiltered(totals)
    assert humps is None or not humps.are_soup_and_cells


@pytest.mark.parametrize(
    "totals",
    [
        droplets(737_280, 3_000, 5_000, 0.5),
        droplets(2_000_000, 10_000, 3_000, 8, least=1),
        droplets(500_000, 500, 800, 1, least=1),
        droplets(100_000, 8_000, 2_000, 15, spread=0.8, least=5),
        droplets(20_000, 2_000, 10_000, 20, least=10),
        droplets(700, 300, 4_000, 0.5),
    ],
    ids=["10x", "nuclei with much soup", "few cells", "dirty", "cut at ten", "small"],
)
def test_unfiltered_droplets(totals):
    empty = nearly_empty(totals)
    assert is_unfiltered(totals)
    assert totals[~empty].min() > totals[empty].max()


@pytest.mark.parametrize("spread", [0.2, 0.5, 1, 1.4, 2.2])
@pytest.mark.parametrize("depth", [0.3, 3, 20, 100, 1_000, 100_000, 5_000_000])
def test_cells_however_shallow_are_none(depth, spread):
    for n_cells in (30, 3_000):
        rng = np.random.default_rng(n_cells)
        assert_nothing_is_said(rng.poisson(depth * rng.lognormal(0, spread, n_cells)).astype(float))


def test_small_cell_types_beside_large_ones_are_none():
    rng = np.random.default_rng(0)
    totals = np.concatenate([300 * rng.lognormal(0, 0.4, 6_000), 30_000 * rng.lognormal(0, 0.5, 4_000)])
    assert_nothing_is_said(totals)


@pytest.mark.parametrize("n_deep", [2, 6])
@pytest.mark.parametrize("depth", [0.3, 5, 20, 90])
def test_a_few_deep_barcodes_among_shallow_cells_are_outliers(depth, n_deep):
    rng = np.random.default_rng(0)
    totals = rng.poisson(depth * rng.lognormal(0, 0.3, 300)).astype(float)
    totals[:n_deep] += 20_000
    assert_nothing_is_said(totals)


@pytest.mark.parametrize("depth", [50, 300, 3_000])
def test_one_type_of_cells_may_be_ten_times_as_large_as_another(depth):
    rng = np.random.default_rng(0)
    totals = rng.poisson(np.repeat([depth, 10 * depth], [600, 400]) * rng.lognormal(0, 0.3, 1_000)).astype(float)
    assert find_humps(totals) is not None
    assert_nothing_is_said(totals)


@pytest.mark.parametrize(("ambient", "depth"), [(41, 1_160), (150, 3_800)])
def test_droplets_with_much_soup_are_two_humps(ambient, depth):
    rng = np.random.default_rng(0)
    totals = np.concatenate([rng.poisson(ambient, 600), rng.poisson(depth * rng.lognormal(0, 0.3, 100))]).astype(float)
    humps = find_humps(totals)
    assert humps.n_low == 600
    assert humps.low == pytest.approx(ambient, rel=0.05)
    assert humps.are_soup_and_cells


@pytest.mark.parametrize("name", [*SHARED_TABLES, "pbmc3k.h5ad"])
@pytest.mark.parametrize("kept", [1, 0.1, 0.01])
def test_real_filtered_data_also_where_it_is_shallow(name, kept):
    counts = canonical(anndata.read_h5ad(shared(name)).X)
    totals = np.random.default_rng(0).binomial(row_sums(counts).astype(np.int64), kept).astype(float)
    assert_nothing_is_said(totals)


def test_nothing_at_all_is_told_without_a_fault():
    assert nearly_empty(np.zeros(3)).all()
    assert not is_unfiltered(np.zeros(3))
