import pytest

from _pipeline import nextflow as installation
from _pipeline import nfcore


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "pipeline":
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def nextflow():
    return installation.installed()


@pytest.fixture(scope="session")
def run_on_one_sample(nextflow, tmp_path_factory):
    """Return a function that runs the pipeline on one simulated sample and its masks, always in the same folder.

    It gives the outcome and the results. AutoImpute takes minutes here, and part in the run in an image.
    """
    folder = tmp_path_factory.mktemp("run")
    given = ("-profile", "test", "--simulate", "1", "--methods", "deepmc,als", "--multiqc", "--outdir", "results")

    def run(*more):
        outcome = nextflow.pipeline(*given, *more, cwd=folder, programs=nfcore.multiqc())
        assert outcome.exit_code == 0, outcome.output
        return outcome, folder / "results"

    return run


@pytest.fixture(scope="session")
def finished(run_on_one_sample):
    """The first of these runs, on which most of what a real run shows is tested."""
    return run_on_one_sample()


@pytest.fixture(scope="session")
def defaults(nextflow, tmp_path_factory):
    """Every parameter of the pipeline without a profile."""
    return nextflow.configuration(cwd=tmp_path_factory.mktemp("defaults"))["params"]
