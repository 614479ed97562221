import re

import numpy as np
import pytest

from scinfill.numerics.filtering import cells_with_gene, find_spike_ins, seen_genes
from scinfill.numerics.sparse import canonical

COUNTS = canonical(np.array([[3, 2, 0], [3, 9, 1], [4, 2, 0], [7, 2, 0]]), np.float64)


def test_in_how_many_cells_a_gene_is():
    np.testing.assert_array_equal(cells_with_gene(COUNTS), [4, 4, 1])
    np.testing.assert_array_equal(cells_with_gene(COUNTS, min_counts=3), [4, 1, 0])


def test_both_limits_are_inclusive():
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=3, min_cells=4), [True, False, False])
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=2, min_cells=4), [True, True, False])
    np.testing.assert_array_equal(seen_genes(COUNTS, min_counts=3, min_cells=5), [False, False, False])


@pytest.mark.parametrize(
    "name",
    [
        "ERCC-00002",
        "ERCC_00002",
        "ERCC.00002",
        "ERCC00002",
        "ercc-00002",
        "Ercc_00171",
        "ERCC-130",
        "gSpikein_ERCC-00002",
        "GSPIKEIN_ercc.00002",
        "gSpikein_phiX174",
        "spike-in_7",
        "ERCC92_ERCC-00002",
        "hg38_ERCC-00002",
        "ERCC-00002.1",
        "ERCC-00002-1",
    ],
)
def test_spike_ins_are_known_by_every_name_in_use(name):
    assert find_spike_ins([name]).tolist() == [True]


@pytest.mark.parametrize(
    "name",
    [
        *(f"ERCC{number}" for number in range(1, 9)),
        *("Ercc1", "ERCC6L", "ERCC6L2", "Ercc6l2", "ERCC6-PGBD3", "ERCC-1", "ERCC1-201", "hg38_ERCC1", "PERCC1"),
        *("gene", "", "SPIN1", "SPINK1", "Spike1", "xERCC00002", "SERCC-00002", "SIRV1"),
    ],
)
def test_genes_are_no_spike_ins(name):
    assert find_spike_ins([name]).tolist() == [False]


def test_other_spike_ins_by_a_pattern_beside_the_known_ones():
    names = ["SIRV1", "ERCC-00002", "xSIRV1", "gene"]
    assert find_spike_ins(names, re.compile("^SIRV")).tolist() == [True, True, False, False]
