"""Files made to do harm, or damaged so that they might: nothing is followed, executed or allocated."""

import h5py
import numpy as np
import pytest

from _support import FILE_READERS, assert_refused, invoke, invoke_to, make_counts
from scinfill.io import hdf5

HUGE = 10**15


@pytest.fixture
def spoiled(counts_file):
    """Return a function that changes a sound file and gives its path."""

    def spoil(change):
        path = counts_file.rename(counts_file.with_name("hostile.h5ad"))
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return spoil


def replace(group, name, values):
    """Put other values into a dataset that keeps its attributes."""
    attributes = dict(group[name].attrs)
    del group[name]
    group[name] = values
    group[name].attrs.update(attributes)


# --- links ------------------------------------------------------------------------------------------------------


def external_link(file):
    file["layers"]["secret"] = h5py.ExternalLink("/etc/passwd", "/data")


def external_matrix(file):
    del file["X"]
    file["X"] = h5py.ExternalLink("other.h5ad", "/X")


def soft_link(file):
    file["layers"]["again"] = h5py.SoftLink("/X")


def loop_of_soft_links(file):
    file["uns"]["a"] = h5py.SoftLink("/uns/b")
    file["uns"]["b"] = h5py.SoftLink("/uns/a")


def group_within_itself(file):
    file["uns"]["self"] = file["uns"]


def root_within_itself(file):
    file["uns"]["root"] = file["/"]


def virtual_dataset(file):
    layout = h5py.VirtualLayout(shape=(40,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", shape=(40,))
    file["obs"].create_virtual_dataset("stolen", layout)


def external_storage(file):
    file["obs"].create_dataset("stolen", shape=(40,), dtype="u1", external=[("/etc/passwd", 0, 40)])


# --- objects ----------------------------------------------------------------------------------------------------


def opaque_values(file):
    file["uns"]["pickle"] = np.void(b"cos\nsystem\n(S'true'\ntR.")


def references(file):
    file["uns"]["reference"] = np.array([file["X"].ref], dtype=h5py.ref_dtype)


def ragged_arrays(file):
    dataset = file["uns"].create_dataset("ragged", shape=(1,), dtype=h5py.vlen_dtype(np.int32))
    dataset[0] = np.arange(3)


# --- sizes ------------------------------------------------------------------------------------------------------


def huge_dense_matrix(file):
    del file["X"]
    dataset = file.create_dataset("X", shape=(HUGE, 30), dtype="f4", chunks=(1000, 30))
    dataset.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def huge_column(file):
    dataset = file["obs"].create_dataset("age2", shape=(HUGE,), dtype="f8", chunks=(1000,))
    dataset.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def huge_compressed_parts(file):
    for part in ("data", "indices"):
        del file["X"][part]
        file["X"].create_dataset(part, shape=(HUGE,), dtype="i4", chunks=(1000,), compression="gzip")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external_link, ["layers/secret", "links are not followed"]),
        (external_matrix, ["X", "links are not followed"]),
        (soft_link, ["layers/again", "links are not followed"]),
        (loop_of_soft_links, ["uns/", "links are not followed"]),
        (group_within_itself, ["uns/self", "contains itself"]),
        (root_within_itself, ["uns/root", "contains itself"]),
        (virtual_dataset, ["obs/stolen", "other files"]),
        (external_storage, ["obs/stolen", "other files"]),
        (opaque_values, ["uns/pickle", "not numbers or text"]),
        (references, ["uns/reference", "not numbers or text"]),
        (ragged_arrays, ["uns/ragged", "not numbers or text"]),
        (huge_dense_matrix, ["X claims a shape of (1000000000000000, 30)", "PiB", "the file holds"]),
        (huge_column, ["obs/age2 claims", "the file holds 0 bytes of it"]),
        (huge_compressed_parts, ["X/", "claims"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("verb", FILE_READERS)
def test_harm_is_refused_and_named(spoiled, tmp_path, verb, change, words):
    out = tmp_path / "out.h5ad"
    assert_refused(invoke_to(out, verb, spoiled(change)), 3, "hostile.h5ad", *words)
    assert {path.name for path in tmp_path.iterdir()} == {"hostile.h5ad", "out.h5ad"}
    assert out.read_bytes() == b"earlier"


def test_a_stream_is_checked_too(spoiled):
    content = spoiled(external_link).read_bytes()
    assert_refused(invoke("preprocess", stdin=content), 3, "standard input", "layers/secret")


@pytest.mark.slow
def test_a_chunk_that_inflates_without_end_is_refused(spoiled, monkeypatch):
    """A chunk of 2 MiB that would become 2 GiB; inflated a piece at a time, it is noticed after the first."""
    import zlib

    monkeypatch.setattr(hdf5, "SUSPICIOUS_CHUNK", 2**16)

    def bomb(file):
        dataset = file["uns"].create_dataset("bomb", shape=(1000,), dtype="f8", chunks=(1000,), compression="gzip")
        dataset.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(2**27), 9))

    assert_refused(invoke("preprocess", spoiled(bomb)), 3, "uns/bomb", "inflates to more than the declared 8000 bytes")


def test_an_honest_large_compressed_chunk_is_read(spoiled, monkeypatch, tmp_path):
    monkeypatch.setattr(hdf5, "SUSPICIOUS_CHUNK", 16)

    def compress(file):
        values = file["X"]["data"][:]
        del file["X"]["data"]
        file["X"].create_dataset("data", data=values, compression="gzip", shuffle=True)

    assert invoke("preprocess", spoiled(compress), "-o", tmp_path / "out.h5ad").exit_code == 0


def test_more_data_than_memory_is_a_lack_of_resources(spoiled, monkeypatch):
    monkeypatch.setattr("scinfill.memory.available", lambda: 1000)
    result = invoke("preprocess", spoiled(lambda file: None))
    assert_refused(result, 4, "reading it needs", "1000 bytes are free")


# --- broken matrices --------------------------------------------------------------------------------------------


def falling_indptr(file):
    values = file["X/indptr"][:]
    values[3] = values[5] + 1
    replace(file["X"], "indptr", values)


def indptr_not_from_zero(file):
    replace(file["X"], "indptr", file["X/indptr"][:] + 1)


def indptr_beyond_the_end(file):
    values = file["X/indptr"][:]
    values[-1] += 1000
    replace(file["X"], "indptr", values)


def short_indptr(file):
    replace(file["X"], "indptr", file["X/indptr"][:-1])


def column_too_large(file):
    values = file["X/indices"][:]
    values[7] = 10**6
    replace(file["X"], "indices", values)


def column_negative(file):
    values = file["X/indices"][:]
    values[7] = -5
    replace(file["X"], "indices", values)


def fewer_values_than_columns(file):
    replace(file["X"], "data", file["X/data"][:-3])


def real_columns(file):
    replace(file["X"], "indices", file["X/indices"][:] + 0.5)


def text_values(file):
    replace(file["X"], "data", np.array(["1"] * len(file["X/data"]), dtype="S"))


def other_shape(file):
    file["X"].attrs["shape"] = np.array([40, 31])


def absurd_shape(file):
    file["X"].attrs["shape"] = np.array([40, -30])


def no_shape(file):
    del file["X"].attrs["shape"]


def no_data(file):
    del file["X"]["data"]


def unknown_encoding(file):
    file["X"].attrs["encoding-type"] = "matrix_of_tomorrow"


@pytest.mark.parametrize(
    "change",
    [
        falling_indptr,
        indptr_not_from_zero,
        indptr_beyond_the_end,
        short_indptr,
        column_too_large,
        column_negative,
        fewer_values_than_columns,
        real_columns,
        text_values,
        absurd_shape,
        no_shape,
        no_data,
        unknown_encoding,
    ],
    ids=lambda change: change.__name__,
)
@pytest.mark.parametrize("verb", [verb for verb in FILE_READERS if verb != "inspect"])
def test_a_broken_matrix_is_named_by_its_slot(spoiled, tmp_path, verb, change):
    """``inspect`` reads no matrix."""
    out = tmp_path / "out.h5ad"
    assert_refused(invoke_to(out, verb, spoiled(change)), 3, "X is not usable")
    assert out.read_bytes() == b"earlier"


def test_a_broken_layer_is_named_too(spoiled):
    def change(file):
        replace(file["layers/spliced"], "indices", file["layers/spliced/indices"][:] + 10**6)

    assert_refused(invoke("preprocess", spoiled(change)), 3, "layers/spliced is not usable")


def test_a_matrix_of_another_size_than_its_names(spoiled):
    assert_refused(invoke("preprocess", spoiled(other_shape)), 3, "hostile.h5ad", "31")


def test_a_column_of_another_length(spoiled):
    def change(file):
        replace(file["obs"], "age", np.zeros(7))

    assert_refused(invoke("preprocess", spoiled(change)), 3, "obs is not usable")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a,b", "a/b", "", "Größe µ", "a'b\"c", "..", " "])
def test_strange_gene_names_work(tmp_path, name):
    counts = make_counts()
    counts.var_names = [name, *counts.var_names[1:]]
    counts.write_h5ad(tmp_path / "in.h5ad")
    result = invoke("preprocess", tmp_path / "in.h5ad", "-o", tmp_path / "out.h5ad", "--n-genes", "all")
    assert result.exit_code == 0, result.stderr
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert file["var/_index"].asstr()[0] == name
