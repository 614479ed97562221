"""What could not be written is found when a file is read, and named by its slot; what can be mended is mended."""

import importlib.util

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import scinfill
from _support import assert_adata_equal, assert_refused, from_bytes, invoke, make_counts, to_bytes
from scinfill.errors import DataError
from scinfill.io import h5ad
from scinfill.io.rehearsal import check_writable_again

TEXT = h5py.string_dtype()


@pytest.fixture
def changed(tmp_path):
    """Return a function that changes a sound file, with raw, and gives its path."""

    def change(how):
        path = tmp_path / "in.h5ad"
        counts = make_counts()
        counts.raw = counts
        counts.write_h5ad(path)
        with h5py.File(path, "a") as file:
            how(file)
        return path

    return change


def add_column(group, name, values):
    """Put a column into a frame as any program may."""
    group[name] = values
    group[name].attrs.update({"encoding-type": "string-array" if values.dtype == object else "array"})
    group[name].attrs["encoding-version"] = "0.2.0"
    group.attrs["column-order"] = np.array([*group.attrs["column-order"], name], dtype=TEXT)


def texts(*values):
    return np.array(values, dtype=TEXT)


def renamed_index(group, name, *, values=None):
    """Let the index stand under another name, which leaves ``_index`` free for a column."""
    group.move("_index", name)
    group.attrs["_index"] = name
    if values is not None:
        del group[name]
        group[name] = values
        group[name].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


# --- a column _index ---------------------------------------------------------------------------------------------

FRAMES = {"obs": 40, "var": 30, "raw/var": 30}


def names_of(adata, slot):
    return {"obs": adata.obs, "var": adata.var, "raw/var": adata.raw.var}[slot]


@pytest.mark.parametrize("slot", FRAMES)
def test_a_column_index_is_the_index(changed, tmp_path, slot):
    expected = [f"true{number}" for number in range(FRAMES[slot])]

    def change(file):
        renamed_index(file[slot], "row", values=texts(*map(str, range(FRAMES[slot]))))
        add_column(file[slot], "_index", texts(*expected))

    result = invoke("preprocess", changed(change), "-o", tmp_path / "out.h5ad", "--n-genes", "all")
    assert result.exit_code == 0, result.stderr
    assert (
        f"{slot.replace('/', '.')} has a column '_index', as SeuratDisk writes it: taken for the index" in result.stderr
    )
    frame = names_of(anndata.read_h5ad(tmp_path / "out.h5ad"), slot)
    assert set(frame.index) <= set(expected)
    assert "_index" not in frame
    assert {"cell_type", "symbol"} & set(frame)


def test_a_former_index_that_says_something_stays_as_a_column(changed, caplog):
    def change(file):
        renamed_index(file["obs"], "barcode")
        add_column(file["obs"], "_index", texts(*(f"true{number}" for number in range(40))))

    adata = h5ad.read(changed(change))
    assert adata.obs_names[0] == "true0"
    assert adata.obs["barcode"].iloc[0] == "cell0"
    assert "kept as column 'barcode'" in caplog.text


def test_a_column_index_that_repeats_names_is_a_column(changed, caplog):
    def change(file):
        renamed_index(file["var"], "gene")
        add_column(file["var"], "_index", texts(*["A"] * 30))

    adata = h5ad.read(changed(change))
    assert adata.var_names[0] == "gene0"
    assert adata.var["index"].tolist() == ["A"] * 30
    assert "kept as 'index'" in caplog.text


def test_raw_as_seuratdisk_writes_it(changed, tmp_path):
    """A group without the mark of a frame; categories beside their codes."""

    def change(file):
        del file["raw/var"], file["raw/varm"]
        group = file.create_group("raw/var")
        group.attrs["_index"] = "_index"
        group["_index"] = texts(*(f"gene{number}" for number in range(30)))
        group["vst.mean"] = np.arange(30.0)
        group["kind"] = np.arange(30, dtype=np.int8) % 2
        group["__categories/kind"] = texts("coding", "other")

    adata = h5ad.read(changed(change))
    assert adata.raw.var_names[3] == "gene3"
    assert adata.raw.var["kind"].iloc[1] == "other"
    h5ad.write(adata, tmp_path / "out.h5ad")
    pd.testing.assert_frame_equal(h5ad.read(tmp_path / "out.h5ad").raw.var, adata.raw.var)


def test_frames_beside_the_cells_follow_their_index(changed, tmp_path):
    counts = make_counts()
    counts.obsm["frame"] = pd.DataFrame({"a": np.arange(40)}, index=counts.obs_names)
    path = tmp_path / "frames.h5ad"
    counts.write_h5ad(path)
    with h5py.File(path, "a") as file:
        renamed_index(file["obs"], "barcode")
        add_column(file["obs"], "_index", texts(*(f"true{number}" for number in range(40))))
        renamed_index(file["obsm/frame"], "barcode")
        add_column(file["obsm/frame"], "_index", texts(*(f"other{number}" for number in range(40))))
    adata = h5ad.read(path)
    assert adata.obsm["frame"].index.equals(adata.obs_names)
    assert adata.obsm["frame"]["index"].iloc[0] == "other0"


# --- what no writer can write ------------------------------------------------------------------------------------


def zero_byte(values):
    """Return texts of a fixed width, which may hold zero bytes."""
    return np.array([b"a\0b", *[b"x"] * (len(values) - 1)], dtype="S3")


def fixed(group, name, values):
    attributes = dict(group[name].attrs) if name in group else {}
    if name in group:
        del group[name]
    group.create_dataset(name, data=values, dtype="S3")
    group[name].attrs.update(attributes)


def text_in_a_column(file):
    add_column(file["obs"], "note", texts(*["x"] * 40))
    fixed(file["obs"], "note", zero_byte(range(40)))


def text_in_a_name(file):
    names = np.array([b"a\0b", *(str(n).encode() for n in range(39))], dtype="S3")
    fixed(file["obs"], "_index", names)


def text_in_a_category(file):
    fixed(file["obs/cell_type"], "categories", zero_byte(range(2)))


def text_in_uns(file):
    file["uns"].create_group("deep")
    fixed(file["uns/deep"], "note", zero_byte(range(3)))


def column_twice(file):
    group = file["var"]
    group.attrs["column-order"] = np.array(["symbol", "symbol", "length"], dtype=TEXT)


def nothing_in_uns(file):
    file["uns"].create_dataset("null", data=h5py.Empty("f4"))


FAULTS = {
    text_in_a_column: ("obs/note", "zero byte", "del adata.obs['note']"),
    text_in_a_name: ("obs/_index", "zero byte", "adata.obs_names"),
    text_in_a_category: ("obs/cell_type", "zero byte", "del adata.obs['cell_type']"),
    text_in_uns: ("uns/deep/note", "zero byte", "del adata.uns['deep']['note']"),
    column_twice: ("var", "repeated column names: ['symbol']", "mend adata.var"),
    nothing_in_uns: ("uns/null", "Empty", "del adata.uns['null']"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("verb", ["preprocess", "mask"])
def test_a_fault_is_the_inputs_and_found_before_the_work(changed, tmp_path, verb, fault):
    """``mask`` would refuse these counts later on, so the fault was found before they were looked at."""
    result = invoke(verb, changed(fault), "-o", tmp_path / "out.h5ad")
    slot, *words = FAULTS[fault]
    assert_refused(result, 3, f"in.h5ad': {slot}", *words)
    assert "out.h5ad" not in result.stderr
    assert not (tmp_path / "out.h5ad").exists()


def test_what_is_not_written_is_no_fault(changed, tmp_path):
    result = invoke("export", changed(text_in_uns), "-o", tmp_path / "new")
    assert_refused(result, 3, "raw counts, not log2")


@pytest.mark.parametrize("slot", ["obs", "uns"])
def test_texts_of_another_encoding_are_named_with_the_remedy(changed, slot):
    def change(file):
        if slot == "obs":
            add_column(file["obs"], "note", texts(*["x"] * 40))
            file["obs/note"][0] = "Größe".encode("latin-1")
        else:
            file["uns"].create_dataset("note", data="Größe".encode("latin-1"), dtype=TEXT)

    assert_refused(invoke("preprocess", changed(change)), 3, slot, "UTF-8")


def test_a_kind_of_a_later_anndata_is_named_with_the_remedy(changed):
    def change(file):
        file["uns"].create_group("future").attrs.update({"encoding-type": "hologram", "encoding-version": "9"})

    assert_refused(invoke("preprocess", changed(change)), 3, "uns/future is not usable", "pip install -U anndata")


def test_names_from_a_table_of_text_are_looked_at_too(tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text("cell,A,B\nc1,1,0\nc2,0,3\n")

    def broken(handle, source):
        return AnnData(np.eye(2), obs=pd.DataFrame(index=["a\0", "b"]), var=pd.DataFrame(index=["A", "B"]))

    monkeypatch.setattr("scinfill.io.tables.read", broken)
    assert_refused(invoke("preprocess", tmp_path / "in.csv"), 3, "in.csv': obs/_index", "zero byte")


def everything():
    adata = make_counts()
    adata.raw = adata
    adata.obs["text"] = pd.array(["a", None] * 20, dtype="string")
    adata.obs["number"] = pd.array([1, None] * 20, dtype="Int64")
    adata.obs["a/b"] = np.arange(40)
    adata.obs["ordered"] = pd.Categorical(["x", None] * 20, categories=["y", "x"], ordered=True)
    adata.obsm["frame"] = pd.DataFrame({"a": np.arange(40)}, index=adata.obs_names)
    adata.obsm["sparse"] = sparse.csc_matrix(np.eye(40))
    adata.uns["tree"] = {"a": [1, 2], "b": "text", "c": np.float32(1), "d": None, "e": True, "f": np.array(["x", "y"])}
    adata.uns["record"] = np.array([("a", 1.0)], dtype=[("name", "O"), ("score", "f4")])
    adata.uns["empty"] = {}
    adata.layers["dense"] = adata.X.toarray()
    return adata


@pytest.mark.filterwarnings("ignore:Forward slashes")
def test_what_can_be_written_passes_and_is_not_changed():
    adata, before = everything(), everything()
    check_writable_again(adata, "in.h5ad")
    assert_adata_equal(adata, before, without=("uns/record",))


def test_large_arrays_cost_nothing(counts, monkeypatch):
    """Of arrays of numbers only the type is written."""
    written = []
    create = h5py.Group.create_dataset

    def counting(group, name, *args, **kwargs):
        dataset = create(group, name, *args, **kwargs)
        written.append(dataset.size or 0)
        return dataset

    monkeypatch.setattr(h5py.Group, "create_dataset", counting)
    counts.obsm["wide"] = np.zeros((40, 5000))
    check_writable_again(counts, "in.h5ad")
    assert max(written) < 100


@pytest.mark.parametrize(
    ("slot", "value", "named"),
    [
        ("uns", {"a": {"b": object()}}, "uns/a/b"),
        ("uns", {"a": (1, 2)}, "uns/a"),
        ("uns", {"a": pd.Series([1])}, "uns/a"),
        ("obs", pd.Series([1, "a"] * 20, dtype=object), "obs/odd"),
        ("obs", pd.date_range("2020", periods=40), "obs/odd"),
    ],
)
def test_objects_that_no_file_holds_are_named_by_their_slot(counts, slot, value, named):
    if slot == "uns":
        counts.uns.update(value)
    else:
        counts.obs["odd"] = value.to_numpy() if isinstance(value, pd.Series) else value
    with pytest.raises(DataError, match=f"{named} could not be written again"):
        check_writable_again(counts, "in.h5ad")


# --- awkward arrays ----------------------------------------------------------------------------------------------

experimental = pytest.mark.filterwarnings("ignore::anndata.ExperimentalFeatureWarning")


@pytest.fixture
def ragged(tmp_path):
    """A file with chains of different number in every cell, and a list for every gene, and the arrays."""
    awkward = pytest.importorskip("awkward")
    counts = make_counts()
    cells = awkward.Array([[{"locus": "TRA", "n": n}] * (n % 3) for n in range(counts.n_obs)])
    genes = awkward.Array([list(range(n % 4)) for n in range(counts.n_vars)])
    counts.obsm["airr"], counts.varm["exons"], counts.uns["tree"] = cells, genes, {"lists": cells}
    path = tmp_path / "ragged.h5ad"
    counts.write_h5ad(path)
    return path, cells, genes


@pytest.mark.slow
@experimental
def test_awkward_arrays_are_kept_by_every_verb(ragged, tmp_path):
    source, cells, genes = ragged
    previous = source
    steps = [
        ("preprocess", "--n-genes", "all"),
        ("mask", "--mode", "thin", "--null-genes", "3"),
        ("impute-baseline",),
    ]
    for number, (verb, *options) in enumerate(steps):
        target = tmp_path / f"{number}.h5ad"
        result = invoke(verb, previous, *options, "-o", target)
        assert result.exit_code == 0, result.stderr
        previous = target
        adata = anndata.read_h5ad(target)
        assert adata.obsm["airr"].to_list() == cells.to_list()
        assert adata.uns["tree"]["lists"].to_list() == cells.to_list()
        known = [int(name.removeprefix("gene")) for name in adata.var_names if name.startswith("gene")]
        assert adata.varm["exons"].to_list() == [genes.to_list()[n] for n in known] + [None] * (
            adata.n_vars - len(known)
        )
    first = invoke("rerun", previous, "--input", source)
    assert first.exit_code == 0, first.stderr


@experimental
def test_awkward_arrays_in_python_are_not_shared(ragged):
    adata = h5ad.read(ragged[0])
    result = scinfill.preprocess(adata)
    assert result.obsm["airr"].to_list() == ragged[1].to_list()
    assert result.obsm["airr"] is not adata.obsm["airr"]


@experimental
def test_without_the_library_the_remedy_is_said(ragged, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(h5ad, "find_spec", lambda name: None if name == "awkward" else find(name))
    assert_refused(
        invoke("preprocess", ragged[0]),
        3,
        "obsm/airr is an awkward array",
        "pip install awkward",
        "del adata.obsm['airr']",
    )


def test_round_trip_by_pipe(counts):
    counts.raw = counts
    assert_adata_equal(
        from_bytes(invoke("preprocess", stdin=to_bytes(counts)).stdout_bytes), scinfill.preprocess(counts)
    )
