"""The command lines by which engines get a GPU, written by Nextflow and run by stand-ins for the engines."""

import pytest

from _pipeline import imitation, slurm
from _pipeline.nextflow import trace

ENGINE = """\
#!/bin/sh
# Runs on this machine what was meant for a container: all that follows the image.
while [ "$1" != {cpu} ] && [ "$1" != {gpu} ]; do shift; done
shift
exec "$@"
"""
ALONE = ("--simulate", "1", "--replicates", "0")


def stand_in(folder, engine, images):
    """Write programs for PATH: scinfill's imitation, and an engine that knows the two images."""
    programs = imitation.write(folder)
    (programs / engine).write_text(ENGINE.format(**images))
    (programs / engine).chmod(0o755)
    return programs


def check_commands(folder, start, images, option):
    """Check image, option and device of every task's command line; return the names of those that ask for a GPU."""
    on_gpu = {}
    for script in folder.glob("work/*/*/.command.run"):
        command = (script.parent / ".command.sh").read_text()
        text = script.read_text()
        on_gpu[slurm.name_of(text)] = "scinfill impute-" in command
        (line,) = (line for line in text.splitlines() if f"{start} " in line)
        assert f" {images['gpu' if 'scinfill impute-' in command else 'cpu']} " in line
        assert f" {option} " in line
        assert ("--device gpu" in command) == ("scinfill impute-" in command)
    assert set(on_gpu.values()) == {True, False}
    return {name for name, asks in on_gpu.items() if asks}


@pytest.mark.parametrize(("engine", "option"), [("docker", "--gpus all"), ("podman", "--device nvidia.com/gpu=all")])
def test_gpu_tasks_get_the_gpu_and_its_image(nextflow, tmp_path, engine, option):
    images = {"cpu": "image/cpu", "gpu": "image/gpu"}
    programs = stand_in(tmp_path, engine, images)
    given = ("--cpu_image", images["cpu"], "--gpu_image", images["gpu"])
    outcome = nextflow.pipeline("-profile", f"test,{engine},gpu", *ALONE, *given, cwd=tmp_path, programs=programs)
    assert outcome.exit_code == 0, outcome.output
    check_commands(tmp_path, f"{engine} run", images, option)


def test_on_a_cluster_gpu_tasks_ask_for_one_and_only_they(nextflow, cluster, tmp_path):
    """In images of Singularity, as clusters have them."""
    (tmp_path / "quick.config").write_text(slurm.POLLING)
    images = {kind: tmp_path / f"{kind}.sif" for kind in ("cpu", "gpu")}
    for path in images.values():
        path.touch()
    given = ("--cpu_image", images["cpu"], "--gpu_image", images["gpu"], "-c", "quick.config")
    queues = ("--slurm_queue", "main", "--slurm_gpu_queue", "accelerated")
    programs = stand_in(tmp_path, "singularity", images)
    settings = ("-profile", "test,slurm,singularity,gpu", *ALONE)
    outcome = nextflow.pipeline(*settings, *given, *queues, cwd=tmp_path, programs=programs, env=cluster)
    assert outcome.exit_code == 0, outcome.output
    assert {task["status"] for task in trace(tmp_path / "results")} == {"COMPLETED"}
    asking = check_commands(tmp_path, "singularity exec", images, "--nv")
    assert asking == {"SCINFILL_IMPUTEDEEPMC (simulated_1.deepmc)", "SCINFILL_IMPUTEAUTO (simulated_1.auto)"}
    for name, header in slurm.jobs(tmp_path).items():
        assert ("--gres=gpu:1" in header) == (name in asking), name
        assert ("-p accelerated" if name in asking else "-p main") in header, name
