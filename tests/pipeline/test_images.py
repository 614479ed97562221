"""The CPU image, built from its Dockerfile, and runs of the pipeline in it by every engine that is here."""

import json
import os
import shutil

import anndata
import pytest

import scinfill
from _pipeline import apptainer, containers
from _pipeline.nextflow import trace
from scinfill.methods import provenance

SMALL = ("--simulate", "1", "--replicates", "0")
METHOD = {"podman": "auto", "docker": "deepmc", "apptainer": "deepmc"}


@pytest.fixture(scope="session")
def image():
    return containers.cpu_image()


def inside(image, *command):
    return containers.podman("run", "--rm", image, *command).stdout


def test_the_command_runs_in_the_image(image):
    assert inside(image, "scinfill", "--version").strip() == f"scinfill, version {scinfill.__version__}"


def test_the_aws_program_can_be_asked_for(image):
    assert inside(image, "aws", "--version").startswith("aws-cli/")
    # In an environment of its own: none of its packages is among those that scinfill was tested with.
    assert inside(image, "bash", "-c", "command -v aws").strip() == "/opt/aws/bin/aws"


def test_tensorflow_is_there_for_cpus(image):
    assert inside(image, "python", "-c", "import tensorflow as tf; print(int(tf.reduce_sum([1, 2])))").strip() == "3"
    listing = "from importlib import metadata; print(*(each.name for each in metadata.distributions()))"
    names = inside(image, "python", "-c", listing).replace("_", "-").split()
    assert "tensorflow-cpu" in names
    assert "tensorflow" not in names


def test_the_image_has_what_nextflow_needs_and_no_tools_to_build(image):
    shell = "id --user; command -v bash ps cat; command -v gcc cc make pip git curl || true; ls /build 2>&1 || true"
    lines = inside(image, "bash", "-c", shell).split()
    assert lines[0] == "1000"
    programs = {path.rsplit("/")[-1] for path in lines}
    assert {"bash", "ps", "cat"} <= programs
    assert not {"gcc", "cc", "make", "pip", "git", "curl"} & programs
    assert "cannot" in lines


def test_the_image_says_what_it_is(image):
    (described,) = json.loads(containers.podman("image", "inspect", image).stdout)
    labels = described["Labels"]
    assert labels["org.opencontainers.image.title"] == "scinfill"
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert described["Config"]["User"] == "scinfill"
    assert not described["Config"].get("Entrypoint")


def check_run(nextflow, engine, image, folder, env=None, *more):
    """Run the pipeline in an image; return the imputed file."""
    profile = ("-profile", f"test,{engine}", "--cpu_image", image)
    outcome = nextflow.pipeline(*profile, *SMALL, "--methods", METHOD[engine], *more, cwd=folder, env=env)
    assert outcome.exit_code == 0, outcome.output
    assert {task["status"] for task in trace(folder / "results")} == {"COMPLETED"}
    assert (folder / "results" / "report.html").exists()
    path = folder / "results" / "imputed" / f"simulated_1.{METHOD[engine]}.h5ad"
    assert path.stat().st_uid == os.getuid()
    commands = [script.read_text() for script in folder.glob("work/*/*/.command.run")]
    assert all(str(image) in text for text in commands)
    return path


def check_imputed(path, command):
    table = anndata.read_h5ad(path)
    assert table.layers["imputed"].shape == table.shape == (200, 150)
    assert [step["command"] for step in provenance.steps(table)][-2:] == ["preprocess", command]


def test_podman(nextflow, image, tmp_path):
    check_imputed(check_run(nextflow, "podman", image, tmp_path, containers.environment()), "impute-auto")


def test_docker(nextflow, image, tmp_path):
    """Without the tasks' work: it is Podman that answers Docker's client here, and the work is the same."""
    with containers.docker_service(tmp_path) as client:
        check_run(nextflow, "docker", image, tmp_path, client, "-stub-run")


def test_apptainer(nextflow, image, tmp_path):
    apptainer.need()
    layout, unpacked = tmp_path / "layout", tmp_path / "scinfill-cpu"
    containers.save(image, layout)
    apptainer.build(layout, unpacked)
    shutil.rmtree(layout)
    check_imputed(check_run(nextflow, "apptainer", unpacked, tmp_path), "impute-deepmc")
    shutil.rmtree(unpacked)
