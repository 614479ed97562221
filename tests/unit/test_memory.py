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
