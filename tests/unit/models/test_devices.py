"""TensorFlow comes quietly and computes where it is told to."""

import subprocess
import sys

import pytest

from scinfill.errors import ResourceError
from scinfill.models.devices import computing_on


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_nothing_of_tensorflow_reaches_the_terminal(device):
    """Also what its C++ parts write before any setting reaches them; what comes later is written again.

    Keras is loaded once somebody asks for it, and not before.
    """
    result = run(
        "import os, sys\n"
        "from scinfill.models.devices import computing_on\n"
        f"with computing_on({device!r}) as tf:\n"
        "    print(float(tf.reduce_sum(tf.ones((3, 3)) @ tf.ones((3, 3)))))\n"
        "print('keras' in sys.modules, tf.keras.Model.__module__.split('.')[0])\n"
        "os.write(2, b'afterwards')\n"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "27.0\nFalse keras\n", "afterwards")


def test_the_cpu_computes_on_the_cpu():
    with computing_on("cpu") as tf:
        assert (tf.ones(3) + 1).device.endswith("CPU:0")


def test_a_gpu_that_is_not_there_is_refused_in_one_line():
    with computing_on("auto") as tf:
        if tf.config.list_physical_devices("GPU"):
            pytest.skip("this machine has a GPU")
    refused = pytest.raises(ResourceError, match=r"^`device='gpu'`: TensorFlow sees no GPU here; use `device='auto'`")
    with refused, computing_on("gpu"):
        pass


@pytest.mark.gpu
def test_the_gpu_computes_where_there_is_one():
    with computing_on("auto") as tf:
        if not tf.config.list_logical_devices("GPU"):
            pytest.skip("this machine has no GPU")
    with computing_on("gpu") as tf:
        assert (tf.ones(3) + 1).device.endswith("GPU:0")
