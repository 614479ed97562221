import numpy as np

from scinfill.numerics.filtering import cells_with_gene, seen_genes, spike_ins
from scinfill.numerics.sparse import canonical

COUNTS = canonical(np.array([[3, 2, 0], [3, 9, 1], [4, 2, 0], [7, 2, 0]]), np.float64)


def test_in_how_many_cells_a_gene_is():
    np.testing.assert_array_equal(cells_with_gene(COUNTS), [4, 4, 1])
    np.testing.assert_array_equal(cells_with_gene(COUNTS, min_counts=3), [4, 1, 0])


def test_both_limits_are_inclusive():
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=3, min_cells=4), [True, False, False])
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=2, min_cells=4), [True, True, False])
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=3, min_cells=5), [False, False, False])


def test_spike_ins_are_known_by_their_prefix():
    np.testing.assert_array_equal(spike_ins(["ERCC-00002", "ERCC1", "gene", "xERCC-1", ""]), [1, 0, 0, 0, 0])
