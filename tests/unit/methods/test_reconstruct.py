"""Values rebuilt from factors are the values that the dense layer holds."""

from functools import cache

import numpy as np
import pytest

import scinfill
from _support import make_counts
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance

WAYS = {
    "shrunk": {},
    "shrunk by the squared loss": {"loss": "squared", "estimate": "shrunk"},
    "model": {"estimate": "model"},
    "model of reads": {"counts_kind": "reads"},
    "in batches": {"batch": "sample"},
    "without batches": {"batch": "sample", "batch_effect": "remove"},
    "of reads without batches": {"batch": "sample", "batch_effect": "remove", "counts_kind": "reads"},
    "detected in batches": {"batch": "sample", "estimate": "detected"},
    "detected": {"estimate": "detected"},
    "paper": {"preset": "paper", "depth": 2, "rank": (4, 3)},
}


def prepare(n_cells=60):
    counts = make_counts(n_cells, 40, seed=3)
    counts.obs["sample"] = np.where(np.arange(n_cells) % 3, "first", "second")
    return scinfill.preprocess(counts, min_counts=1)


@cache
def _factors(n_cells, way, options):
    return scinfill.impute_deepmc(prepare(n_cells), form="factors", **(WAYS[way] | dict(options)))


def factors_of(way="shrunk", *, n_cells=60, **options):
    """Return the factors of the prepared table; computed once, the caller's own."""
    return _factors(n_cells, way, tuple(options.items())).copy()


@pytest.fixture(scope="module")
def prepared():
    return prepare()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_everything_is_rebuilt(prepared, way):
    imputed = scinfill.impute_deepmc(prepared, **WAYS[way])
    factors = factors_of(way)
    assert "imputed" not in factors.layers
    rebuilt = scinfill.reconstruct(factors)
    np.testing.assert_allclose(rebuilt.layers["imputed"], imputed.layers["imputed"], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_calibrated_values_are_rebuilt():
    counts = make_counts(200, 40, seed=3)
    factors = factors_of(n_cells=200, rank=1, gate=False)
    assert factors.obsm["X_deepmc_groups"].shape == (200, 2)
    dense = scinfill.impute_deepmc(scinfill.preprocess(counts, min_counts=1), rank=1, gate=False)
    np.testing.assert_allclose(scinfill.reconstruct(factors).layers["imputed"], dense.layers["imputed"], rtol=1e-5)
    cells, genes = list(factors.obs_names[[7, 1, 4]]), list(factors.var_names[[5, 2]])
    part = scinfill.reconstruct(factors, genes=genes, cells=cells)
    np.testing.assert_allclose(part.layers["imputed"], dense[cells, genes].layers["imputed"], rtol=1e-5)
    plain = scinfill.impute_deepmc(dense, rank=1, gate=False, calibrate=False)
    assert "X_deepmc_groups" not in plain.obsm
    assert "deepmc_groups" not in plain.varm


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.varm.pop("deepmc_groups"), "one is missing"),
        (lambda table: table.obsm.update(X_deepmc_groups=np.full((200, 2), 500)), "names groups up to 500"),
        (lambda table: table.obsm.update(X_deepmc_groups=np.full((200, 2), 0.5)), "must be matrices of whole numbers"),
    ],
    ids=["no factors", "unknown group", "no group"],
)
def test_damaged_groups_are_named(spoil, words):
    factors = factors_of(n_cells=200, rank=1, gate=False)
    spoil(factors)
    with pytest.raises(DataError, match=words):
        scinfill.reconstruct(factors)


def test_some_genes_and_cells_in_the_order_asked():
    factors = factors_of()
    whole = scinfill.reconstruct(factors)
    genes, cells = list(factors.var_names[[5, 2]]), list(factors.obs_names[[7, 1, 4]])
    part = scinfill.reconstruct(factors, genes=genes, cells=cells)
    assert list(part.var_names) == genes
    assert list(part.obs_names) == cells
    np.testing.assert_allclose(part.layers["imputed"], whole[cells, genes].layers["imputed"], rtol=1e-6)


def test_a_name_that_is_not_there():
    factors = factors_of()
    with pytest.raises(InputError, match="no gene NOPE"):
        scinfill.reconstruct(factors, genes=["NOPE"])


def test_a_file_without_factors(prepared):
    with pytest.raises(DataError, match="no factors"):
        scinfill.reconstruct(prepared)


@pytest.mark.parametrize("way", WAYS)
def test_a_single_value_on_demand(way):
    factors = factors_of(way)
    whole = scinfill.reconstruct(factors)
    cell, gene = factors.obs_names[3], factors.var_names[5]
    part = scinfill.reconstruct(factors, cells=[cell], genes=[gene])
    np.testing.assert_allclose(part.layers["imputed"], whole[cell, gene].layers["imputed"], rtol=1e-6)


@pytest.mark.slow
def test_an_empty_cell_on_demand(prepared):
    empty = prepared.copy()
    for matrix in (empty.X, empty.layers["counts"], empty.layers["spliced"]):
        matrix.data[matrix.indptr[3] : matrix.indptr[4]] = 0
    factors = scinfill.impute_deepmc(empty, form="factors")
    part = scinfill.reconstruct(factors, cells=[factors.obs_names[3]])
    np.testing.assert_allclose(part.layers["imputed"], scinfill.reconstruct(factors)[3].layers["imputed"], rtol=1e-6)


def test_values_of_another_layer_are_rebuilt_from_that_layer(prepared):
    moved = prepared.copy()
    moved.layers["log2"], moved.X = moved.X, moved.layers["spliced"]
    whole = scinfill.impute_deepmc(moved, layer="log2")
    np.testing.assert_allclose(
        scinfill.reconstruct(whole).layers["imputed"], whole.layers["imputed"], rtol=1e-4, atol=1e-4
    )


def test_the_step_is_signed():
    factors = factors_of()
    genes = list(factors.var_names[[5, 2]])
    *_, step = provenance.steps(scinfill.reconstruct(factors, genes=genes))
    assert (step["command"], step["parameters"]) == ("reconstruct", {"genes": genes, "cells": []})
    assert step["input_sha256"] == provenance.sha256(factors.obsm["X_deepmc"])
    assert len(provenance.steps(factors)) == 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.obsm.update(X_deepmc=np.zeros((60, 2), np.float32)), "has 2 factors, varm"),
        (lambda table: table.obsm.update(X_deepmc=np.zeros((60, 2), int)), "must be matrices of numbers"),
        (lambda table: table.var.drop(columns="model_base", inplace=True), "'model_base'. is missing"),
        (lambda table: table.uns["scinfill"].update(model="cubic"), "'cubic', which no version"),
        (lambda table: table.uns["scinfill"].update(model="detected"), "'detected_curve'. is missing"),
        (lambda table: table.uns.update(scinfill="text"), "not a record"),
    ],
    ids=["other rank", "whole numbers", "no column", "unknown model", "no curve", "no record"],
)
def test_damaged_factors_are_named(spoil, words):
    factors = factors_of(rank=4)
    spoil(factors)
    with pytest.raises(DataError, match=words):
        scinfill.reconstruct(factors)
