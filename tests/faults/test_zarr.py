"""Zarr stores made to do harm, or damaged: nothing in them is followed, run or allocated."""

import gzip
import json
import shutil
import struct
from pathlib import Path

import pytest

from _support import assert_refused, invoke, make_counts
from scinfill.io import zarr_checks

pytest.importorskip("zarr")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A sound store of either version."""
    import anndata

    folder = tmp_path_factory.mktemp("originals")
    for version in (2, 3):
        with anndata.settings.override(zarr_write_format=version):
            make_counts().write_zarr(folder / str(version))
    return folder


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def store(request, originals, tmp_path):
    """One of them, a test's own."""
    return Path(shutil.copytree(originals / str(request.param), tmp_path / "in.zarr"))


@pytest.fixture
def second(originals, tmp_path):
    """One of version 2, a test's own."""
    return Path(shutil.copytree(originals / "2", tmp_path / "in.zarr"))


@pytest.fixture
def third(originals, tmp_path):
    """One of version 3, a test's own."""
    return Path(shutil.copytree(originals / "3", tmp_path / "in.zarr"))


def edit(store, slot, change):
    """Change the metadata of an array."""
    path = next(place for name in (".zarray", "zarr.json") if (place := store / slot / name).exists())
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


def chunk_of(store, slot):
    return next(path for path in sorted((store / slot).rglob("*")) if path.is_file() and path.name[0].isdigit())


def refused(store, *words, code=3):
    assert_refused(invoke("preprocess", store), code, "in.zarr", *words)


def test_a_sound_store_is_read(store):
    assert invoke("preprocess", store).exit_code == 0


def test_links_are_not_followed(store, tmp_path):
    chunk = chunk_of(store, "X/data")
    chunk.unlink()
    chunk.symlink_to("/etc/passwd")
    refused(store, "X/data", "link", "not followed")


def test_a_linked_folder_is_not_followed(store):
    (store / "uns" / "more").symlink_to("/etc", target_is_directory=True)
    refused(store, "uns/more", "not followed")


@pytest.mark.parametrize("code", ["pickle", "unknown"])
def test_packing_that_could_run_code_is_refused(store, code):
    def change(metadata):
        if "codecs" in metadata:
            metadata["codecs"].insert(0, {"name": f"numcodecs.{code}", "configuration": {}})
        else:
            metadata["filters"] = [{"id": code}]

    edit(store, "obs/_index", change)
    refused(store, "obs/_index is packed by", code, "write the store again")


def test_the_copy_of_the_metadata_is_not_believed(second):
    """What was checked is what is read: the consolidated metadata could say something else."""
    path = second / ".zmetadata"
    copy = json.loads(path.read_text())
    copy["metadata"]["X/data/.zarray"]["shape"] = [10**15]
    copy["metadata"]["obs/_index/.zarray"]["filters"] = [{"id": "pickle"}]
    path.write_text(json.dumps(copy))
    assert invoke("preprocess", second).exit_code == 0


def test_an_array_larger_than_memory(store):
    edit(store, "X/data", lambda metadata: metadata.update(shape=[10**15]))
    refused(store, "reading", "PiB", code=4)


def test_a_chunk_larger_than_memory(store):
    def change(metadata):
        if "chunk_grid" in metadata:
            metadata["chunk_grid"]["configuration"]["chunk_shape"] = [10**15]
        else:
            metadata["chunks"] = [10**15]

    edit(store, "X/data", change)
    refused(store, code=4)


@pytest.mark.parametrize(
    ("name", "chunk"),
    [
        ("blosc", b"\x02\x01\x21\x04" + struct.pack("<III", 2**32 - 1, 0, 16)),
        ("zstd", b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", 2**50)),
        ("lz4", struct.pack("<I", 2**31)),
        ("gzip", gzip.compress(bytes(2**22), mtime=0)),
    ],
)
def test_a_chunk_that_becomes_more_than_it_may(store, name, chunk):
    def change(metadata):
        if "codecs" in metadata:
            metadata["codecs"] = [{"name": "bytes"}, {"name": name, "configuration": {}}]
        else:
            metadata["compressor"] = {"id": name}

    edit(store, "X/data", change)
    chunk_of(store, "X/data").write_bytes(chunk)
    refused(store, "X/data holds a chunk", "does not become at most")


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda content: content[:20], "without an index"),
        (lambda content: content[:-68] + struct.pack("<QQ", 2**40, 8) + content[-52:], "ends before its chunks"),
        (lambda content: struct.pack("<IIII", 0x02012104, 2**32 - 1, 0, 16) + content[16:], "does not become"),
    ],
    ids=["cut", "beyond the end", "bomb"],
)
def test_a_damaged_shard(third, damage, word):
    import zarr

    layers = zarr.open_group(third, mode="a", use_consolidated=False)["layers"]
    blosc = zarr.codecs.BloscCodec()
    shards = layers.create_array(
        "shards", shape=(40, 30), dtype="f4", chunks=(10, 30), shards=(40, 30), compressors=blosc
    )
    shards[:] = 1
    chunk = chunk_of(third, "layers/shards")
    chunk.write_bytes(damage(chunk.read_bytes()))
    refused(third, "layers/shards", word)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"zarr_format": 2, "shape": "x"}'])
def test_damaged_metadata(second, text):
    (second / "X" / "data" / ".zarray").write_text(text)
    refused(second, "X/data")


def test_metadata_without_end(second, monkeypatch):
    monkeypatch.setattr(zarr_checks, "LARGEST_METADATA", 10)
    refused(second, ".zarray", "is larger than")


def test_positions_outside_the_matrix_are_found(second):
    import zarr

    indices = zarr.open(second, mode="a", use_consolidated=False)["X/indices"]
    indices[3] = 10**6
    refused(second, "X is not usable", "positions must lie")


def test_a_cut_chunk(store):
    chunk = chunk_of(store, "X/data")
    chunk.write_bytes(chunk.read_bytes()[:20])
    refused(store, "X")
