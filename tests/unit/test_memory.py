import os
import subprocess
import sys

import numpy as np
import pytest

from scinfill import memory
from scinfill.errors import ResourceError

GIB = 2**30


def test_there_is_some():
    assert memory.available() > 2**20
    assert memory.limit() > memory.resident() > 2**20


@pytest.mark.slow
def test_what_is_in_use_counts():
    before = memory.resident()
    held = np.ones(2**25)
    assert memory.resident() > before + 0.9 * held.nbytes


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text("1000\n")
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (str(limit),))
    assert memory.limit() == 1000
    assert memory.available() == 0
    limit.write_text("max\n")
    assert memory.limit() > 1000


def test_a_promise_holds_while_inside():
    free = memory.limit()
    with memory.at_most(GIB):
        assert memory.limit() == GIB
        with memory.at_most(None):
            assert memory.limit() == GIB
        with memory.at_most(GIB // 2):
            assert memory.limit() == GIB // 2
        assert memory.limit() == GIB
    assert memory.limit() > 0.5 * free


@pytest.mark.parametrize(("promise", "bound"), [(4 * GIB, "`max_memory` allows 4.0 GiB"), (None, "3.0 GiB are free")])
def test_what_cannot_fit_is_refused_with_the_figures(monkeypatch, promise, bound):
    monkeypatch.setattr(memory, "resident", lambda: GIB)
    monkeypatch.setattr(memory, "_free_on_machine", lambda: 3 * GIB if promise is None else 100 * GIB)
    monkeypatch.setattr(memory, "CGROUP_LIMITS", ())
    with memory.at_most(promise):
        memory.require(2 * GIB, "the fit")
        with pytest.raises(ResourceError) as caught:
            memory.require(5 * GIB, "the fit")
    assert str(caught.value) == f"the fit needs 6.0 GiB of memory (1.0 GiB are in use), {bound}"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (8e15, "7.11 PiB"), (3e18, "2.66e+03 PiB")],
)
def test_readable_sizes(size, text):
    assert memory.readable(size) == text


ARRAYS = """
import resource, sys
import numpy as np
from scinfill import memory
memory.reuse_blocks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_arrays_of_megabytes_take_the_place_of_those_before():
    """Fewer pages are touched for the first time, unless the user has said how memory is handed out."""

    def touched(**chosen):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        command = [sys.executable, "-c", ARRAYS]
        run = subprocess.run(command, env=environment | chosen, capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert touched() < touched(MALLOC_MMAP_THRESHOLD_="131072") / 2
