"""The whole chain in one command, small."""

import json

import pytest

from _support import assert_refused, invoke
from scinfill.io import h5ad

pytestmark = pytest.mark.usefixtures("few_resamples")

SMALL = ["--cells", 80, "--genes", 60]
STEPS = {"counts", "log", "thinned", "hidden", "thinned.deepmc", "hidden.deepmc"}


@pytest.fixture
def only_deepmc(monkeypatch):
    """The network takes most of the time, and its own tests."""
    from scinfill import verbs

    monkeypatch.setattr(verbs, "METHODS", {"deepmc": verbs.METHODS["deepmc"]})


@pytest.mark.slow
def test_it_writes_every_step_and_says_a_verdict(only_deepmc, tmp_path):
    folder = tmp_path / "results"
    result = invoke("demo", "-o", folder, *SMALL, "-q")
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
def test_same_seed_same_files(only_deepmc, tmp_path):
    for name in ("one", "two"):
        assert invoke("demo", "-o", tmp_path / name, *SMALL, "-q", "--seed", 3).exit_code == 0
    for step in STEPS:
        assert (tmp_path / "one" / f"{step}.h5ad").read_bytes() == (tmp_path / "two" / f"{step}.h5ad").read_bytes()


@pytest.mark.parametrize("options", [["--cells", "10"], ["--genes", "10"], ["--seed", "-1"]], ids=" ".join)
def test_wrong_usage(tmp_path, options):
    assert_refused(invoke("demo", "-o", tmp_path / "results", *options), 2, options[0])
    assert not (tmp_path / "results").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(invoke("demo", "-o", tmp_path / "file" / "results", *SMALL), 2, "cannot be made")
