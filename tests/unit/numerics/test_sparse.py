import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array

from scinfill.numerics import scratch
from scinfill.numerics.sparse import (
    beside,
    canonical,
    column_counts,
    column_sums,
    columns_of,
    entry_blocks,
    have_same_positions,
    largest,
    position,
    product,
    row_of_entry,
    row_sums,
    rows_of,
    rows_view,
    weighted_column_sums,
    whole_numbers,
    with_positions,
)

VALUES = np.array([[0, 5, 0, 1], [0, 0, 0, 0], [2, 0, 3, 0]])


def with_duplicates():
    """CSR with unsorted columns, a stored zero, and 5 stored as 2 + 3."""
    data = np.array([1, 3, 2, 0, 3, 2])
    return sparse.csr_matrix((data, np.array([3, 1, 1, 0, 2, 0]), np.array([0, 4, 4, 6])), shape=VALUES.shape)


FORMS = {
    "csr": sparse.csr_matrix(VALUES),
    "csc": sparse.csc_matrix(VALUES),
    "coo": sparse.coo_array(VALUES),
    "dense": VALUES,
    "Fortran order": np.asfortranarray(VALUES),
    "duplicates": with_duplicates(),
    "float16": VALUES.astype(np.float16),
    "float64": sparse.csr_matrix(VALUES.astype(float)),
    "uint8": sparse.csr_matrix(VALUES.astype(np.uint8)),
    "big-endian": VALUES.astype(">f4"),
    "64-bit positions": sparse.csr_matrix(VALUES.astype(float)),
}
FORMS["64-bit positions"].indices = FORMS["64-bit positions"].indices.astype(np.int64)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_becomes_the_same(form):
    matrix = canonical(form, np.float32)
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.has_canonical_format
    assert matrix.dtype == np.float32
    assert matrix.nnz == 4
    np.testing.assert_array_equal(matrix.indices, [1, 3, 0, 2])
    np.testing.assert_array_equal(matrix.toarray(), VALUES)


def test_the_input_never_changes():
    matrix = with_duplicates()
    before = matrix.data.copy(), matrix.indices.copy(), matrix.indptr.copy()
    canonical(matrix, matrix.dtype)
    for part, old in zip((matrix.data, matrix.indices, matrix.indptr), before, strict=True):
        np.testing.assert_array_equal(part, old)


def test_what_is_canonical_already_is_not_copied():
    matrix = sparse.csr_matrix(VALUES.astype(np.float32))
    assert np.shares_memory(canonical(matrix, np.float32).data, matrix.data)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_matrices(shape):
    assert canonical(np.zeros(shape), np.float32).shape == shape


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_cover_every_row_once(monkeypatch, block):
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", block)
    indptr = canonical(VALUES, np.float32).indptr
    rows = np.concatenate([np.arange(3)[part] for part in entry_blocks(indptr)])
    np.testing.assert_array_equal(rows, [0, 1, 2])


def test_where_an_entry_stands():
    matrix = canonical(VALUES, np.float32)
    assert [position(matrix, entry) for entry in range(4)] == [(0, 1), (0, 3), (2, 0), (2, 2)]
    np.testing.assert_array_equal(row_of_entry(matrix.indptr), [0, 0, 2, 2])


@pytest.mark.parametrize(("largest", "dtype"), [(2**31 - 1, np.int32), (2**31, np.int64)])
def test_counts_get_the_integer_type_that_holds_them(largest, dtype):
    counts = whole_numbers(canonical(np.array([[largest, 0.0]]), np.float64))
    assert counts.dtype == dtype
    assert counts.data[0] == largest


@pytest.fixture
def little_memory(monkeypatch):
    """Arrays live in files, and a few values are looked at together."""
    monkeypatch.setattr(scratch, "LARGE_SHARE", 2**60)
    monkeypatch.setattr(scratch, "ENTRIES_PER_CHUNK", 3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def counts(rng):
    return csr_array(rng.poisson(0.7, (7, 5)).astype(np.float32))


def test_sums_and_products_are_those_of_the_whole(counts, rng, little_memory):
    dense = counts.toarray()
    vector, thin = rng.random(5), rng.random((5, 2), dtype=np.float32)
    np.testing.assert_allclose(column_sums(counts), dense.sum(axis=0))
    weights = np.arange(1.0, len(dense) + 1)
    np.testing.assert_allclose(weighted_column_sums(counts, weights), weights @ dense)
    np.testing.assert_allclose(row_sums(counts), dense.sum(axis=1))
    np.testing.assert_array_equal(column_counts(counts), (dense > 0).sum(axis=0))
    np.testing.assert_allclose(product(counts, vector), dense @ vector)
    np.testing.assert_allclose(product(counts, thin), dense @ thin, rtol=1e-6)
    assert largest(counts.data) == dense.max()
    assert largest(np.zeros(0)) == 0


@pytest.mark.parametrize("rows", [[], [0], [1, 3, 4], [5, 0, 5, 2], range(7)])
def test_some_rows_are_those_of_the_whole(counts, rows, little_memory):
    np.testing.assert_array_equal(rows_of(counts, np.array(rows, dtype=int)).toarray(), counts.toarray()[list(rows)])


@pytest.mark.parametrize("rows", [slice(0, 4), slice(3, 3), slice(2, None), slice(0, 7, 2), np.array([5, 1])], ids=str)
def test_rows_to_be_read_are_those_of_the_whole(counts, rows):
    whole = canonical(counts, np.float32)
    some = rows_view(whole, rows)
    np.testing.assert_array_equal(some.toarray(), whole.toarray()[rows])
    assert some.shape == whole[rows].shape
    if isinstance(rows, slice) and rows.step is None and some.nnz:
        assert np.shares_memory(some.data, whole.data)
        assert np.shares_memory(some.indices, whole.indices)


def test_the_same_positions_are_told_from_others(counts):
    one = canonical(counts, np.float32)
    assert have_same_positions(one, with_positions(one.data + 1, one))
    assert have_same_positions(one, one.copy())
    assert not have_same_positions(one, canonical(counts[::-1], np.float32))
    assert not have_same_positions(one, canonical(counts[1:], np.float32))


def test_columns_and_neighbours_are_those_of_the_whole(counts, little_memory):
    dense = counts.toarray()
    some = np.array([3, 0])
    np.testing.assert_array_equal(columns_of(counts, some).toarray(), dense[:, some])
    np.testing.assert_array_equal(beside(counts, counts[:, :2]).toarray(), np.hstack([dense, dense[:, :2]]))


def test_a_matrix_with_faults_is_made_canonical_in_blocks_and_itself_unchanged(little_memory):
    faulty = csr_array(([1.0, 2, 0, 4, 5], [2, 0, 1, 1, 1], [0, 2, 3, 5]), shape=(3, 3))
    before = faulty.toarray()
    repaired = canonical(faulty)
    np.testing.assert_array_equal(repaired.toarray(), before)
    assert repaired.has_canonical_format
    assert repaired.nnz == 3
    assert list(faulty.indices) == [2, 0, 1, 1, 1]
