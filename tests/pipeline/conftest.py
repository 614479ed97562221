import pytest

from _pipeline import nextflow as installation


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "pipeline":
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def nextflow():
    return installation.installed()
