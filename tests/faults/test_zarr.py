"""Zarr stores made to do harm, or damaged: nothing in them is followed, run or allocated."""

import gzip
import json
import struct

import pytest

from _support import assert_refused, invoke, make_counts
from scinfill.io import zarr_checks

pytest.importorskip("zarr")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def store(request, tmp_path):
    """A sound store of either version."""
    import anndata

    with anndata.settings.override(zarr_write_format=request.param):
        make_counts().write_zarr(tmp_path / "in.zarr")
    return tmp_path / "in.zarr"


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


def test_the_copy_of_the_metadata_is_not_believed(tmp_path):
    """What was checked is what is read: the consolidated metadata could say something else."""
    make_counts().write_zarr(tmp_path / "in.zarr")
    path = tmp_path / "in.zarr" / ".zmetadata"
    copy = json.loads(path.read_text())
    copy["metadata"]["X/data/.zarray"]["shape"] = [10**15]
    copy["metadata"]["obs/_index/.zarray"]["filters"] = [{"id": "pickle"}]
    path.write_text(json.dumps(copy))
    assert invoke("preprocess", tmp_path / "in.zarr").exit_code == 0


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
def test_a_damaged_shard(tmp_path, damage, word):
    import anndata
    import zarr

    with anndata.settings.override(zarr_write_format=3):
        make_counts().write_zarr(tmp_path / "in.zarr")
    layers = zarr.open_group(tmp_path / "in.zarr", mode="a", use_consolidated=False)["layers"]
    blosc = zarr.codecs.BloscCodec()
    shards = layers.create_array(
        "shards", shape=(40, 30), dtype="f4", chunks=(10, 30), shards=(40, 30), compressors=blosc
    )
    shards[:] = 1
    chunk = chunk_of(tmp_path / "in.zarr", "layers/shards")
    chunk.write_bytes(damage(chunk.read_bytes()))
    refused(tmp_path / "in.zarr", "layers/shards", word)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"zarr_format": 2, "shape": "x"}'])
def test_damaged_metadata(tmp_path, text):
    make_counts().write_zarr(tmp_path / "in.zarr")
    (tmp_path / "in.zarr" / "X" / "data" / ".zarray").write_text(text)
    refused(tmp_path / "in.zarr", "X/data")


def test_metadata_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_checks, "LARGEST_METADATA", 10)
    make_counts().write_zarr(tmp_path / "in.zarr")
    refused(tmp_path / "in.zarr", ".zarray", "is larger than")


def test_positions_outside_the_matrix_are_found(tmp_path):
    import zarr

    make_counts().write_zarr(tmp_path / "in.zarr")
    indices = zarr.open(tmp_path / "in.zarr", mode="a", use_consolidated=False)["X/indices"]
    indices[3] = 10**6
    refused(tmp_path / "in.zarr", "X is not usable", "positions must lie")


def test_a_cut_chunk(store):
    chunk = chunk_of(store, "X/data")
    chunk.write_bytes(chunk.read_bytes()[:20])
    refused(store, "X")
