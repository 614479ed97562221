import os
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings

import scinfill
from _support import make_counts, with_short_training
from scinfill.evaluation.numerics import intervals

os.environ.setdefault("MPLBACKEND", "Agg")

# A deadline would fail on a busy machine; a fixed choice of examples makes a failure the next developer's own.
settings.register_profile("scinfill", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("quick", settings.get_profile("scinfill"), max_examples=10)
settings.load_profile("scinfill")

CHANGES_THE_MACHINE = ("tests/pipeline/", "tests/unit/reporting/test_browser.py")
"""Where packages are installed and services started: never two at a time."""


def pytest_collection_modifyitems(config, items):
    """Leave to the quick round the first and the last case of each test.

    Where several processes run the tests, the longest part comes first and the files of units last.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(CHANGES_THE_MACHINE))
    cases = {}
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for several in cases.values():
        for item in several[1:-1]:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give every file whole to one of the processes, so that what its tests share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class WholeFiles(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "the machine" if nodeid.startswith(CHANGES_THE_MACHINE) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # by numbers of tests, which says little of their time
    return WholeFiles(config, log)


@pytest.fixture(scope="module")
def short_training():
    """Training takes few steps and both methods refit rarely: enough for all but what these reach."""
    with with_short_training():
        yield


@pytest.fixture(scope="module")
def few_resamples():
    """Intervals of few resamples: their width is tested elsewhere, their presence where this is used."""
    with patch.object(intervals, "RESAMPLES", 30):
        yield


@pytest.fixture(scope="module")
def plain_figures():
    """Figures whose parts may overlap: finding room for them takes most of the drawing, and is tested elsewhere."""
    from scinfill.reporting.style import SETTINGS

    with patch.dict(SETTINGS, {"figure.constrained_layout.use": False}):
        yield


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """What the next four hand out copies of."""
    folder = tmp_path_factory.mktemp("originals")
    tables = {"counts": make_counts(), "table": scinfill.preprocess(make_counts(), n_genes=None)}
    for name, table in tables.items():
        table.write_h5ad(folder / f"{name}.h5ad")
    return tables, folder


@pytest.fixture
def counts(originals):
    """Raw counts of 40 cells × 30 genes."""
    return originals[0]["counts"].copy()


@pytest.fixture
def table(originals):
    """The same after preprocessing, all genes kept."""
    return originals[0]["table"].copy()


@pytest.fixture
def counts_file(originals, tmp_path):
    """The counts as a file."""
    return Path(shutil.copy(originals[1] / "counts.h5ad", tmp_path))


@pytest.fixture
def table_file(originals, tmp_path):
    """The preprocessed table as a file."""
    return Path(shutil.copy(originals[1] / "table.h5ad", tmp_path))
