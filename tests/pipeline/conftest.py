import pytest

from _pipeline import imitation, institution, nfcore, slurm
from _pipeline import nextflow as installation

COMBINED = ("docker,gpu", "gpu,docker", "slurm,singularity,gpu", "awsbatch,gpu", "docker,arm64")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "pipeline":
            item.add_marker(pytest.mark.pipeline)


@pytest.fixture(scope="session")
def nextflow():
    return installation.installed()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """What a run needs to find a Slurm cluster of this one machine."""
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture(scope="session")
def run_on_one_sample(nextflow, tmp_path_factory):
    """Return a function that runs the pipeline on one simulated sample and its masks, always in the same folder.

    It gives the outcome and the results. AutoImpute takes minutes here, and part in the run in an image.
    """
    folder = tmp_path_factory.mktemp("run")
    given = ("-profile", "test", "--simulate", "1", "--methods", "deepmc", "--multiqc", "--outdir", "results")

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
def configured(nextflow, tmp_path_factory):
    """A stub run under an institution's configuration and a file of one's own, into a folder that holds a figure.

    Its one mask is that of the halves. It gives the outcome and the results.
    """
    folder = tmp_path_factory.mktemp("configured")
    (folder / "results" / "figures").mkdir(parents=True)
    (folder / "results" / "figures" / "mine.png").write_text("mine")
    (folder / "own.config").write_text("params.max_time = 240.h\n")
    given = ("-profile", "ours", "--custom_config_base", institution.write(folder), "-c", "own.config", "-stub-run")
    halves = ("--replicates", "1", "--hidden_fractions", "none", "--thinned_fraction", "0")
    alone = ("--simulate", "1", "--methods", "als")
    outcome = nextflow.pipeline(*given, *halves, *alone, cwd=folder, programs=imitation.write(folder))
    assert outcome.exit_code == 0, outcome.output
    return outcome, folder / "results"


@pytest.fixture(scope="session")
def resolved(nextflow, tmp_path_factory):
    """Return the configuration of profiles, all of them resolved in one start of Java."""
    choices = ("none", *installation.ENGINES, "test", "test_full", *COMBINED)
    return nextflow.configurations(choices, cwd=tmp_path_factory.mktemp("configuration")).__getitem__


@pytest.fixture(scope="session")
def defaults(resolved):
    """Every parameter of the pipeline without a profile."""
    return resolved("none")["params"]
