"""HDF5 filters that come as plug-ins: loaded where they are installed, named where not, and measured before use."""

import struct
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import h5py

from scinfill.errors import DataError
from scinfill.io.heaps import TEXT

BUILT_IN = {
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_SZIP,
    h5py.h5z.FILTER_NBIT,
    h5py.h5z.FILTER_SCALEOFFSET,
    h5py.h5z.FILTER_LZF,
}
"""What every h5py can undo."""
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Plugin(NamedTuple):
    """A filter: its name, how many bytes a stored chunk says that it becomes (None: it does not say), and a test.

    ``check`` raises where a chunk is damaged, for plug-ins that would give back whatever stood in memory.
    """

    name: str
    claim: Callable[[bytes], int | None]
    check: Callable[[bytes], object] | None = None


def _at(layout: str, place: int) -> Callable[[bytes], int | None]:
    return lambda chunk: struct.unpack_from(layout, chunk, place)[0]


def zstd_frame_size(chunk: bytes) -> int | None:
    """Read the content size of a frame header (RFC 8878, section 3.1.1.1)."""
    if not chunk.startswith(ZSTD_MAGIC):
        return None
    descriptor = chunk[4]
    single_segment = bool(descriptor & 0b100000)
    size_flag = descriptor >> 6
    place = 5 + (not single_segment) + (0, 1, 2, 4)[descriptor & 0b11]
    if size_flag == 0 and not single_segment:
        return None
    if size_flag == 1:
        return struct.unpack_from("<H", chunk, place)[0] + 256
    return struct.unpack_from({0: "<B", 2: "<I", 3: "<Q"}[size_flag], chunk, place)[0]


def _unpack_zstd(chunk: bytes) -> object:
    """Unpack a chunk by a library that says when it cannot: the plug-in does not."""
    return import_module("numcodecs").Zstd().decode(chunk)


PLUGINS = {
    32001: Plugin("blosc", _at("<I", 4)),
    32004: Plugin("lz4", _at(">Q", 0)),
    32008: Plugin("bitshuffle", _at(">Q", 0)),
    32015: Plugin("zstd", zstd_frame_size, _unpack_zstd),
    32026: Plugin("blosc2", _at(">q", 30)),
}
"""By the number that The HDF Group gave them."""
BITSHUFFLE = 32008
WAY_ROUND = "write the file again with `h5repack -f GZIP=4 FILE NEW`"


def check_filters(dataset: h5py.Dataset, slot: str) -> bool:
    """Make sure that the filters of a dataset can be undone, and return whether one of them is a plug-in.

    Raises
    ------
    DataError
        A plug-in is not installed, or its chunks claim to become more than a chunk holds.
    """
    settings = dataset.id.get_create_plist()
    pipeline = [settings.get_filter(number) for number in range(settings.get_nfilters())]
    foreign = [(number, entry) for number, entry in enumerate(pipeline) if entry[0] not in BUILT_IN]
    if not foreign:
        return False
    number, (code, _, values, name) = foreign[-1]
    plugin = PLUGINS.get(code)
    after = {entry[0] for entry in pipeline[number + 1 :]} - {h5py.h5z.FILTER_FLETCHER32}
    if plugin is None or len(foreign) > 1 or after:
        called = name.decode(errors="replace").split(";")[0] or code
        raise DataError(f"{slot} is packed by the HDF5 filter {called}, which is not read; {WAY_ROUND}")
    if not _is_available(code):
        raise DataError(
            f"{slot} is packed by the HDF5 filter {plugin.name}, a plug-in that is not installed: "
            f"pip install hdf5plugin numcodecs, or {WAY_ROUND}"
        )
    if code == BITSHUFFLE:
        if len(values) < 3 or values[2] == 0:  # it would divide by the size of a value
            raise DataError(f"{slot} is packed by bitshuffle with settings that cannot be; copy the file again")
        if len(values) < 5 or values[4] == 0:  # it moves bits and packs nothing
            return True
    _check_claims(dataset, slot, plugin, 1 << number)
    return True


def _is_available(code: int) -> bool:
    """Whether a plug-in is there, and what tests its chunks."""
    try:
        if not h5py.h5z.filter_avail(code):
            import_module("hdf5plugin")
        if PLUGINS[code].check is not None:
            import_module("numcodecs")
    except ImportError:
        return False
    return bool(h5py.h5z.filter_avail(code))


def _check_claims(dataset: h5py.Dataset, slot: str, plugin: Plugin, left_out: int) -> None:
    """Refuse chunks that say they become anything but a chunk: a plug-in allocates what they say."""
    size = TEXT.itemsize if dataset.dtype.kind == "O" else dataset.dtype.itemsize
    for extent in dataset.chunks:
        size *= extent

    def check(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.filter_mask & left_out:
            return
        _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        try:
            claim = plugin.claim(packed)
        except (struct.error, IndexError):
            claim = None
        if claim != size:
            raise DataError(
                f"{slot} holds a chunk of {plugin.name} that does not become the declared {size} bytes; "
                f"copy the file again"
            )
        if plugin.check is not None:
            try:
                plugin.check(packed)
            except (RuntimeError, ValueError) as error:
                raise DataError(f"{slot} holds a damaged chunk of {plugin.name}; copy the file again") from error

    dataset.id.chunk_iter(check)
