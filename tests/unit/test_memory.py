import pytest

from scinfill import memory
from scinfill.errors import ResourceError


def test_there_is_some():
    assert memory.available() > 2**20


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text("1000\n")
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (str(limit),))
    assert memory.available() == 1000
    limit.write_text("max\n")
    assert memory.available() > 1000


def test_what_cannot_fit_is_refused_with_both_figures(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 3 * 2**30)
    memory.require(2 * 2**30, "the fit")
    with pytest.raises(ResourceError, match=r"the fit needs 5\.0 GiB of memory, 3\.0 GiB are available"):
        memory.require(5 * 2**30, "the fit")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (8e15, "7.11 PiB"), (3e18, "2.66e+03 PiB")],
)
def test_readable_sizes(size, text):
    assert memory.readable(size) == text
