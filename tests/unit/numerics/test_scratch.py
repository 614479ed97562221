import errno
import os
from pathlib import Path

import numpy as np
import pytest

from scinfill import memory
from scinfill.numerics import scratch

MIB = 2**20


@pytest.fixture
def little_memory(monkeypatch):
    """Everything above a few bytes counts as large."""
    monkeypatch.setattr(scratch, "LARGE_SHARE", memory.limit() // 8)


def mapped():
    return sum("(deleted)" in line for line in Path("/proc/self/maps").read_text().splitlines())


def resident_in_files():
    """Return the bytes of files without a name that are in memory: what else a process does changes its total."""
    sizes, is_file = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            is_file = "(deleted)" in line
        elif is_file and line.startswith("Rss:"):
            sizes += int(line.split()[1]) * 1024
    return sizes


def test_a_small_array_is_in_memory():
    before = mapped()
    assert scratch.empty((3, 4), np.float32).shape == (3, 4)
    assert mapped() == before


def test_a_large_array_is_in_a_file_and_goes_with_its_last_reference(little_memory):
    before = mapped()
    values = scratch.empty((30, 40), np.float32)
    assert values.shape == (30, 40)
    assert values.dtype == np.float32
    assert mapped() == before + 1
    values[:] = np.arange(1200).reshape(30, 40)
    assert values.sum() == 1199 * 600
    part = values[3:5]
    del values
    assert part.sum() == np.arange(120, 200).sum()
    del part
    assert mapped() == before


def test_pages_are_given_back_where_memory_is_short_and_keep_their_values(monkeypatch):
    monkeypatch.setattr(scratch, "LARGE_SHARE", 2**40)
    values = scratch.empty(64 * MIB, np.uint8)
    values[:] = 7
    full = resident_in_files()
    scratch.release()
    assert resident_in_files() == full >= 64 * MIB  # most of the machine is free
    with memory.at_most(MIB):
        scratch.release()
    assert resident_in_files() < full - 50 * MIB
    assert (values == 7).all()
    scratch.give_back()
    assert resident_in_files() < full - 50 * MIB
    assert (values == 7).all()


def test_no_room_for_temporary_files_is_an_error_at_once(little_memory, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        scratch.empty(1000, np.float64)


def test_chunks_cover_all_values_once(monkeypatch):
    assert list(scratch.chunks(5)) == [slice(0, 5)]
    assert list(scratch.chunks(0)) == []
    monkeypatch.setattr(scratch, "ENTRIES_PER_CHUNK", 2)
    assert list(scratch.chunks(5)) == [slice(0, 2), slice(2, 4), slice(4, 5)]


@pytest.mark.parametrize("change", [lambda values: scratch.convert(values, np.float32), scratch.copy])
def test_conversion_and_copy(change, little_memory):
    values = np.arange(50)
    changed = change(values)
    np.testing.assert_array_equal(changed, values)
    changed[0] = 3
    assert values[0] == 0


def test_one_value_everywhere(little_memory):
    np.testing.assert_array_equal(scratch.full(5, 3, np.int32), [3] * 5)


def test_what_has_the_type_is_shared():
    values = np.arange(5.0)
    assert scratch.convert(values, np.float64) is values
