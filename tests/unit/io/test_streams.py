import os
import stat
import threading
from pathlib import Path

import pytest

from scinfill.errors import DataError, InputError, ResourceError
from scinfill.io import streams


def names(folder):
    return [path.name for path in folder.iterdir()]


def fail_while_writing(target):
    with streams.complete(target) as handle:
        handle.write(b"new")
        raise RuntimeError


FULL_DISK = Path("/dev/full")


def test_a_new_file_has_the_content_and_the_usual_permissions(tmp_path):
    target = tmp_path / "new"
    (tmp_path / "usual").touch()
    with streams.complete(target) as handle:
        handle.write(b"content")
    assert target.read_bytes() == b"content"
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_an_earlier_file_keeps_its_permissions(tmp_path):
    target = tmp_path / "old"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with streams.complete(target) as handle:
        handle.write(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("named", [False, True], ids=["unnamed file", "named sibling"])
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, named):
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    target = tmp_path / "old"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        fail_while_writing(target)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["old"]


@pytest.mark.parametrize("named", [False, True], ids=["unnamed file", "named sibling"])
def test_nothing_is_visible_before_the_end(tmp_path, monkeypatch, named):
    if named:
        monkeypatch.delattr(os, "O_TMPFILE")
    target = tmp_path / "file"
    with streams.complete(target) as handle:
        handle.write(b"content")
        handle.flush()
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert names(tmp_path) == ["file"]


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with streams.complete(link) as handle:
        handle.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_dangling_link_gets_its_target(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    streams.write_text("text", link)
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_a_loop_of_links_is_refused(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(InputError, match="not a usable path"):
        streams.check_writable(one)


def test_the_other_name_of_a_hard_link_keeps_the_old_content(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"old")
    other.hardlink_to(one)
    streams.write_text("new", one)
    assert (one.read_text(), other.read_text()) == ("new", "old")


def test_a_named_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    streams.check_writable(pipe)
    streams.write_text("through", pipe)
    reader.join()
    assert received == [b"through"]
    assert pipe.is_fifo()


def test_a_named_pipe_can_be_read_and_sought(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"0123456789",))
    writer.start()
    with streams.open_source(pipe) as handle:
        handle.seek(5)
        assert handle.read() == b"56789"
    writer.join()


def test_an_empty_pipe_is_named(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"",))
    writer.start()
    with pytest.raises(DataError, match="is empty: the command before it"), streams.open_source(pipe):
        pass
    writer.join()


def test_missing_input_is_named():
    with (
        pytest.raises(InputError, match=r"'absent\.h5ad' cannot be read: No such file"),
        streams.open_source("absent.h5ad"),
    ):
        pass


@pytest.mark.parametrize(
    ("target", "message"),
    [(".", "is a folder"), ("nowhere/file", "there is no folder"), ("\0", "not a usable path")],
)
def test_a_target_that_cannot_be_is_refused_before_any_work(tmp_path, monkeypatch, target, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        streams.check_writable(target)


def test_checking_leaves_no_trace(tmp_path):
    streams.check_writable(tmp_path / "file")
    assert names(tmp_path) == []


@pytest.mark.skipif(not FULL_DISK.exists(), reason="no /dev/full here")
def test_a_full_disk_is_a_lack_of_resources():
    with pytest.raises(ResourceError, match="no space left for '/dev/full'"):
        streams.write_text("text", FULL_DISK)
