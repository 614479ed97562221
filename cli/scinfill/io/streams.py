"""Read from and write to paths and pipes; a file is whole or not there at all.

HDF5 needs to jump about in its file, so whatever cannot seek is first copied to an unnamed temporary file,
and an output is complete before its first byte reaches a pipe or its name.
"""

import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from scinfill.errors import DataError, InputError, ResourceError

STDIO = "-"
COPY_BYTES = 2**20
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def display(source: str | Path) -> str:
    """Return how messages call a source or target, on one line."""
    return "standard input" if str(source) == STDIO else repr(str(source))


@contextmanager
def open_source(source: str | Path) -> Iterator[BinaryIO]:
    """Open a source for reading and seeking; ``-`` is standard input.

    Raises
    ------
    InputError
        There is no such file, it may not be read, or standard input is a terminal.
    DataError
        A pipe that ends before its first byte.
    """
    if str(source) == STDIO:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("no input: name a file, or send one through a pipe")
        with _spool(sys.stdin.buffer, source) as handle:
            yield handle
        return
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 - closed by the `with` below; only opening is translated
    except OSError as error:
        raise InputError(f"{display(source)} cannot be read: {error.strerror}") from error
    with stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            yield stream
        else:
            with _spool(stream, source) as handle:
                yield handle


@contextmanager
def _spool(stream: BinaryIO, source: str | Path) -> Iterator[BinaryIO]:
    """Copy a pipe to a temporary file without a name, which vanishes with the process however it ends."""
    with space_for(f"a copy of {display(source)}"), tempfile.TemporaryFile() as handle:
        shutil.copyfileobj(stream, handle, COPY_BYTES)
        if handle.tell() == 0:
            raise DataError(f"{display(source)} is empty: the command before it failed or wrote nothing")
        handle.seek(0)
        yield handle


def check_writable(target: str | Path, *, binary: bool = True) -> None:
    """Find out whether a target can be written, before any work is done.

    Raises
    ------
    InputError
        No such folder, a folder or a file that may not be written, or binary data on a terminal.
    """
    if str(target) == STDIO:
        if sys.stdout is None:
            raise InputError("standard output is closed; name a file with -o")
        if binary and sys.stdout.isatty():
            raise InputError("binary data is not written to a terminal; name a file with -o, or use a pipe")
        return
    path = follow_links(target)
    if path.is_dir():
        raise InputError(f"{display(target)} is a folder; name a file")
    if not path.parent.is_dir():
        raise InputError(f"{display(target)}: there is no folder {str(path.parent)!r}")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{display(target)} is write-protected")
    if _is_replaceable(path):
        sibling = sibling_of(path)
        try:
            sibling.open("xb").close()
        except OSError as error:
            if error.errno in NO_SPACE:
                raise ResourceError(f"{display(target)}: {error.strerror}") from error
            raise InputError(f"{display(target)}: the folder cannot be written: {error.strerror}") from error
        finally:
            sibling.unlink(missing_ok=True)


def check_folder(target: str | Path) -> None:
    """Find out whether a folder can receive files, or be made, before any work is done; nothing is made yet.

    Raises
    ------
    InputError
        It is a file, or may not be written.
    """
    place = Path(target).absolute()
    while not (place.exists() or place.is_symlink()):
        place = place.parent
    if not place.is_dir():
        raise InputError(f"{display(target)} cannot be made a folder: {str(place)!r} is none")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{display(target)}: the folder {str(place)!r} cannot be written: {os.strerror(errno.EACCES)}")


def check_new_folder(target: str | Path) -> None:
    """Refuse a folder that is there already: an export never mixes with what was there.

    Raises
    ------
    InputError
        Something of that name exists, or its parent does not or may not be written.
    """
    if str(target) == STDIO:
        raise InputError("a folder cannot go to standard output; name a new folder")
    path = Path(target)
    if path.exists() or path.is_symlink():
        raise InputError(f"{display(target)} exists already; name a new folder")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{display(target)}: there is no folder {str(path.absolute().parent)!r}")
    check_folder(path)


@contextmanager
def new_folder(target: str | Path) -> Iterator[Path]:
    """Give a folder to fill, which appears under its name, whole, when the block ends well.

    Raises
    ------
    InputError
        See :func:`check_new_folder`.
    """
    check_new_folder(target)
    path = Path(target).absolute()
    with space_for(display(target)), tempfile.TemporaryDirectory(dir=path.parent, prefix=".scinfill-") as scratch:
        folder = Path(scratch) / "folder"
        folder.mkdir()
        yield folder
        try:
            folder.rename(path)
        except OSError as error:
            if path.exists():  # another job was faster
                raise InputError(f"{display(target)} exists already; name a new folder") from error
            raise


@contextmanager
def complete(target: str | Path) -> Iterator[BinaryIO]:
    """Open a target for writing, seeking and reading back; it appears, whole, when the block ends well.

    A path is replaced by one rename, so an earlier file there survives every failure and no reader sees
    a part. A symbolic link keeps pointing where it did. Pipes and devices are written to, not replaced.

    Raises
    ------
    ResourceError
        The disk is full.
    """
    stdout = str(target) == STDIO
    with space_for("standard output" if stdout else display(target)):
        if stdout:
            with tempfile.TemporaryFile() as handle:
                yield handle
                _copy(handle, sys.stdout.buffer)
        elif _is_replaceable(path := follow_links(target)):
            with _replacing(path) as handle:
                yield handle
        else:
            with tempfile.TemporaryFile() as handle:
                yield handle
                with path.open("wb") as stream:
                    _copy(handle, stream)


def write_text(text: str, target: str | Path) -> None:
    """Write text as UTF-8, whole or not at all."""
    with complete(target) as handle:
        handle.write(text.encode())


def follow_links(target: str | Path) -> Path:
    """Return the path behind symbolic links; a device or pipe keeps its name, which may be all that leads there."""
    try:
        path = Path(target)
        return path if path.exists() and not (path.is_file() or path.is_dir()) else path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a name no file can have
        raise InputError(f"{display(target)} is not a usable path: {error}") from error


def _is_replaceable(path: Path) -> bool:
    """Whether a rename may put the output there: a named pipe or a device must stay what it is."""
    return not path.exists() or path.is_file()


def sibling_of(path: Path) -> Path:
    """Return a name in the same folder that no other process uses."""
    return path.with_name(f".scinfill-{secrets.token_hex(8)}")


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    sibling = sibling_of(path)
    try:
        descriptor, named = _new_file(sibling)
        with os.fdopen(descriptor, "w+b") as handle:
            yield handle
            handle.flush()
            if path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            os.fsync(descriptor)
            if not named:
                _name(descriptor, sibling)
        sibling.replace(path)
        sync_folder(path.parent)
    finally:
        sibling.unlink(missing_ok=True)


def _new_file(sibling: Path) -> tuple[int, bool]:
    """Return a new file beside the target, and whether it has a name already.

    Where the file system can, it has none: then not even ``kill -9`` leaves anything behind.
    """
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            return os.open(sibling.parent, os.O_TMPFILE | os.O_RDWR, 0o666), False
    return os.open(sibling, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), True


def _name(descriptor: int, sibling: Path) -> None:
    """Give a file without a name one. A folder's descriptor makes Python call linkat, which follows the link."""
    folder = os.open(sibling.parent, os.O_RDONLY)
    try:
        os.link(f"/proc/self/fd/{descriptor}", sibling.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut; some network file systems cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _copy(handle: BinaryIO, stream: BinaryIO) -> None:
    handle.seek(0)
    shutil.copyfileobj(handle, stream, COPY_BYTES)
    stream.flush()


@contextmanager
def space_for(what: str) -> Iterator[None]:
    """Translate a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise ResourceError(
                f"no space left for {what}: {error.strerror}; free some, or set TMPDIR for temporary files"
            ) from error
        raise
