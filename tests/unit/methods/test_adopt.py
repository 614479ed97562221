import numpy as np
import pytest
from scipy import sparse

from _worlds import masked
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.adopt import adopt


@pytest.fixture
def table():
    return masked()


def test_log2_values_are_taken_as_they_are(table):
    before = table.copy()
    foreign = np.random.default_rng(1).random(table.shape)
    result = adopt(table, foreign, method="other", scale="log2")
    np.testing.assert_array_equal(result.layers["imputed"], foreign.astype(np.float32))
    assert "imputed" not in table.layers
    assert (table.X != before.X).nnz == 0
    assert (result.layers["heldout"] != before.layers["heldout"]).nnz == 0
    assert provenance.steps(result)[-1]["parameters"] == {"method": "other", "scale": "log2"}


def test_counts_come_to_the_scale_of_x_by_the_size_factor(table):
    result = adopt(table, table.layers["counts"], method="other", scale="counts")
    np.testing.assert_allclose(result.layers["imputed"], table.X.toarray(), atol=1e-5)


def test_counts_need_a_size_factor(table):
    del table.layers["counts"]
    with pytest.raises(InputError, match="`scale='counts'` needs"):
        adopt(table, table.X, method="other", scale="counts")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_values_that_cannot_be_are_named(table, wrong):
    foreign = sparse.lil_array(table.shape)
    foreign[3, 5] = wrong
    cell, gene = table.obs_names[3], table.var_names[5]
    with pytest.raises(DataError, match=f"1 negative or not finite values, the first at cell '{cell}', gene '{gene}'"):
        adopt(table, foreign.tocsr(), method="other", scale="log2")


def test_another_shape_is_refused(table):
    with pytest.raises(DataError, match="the matrix is"):
        adopt(table, table.X[:, :-1], method="other", scale="log2")
