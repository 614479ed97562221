import pytest

from _pipeline import nextflow as installation


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "pipeline":
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def nextflow():
    return installation.installed()


@pytest.fixture(scope="session")
def defaults(nextflow, tmp_path_factory):
    """Every parameter of the pipeline without a profile."""
    return nextflow.configuration(cwd=tmp_path_factory.mktemp("defaults"))["params"]
