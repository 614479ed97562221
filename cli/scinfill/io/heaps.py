"""Checks of an HDF5 file's heap, where its texts lie, that the HDF5 library does not make itself.

A block of zeros in a heap, as a copy that was cut and filled leaves it, sends the library into an endless loop;
a wrong length makes it fill gigabytes of memory.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import h5py
import numpy as np

from scinfill.errors import DataError

SIGNATURE = b"GCOL\x01\x00\x00\x00"
"""Start of a heap collection: name, version 1, three bytes reserved."""
OBJECT = struct.Struct("<HHIQ")
"""Header of an object in it: index (0 is free space), references, reserved, size."""
TEXT = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""How a dataset points to a text in a heap."""

WINDOW = 2**24
"""Bytes looked at together."""

Extent = tuple[int, int]
"""First byte and byte after the last."""


def data_extent(dataset: h5py.Dataset) -> Extent | None:
    """Return where the values of a dataset lie that stands in one piece."""
    start = dataset.id.get_offset()
    return None if start is None else (start, start + dataset.id.get_storage_size())


def check_heaps(handle: BinaryIO, data: Iterable[Extent]) -> None:
    """Walk through every heap of a file as the library would; ``data`` are parts where there is none.

    Raises
    ------
    DataError
        A heap is damaged so that the library would never return.
    """
    with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start, stop in _between(data, len(content)):
            for window in range(start, stop, WINDOW):
                end = min(window + WINDOW + len(SIGNATURE) - 1, stop)
                found = content.find(SIGNATURE, window, end)
                while found >= 0:
                    _walk(content, found)
                    found = content.find(SIGNATURE, found + len(SIGNATURE), end)
                content.madvise(mmap.MADV_DONTNEED)  # what was looked at need not stay in memory


def _between(data: Iterable[Extent], end: int) -> Iterator[Extent]:
    """Yield the parts of a file that hold no values."""
    reached = 0
    for start, stop in sorted(data):
        if start > reached:
            yield reached, start
        reached = max(reached, stop)
    if reached < end:
        yield reached, end


def _walk(content: mmap.mmap, start: int) -> None:
    (size,) = struct.unpack_from("<Q", content, start + len(SIGNATURE))
    place, stop = start + len(SIGNATURE) + 8, min(start + size, len(content))
    while place + OBJECT.size <= stop:
        index, _, _, length = OBJECT.unpack_from(content, place)
        if index == 0 and length == 0:
            raise DataError(f"its texts are damaged at byte {place}; copy the file again")
        place += length if index == 0 else OBJECT.size + (length + 7) // 8 * 8


def check_texts(handle: BinaryIO, dataset: h5py.Dataset, slot: str) -> None:
    """Compare the lengths of all texts of a dataset with the length of the file.

    Raises
    ------
    DataError
        Together they are longer than the file.
    """
    extent = data_extent(dataset)
    if extent is None:
        return
    handle.seek(extent[0])
    texts = np.frombuffer(handle.read(dataset.size * TEXT.itemsize), dtype=TEXT)
    file_size = handle.seek(0, 2)
    if int(texts["length"].sum(dtype=np.uint64)) > file_size:
        raise DataError(f"{slot} claims texts longer than the file")
