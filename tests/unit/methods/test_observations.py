import logging

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from _support import make_counts
from scinfill.errors import DataError, InputError
from scinfill.methods.observations import observed


@pytest.fixture
def logged():
    """A table that scinfill did not make: log2 values and counts, no size factor, nothing declared."""
    counts = make_counts(n_cells=50, n_genes=40)
    factors = np.random.default_rng(1).lognormal(0, 0.5, 50)
    adata = AnnData(
        sparse.csr_matrix(np.log2(1 + counts.X.toarray() / factors[:, np.newaxis]).astype(np.float32)),
        obs=counts.obs,
        var=counts.var,
        layers={"counts": counts.X.copy()},
    )
    return adata, factors


def check(seen, adata, factors):
    np.testing.assert_allclose(seen.size_factor, factors, rtol=1e-5)
    np.testing.assert_allclose(seen.log_values.toarray(), adata.X.toarray(), rtol=1e-6)
    np.testing.assert_array_equal(seen.counts.toarray(), adata.layers["counts"].toarray())
    for matrix in (seen.log_values, seen.counts):
        assert isinstance(matrix, sparse.csr_array)
        assert matrix.dtype == np.float32
        assert matrix.has_canonical_format


def test_a_missing_size_factor_is_solved(logged):
    adata, factors = logged
    check(observed(adata), adata, factors)


def test_a_stored_size_factor_is_used(logged):
    adata, factors = logged
    adata.obs["size_factor"] = factors
    seen = observed(adata)
    np.testing.assert_array_equal(seen.size_factor, factors)


def test_a_table_of_preprocess_is_taken_as_it_is(table):
    seen = observed(table)
    np.testing.assert_array_equal(seen.size_factor, table.obs["size_factor"])
    assert np.shares_memory(seen.log_values.data, table.X.data)


@pytest.mark.parametrize("form", [sparse.csc_matrix, sparse.csr_array, lambda x: x.toarray()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_form_is_seen_alike(logged, form, dtype):
    adata, factors = logged
    expected = observed(adata)
    other = AnnData(form(adata.X.astype(dtype)), obs=adata.obs, layers={"counts": form(adata.layers["counts"])})
    seen = observed(other)
    np.testing.assert_array_equal(seen.log_values.toarray(), expected.log_values.toarray())
    np.testing.assert_array_equal(seen.counts.toarray(), expected.counts.toarray())
    np.testing.assert_allclose(seen.size_factor, factors, rtol=1e-5)


def test_half_precision_logarithms_agree_with_their_counts(logged):
    adata, factors = logged
    adata.obs["size_factor"] = factors
    adata.X = adata.X.toarray().astype(np.float16)
    assert observed(adata).size_factor is not None


def test_the_values_may_lie_in_a_layer(logged):
    adata, _ = logged
    adata.layers["log2"] = adata.X
    adata.X = sparse.csr_matrix(adata.shape, dtype=np.float32)
    assert observed(adata, layer="log2").log_values.nnz == adata.layers["log2"].nnz


def test_without_counts_there_are_values_only(logged, caplog):
    adata, _ = logged
    del adata.layers["counts"]
    adata.uns["log1p"] = {"base": 2.0}
    seen = observed(adata)
    assert seen.counts is None
    assert seen.size_factor is None
    assert caplog.text == ""


def test_an_undeclared_scale_is_taken_as_log2_and_said_so(logged, caplog):
    adata, _ = logged
    del adata.layers["counts"]
    observed(adata)
    assert "taken as log2(1 + x)" in caplog.text


def test_an_empty_cell_has_size_one_whatever_is_stored(logged):
    adata, factors = logged
    for matrix in (adata.X, adata.layers["counts"]):
        matrix.data[matrix.indptr[3] : matrix.indptr[4]] = 0
    assert observed(adata).size_factor[3] == 1
    factors[3] = np.nan
    adata.obs["size_factor"] = factors
    assert observed(adata).size_factor[3] == 1


def test_the_table_never_changes(logged):
    adata, _ = logged
    adata.X.indices[:2] = adata.X.indices[:2][::-1]
    adata.X.data[:2] = adata.X.data[:2][::-1]
    adata.X.has_sorted_indices = False
    before = adata.X.indices.copy()
    observed(adata)
    np.testing.assert_array_equal(adata.X.indices, before)


# --- refusals -------------------------------------------------------------------------------------------------


def natural(adata):
    adata.X = adata.X * np.float32(np.log(2))


def undeclared_natural(adata):
    natural(adata)
    del adata.layers["counts"]


def declared_natural(adata):
    del adata.layers["counts"]
    adata.uns["log1p"] = {"base": None}


def base_ten(adata):
    del adata.layers["counts"]
    adata.uns["log1p"] = {"base": 10}


def raw(adata):
    adata.X = adata.layers["counts"].astype(np.float32)


def raw_alone(adata):
    raw(adata)
    del adata.layers["counts"]


def not_logged(adata):
    adata.X = adata.layers["counts"] * np.float32(1000.5)
    del adata.layers["counts"]


def one_huge_value(adata):
    adata.X.data[5] = 1e30


def base_without_a_number(adata):
    adata.uns["log1p"] = {"base": "two"}
    del adata.layers["counts"]


def several_bases(adata):
    adata.uns["log1p"] = {"base": np.arange(3)}
    del adata.layers["counts"]


def wrong_factor(adata):
    adata.obs["size_factor"] = 2.0


def no_factor_fits(adata):
    adata.X[4] = adata.X[4].multiply(adata.X[4])


def negative_factor(adata):
    adata.obs["size_factor"] = -1.0


def text_factor(adata):
    adata.obs["size_factor"] = "large"


def uncounted(adata):
    adata.layers["counts"] = adata.layers["counts"] * 0.5


def raw_within_precision(adata):
    raw_alone(adata)
    adata.X = np.expm1(np.log1p(adata.X.astype(np.float32)))


def nan(adata):
    adata.X.data[5] = np.nan


def infinite(adata):
    adata.X.data[5] = np.inf


def negative(adata):
    adata.X.data[5] = -1


def zeros(adata):
    adata.X = sparse.csr_matrix(adata.shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (natural, "X is on a natural logarithm scale; divide it by ln 2"),
        (undeclared_natural, "X is on a natural logarithm scale"),
        (declared_natural, "X is on a natural logarithm scale"),
        (base_ten, "log base 10 scale"),
        (raw, "X holds whole numbers only: raw counts"),
        (raw_alone, "X holds whole numbers only: raw counts, .* `scinfill preprocess`"),
        (raw_within_precision, "X holds whole numbers only: raw counts, .* `scinfill preprocess`"),
        (not_logged, "not on a log2"),
        (
            one_huge_value,
            r"X holds values up to 1e\+30, the first too large one at cell 'cell0', gene 'gene\d+': not on",
        ),
        (base_without_a_number, r"uns\['log1p'\]\['base'\] is no number"),
        (several_bases, r"uns\['log1p'\]\['base'\] is no number"),
        (wrong_factor, r"cell 'cell0': X is not .* obs\['size_factor'\] = 2; drop"),
        (no_factor_fits, "cell 'cell4': X is not .* any one size factor"),
        (negative_factor, r"cell 'cell0': obs\['size_factor'\] is -1.0, it must be positive"),
        (text_factor, r"obs\['size_factor'\] holds values that are not numbers"),
        (uncounted, r"layers\['counts'\] holds .* counts are whole numbers"),
        (nan, "X holds 1 NaN values, the first at cell 'cell0', gene 'gene"),
        (infinite, "X holds 1 infinite values"),
        (negative, "X holds 1 negative values, .* scaled data cannot be used"),
        (zeros, "X holds nothing but zeros"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(logged, spoil, message):
    adata, _ = logged
    spoil(adata)
    with pytest.raises(DataError, match=message):
        observed(adata)


def test_a_layer_that_is_not_there(logged):
    with pytest.raises(InputError, match="there is no layer 'log3'; layers present: counts"):
        observed(logged[0], layer="log3")


def test_nothing_is_said_of_a_sound_table(table, caplog):
    caplog.set_level(logging.INFO)
    observed(table)
    assert caplog.text == ""
