"""Looking over a zarr store from anyone before it is opened: nothing in it is followed, run or allocated unseen."""

import json
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.filters import zstd_frame_size
from scinfill.io.streams import display

GROUP_MARKS = (".zgroup", "zarr.json")
Claim = Callable[[BinaryIO, int, int], bool]
"""Whether the part of a file of some length, at which it stands, becomes no more than so many bytes."""
LARGEST_METADATA = 2**20
SHARDED = "sharding_indexed"
EMPTY = 2**64 - 1
"""Stands in the index of a shard for a chunk that was never written."""
TEXTS = {"vlen-utf8", "vlen-bytes"}
PIECE = 2**20
KEPT_AS_IS = ("bytes", "endian", "crc32c", "transpose", "delta", "shuffle", *TEXTS)
"""Steps that unpack nothing and run nothing."""
ONE_VALUE = 8
"""Bytes of a value of a type that NumPy does not know, such as a reference to a text."""
COPY = "copy the store again"
WAY_ROUND = "write the store again with anndata's defaults"


def is_store(path: Path) -> bool:
    """Whether a folder is the root of a zarr store."""
    try:
        return any((path / mark).is_file() for mark in GROUP_MARKS)
    except OSError:  # no name that a file can have, or a folder that may not be looked into: said when it is opened
        return False


def check_store(path: Path) -> None:
    """Look at every file of a store.

    Raises
    ------
    DataError
        It holds links, arrays packed by what could run code or is not known, or chunks that become more than they say.
    ResourceError
        More data than memory.
    """
    total = 0
    for folder, metadata in _arrays(path):
        slot = folder.relative_to(path).as_posix()
        try:
            total += _check_array(folder, metadata)
        except DataError as error:
            raise DataError(f"{display(path)}: {slot} {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError, struct.error, IndexError, OverflowError) as error:
            raise DataError(f"{display(path)}: {slot} is no array that is known: {error!r}; {WAY_ROUND}") from error
    memory.require(total, f"reading {display(path)}")


def _arrays(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Walk through a store and yield its arrays with their metadata; a link anywhere is found first."""
    found = []
    for root, folders, files in os.walk(path):
        folder = Path(root)
        for name in (*folders, *files):
            place = folder / name
            if place.is_symlink() or not (place.is_file() or place.is_dir()):
                raise DataError(f"{display(path)}: {place.relative_to(path)} is a link or device; it is not followed")
        found += [folder / name for name in (".zarray", "zarr.json") if name in files]
    for place in found:
        metadata = _json(place, path)
        if place.name == ".zarray" or metadata.get("node_type") == "array":
            yield place.parent, metadata


def _json(path: Path, store: Path) -> dict[str, Any]:
    place = path.relative_to(store)
    if path.stat().st_size > LARGEST_METADATA:
        raise DataError(f"{display(store)}: {place} is larger than {memory.readable(LARGEST_METADATA)}; {WAY_ROUND}")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{display(store)}: {place} is damaged; {COPY}") from error
    if not isinstance(found, dict):
        raise DataError(f"{display(store)}: {place} is damaged; copy the store again")
    return found


def _check_array(folder: Path, metadata: dict[str, Any]) -> int:
    """Check one array and return its size in bytes."""
    shape = [int(extent) for extent in metadata["shape"]]
    sharded = None
    if int(metadata["zarr_format"]) == 2:
        chunk, kind = metadata["chunks"], metadata["dtype"]
        codecs = [*(metadata.get("filters") or []), *([metadata["compressor"]] if metadata["compressor"] else [])]
        names = [str(codec["id"]) for codec in codecs]
    else:
        chunk, kind = metadata["chunk_grid"]["configuration"]["chunk_shape"], metadata["data_type"]
        codecs = metadata["codecs"]
        if len(codecs) == 1 and codecs[0]["name"] == SHARDED:
            sharded = codecs[0]["configuration"]
            codecs = sharded["codecs"]
        names = [str(codec["name"]).removeprefix("numcodecs.") for codec in codecs]
    packing = [name for name in names if name not in KEPT_AS_IS]
    if len(packing) > 1 or any(name not in CLAIMS for name in packing):
        raise DataError(f"is packed by {' and '.join(packing)}, which is not read; {WAY_ROUND}")
    chunk_bytes = _size(kind, chunk)
    if packing:
        inner_bytes = chunk_bytes if sharded is None else _size(kind, sharded["chunk_shape"])
        most = memory.available() if TEXTS & set(names) else inner_bytes
        for path in _chunks(folder):
            _check_chunks(path, CLAIMS[packing[0]], most, None if sharded is None else _Shards(sharded, chunk))
    return max(_size(kind, shape), chunk_bytes)  # no less than one chunk is made


def _check_chunks(path: Path, claim: Claim, most: int, shards: "_Shards | None") -> None:
    """Check what the one chunk in a file becomes, or every chunk of a shard."""
    with path.open("rb") as file:
        parts = [(0, path.stat().st_size)] if shards is None else shards.parts(file)
        for start, length in parts:
            file.seek(start)
            if not claim(file, length, most):
                raise DataError(f"holds a chunk ({path.name}) that does not become at most {most} bytes; {COPY}")


def _size(kind: Any, extents: list[Any]) -> int:  # noqa: ANN401 - as the metadata has it
    return _bytes_of(kind) * math.prod(max(1, int(extent)) for extent in extents)


class _Shards:
    """Arrangement of an array's chunks in files, and the shape of such a file."""

    def __init__(self, settings: dict[str, Any], shape: list[int]) -> None:
        codecs = [codec["name"] for codec in settings["index_codecs"]]
        if codecs not in (["bytes"], ["bytes", "crc32c"]):
            raise DataError(f"has shards whose index is packed; {WAY_ROUND}")
        inner = settings["chunk_shape"]
        self._index_bytes = 16 * math.prod(
            -(-int(all_of) // int(one)) for all_of, one in zip(shape, inner, strict=True)
        )
        self._checksum_bytes = 4 * (len(codecs) - 1)
        self._at_start = settings.get("index_location") == "start"

    def parts(self, file: BinaryIO) -> list[tuple[int, int]]:
        """Return where the chunks lie, first byte and length, as the index says."""
        end = file.seek(0, os.SEEK_END)
        start = end - self._index_bytes - self._checksum_bytes
        if start < 0:
            raise DataError(f"holds a shard without an index; {COPY}")
        file.seek(0 if self._at_start else start)
        index = np.frombuffer(file.read(self._index_bytes), dtype="<u8").reshape(-1, 2)
        written = index[(index != EMPTY).any(axis=1)]
        if (written > end).any():
            raise DataError(f"holds a shard that ends before its chunks; {COPY}")
        return [(int(place), int(length)) for place, length in written]


def _bytes_of(kind: Any) -> int:  # noqa: ANN401 - as the metadata has it
    if isinstance(kind, dict):
        return int(kind.get("configuration", {}).get("length_bytes", ONE_VALUE))
    try:
        return max(1, np.dtype(kind).itemsize)
    except TypeError:
        return ONE_VALUE


def _chunks(folder: Path) -> Iterator[Path]:
    for root, _, files in os.walk(folder):
        yield from (Path(root) / name for name in files if not name.startswith((".z", "zarr.json")))


def _at_start(size_of: Callable[[bytes], int | None]) -> Claim:
    """Return a check of what the first bytes of a chunk say."""

    def check(file: BinaryIO, length: int, most: int) -> bool:
        claim = size_of(file.read(min(32, length)))
        return claim is not None and claim <= most

    return check


def _inflate(file: BinaryIO, length: int, most: int) -> bool:
    """Inflate a chunk a piece at a time, as far as it may go."""
    inflating = zlib.decompressobj(wbits=47)  # with a header of zlib or gzip
    inflated, packed = 0, b""
    try:
        while inflated <= most and (packed or length):
            if not packed:
                packed = file.read(min(PIECE, length))
                length = length - len(packed) if packed else 0
            inflated += len(inflating.decompress(packed, PIECE))
            packed = inflating.unconsumed_tail
    except zlib.error:
        return False
    return inflated <= most


CLAIMS: dict[str, Claim] = {
    "blosc": _at_start(lambda head: struct.unpack_from("<I", head, 4)[0]),
    "lz4": _at_start(lambda head: struct.unpack_from("<I", head)[0]),
    "zstd": _at_start(zstd_frame_size),
    "zlib": _inflate,
    "gzip": _inflate,
}
"""What packs chunks, and how it is found out that a chunk becomes no more than it may."""
