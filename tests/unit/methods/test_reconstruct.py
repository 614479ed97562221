"""Values rebuilt from factors are the values that the dense layer holds."""

import numpy as np
import pytest

import scinfill
from _support import make_counts
from scinfill.errors import DataError, InputError

WAYS = {
    "shrunk": {},
    "shrunk by the squared loss": {"loss": "squared", "estimate": "shrunk"},
    "model": {"estimate": "model"},
    "model of reads": {"counts_kind": "reads"},
    "detected": {"estimate": "detected"},
    "paper": {"preset": "paper", "depth": 2, "rank": (4, 3)},
}


@pytest.fixture(scope="module")
def prepared():
    return scinfill.preprocess(make_counts(60, 40, seed=3), min_counts=1)


@pytest.mark.parametrize("way", WAYS)
def test_everything_is_rebuilt(prepared, way):
    imputed = scinfill.impute_deepmc(prepared, **WAYS[way])
    factors = scinfill.impute_deepmc(prepared, output="factors", **WAYS[way])
    assert "imputed" not in factors.layers
    rebuilt = scinfill.reconstruct(factors)
    np.testing.assert_allclose(rebuilt.layers["imputed"], imputed.layers["imputed"], rtol=1e-4, atol=1e-4)


def test_some_genes_and_cells_in_the_order_asked(prepared):
    factors = scinfill.impute_deepmc(prepared, output="factors")
    whole = scinfill.reconstruct(factors)
    genes, cells = list(factors.var_names[[5, 2]]), list(factors.obs_names[[7, 1, 4]])
    part = scinfill.reconstruct(factors, genes=genes, cells=cells)
    assert list(part.var_names) == genes
    assert list(part.obs_names) == cells
    np.testing.assert_allclose(part.layers["imputed"], whole[cells, genes].layers["imputed"], rtol=1e-6)


def test_a_name_that_is_not_there(prepared):
    factors = scinfill.impute_deepmc(prepared, output="factors")
    with pytest.raises(InputError, match="no gene NOPE"):
        scinfill.reconstruct(factors, genes=["NOPE"])


def test_a_file_without_factors(prepared):
    with pytest.raises(DataError, match="no factors"):
        scinfill.reconstruct(prepared)
