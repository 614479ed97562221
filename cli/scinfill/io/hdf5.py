"""Opening HDF5 files from anyone: what is broken is named, and nothing hostile is followed or allocated."""

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from scinfill import memory
from scinfill.errors import DataError, ResourceError
from scinfill.io.filters import check_filters
from scinfill.io.heaps import check_heaps, check_texts, data_extent
from scinfill.io.streams import display, open_source
from scinfill.numerics import scratch

SIGNATURE = b"\x89HDF\r\n\x1a\n"
STARTS = (0, 512, 1024, 2048)
"""Where the signature may stand: a program may put a block of its own before it (MuData: 512 bytes)."""
DEFLATE_RATIO = 1032
"""A byte of deflated data never stands for more than this many."""
HARMLESS = 2**26
"""A claim below this size is not looked into: a dataset that was never written to holds nothing and claims a little."""
SUSPICIOUS_CHUNK = 2**20
"""Stored chunks above this size are inflated a piece at a time first: they could fill the memory at once."""


PIECE_BYTES = 2**24
"""Read or written at once."""

OBJECT_TYPES = (h5py.h5t.TypeVlenID, h5py.h5t.TypeOpaqueID, h5py.h5t.TypeCompoundID, h5py.h5t.TypeArrayID)


@contextmanager
def open_hdf5(source: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file or stream for reading; see :func:`checked_hdf5`."""
    with open_source(source) as handle, checked_hdf5(handle, source) as file:
        yield file


@contextmanager
def checked_hdf5(handle: BinaryIO, source: str | Path) -> Iterator[h5py.File]:
    """Read an open file as HDF5, after checking everything in it that could do harm.

    Raises
    ------
    DataError
        Not HDF5, truncated, or with content that a table of numbers has no use for.
    ResourceError
        More data than memory.
    """
    if not is_hdf5(handle):
        start = first_bytes(handle)
        content = "it is empty" if not start else f"it starts with {start!r}"
        raise DataError(f"{display(source)} is not an HDF5 file: {content}; `scinfill preprocess` reads other kinds")
    try:
        file = h5py.File(handle, "r")
    except OSError as error:
        raise DataError(f"{display(source)} {_reason(error)}") from error
    with file:
        try:
            _check_contents(file, handle)
        except DataError as error:
            raise DataError(f"{display(source)}: {error}") from error
        except (ResourceError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged file makes the library raise
            raise DataError(f"{display(source)} is damaged: {one_line(error)}") from error
        yield file


class _Sink:
    """A file for HDF5 to write to, which keeps the first error to itself.

    The HDF5 library writes at moments of its own, even while it gives up after a failure, and an exception
    raised there ends as a traceback that nobody can catch. So later writes go nowhere, and whoever uses the
    sink asks for the error where it can be raised.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self._error is not None:
            raise self._error

    def _attempt(self, action: Callable[..., Any], *args: Any) -> int:  # noqa: ANN401 - of the file
        if self._error is None:
            try:
                return int(action(*args) or 0)
            except OSError as error:
                self._error = error
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as files do."""
        return self._attempt(self._handle.seek, offset, whence)

    def tell(self) -> int:
        """Say where, as files do."""
        return self._attempt(self._handle.tell)

    def read(self, size: int = -1) -> bytes:
        """Read, as files do; h5py knows files by this method but does not call it."""
        return self._handle.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Read into a buffer, as files do."""
        return self._attempt(self._handle.readinto, buffer)  # type: ignore[attr-defined]

    def write(self, data: memoryview) -> int:
        """Write, or pretend to."""
        self._attempt(self._handle.write, data)
        return len(data)

    def truncate(self, size: int) -> int:
        """Cut, as files do."""
        return self._attempt(self._handle.truncate, size)

    def flush(self) -> None:
        """Write what is still in memory, as files do."""
        self._attempt(self._handle.flush)


@contextmanager
def new_hdf5(handle: BinaryIO) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Write an HDF5 file to an open file; also yield a function that raises what has gone wrong so far.

    Raises
    ------
    OSError
        The disk is full, or fails.
    """
    sink = _Sink(handle)
    try:
        with h5py.File(sink, "w") as file:
            yield file, sink.check
    finally:
        sink.check()


def read_array(dataset: h5py.Dataset, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return a dataset's numbers in this machine's byte order, half precision as single; in a file where it is large.

    Parameters
    ----------
    dtype
        Type of the result, where it is to change; what it cannot hold becomes the nearest that it can.
    """
    if dtype is None:
        dtype = np.dtype(np.float32) if dataset.dtype == np.float16 else dataset.dtype.newbyteorder("=")
    values = scratch.empty(dataset.shape, dtype)
    for piece in _pieces(values):
        dataset.read_direct(values, piece, piece)
    return values


def write_array(parent: h5py.Group, name: str, values: NDArray[Any]) -> None:
    """Write numbers a piece at a time."""
    dataset = parent.create_dataset(name, values.shape, values.dtype)
    for piece in _pieces(values):
        dataset[piece] = values[piece]


def _pieces(values: NDArray[Any]) -> Iterator[slice]:
    """Cut an array along its first axis."""
    if values.size:
        rows = max(1, PIECE_BYTES * len(values) // values.nbytes)
        for start in range(0, len(values), rows):
            yield slice(start, min(start + rows, len(values)))
            scratch.release()


def is_hdf5(handle: BinaryIO) -> bool:
    """Whether an open file is HDF5 by its signature; go back to the start."""
    start = handle.read(STARTS[-1] + len(SIGNATURE))
    handle.seek(0)
    return any(start.startswith(SIGNATURE, place) for place in STARTS)


def first_bytes(handle: BinaryIO) -> bytes:
    """Return as many bytes as the HDF5 signature has, and go back to the start."""
    start = handle.read(len(SIGNATURE))
    handle.seek(0)
    return start


def one_line(error: BaseException) -> str:
    """Return the message of any exception on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _reason(error: OSError) -> str:
    """Translate why HDF5 cannot open a file."""
    text = one_line(error)
    truncated = re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", text)
    if truncated:
        return f"is truncated: {truncated[1]} of {truncated[2]} bytes are there; copy it again"
    return f"is a damaged HDF5 file: {text}"


def _check_contents(file: h5py.File, handle: BinaryIO) -> None:
    """Walk over all groups without following a link out of the file or in a circle."""
    total = 0
    extents = []
    groups: list[h5py.Group] = [file["/"]]
    seen = set(groups)
    while groups:
        group = groups.pop()
        _check_attributes(group)
        for name in group:
            slot = f"{group.name.rstrip('/')}/{name}".lstrip("/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise DataError(f"{slot} is a link to another place or file; links are not followed")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                _check_attributes(item)
                _check_dataset(item, slot, handle)
                total += item.nbytes if scratch.fits(item.nbytes) else 0
                extents.append(data_extent(item))
            elif isinstance(item, h5py.Group):
                if item in seen:
                    raise DataError(f"{slot} contains itself or stands in two places")
                seen.add(item)
                groups.append(item)
    check_heaps(handle, filter(None, extents))
    memory.require(total, "reading it")


def _check_attributes(item: h5py.Group | h5py.Dataset) -> None:
    """Refuse attributes that are neither numbers nor text: reading a damaged one can crash the library."""
    for name in item.attrs:
        if isinstance(item.attrs.get_id(name).get_type(), OBJECT_TYPES):
            raise DataError(f"{item.name}: the attribute {name!r} holds objects, not numbers or text")


def _check_dataset(dataset: h5py.Dataset, slot: str, handle: BinaryIO) -> None:
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{slot} takes its values from other files; they are not followed")
    kind = dataset.dtype.kind
    if (kind == "O" and h5py.check_string_dtype(dataset.dtype) is None) or (kind == "V" and not dataset.dtype.names):
        raise DataError(f"{slot} holds objects, not numbers or text; they are not read")
    has_plugin = check_filters(dataset, slot)
    _check_size(dataset, slot, handle, deflated=dataset.compression in (None, "gzip") and not has_plugin)
    if kind == "O":
        check_texts(handle, dataset, slot)
    if dataset.compression == "gzip":
        _check_chunks(dataset, slot)


def _check_size(dataset: h5py.Dataset, slot: str, handle: BinaryIO, *, deflated: bool) -> None:
    """Refuse a dataset that claims more values than the file can hold."""
    stored = min(dataset.id.get_storage_size(), os.fstat(handle.fileno()).st_size)
    largest = stored if dataset.chunks is None else DEFLATE_RATIO * stored
    if not deflated:
        largest = memory.available()
    if dataset.nbytes > max(largest, HARMLESS):
        raise DataError(
            f"{slot} claims a shape of {dataset.shape}, {memory.readable(dataset.nbytes)}, "
            f"but the file holds {memory.readable(stored)} of it"
        )


def _check_chunks(dataset: h5py.Dataset, slot: str) -> None:
    """Refuse a compressed chunk that inflates to more than a chunk holds.

    The HDF5 library inflates a chunk to its end, whatever size was declared.
    """
    size = dataset.dtype.itemsize
    for extent in dataset.chunks:
        size *= extent

    def check(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.size <= SUSPICIOUS_CHUNK or chunk.filter_mask:
            return
        _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        inflating = zlib.decompressobj()
        length = 0
        while packed and length <= size:
            length += len(inflating.decompress(packed, SUSPICIOUS_CHUNK))
            packed = inflating.unconsumed_tail
        if length > size:
            raise DataError(f"{slot} holds a compressed chunk that inflates to more than the declared {size} bytes")

    dataset.id.chunk_iter(check)
