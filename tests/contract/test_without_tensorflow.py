"""Where TensorFlow is not installed, everything but the network and the GPU works, and those say what is missing."""

import json
import subprocess

import pytest

from _environments import TENSORFLOW, layered_environment
from _support import ROOT, make_counts
from scinfill.commands import COMMANDS

PROGRAM = """
import json, os, sys
from click.testing import CliRunner
from scinfill.commands import main
from scinfill.evaluation.numerics import intervals
intervals.RESAMPLES = 30
os.chdir(sys.argv[1])
for call in json.load(sys.stdin):
    result = CliRunner().invoke(main, call)
    print(json.dumps([result.exit_code, result.stderr]))
"""
NEEDS_TENSORFLOW = ("impute-auto", "demo")
CALLS = {
    "simulate": "simulate --cells 40 --genes 40 -o simulated.h5ad",
    "inspect": "inspect counts.h5ad",
    "join": "join one=counts.h5ad two=counts.h5ad -o joined.h5ad",
    "split": "split joined.h5ad -o samples",
    "preprocess": "preprocess counts.h5ad -o log.h5ad",
    "mask": "mask --mode thin log.h5ad -o masked.h5ad",
    "impute-deepmc": "impute-deepmc masked.h5ad -o imputed.h5ad",
    "impute-deepmc, factors": "impute-deepmc --rank 2 --form factors log.h5ad -o factors.h5ad",
    "impute-deepmc, published": "impute-deepmc --preset paper --rank 2 log.h5ad -o published.h5ad",
    "impute-baseline": "impute-baseline --method svd --rank 2 masked.h5ad -o svd.h5ad",
    "reconstruct": "reconstruct factors.h5ad -o rebuilt.h5ad",
    "markers": "markers imputed.h5ad --groupby cell_type -o markers.csv",
    "evaluate": "evaluate imputed.h5ad --labels cell_type -o scores.json",
    "report": "report scores.json -o report.html",
    "export": "export masked.h5ad -o exchanged",
    "adopt": "adopt masked.h5ad --matrix exchanged/counts.mtx --method other --scale counts -o adopted.h5ad",
    "rerun": "rerun factors.h5ad --input counts.h5ad",
}
REFUSED = {
    "impute-auto log.h5ad -o auto.h5ad": "impute-auto needs TensorFlow",
    "impute-auto --preset paper log.h5ad -o auto.h5ad": "impute-auto needs TensorFlow",
    "impute-deepmc --device gpu log.h5ad -o gpu.h5ad": "--device gpu needs TensorFlow",
    "impute-deepmc --preset paper --device gpu log.h5ad -o gpu.h5ad": "--device gpu needs TensorFlow",
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment in which importing TensorFlow fails."""
    folder = tmp_path_factory.mktemp("bare")
    programs = layered_environment(folder / "environment", left_out=TENSORFLOW, sources=ROOT / "cli")
    make_counts().write_h5ad(folder / "counts.h5ad")

    def call(*lines):
        done = subprocess.run(
            [programs / "python", "-c", PROGRAM, folder],
            input=json.dumps([line.split() for line in lines]),
            capture_output=True,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return folder, programs, call


def test_tensorflow_is_absent_there_and_the_demo_will_leave_it_out(bare):
    program = "from scinfill.models.devices import has_tensorflow; print(has_tensorflow()); import tensorflow"
    done = subprocess.run([bare[1] / "python", "-c", program], capture_output=True, text=True, check=False)
    assert "No module named 'tensorflow'" in done.stderr
    assert done.stdout == "False\n"


def test_every_verb_is_tried():
    assert {name.partition(",")[0] for name in CALLS} | set(NEEDS_TENSORFLOW) == set(COMMANDS)


@pytest.mark.slow
def test_every_other_verb_works_without_it(bare):
    folder, _, call = bare
    results = dict(zip(CALLS, call(*CALLS.values()), strict=True))
    assert {name: result for name, result in results.items() if result[0] != 0} == {}
    for name, (_, stderr) in results.items():
        assert "tensorflow" not in stderr.lower(), name

    # What needs it says so in one line, before anything is read or written.
    for line, (exit_code, stderr) in zip(REFUSED, call(*REFUSED), strict=True):
        assert exit_code == 2, line
        assert stderr.count("\n") == 1, line
        assert REFUSED[line] in stderr, line
        assert "pip install tensorflow" in stderr, line
    assert not (folder / "auto.h5ad").exists()
    assert not (folder / "gpu.h5ad").exists()


def test_an_installation_that_cannot_be_loaded_is_named(bare, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libabsent.so: cannot open shared object file')")
    program = (
        "from scinfill.errors import InputError\n"
        "from scinfill.models.devices import computing_on\n"
        "try:\n    computing_on('auto').__enter__()\nexcept InputError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [bare[1] / "python", "-c", program],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("TensorFlow is installed but cannot be loaded (libabsent.so: cannot open")
