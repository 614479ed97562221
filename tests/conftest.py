import os

import pytest
from hypothesis import settings

import scinfill
from _support import make_counts

os.environ.setdefault("MPLBACKEND", "Agg")

# A deadline would fail on a busy machine; a fixed choice of examples makes a failure the next developer's own.
settings.register_profile("scinfill", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("scinfill")

CHANGES_THE_MACHINE = ("tests/pipeline/", "tests/unit/report/test_browser.py")
"""Where packages are installed and services started: never two at a time."""


def pytest_collection_modifyitems(items):
    """Leave to the quick round each faulty file with one verb: all of them read it by the same function."""
    first = {}
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path.parent.name == "faults" and "verb" in parameters:
            verb = parameters["verb"]
            if first.setdefault(item.nodeid.partition("[")[0], verb) != verb:
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give every file whole to one of the processes, so that what its tests share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class WholeFiles(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "the machine" if nodeid.startswith(CHANGES_THE_MACHINE) else nodeid.partition("::")[0]

    return WholeFiles(config, log)


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
