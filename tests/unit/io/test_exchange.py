import numpy as np
import pytest
from scipy import io as matrix_market
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.io import exchange, streams

COUNTS = sparse.csr_array(np.array([[0, 3, 1], [2, 0, 0]]))
LOG2 = sparse.csr_array(np.array([[0, 2.0, 1.0], [1.5, 0, 0]], dtype=np.float32))
NAMES = {"genes": ["a", "β", "c d"], "cells": ["cell 1", "cell 2"]}


def test_what_is_written_has_genes_in_rows_and_comes_back(tmp_path):
    folder = tmp_path / "out"
    exchange.write_folder(folder, counts=COUNTS, log2=LOG2, **NAMES)
    assert matrix_market.mmread(folder / exchange.COUNTS).shape == (3, 2)
    assert (exchange.read_matrix(folder / exchange.COUNTS, (2, 3)) != COUNTS).nnz == 0
    assert (exchange.read_matrix(folder / exchange.LOG2, (2, 3)) != LOG2).nnz == 0
    assert (folder / exchange.GENES).read_text().splitlines() == NAMES["genes"]
    assert (folder / exchange.CELLS).read_text().splitlines() == NAMES["cells"]


def test_a_table_without_counts_has_log2_values_alone(tmp_path):
    exchange.write_folder(tmp_path / "out", counts=None, log2=LOG2, **NAMES)
    assert not (tmp_path / "out" / exchange.COUNTS).exists()


def test_a_dense_matrix_market_file_is_read_alike(tmp_path):
    matrix_market.mmwrite(tmp_path / "dense.mtx", LOG2.T.toarray())
    assert (exchange.read_matrix(tmp_path / "dense.mtx", (2, 3)) != LOG2).nnz == 0


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match=r"gene name 'b\\nroken' holds a line break"):
        exchange.write_folder(
            tmp_path / "out", counts=COUNTS, log2=LOG2, genes=["a", "b\nroken", "c"], cells=["1", "2"]
        )
    assert list(tmp_path.iterdir()) == []


def test_an_export_never_mixes_with_what_was_there(tmp_path):
    with pytest.raises(InputError, match="exists already"):
        exchange.write_folder(tmp_path, counts=COUNTS, log2=LOG2, **NAMES)
    with pytest.raises(InputError, match="cannot go to standard output"):
        streams.check_new_folder("-")
    with pytest.raises(InputError, match="there is no folder"):
        exchange.write_folder(tmp_path / "no" / "out", counts=COUNTS, log2=LOG2, **NAMES)


def test_unusable_matrices_are_named(tmp_path):
    file = tmp_path / "matrix.mtx"
    with pytest.raises(InputError, match="it is no file"):
        exchange.read_matrix(file, (2, 3))
    file.write_text("no matrix\n")
    with pytest.raises(DataError, match="not a usable Matrix Market file"):
        exchange.read_matrix(file, (2, 3))
    for kind, values in (("complex", LOG2.astype(complex)), ("pattern", LOG2 > 0)):
        matrix_market.mmwrite(file, values.T, field=kind)
        with pytest.raises(DataError, match=f"holds a {kind} matrix, not real numbers"):
            exchange.read_matrix(file, (2, 3))
    matrix_market.mmwrite(file, LOG2)
    with pytest.raises(DataError, match="is 2 genes x 3 cells, the table 3 genes x 2 cells"):
        exchange.read_matrix(file, (2, 3))
