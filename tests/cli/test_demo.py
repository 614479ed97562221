"""The whole chain in one command, small."""

import json
from unittest.mock import patch

import pytest

from _support import assert_refused, invoke
from scinfill import verbs
from scinfill.io import h5ad

SMALL = ["--cells", 80, "--genes", 60]
STEPS = {"counts", "log", "thinned", "hidden", "thinned.deepmc", "hidden.deepmc"}


@pytest.fixture(scope="module")
def demo(few_resamples, plain_figures, tmp_path_factory):
    """Return a function that runs the demo into a new folder, as without TensorFlow; it gives what was said and where.

    The network takes most of the time, and has tests of its own.
    """

    def run():
        folder = tmp_path_factory.mktemp("demo") / "results"
        with patch.object(verbs, "has_tensorflow", lambda: False):
            return invoke("demo", "-o", folder, *SMALL, "-q", "--seed", 3), folder

    return run


@pytest.fixture(scope="module")
def done(demo):
    return demo()


@pytest.mark.slow
def test_it_writes_every_step_and_says_a_verdict(done):
    result, folder = done
    assert result.exit_code == 0, result.stderr
    written = {path.name for path in folder.iterdir()}
    assert {f"{step}.h5ad" for step in STEPS} <= written
    assert {"thinned.scores.json", "hidden.scores.json", "report.html"} <= written
    assert "deepmc" in result.stdout
    assert "?" in result.stdout
    for name in written:
        assert name in result.stdout
    assert h5ad.read(folder / "thinned.deepmc.h5ad").uns["scinfill"]["estimate"] == "shrunk"
    assert "imputed_sd" in h5ad.read(folder / "thinned.deepmc.h5ad").layers
    assert h5ad.read(folder / "hidden.deepmc.h5ad").uns["scinfill"]["estimate"] == "detected"
    assert "deepmc" in json.loads((folder / "hidden.scores.json").read_text())["estimates"]


@pytest.mark.slow
def test_without_tensorflow_it_leaves_the_network_out_and_says_so(done):
    result, folder = done
    assert "warning: TensorFlow is not installed: AutoImpute, which needs it, is left out" in result.stderr
    assert not (folder / "thinned.auto.h5ad").exists()


@pytest.mark.slow
def test_same_seed_same_files(done, demo):
    result, again = demo()
    assert result.exit_code == 0, result.stderr
    for step in STEPS:
        assert (done[1] / f"{step}.h5ad").read_bytes() == (again / f"{step}.h5ad").read_bytes()


@pytest.mark.parametrize("options", [["--cells", "10"], ["--genes", "10"], ["--seed", "-1"]], ids=" ".join)
def test_wrong_usage(tmp_path, options):
    assert_refused(invoke("demo", "-o", tmp_path / "results", *options), 2, options[0])
    assert not (tmp_path / "results").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(invoke("demo", "-o", tmp_path / "file" / "results", *SMALL), 2, "cannot be made")
