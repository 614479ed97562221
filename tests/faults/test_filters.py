"""HDF5 filters that are plug-ins: read where they are installed, named where not, and never trusted."""

import struct

import h5py
import numpy as np
import pytest

from _support import assert_adata_equal, assert_refused, invoke, make_counts, to_bytes
from scinfill.io import filters, h5ad

ZSTD = 32015


def packed_by(path, name, **options):
    """Write counts whose values are packed by a plug-in."""
    plugins = pytest.importorskip("hdf5plugin")
    path.write_bytes(to_bytes(make_counts()))
    with h5py.File(path, "a") as file:
        for part in ("data", "indices", "indptr"):
            values = file["X"][part][:]
            del file["X"][part]
            file["X"].create_dataset(part, data=values, chunks=(32,), **getattr(plugins, name)(**options))
    return path


def write_chunk(path, code, chunk, *, name="data", values=()):
    """Replace values by one chunk that only says that a filter packed it."""
    path.write_bytes(to_bytes(make_counts()))
    with h5py.File(path, "a") as file:
        size = len(file["X"][name])
        kind = file["X"][name].dtype
        del file["X"][name]
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((size,))
        settings.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
        space = h5py.h5s.create_simple((size,))
        dataset = h5py.h5d.create(file["X"].id, name.encode(), h5py.h5t.py_create(kind), space, settings)
        dataset.write_direct_chunk((0,), chunk)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Zstd", {}),
        ("Zstd", {"clevel": 19}),
        ("Blosc", {"cname": "zstd"}),
        ("Blosc2", {}),
        ("LZ4", {}),
        ("Bitshuffle", {}),
        ("Bitshuffle", {"cname": "none"}),
    ],
    ids=str,
)
def test_what_plug_ins_packed_is_read(tmp_path, name, options):
    assert_adata_equal(h5ad.read(packed_by(tmp_path / "in.h5ad", name, **options)), make_counts())


def test_names_may_be_packed_too(tmp_path):
    plugins = pytest.importorskip("hdf5plugin")
    path = tmp_path / "in.h5ad"
    path.write_bytes(to_bytes(make_counts()))
    with h5py.File(path, "a") as file:
        names, attributes = file["var/_index"].asstr()[:], dict(file["var/_index"].attrs)
        del file["var/_index"]
        kind = h5py.string_dtype()
        file["var"].create_dataset("_index", data=names, dtype=kind, chunks=(9,), **plugins.Zstd())
        file["var/_index"].attrs.update(attributes)
    assert_adata_equal(h5ad.read(path), make_counts())


@pytest.mark.slow
def test_zeros_may_be_packed_tighter_than_deflate_could(tmp_path):
    plugins = pytest.importorskip("hdf5plugin")
    counts = make_counts()
    counts.write_h5ad(tmp_path / "in.h5ad")
    with h5py.File(tmp_path / "in.h5ad", "a") as file:
        zeros = file["uns"].create_dataset("zeros", data=np.zeros(2**24), chunks=(2**22,), **plugins.Zstd())
        zeros.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        assert zeros.id.get_storage_size() * 1032 < zeros.nbytes
    assert h5ad.read(tmp_path / "in.h5ad").uns["zeros"].size == 2**24


def test_a_plug_in_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(filters, "_is_available", lambda code: False)
    path = write_chunk(tmp_path / "in.h5ad", ZSTD, b"anything")
    assert_refused(
        invoke("preprocess", path), 3, "X/data", "filter zstd", "pip install hdf5plugin numcodecs", "h5repack"
    )


def test_without_the_package_nothing_is_available(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(filters, "import_module", absent)
    monkeypatch.setattr(filters.h5py.h5z, "filter_avail", lambda code: False)
    assert not filters._is_available(ZSTD)


def test_an_unknown_filter_is_refused_with_the_way_round(tmp_path):
    path = write_chunk(tmp_path / "in.h5ad", 307, b"BZh9")
    assert_refused(invoke("preprocess", path), 3, "X/data", "is not read", "h5repack -f GZIP=4")


def test_settings_that_would_divide_by_zero(tmp_path, monkeypatch):
    monkeypatch.setattr(filters, "_is_available", lambda code: True)
    monkeypatch.setattr(filters, "BITSHUFFLE", 307)
    monkeypatch.setitem(filters.PLUGINS, 307, filters.PLUGINS[32008])
    path = write_chunk(tmp_path / "in.h5ad", 307, b"anything", values=(0, 4, 0, 0, 2))
    assert_refused(invoke("preprocess", path), 3, "X/data", "settings that cannot be")


HUGE = 2**40


@pytest.mark.parametrize(
    ("code", "chunk"),
    [
        (ZSTD, b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", HUGE)),
        (ZSTD, b"\x28\xb5\x2f\xfd" + bytes([0b11000001, 0, 7]) + struct.pack("<Q", HUGE)),
        (ZSTD, b"\x28\xb5\x2f\xfd" + bytes([0b00000000, 0])),
        (ZSTD, b"\x28\xb5"),
        (ZSTD, b"something else"),
        (32001, b"\x02\x01\x21\x04" + struct.pack("<III", 2**32 - 1, 0, 16)),
        (32001, b"\x02"),
        (32004, struct.pack(">QI", HUGE, 16)),
        (32008, struct.pack(">QI", HUGE, 16)),
        (32026, bytes(30) + struct.pack(">q", HUGE)),
        (32026, bytes(30) + struct.pack(">q", -1)),
    ],
)
def test_a_chunk_that_claims_more_than_it_may_hold_is_not_unpacked(tmp_path, monkeypatch, code, chunk):
    monkeypatch.setattr(filters, "_is_available", lambda code: True)
    # Bitshuffle puts three values of its own before these where it is loaded.
    values = (0, 2) if h5py.h5z.filter_avail(code) else (0, 4, 4, 0, 2)
    path = write_chunk(tmp_path / "in.h5ad", code, chunk, values=values)
    assert_refused(invoke("preprocess", path), 3, "X/data holds a chunk of", "does not become the declared")


@pytest.mark.parametrize("name", ["Zstd", "Blosc", "Blosc2", "LZ4", "Bitshuffle"])
@pytest.mark.parametrize("damage", [lambda chunk: chunk[:40], lambda chunk: chunk[:40] + bytes(len(chunk) - 40)])
def test_damaged_chunks_are_named(tmp_path, name, damage):
    """The plug-in for zstd gives back whatever stood in memory, and no error."""
    path = packed_by(tmp_path / "in.h5ad", name)
    with h5py.File(path, "a") as file:
        dataset = file["X/data"].id
        mask, chunk = dataset.read_direct_chunk((0,))
        dataset.write_direct_chunk((0,), damage(chunk), mask)
    assert_refused(invoke("preprocess", path), 3, "in.h5ad", "X")


@pytest.mark.parametrize("place", range(12, 60, 6))
def test_a_flipped_byte_of_zstd_is_found_or_harmless(tmp_path, place):
    """Whatever is read is what a library that checks makes of the chunk."""
    numcodecs = pytest.importorskip("numcodecs")
    path = packed_by(tmp_path / "in.h5ad", "Zstd")
    with h5py.File(path, "a") as file:
        dataset = file["X/data"].id
        mask, chunk = dataset.read_direct_chunk((0,))
        flipped = chunk[:place] + bytes([chunk[place] ^ 0xFF]) + chunk[place + 1 :]
        dataset.write_direct_chunk((0,), flipped, mask)
    try:
        values = np.frombuffer(numcodecs.Zstd().decode(flipped), dtype=np.int32)
    except RuntimeError:
        assert_refused(invoke("preprocess", path), 3, "damaged chunk of zstd", "copy the file again")
    else:
        np.testing.assert_array_equal(h5ad.read(path).X.data[: len(values)], values)
