"""However a matrix is cut into blocks, what comes out is what the whole matrix gives."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse import csr_array

from scinfill.evaluation.numerics import molecules
from scinfill.evaluation.numerics.molecules import score_molecules
from scinfill.methods.provenance import sha256
from scinfill.numerics.blocks import RowBlocks, row_slices
from scinfill.numerics.duplicates import counts_per_molecule
from scinfill.numerics.masking import hide_entries, hide_nonzeros, split, thin
from scinfill.numerics.normalization import log2_counts, solve_size_factors
from scinfill.numerics.selection import gene_moments
from scinfill.numerics.sparse import (
    beside,
    canonical,
    column_counts,
    column_sums,
    columns_of,
    entry_blocks,
    largest,
    position,
    product,
    row_of_entry,
    row_sums,
    rows_of,
)

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
COUNTS = SHAPES.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(0, 50) | st.just(0)))
SEEDS = st.integers(0, 2**32 - 1)
BLOCKS = st.integers(1, 12)


def cut(n_entries):
    """Look at so few stored entries together."""
    return patch("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", n_entries)


@given(st.integers(0, 50), st.integers(0, 9), st.integers(1, 200))
def test_row_slices_cover_every_row_once(n_rows, n_columns, block_bytes):
    slices = row_slices(n_rows, n_columns, block_bytes=block_bytes)
    assert [row for rows in slices for row in range(n_rows)[rows]] == list(range(n_rows))
    assert all(
        rows.stop - rows.start == 1 or 4 * n_columns * (rows.stop - rows.start) <= block_bytes for rows in slices
    )


@given(COUNTS, BLOCKS)
def test_entry_blocks_cover_every_row_once(values, n_entries):
    matrix = canonical(values, np.float64)
    with cut(n_entries):
        blocks = list(entry_blocks(matrix.indptr))
    assert [row for rows in blocks for row in range(rows.start, rows.stop)] == list(range(len(values)))
    for rows in blocks:
        assert rows.stop - rows.start == 1 or matrix[rows].nnz <= n_entries


@given(SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(-5, 5, width=32))), st.integers(1, 99))
def test_row_blocks_are_the_matrix(values, block_bytes):
    with patch("scinfill.numerics.blocks.row_slices", lambda *shape: row_slices(*shape, block_bytes=block_bytes)):
        np.testing.assert_array_equal(RowBlocks(values.shape, lambda rows: values[rows]).dense(), values)


def _ratios_by_definition(values):
    """Return the median, twice; where the weights of two halves are equal but for rounding, those on either side."""
    n_cells = (values > 0).any(axis=1).sum()
    genes = values[:, (values > 0).any(axis=0)]
    if not genes.size:
        return np.nan, np.nan
    share = (genes > 0).sum(axis=0) / (n_cells + 0.5)
    ratios = genes.sum(axis=0) / n_cells / -np.log1p(-share)
    weights = share * (1 - share)
    below = np.array([2 * weights[ratios <= ratio * (1 + 1e-12)].sum() for ratio in ratios])
    return tuple(ratios[below >= rounding * weights.sum()].min() for rounding in (1 - 1e-9, 1 + 1e-9))


@given(COUNTS, BLOCKS, SEEDS)
def test_sums_and_products_by_their_definition(values, n_entries, seed):
    matrix = canonical(values, np.float64)
    thin_matrix = np.random.default_rng(seed).normal(size=(values.shape[1], 2))
    with cut(n_entries):
        np.testing.assert_array_equal(column_sums(matrix), values.sum(axis=0))
        np.testing.assert_array_equal(row_sums(matrix), values.sum(axis=1))
        np.testing.assert_array_equal(column_counts(matrix), (values > 0).sum(axis=0))
        np.testing.assert_allclose(product(matrix, thin_matrix), values @ thin_matrix, atol=1e-9)
        assert largest(matrix.data) == values.max()
        medians = _ratios_by_definition(values)
        found = counts_per_molecule(matrix)
        assert np.isclose(found, medians, rtol=1e-12, atol=0, equal_nan=True).any(), (found, medians)


@given(COUNTS, BLOCKS, st.data())
def test_some_rows_and_columns_in_any_order(values, n_entries, data):
    matrix = canonical(values, np.float64)
    rows, columns = (
        np.array(data.draw(st.lists(st.integers(0, extent - 1), min_size=1, max_size=12)), dtype=np.intp)
        for extent in values.shape
    )
    with cut(n_entries):
        np.testing.assert_array_equal(rows_of(matrix, rows).toarray(), values[rows])
        np.testing.assert_array_equal(columns_of(matrix, columns).toarray(), values[:, columns])
        np.testing.assert_array_equal(
            beside(matrix, matrix[:, columns]).toarray(), np.hstack([values, values[:, columns]])
        )


@given(COUNTS.filter(lambda values: values.any()), st.data())
def test_an_entry_is_found_where_it_stands(values, data):
    matrix = canonical(values, np.float64)
    entry = data.draw(st.integers(0, matrix.nnz - 1))
    row, column = position(matrix, entry)
    assert values[row, column] == matrix.data[entry] != 0
    assert row_of_entry(matrix.indptr)[entry] == row


@given(COUNTS, BLOCKS)
def test_a_messy_matrix_becomes_canonical_in_any_blocks(values, n_entries):
    """Backwards, with every zero stored and every value in two halves."""
    n_rows, n_columns = values.shape
    columns = np.tile(np.repeat(np.arange(n_columns)[::-1], 2), n_rows)
    halves = np.stack([values[:, ::-1] // 2, values[:, ::-1] - values[:, ::-1] // 2], axis=-1).ravel()
    messy = csr_array((halves.astype(np.float64), columns, np.arange(n_rows + 1) * 2 * n_columns), shape=values.shape)
    before = messy.data.copy(), messy.indices.copy()
    with cut(n_entries):
        tidy = canonical(messy)
    np.testing.assert_array_equal(tidy.toarray(), values)
    assert tidy.has_canonical_format
    assert (tidy.data != 0).all()
    np.testing.assert_array_equal(messy.data, before[0])
    np.testing.assert_array_equal(messy.indices, before[1])


@given(COUNTS.filter(lambda values: len(values) > 1), BLOCKS, SEEDS)
def test_blocks_change_no_value(values, n_entries, seed):
    """Logarithms, size factors, moments and hashes."""
    counts, factors = canonical(values, np.float64), np.random.default_rng(seed).lognormal(size=len(values))
    logarithms = log2_counts(counts, factors)
    moments = gene_moments(counts, factors)
    with cut(n_entries):
        again = log2_counts(counts, factors)
        np.testing.assert_array_equal(again.toarray(), logarithms.toarray())
        np.testing.assert_allclose(
            solve_size_factors(again, counts), solve_size_factors(logarithms, counts), rtol=1e-12
        )
        np.testing.assert_allclose(gene_moments(counts, factors).mean, moments.mean, rtol=1e-9)
        np.testing.assert_allclose(gene_moments(counts, factors).dispersion, moments.dispersion, rtol=1e-9)
        assert sha256(counts) == sha256(values)


@given(COUNTS, BLOCKS, SEEDS, st.floats(0.05, 0.95))
def test_blocks_change_no_mask(values, n_entries, seed, fraction):
    counts = canonical(values, np.float32)
    with cut(n_entries):
        for held_out in (
            hide_nonzeros(counts, fraction, np.random.default_rng(seed)),
            hide_entries(values.shape, fraction, np.random.default_rng(seed)),
        ):
            kept, truth = split(counts, held_out)
            np.testing.assert_array_equal((kept + truth).toarray(), values)
            assert not kept.toarray()[held_out.toarray()].any()
        kept, taken = thin(counts, fraction, np.random.default_rng(seed))
    np.testing.assert_array_equal((kept + taken).toarray(), values)


@given(COUNTS, SEEDS, st.integers(1, 8))
def test_molecules_score_the_same_in_any_blocks(heldout, seed, n_rows):
    expected = np.random.default_rng(seed).gamma(1, 5, heldout.shape)

    def scores():
        return score_molecules(lambda rows: (csr_array(heldout[rows]), expected[rows]), heldout.shape)

    whole = scores()
    parts = [slice(start, start + n_rows) for start in range(0, len(heldout), n_rows)]
    with patch.object(molecules, "row_slices", lambda *shape: parts):
        cut_up = scores()
    for name in ("poisson", "mse_log_cp10k", "poisson_swapped"):
        np.testing.assert_allclose(getattr(cut_up, name), getattr(whole, name), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cut_up.poisson_by_gene, whole.poisson_by_gene, rtol=1e-9, atol=1e-12)
