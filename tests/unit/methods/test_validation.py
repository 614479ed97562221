import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.methods import validation


def table(n_cells=2, n_genes=2, **slots):
    adata = AnnData(
        obs=pd.DataFrame(index=[f"c{i}" for i in range(n_cells)]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(n_genes)]),
    )
    for slot, value in slots.items():
        setattr(adata, slot, value)
    return adata


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 3), "empty: 0 cells x 3 genes"),
        ((3, 0), "empty: 3 cells x 0 genes"),
        ((1, 3), r"one cell only.*`preprocess\(transpose=True\)`"),
    ],
)
def test_tables_without_substance(shape, message):
    with pytest.raises(DataError, match=message):
        validation.check_table(table(*shape))


@pytest.mark.parametrize(("slot", "what"), [("obs_names", "cell"), ("var_names", "gene")])
def test_repeated_names_are_named_with_the_remedy(slot, what):
    adata = table(3, 3)
    setattr(adata, slot, ["a", "b", "b"])
    message = rf"{what} names must be unique; 'b' is there 2 times \(1 such names\); `preprocess\(unique_names=True\)`"
    with pytest.raises(DataError, match=message):
        validation.check_table(adata)


def test_an_absent_matrix():
    adata = table()
    with pytest.raises(DataError, match=r"X is absent; name the raw counts as `layer` \(layers present: none\)"):
        validation.matrix_of(adata, None)


def test_an_absent_matrix_beside_raw():
    adata = table(X=2 * np.eye(2))
    adata.raw = adata
    adata.X = None
    with pytest.raises(DataError, match="X is absent; name the raw counts as `layer='raw'`"):
        validation.matrix_of(adata, None)


def test_numbers_only():
    with pytest.raises(DataError, match="X holds complex64 values, not real numbers"):
        validation.matrix_of(table(X=np.eye(2, dtype=np.complex64)), None)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8, np.bool_])
def test_counts_of_every_type(dtype):
    values = np.array([[0, 1], [1, 0]]).astype(dtype)
    np.testing.assert_array_equal(validation.counts(table(X=values), None).toarray(), values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[0.5, 1], [2, 3]],
            "X holds 0.5 at cell 'c0', gene 'g0': .* look already logged, or .*; name the raw counts as",
        ),
        ([[0.5, 1], [2, 300]], "look like counts corrected or estimated .*round_counts=True"),
        ([[1e30, 1], [2, 3]], "X holds 1e\\+30 at cell 'c0', gene 'g0': no count is that large"),
        ([[1, -1], [2, 3]], "X holds 1 negative values, the first at cell 'c0', gene 'g1'"),
    ],
)
def test_what_is_no_count(values, message):
    with pytest.raises(DataError, match=message):
        validation.counts(table(X=np.array(values)), None)


def test_large_counts_are_exact():
    values = np.array([[2**52 + 1, 1], [2**31, 0]])
    counts = validation.counts(table(X=sparse.csr_matrix(values)), None)
    np.testing.assert_array_equal(counts.toarray(), values)


def test_columns_that_are_there_are_listed():
    adata = table()
    adata.obs["age"], adata.obs["type"] = [1, 2], ["a", "b"]
    assert validation.obs_numbers(adata, "age").tolist() == [1, 2]
    with pytest.raises(InputError, match="no column 'kind' in obs; columns present: age, type"):
        validation.obs_column(adata, "kind")
    with pytest.raises(DataError, match=r"obs\['type'\] holds values that are not numbers \('a'\); make them numbers"):
        validation.obs_numbers(adata, "type")


def test_nothing_to_list():
    with pytest.raises(InputError, match="layers present: none"):
        validation.matrix_of(table(), "counts")
