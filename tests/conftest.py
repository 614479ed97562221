import os

import pytest
from hypothesis import settings

import scinfill
from _support import make_counts

os.environ.setdefault("MPLBACKEND", "Agg")

# A deadline would fail on a busy machine; a fixed choice of examples makes a failure the next developer's own.
settings.register_profile("scinfill", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("scinfill")


@pytest.fixture
def counts():
    """Raw counts of 40 cells × 30 genes."""
    return make_counts()


@pytest.fixture
def table(counts):
    """The same after preprocessing, all genes kept."""
    return scinfill.preprocess(counts, n_genes=None)


@pytest.fixture
def counts_file(counts, tmp_path):
    """The counts as a file."""
    path = tmp_path / "counts.h5ad"
    counts.write_h5ad(path)
    return path


@pytest.fixture
def table_file(table, tmp_path):
    """The preprocessed table as a file."""
    path = tmp_path / "table.h5ad"
    table.write_h5ad(path)
    return path
