import numpy as np
import pytest

from scinfill.numerics.blocks import BLOCK_BYTES, RowBlocks, row_slices


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (10, 3), (1000, 7), (5, 0), (3, 10**9)])
@pytest.mark.parametrize("block_bytes", [1, 100, 4096])
def test_slices_cover_all_rows_once(n_rows, n_columns, block_bytes):
    slices = row_slices(n_rows, n_columns, block_bytes=block_bytes)
    assert [row for rows in slices for row in range(rows.start, rows.stop)] == list(range(n_rows))


def test_blocks_have_about_the_size_asked_for():
    sizes = [(rows.stop - rows.start) * 4 * 1000 for rows in row_slices(100_000, 1000)]
    assert max(sizes) <= BLOCK_BYTES
    assert min(sizes[:-1]) > 0.9 * BLOCK_BYTES


def test_nothing_to_cut():
    assert row_slices(0, 5) == []


def test_a_matrix_is_put_together_from_its_blocks(monkeypatch):
    monkeypatch.setitem(row_slices.__kwdefaults__, "block_bytes", 100)
    matrix = np.random.default_rng(0).normal(size=(57, 4)).astype(np.float32)
    asked = []

    def compute(rows):
        asked.append(rows)
        return matrix[rows].copy()

    blocks = RowBlocks((57, 4), compute)
    assert asked == []
    np.testing.assert_array_equal(blocks.dense(), matrix)
    assert blocks.dense().dtype == np.float32
    assert len(asked) > 2 * 5
    for rows, block in blocks:
        np.testing.assert_array_equal(block, matrix[rows])
