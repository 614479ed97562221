"""Opening HDF5 files from anyone: what is broken is named, and nothing hostile is followed or allocated."""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.streams import display, opened

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE_RATIO = 1032
"""A byte of deflated data never stands for more than this many."""
SUSPICIOUS_CHUNK = 2**20
"""Stored chunks above this size are inflated a piece at a time first: they could fill the memory at once."""


@contextmanager
def open_hdf5(source: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file or stream for reading; see :func:`checked_hdf5`."""
    with opened(source) as handle, checked_hdf5(handle, source) as file:
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
    start = first_bytes(handle)
    if start != SIGNATURE:
        content = "it is empty" if not start else f"it starts with {start!r}"
        raise DataError(f"{display(source)} is not an HDF5 file: {content}")
    try:
        file = h5py.File(handle, "r")
    except OSError as error:
        raise DataError(f"{display(source)} {_reason(error)}") from error
    with file:
        try:
            _check_contents(file)
        except DataError as error:
            raise DataError(f"{display(source)}: {error}") from error
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise DataError(f"{display(source)} is damaged: {one_line(error)}") from error
        yield file


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
    if "already open for write" in text or "lock" in text:
        return "is being written by another program"
    return f"is a damaged HDF5 file: {text}"


def _check_contents(file: h5py.File) -> None:
    """Walk over all groups without following a link out of the file or in a circle."""
    total = 0
    groups: list[h5py.Group] = [file["/"]]
    seen = set(groups)
    while groups:
        group = groups.pop()
        for name in group:
            slot = f"{group.name.rstrip('/')}/{name}".lstrip("/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise DataError(f"{slot} is a link to another place or file; links are not followed")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                _check_dataset(item, slot)
                total += item.nbytes
            elif isinstance(item, h5py.Group):
                if item in seen:
                    raise DataError(f"{slot} contains itself or stands in two places")
                seen.add(item)
                groups.append(item)
    memory.require(total, "reading it")


def _check_dataset(dataset: h5py.Dataset, slot: str) -> None:
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{slot} takes its values from other files; they are not followed")
    kind = dataset.dtype.kind
    if (kind == "O" and h5py.check_string_dtype(dataset.dtype) is None) or (kind == "V" and not dataset.dtype.names):
        raise DataError(f"{slot} holds objects, not numbers or text; they are not read")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(memory.available(), DEFLATE_RATIO * stored):
        raise DataError(
            f"{slot} claims a shape of {dataset.shape}, {memory.readable(dataset.nbytes)}, "
            f"but the file holds {memory.readable(stored)} of it"
        )
    if dataset.chunks is not None and stored > SUSPICIOUS_CHUNK:
        _check_chunks(dataset, slot)


def _check_chunks(dataset: h5py.Dataset, slot: str) -> None:
    """Refuse a compressed chunk that inflates to more than a chunk holds.

    The HDF5 library inflates a chunk to its end, whatever size was declared.
    """
    if dataset.compression != "gzip":
        return
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
