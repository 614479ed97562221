"""Counts per molecule: told from zeros alone, whatever was sequenced and whatever was selected."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from scinfill.numerics.duplicates import counts_per_molecule
from scinfill.numerics.sparse import canonical


def molecules(n_cells=300, n_genes=400, *, mean=0.5, n_types=1, seed=0):
    """Return Poisson molecules of cells of different size, types with other means, and genes from rare to common."""
    rng = np.random.default_rng(seed)
    profiles = rng.lognormal(np.log(mean), 1.5, n_genes) * rng.lognormal(0, 0.5, (n_types, n_genes))
    size = rng.lognormal(0, 0.3, n_cells)
    return rng.poisson(profiles[rng.integers(0, n_types, n_cells)] * size[:, None])


def reads_of(molecules, n_copies, *, seed=1):
    """Return reads: each molecule is sequenced a number of times whose mean and standard deviation are ``n_copies``."""
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(np.maximum(molecules, 1e-300), n_copies))


def ratio(counts):
    return counts_per_molecule(canonical(csr_array(counts), np.float32))


@pytest.mark.parametrize("n_cells", [30, 300, 3000])
@pytest.mark.parametrize("mean", [0.02, 0.5, 5.0])
def test_molecules_are_counted_about_once(n_cells, mean):
    assert 0.8 < ratio(molecules(n_cells, mean=mean)) < 1.4


@pytest.mark.parametrize("n_cells", [30, 300, 3000])
@pytest.mark.parametrize("n_copies", [10, 30, 100])
def test_reads_are_counted_as_often_as_molecules_were_copied(n_cells, n_copies):
    assert ratio(reads_of(molecules(n_cells), n_copies)) == pytest.approx(n_copies, rel=0.35)


def test_hardly_any_copies_are_hardly_more_than_molecules():
    shallow = [ratio(reads_of(molecules(), n_copies)) for n_copies in (0.1, 1, 3)]
    assert shallow[0] < 1.5
    assert shallow == sorted(shallow)


@pytest.mark.parametrize("n_types", [1, 6])
@pytest.mark.parametrize("n_kept", [100, 1000])
def test_genes_chosen_for_their_scatter_change_little(n_types, n_kept):
    counts = molecules(400, 4000, n_types=n_types)
    scatter = counts.var(axis=0) / np.maximum(counts.mean(axis=0), 1e-9)
    chosen = np.argsort(-scatter)[:n_kept]
    assert ratio(counts[:, chosen]) < 4
    assert ratio(reads_of(counts, 30)[:, chosen]) > 20


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_hidden_values_change_little(share):
    counts = molecules(n_types=4)
    shown = np.random.default_rng(2).random(counts.shape) >= share
    assert ratio(counts * shown) < 3
    assert ratio(reads_of(counts, 30) * shown) > 20


def test_nearly_empty_droplets_change_little():
    cells = molecules(200, n_types=4)
    ambient = np.random.default_rng(3).poisson(cells.mean(axis=0) * 0.02, (4000, cells.shape[1]))
    assert ratio(np.concatenate([cells, ambient])) < 4


def test_cells_and_genes_without_counts_change_nothing():
    counts = molecules(50, 60)
    padded = np.zeros((70, 90), counts.dtype)
    padded[10:60, 20:80] = counts
    assert ratio(padded) == ratio(counts)


def test_no_count_says_nothing():
    assert np.isnan(ratio(np.zeros((5, 4))))
    assert np.isnan(ratio(np.zeros((0, 4))))


def test_genes_without_zeros_are_judged_by_the_fewest_molecules_that_could_be():
    assert ratio(np.full((50, 3), 20.0)) == pytest.approx(20 / np.log(101))
