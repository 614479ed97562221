"""Text that may be compressed, from anyone: it is measured a piece at a time before a library takes it in whole."""

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from scinfill import memory
from scinfill.errors import DataError
from scinfill.io.streams import display

GZIP_SIGNATURE = b"\x1f\x8b"
PIECE = 2**20
R_REMEDY = "write H5AD in R: anndataR::write_h5ad(object, 'counts.h5ad')"
FOREIGN = (
    (b"\x89HDF\r\n\x1a\n", 0, "a compressed HDF5 file", "unpack it first (gunzip)"),
    (b"\x89HDF\r\n\x1a\n", 512, "a compressed HDF5 file", "unpack it first (gunzip)"),
    (
        b"%%MatrixMarket",
        0,
        "a Matrix Market file",
        "the names of genes and cells stand beside it: name the file itself",
    ),
    (b"PK\x03\x04", 0, "a zip archive", "unpack it first (unzip), or save the sheet as CSV"),
    (b"ustar", 257, "a tar archive", "unpack it first (tar -xf), then name the folder or file"),
    (b"BZh", 0, "a file packed by bzip2", "unpack it first (bunzip2)"),
    (b"\xfd7zXZ", 0, "a file packed by xz", "unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", 0, "a file packed by zstd", "unpack it first (unzstd)"),
    (b"X\n\x00\x00", 0, "an R object (RDS)", R_REMEDY),
    (b"RDX2\n", 0, "an R workspace", R_REMEDY),
    (b"RDX3\n", 0, "an R workspace", R_REMEDY),
    (b"PAR1", 0, "a Parquet file", "write it as CSV: pandas.read_parquet(...).to_csv(...)"),
    (b"ARROW1", 0, "a Feather file", "write it as CSV: pandas.read_feather(...).to_csv(...)"),
)
"""What people have that is no table: how it begins, where that stands, what it is, and the way to counts."""
LONGEST_SIGNATURE = 520
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LARGEST_LIST = 2**28
"""Longest list of names or bulk counts: a hundred thousand genes in hundreds of libraries are less."""
LONGEST_HEADER = 2**20
"""Longest header of a Matrix Market file, with its comments."""
LONGEST_ENTRY = 100
"""Characters of a line with two positions and a number."""


def unpack(handle: BinaryIO) -> BinaryIO:
    """Return the text of an open file, plain or gzip, from its start."""
    compressed = handle.read(len(GZIP_SIGNATURE)) == GZIP_SIGNATURE
    handle.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=handle)) if compressed else handle


def check_is_text(text: BinaryIO, source: str | Path) -> None:
    """Look at the start of what should be text, and go back to it.

    Raises
    ------
    DataError
        It is something else that people have; the message says how to make counts of it.
    """
    try:
        head = text.read(LONGEST_SIGNATURE)
        text.seek(0)
    except (OSError, EOFError, zlib.error):
        return  # what cannot be unpacked shows itself when it is read
    for signature, place, what, remedy in FOREIGN:
        if head.startswith(signature, place):
            raise DataError(f"{display(source)} is neither HDF5 nor text, but {what}; {remedy}")
    if head.startswith(UTF16_MARKS) or (len(head) > 5 and b"\0" * (len(head) // 2) in (head[::2], head[1::2])):
        raise DataError(f"{display(source)} is text in UTF-16; save it as UTF-8")


def check_length(handle: BinaryIO, most: int, source: str | Path) -> None:
    """Measure the text of an open file, unpacking it once where it is packed, and go back to its start.

    Raises
    ------
    DataError
        Its text is longer than ``most``, or cannot be unpacked.
    """
    text = unpack(handle)
    try:
        length = handle.seek(0, os.SEEK_END) if text is handle else _length(text, most)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{display(source)} cannot be unpacked: {error}") from error
    finally:
        handle.seek(0)
    if length > most:
        raise DataError(f"{display(source)} holds more than {memory.readable(most)} of text, too much for what it says")


def _length(text: BinaryIO, most: int) -> int:
    """Read up to the end, or to where it is too much."""
    length = 0
    while length <= most and (piece := text.read(PIECE)):
        length += len(piece)
    return length


def check_matrix_header(handle: BinaryIO, source: str | Path) -> None:
    """Look for the size of a Matrix Market file near its start: what reads it would go on to the end.

    Raises
    ------
    DataError
        There is no line but comments, or the file cannot be unpacked.
    """
    try:
        head = unpack(handle).read(LONGEST_HEADER)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{display(source)} cannot be unpacked: {error}") from error
    finally:
        handle.seek(0)
    lines = head.split(b"\n")
    whole = lines if len(head) < LONGEST_HEADER else lines[:-1]
    if not any(line.strip() and not line.startswith(b"%") for line in whole):
        raise DataError(f"{display(source)} is not a usable Matrix Market file: its size does not follow its comments")
