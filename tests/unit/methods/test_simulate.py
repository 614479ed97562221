import numpy as np
import pytest

import scinfill
from scinfill.errors import InputError, ResourceError
from scinfill.methods import provenance
from scinfill.methods.simulate import World, simulate_in_blocks


@pytest.fixture(scope="module")
def world():
    return scinfill.simulate(n_cells=600, n_genes=150, n_types=3, n_batches=2, depth=2000, seed=3)


def test_counts_labels_and_names(world):
    assert world.X.format == "csr"
    assert world.X.dtype.kind == "i"
    assert world.obs["cell_type"].nunique() == 3
    assert world.obs["batch"].nunique() == 2
    assert world.var_names.is_unique
    assert world.obs_names.is_unique


def test_truth_is_the_mean_of_the_counts(world):
    """Averaging a type's counts at median depth gives the truth back."""
    cells = (world.obs["cell_type"] == "type1").to_numpy()
    rate = world[cells].X.sum(axis=0).A1 / world.obs["true_size"][cells].sum()
    truth = np.exp2(world[cells].layers["truth"][0]) - 1
    assert np.corrcoef(rate, truth)[0, 1] > 0.98
    np.testing.assert_allclose(truth, world.varm["true_profiles"]["type1"], rtol=1e-3, atol=1e-6)


def test_bulk_tells_the_same_genes_apart(world):
    bulk, truth = world.varm["bulk"], world.var["is_de_type1_vs_type2"]
    first, second = (bulk.filter(like=f"{name}_").mean(axis=1) for name in ("type1", "type2"))
    change = np.abs(np.log2((first + 1) / (second + 1)))
    assert change[truth.fillna(value=False)].min() > 0.7
    assert change[~truth.fillna(value=True)].max() < 0.8
    assert truth.isna().any()


def test_truth_can_stay_factors():
    table = scinfill.simulate(n_cells=30, n_genes=20, n_types=2, truth="factors")
    assert "truth" not in table.layers
    assert table.varm["true_profiles"].shape == (20, 2)


def test_truth_layer_is_computed_in_blocks():
    table, layers = simulate_in_blocks(World(n_cells=30, n_genes=20), seed=1)
    assert not table.layers
    whole = scinfill.simulate(n_cells=30, n_genes=20, seed=1)
    np.testing.assert_array_equal(layers["truth"].dense(), whole.layers["truth"])


def test_dropout_keeps_what_was_there_before():
    table = scinfill.simulate(n_cells=100, n_genes=40, dropout=1.5)
    assert table.X.nnz < table.layers["counts_before_dropout"].nnz


def test_same_seed_same_world():
    first, again, other = (scinfill.simulate(n_cells=40, n_genes=30, seed=seed) for seed in (5, 5, 6))
    assert provenance.sha256(first.X) == provenance.sha256(again.X)
    assert provenance.sha256(first.X) != provenance.sha256(other.X)


def test_one_type_has_nothing_to_compare():
    table = scinfill.simulate(n_cells=20, n_genes=15, n_types=1)
    assert not [column for column in table.var if column.startswith("is_de")]


def test_settings_are_in_the_record(world):
    [step] = provenance.steps(world)
    assert step["command"] == "simulate"
    assert step["parameters"]["n_batches"] == 2
    assert step["metrics"]["depth"] == 2000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_cells": 1}, "`n_cells` must be 2 or more; received 1"),
        ({"n_types": 0}, "n_types"),
        ({"n_types": 99, "n_cells": 10}, "at most the cells"),
        ({"density": 0.95}, "density"),
        ({"density": 0.1, "depth": 10.0}, "give one of them"),
        ({"depth": -1.0}, "depth"),
        ({"depth": 1e9}, "`depth` must be positive, at most 1e\\+07"),
        ({"de_log2fc": 1e5}, "`de_log2fc` must be from 0 to 50"),
        ({"de_share": 2.0}, "de_share"),
        ({"dropout": float("nan")}, "dropout"),
    ],
)
def test_impossible_worlds_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        scinfill.simulate(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [{"n_cells": 10**9}, {"n_genes": 10**9}, {"n_cells": 10**5, "n_genes": 5000, "density": 0.5}]
)
def test_a_world_larger_than_memory_is_refused_before_it_is_drawn(monkeypatch, size):
    monkeypatch.setattr("scinfill.memory.available", lambda: 2**30)
    with pytest.raises(ResourceError, match=r"simulating .* cells x .* genes needs .* of memory"):
        scinfill.simulate(**size)


def test_the_chain_accepts_it(world):
    masked = scinfill.mask(scinfill.preprocess(world), mode="thin", null_genes=10, seed=1)
    assert masked.var["null_gene"].sum() == 10
    assert masked.layers["truth"].shape == masked.shape
