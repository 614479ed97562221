"""The CPU image, built from its Dockerfile, and runs of the pipeline in it by every engine that is here."""

import json
import os

import anndata
import pytest

import scinfill
from _pipeline import apptainer, containers
from _pipeline.nextflow import trace

SMALL = ("--simulate", "1", "--replicates", "0", "--methods", "deepmc")


@pytest.fixture(scope="session")
def image():
    return containers.cpu_image()


def inside(image, *command):
    return containers.podman("run", "--rm", image, *command).stdout


def test_the_command_runs_in_the_image(image):
    assert inside(image, "scinfill", "--version").strip() == f"scinfill, version {scinfill.__version__}"


def test_tensorflow_is_there_for_cpus(image):
    assert inside(image, "python", "-c", "import tensorflow as tf; print(int(tf.reduce_sum([1, 2])))").strip() == "3"
    names = inside(
        image, "python", "-c", "from importlib import metadata as m; print([d.name for d in m.distributions()])"
    )
    assert "'tensorflow-cpu'" in names


def test_the_image_has_what_nextflow_needs_and_no_tools_to_build(image):
    shell = "id --user; command -v bash ps cat; command -v gcc cc make pip git curl || true; ls /build 2>&1"
    lines = inside(image, "sh", "-c", shell).split()
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


def check_run(outcome, folder, image):
    assert outcome.exit_code == 0, outcome.output
    assert {task["status"] for task in trace(folder / "results")} == {"COMPLETED"}
    assert (folder / "results" / "report.html").exists()
    path = folder / "results" / "imputed" / "simulated_1.deepmc.h5ad"
    assert anndata.read_h5ad(path).layers["imputed"].shape == (200, 150)
    assert path.stat().st_uid == os.getuid()
    commands = [script.read_text() for script in folder.glob("work/*/*/.command.run")]
    assert all(str(image) in text for text in commands)


def test_podman(nextflow, image, tmp_path):
    arguments = ("-profile", "test,podman", "--cpu_image", image, *SMALL)
    check_run(nextflow.pipeline(*arguments, cwd=tmp_path, env=containers.environment()), tmp_path, image)


def test_docker(nextflow, image, tmp_path):
    with containers.docker_service(tmp_path) as client:
        arguments = ("-profile", "test,docker", "--cpu_image", image, *SMALL)
        check_run(nextflow.pipeline(*arguments, cwd=tmp_path, env=client), tmp_path, image)


def test_apptainer(nextflow, image, tmp_path):
    apptainer.need()
    containers.save(image, tmp_path / "image.tar")
    sif = tmp_path / "scinfill.sif"
    apptainer.build(tmp_path / "image.tar", sif)
    (tmp_path / "image.tar").unlink()
    arguments = ("-profile", "test,apptainer", "--cpu_image", sif, *SMALL)
    check_run(nextflow.pipeline(*arguments, cwd=tmp_path), tmp_path, sif)
    sif.unlink()
