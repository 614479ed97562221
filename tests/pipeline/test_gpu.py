"""The command lines by which engines get a GPU, written by Nextflow and run by stand-ins for the engines."""

import pytest

from _pipeline import imitation

ENGINE = """\
#!/bin/sh
# Runs on this machine what was meant for a container: all that follows the image.
while [ "$1" != {cpu} ] && [ "$1" != {gpu} ]; do shift; done
shift
exec "$@"
"""

VERBS = {"docker": "run", "podman": "run", "singularity": "exec"}


@pytest.mark.parametrize(
    ("engine", "option"), [("docker", "--gpus all"), ("singularity", "--nv"), ("podman", "--device nvidia.com/gpu=all")]
)
def test_gpu_tasks_get_the_gpu_and_its_image(nextflow, tmp_path, engine, option):
    programs = imitation.write(tmp_path)
    images = {kind: tmp_path / f"{kind}.sif" if engine == "singularity" else f"image/{kind}" for kind in ("cpu", "gpu")}
    if engine == "singularity":
        for path in images.values():
            path.touch()
    (programs / engine).write_text(ENGINE.format(**images))
    (programs / engine).chmod(0o755)
    given = ("--simulate", "1", "--replicates", "0", "--cpu_image", images["cpu"], "--gpu_image", images["gpu"])
    outcome = nextflow.pipeline("-profile", f"test,{engine},gpu", *given, cwd=tmp_path, programs=programs)
    assert outcome.exit_code == 0, outcome.output
    seen = set()
    for script in tmp_path.glob("work/*/*/.command.run"):
        command = (script.parent / ".command.sh").read_text()
        on_gpu = "scinfill impute-" in command
        seen.add(on_gpu)
        (line,) = (line for line in script.read_text().splitlines() if f"{engine} {VERBS[engine]} " in line)
        assert f" {images['gpu' if on_gpu else 'cpu']} " in line
        assert f" {option} " in line
        assert ("--device gpu" in command) == on_gpu
    assert seen == {True, False}
