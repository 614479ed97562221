"""Zarr stores in and out: the same table as in H5AD, whole or not at all, and nothing else is ever replaced."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import scinfill
from _support import assert_adata_equal, assert_refused, invoke, make_counts, run
from scinfill.errors import DataError, InputError
from scinfill.io import anndata_files, zarr_stores
from scinfill.io.sources import inventory, read_counts

zarr = pytest.importorskip("zarr")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def content(folder: Path):
    """Return every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Counts as anndata itself writes them."""
    path = tmp_path_factory.mktemp("original") / "counts.zarr"
    make_counts().write_zarr(path)
    return path


@pytest.fixture
def store(original, tmp_path):
    """The same as a test's own."""
    return Path(shutil.copytree(original, tmp_path / "counts.zarr"))


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
def test_what_anndata_wrote_is_read(tmp_path, version):
    import anndata

    counts = make_counts()
    counts.raw = counts
    with anndata.settings.override(zarr_write_format=version):
        counts.write_zarr(tmp_path / "in.zarr")
    back = read_counts(tmp_path / "in.zarr")
    assert_adata_equal(back, counts)
    np.testing.assert_array_equal(back.raw.X.toarray(), counts.raw.X.toarray())
    assert inventory(tmp_path / "in.zarr")[0]["layers"] == ["spliced"]


@pytest.mark.slow
def test_shards_are_read(tmp_path, counts):
    import anndata

    with anndata.settings.override(zarr_write_format=3):
        counts.write_zarr(tmp_path / "three.zarr")
    group = zarr.open_group(tmp_path / "three.zarr", mode="a", use_consolidated=False)["layers"]
    dense = counts.X.toarray().astype("f4")
    array = group.create_array("shards", shape=dense.shape, dtype="f4", chunks=(5, 30), shards=(20, 30))
    array[:] = dense
    array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    np.testing.assert_array_equal(read_counts(tmp_path / "three.zarr").layers["shards"], dense)


def test_a_table_comes_back_and_anndata_reads_it_too(tmp_path):
    import anndata

    counts = make_counts()
    counts.raw = counts
    zarr_stores.write(counts, tmp_path / "out.zarr")
    for back in (zarr_stores.read(tmp_path / "out.zarr"), anndata.read_zarr(tmp_path / "out.zarr")):
        assert_adata_equal(back, counts)
        assert back.raw.var_names.equals(counts.var_names)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


@pytest.mark.slow
def test_the_same_table_gives_the_same_bytes(counts, tmp_path):
    for name in ("a.zarr", "b.zarr"):
        zarr_stores.write(counts, tmp_path / name)
    assert content(tmp_path / "a.zarr") == content(tmp_path / "b.zarr")


@pytest.mark.slow
def test_every_verb_on_stores_gives_what_it_gives_on_files(store, counts, tmp_path):
    names = {"log": "preprocess", "masked": "mask", "imputed": "impute-deepmc"}
    before = {".zarr": store, ".h5ad": tmp_path / "counts.h5ad"}
    counts.write_h5ad(before[".h5ad"])
    for name, verb in names.items():
        for suffix, source in before.items():
            before[suffix] = tmp_path / f"{name}{suffix}"
            options = ("--rank", 2) if verb == "impute-deepmc" else ()
            result = invoke(verb, source, "-q", *options, "-o", before[suffix])
            assert result.exit_code == 0, result.stderr
        assert_adata_equal(*(anndata_files.read(path) for path in before.values()))
    imputed = before[".zarr"]
    result = invoke("evaluate", imputed, "-q", "--labels", "cell_type", "-o", tmp_path / "scores.json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(invoke("inspect", imputed).stdout)["layers"] == ["counts", "heldout", "imputed", "spliced"]
    result = invoke("rerun", imputed, "--input", store)
    assert result.exit_code == 0, result.stderr


@pytest.mark.slow
def test_the_same_store_in_and_out(store, counts):
    assert invoke("preprocess", "-q", store, "-o", store).exit_code == 0
    assert_adata_equal(zarr_stores.read(store), scinfill.preprocess(counts))


@pytest.mark.slow
def test_a_link_to_a_store_keeps_pointing_there(store, tmp_path):
    link = tmp_path / "link.zarr"
    link.symlink_to(store, target_is_directory=True)
    assert invoke("preprocess", "-q", link, "-o", link).exit_code == 0
    assert link.is_symlink()
    assert zarr_stores.read(store).layers.keys() >= {"counts"}


@pytest.mark.slow
def test_an_earlier_store_survives_a_failure(store, table, tmp_path, monkeypatch):
    earlier = content(store)
    assert_refused(invoke("preprocess", store, "--min-cells", 1000, "-o", store), 3, "no gene")

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr_stores, "_sync", fail)
    result = invoke("preprocess", store, "-q", "-o", store)
    assert_refused(result, 4, "no space left")
    assert content(store) == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["counts.zarr"]


@pytest.mark.slow
def test_an_earlier_store_survives_a_signal_between_the_renames(store, counts, monkeypatch, tmp_path):
    earlier = content(store)
    rename = Path.rename

    def interrupted(self, target):
        renamed = rename(self, target)
        if self == store:
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        zarr_stores.write(counts, store)
    assert content(store) == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["counts.zarr"]


@pytest.mark.slow
def test_an_earlier_store_survives_a_failing_rename(store, counts, monkeypatch, tmp_path):
    earlier = content(store)
    rename = Path.rename

    def fail(self, target):
        if self.name == "store":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Input/output"):
        zarr_stores.write(counts, store)
    assert content(store) == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["counts.zarr"]


def something_else(path):
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")


def an_empty_folder(path):
    path.mkdir()


def a_file(path):
    path.write_text("data")


def a_store_of_something_else(path):
    zarr.open_group(path, mode="w", zarr_format=2).create_array("image", shape=(2, 2), dtype="f4")


def a_store_with_notes_in_it(path):
    make_counts().write_zarr(path)
    (path / "notes.txt").write_text("mine")


@pytest.mark.parametrize(
    "make", [something_else, an_empty_folder, a_file, a_store_of_something_else, a_store_with_notes_in_it]
)
def test_nothing_but_a_store_of_an_anndata_is_replaced(counts_file, tmp_path, make):
    target = tmp_path / "out.zarr"
    make(target)
    before = content(target) if target.is_dir() else target.read_bytes()
    assert_refused(invoke("preprocess", counts_file, "-o", target), 2, "out.zarr", "not replaced", "name another")
    assert target.exists()
    assert (content(target) if target.is_dir() else target.read_bytes()) == before


def test_a_folder_that_is_not_there(counts_file, tmp_path):
    assert_refused(invoke("preprocess", counts_file, "-o", tmp_path / "a" / "b.zarr"), 2, "there is no folder")


def test_where_zarr_is_not_installed_the_remedy_is_named(store, counts_file, tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_stores, "find_spec", lambda name: None)
    for args in ((store,), (counts_file, "-o", tmp_path / "out.zarr")):
        assert_refused(invoke("preprocess", *args), 2, "needs the package zarr: pip install 'scinfill[zarr]'")


def test_other_stores_name_what_to_read(tmp_path):
    zarr.open_group(tmp_path / "spatial.zarr", mode="w").create_group("tables")
    with pytest.raises(
        DataError, match=r"without obs and var \(it holds tables\); if it is SpatialData, name its table"
    ):
        read_counts(tmp_path / "spatial.zarr")
    zarr.open_group(tmp_path / "multi.zarr", mode="w").create_group("mod")
    with pytest.raises(DataError, match="several modalities; name one of its folders"):
        read_counts(tmp_path / "multi.zarr")


def test_a_modality_of_a_store(store):
    with pytest.raises(InputError, match="has no modality"):
        read_counts(store, modality="rna")


@pytest.mark.slow
def test_stores_in_a_real_process(store, tmp_path):
    """No warning of a library reaches the terminal."""
    done = run("preprocess", store, "--n-genes", "all", "-o", tmp_path / "out.zarr")
    assert done.returncode == 0
    assert done.stderr.decode().count("\n") == 1
