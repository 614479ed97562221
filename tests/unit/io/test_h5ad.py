import io

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from _support import assert_adata_equal, dense, make_counts, shared
from scinfill.errors import DataError, InputError
from scinfill.io import h5ad
from scinfill.numerics.blocks import RowBlocks


def rewritten(adata, tmp_path):
    """Return the table after a round trip through a file of ours."""
    path = tmp_path / "file.h5ad"
    h5ad.write(adata, path)
    return h5ad.read(path)


def test_every_slot_survives_a_round_trip(counts, tmp_path):
    counts.raw = counts
    back = rewritten(counts, tmp_path)
    assert_adata_equal(counts, back)
    np.testing.assert_array_equal(back.raw.X.toarray(), counts.raw.X.toarray())
    pd.testing.assert_frame_equal(back.raw.var, counts.raw.var)


def test_what_we_write_is_what_anndata_reads(counts, tmp_path):
    path = tmp_path / "file.h5ad"
    h5ad.write(counts, path)
    assert_adata_equal(counts, anndata.read_h5ad(path))


def test_columns_of_every_kind_keep_their_type(tmp_path):
    adata = AnnData(
        sparse.csr_matrix(np.eye(3, dtype=np.float32)),
        obs=pd.DataFrame(
            {
                "text": ["a", "", "c,d"],
                "category": pd.Categorical(["x", None, "y"], categories=["y", "x", "unused"], ordered=True),
                "nullable": pd.array([1, None, 3], dtype="Int64"),
                "flag": pd.array([True, None, False], dtype="boolean"),
                "missing": [1.5, np.nan, np.inf],
                "small": np.array([1, 2, 3], dtype=np.uint8),
            },
            index=["", "a/b", "c,d"],
        ),
    )
    assert_adata_equal(adata, rewritten(adata, tmp_path))


def test_pandas_nullable_text_can_be_written(tmp_path):
    obs = pd.DataFrame({"t": pd.array(["a", None], dtype="string")}, index=["a", "b"])
    adata = AnnData(np.eye(2, dtype=np.float32), obs=obs)
    assert rewritten(adata, tmp_path).obs["t"].tolist() == ["a", pd.NA]


def test_writing_changes_nothing_in_memory(counts, tmp_path):
    counts.obs["text"] = [f"t{number % 3}" for number in range(counts.n_obs)]
    before = counts.copy()
    h5ad.write(counts, tmp_path / "file.h5ad")
    assert_adata_equal(before, counts)


def test_equal_content_gives_equal_bytes(tmp_path):
    first, second = tmp_path / "first.h5ad", tmp_path / "second.h5ad"
    for path in (first, second):
        h5ad.write(make_counts(), path)
    assert first.read_bytes() == second.read_bytes()


def test_positions_of_logarithms_and_counts_are_kept_once(tmp_path):
    counts = sparse.random_array((30, 20), density=0.3, format="csr", rng=np.random.default_rng(0))
    other = sparse.random_array((30, 20), density=0.3, format="csr", rng=np.random.default_rng(1))
    layers = {
        "counts": sparse.csr_matrix(counts),
        "other": sparse.csr_matrix(other),
        "columns": sparse.csc_matrix(counts),
    }
    table = AnnData(sparse.csr_matrix(counts.log1p()), layers=layers)
    h5ad.write(table, tmp_path / "table.h5ad")
    found = h5ad.read(tmp_path / "table.h5ad")
    assert np.shares_memory(found.X.indices, found.layers["counts"].indices)
    for name, matrix in layers.items():
        np.testing.assert_array_equal(found.layers[name].toarray(), matrix.toarray())
        assert found.layers[name].format == matrix.format


def test_a_layer_by_row_blocks_is_an_ordinary_layer(counts, tmp_path):
    """Blocks of a few rows each, written one by one, and read back by anndata as any dense layer."""
    values = np.random.default_rng(0).random(counts.shape).astype(np.float32)
    asked = []

    def compute(rows):
        asked.append(rows)
        return values[rows]

    class SmallBlocks(RowBlocks):
        def __iter__(self):
            for start in range(0, self.shape[0], 7):
                rows = slice(start, min(start + 7, self.shape[0]))
                yield rows, self.compute(rows)

    path = tmp_path / "file.h5ad"
    h5ad.write(counts, path, row_blocks={"imputed": SmallBlocks(counts.shape, compute)})
    back = anndata.read_h5ad(path)
    np.testing.assert_array_equal(back.layers["imputed"], values)
    assert back.layers["imputed"].dtype == np.float32
    assert len(asked) == 6
    assert_adata_equal(counts, back, without=("layers/imputed",))


def test_row_blocks_replace_a_layer_of_the_same_name(counts, tmp_path):
    counts.layers["imputed"] = np.zeros(counts.shape)
    blocks = RowBlocks(counts.shape, lambda rows: np.ones((rows.stop - rows.start, counts.n_vars), dtype=np.float32))
    h5ad.write(counts, tmp_path / "file.h5ad", row_blocks={"imputed": blocks})
    assert (h5ad.read(tmp_path / "file.h5ad").layers["imputed"] == 1).all()


def test_a_block_that_fails_leaves_the_earlier_file(counts, tmp_path):
    path = tmp_path / "file.h5ad"
    path.write_bytes(b"earlier")

    def fail(rows):
        raise RuntimeError(rows)

    with pytest.raises(RuntimeError):
        h5ad.write(counts, path, row_blocks={"imputed": RowBlocks(counts.shape, fail)})
    assert path.read_bytes() == b"earlier"


def test_input_may_be_the_output(counts, tmp_path):
    path = tmp_path / "file.h5ad"
    h5ad.write(counts, path)
    h5ad.write(h5ad.read(path), path)
    assert_adata_equal(counts, h5ad.read(path))


def test_packed_arrays_are_packed_wherever_they_stand(tmp_path):
    """In columns, in frames and however deep in ``uns``; what is empty, and what is no array, can be written too."""
    table = AnnData(
        X=sparse.csr_matrix((0, 500), dtype=np.float32),
        var=pd.DataFrame({"mean": np.arange(500.0)}, index=[f"gene{number}" for number in range(500)]),
        varm={"factors": np.ones((500, 3), np.float32)},
        uns={"model": {"weights": {"0": np.ones((50, 40)), "none": np.zeros(0)}, "ridge": 5.0, "loss": "poisson"}},
    )
    table.varm["frame"] = pd.DataFrame({"a": np.arange(500)}, index=table.var_names)
    h5ad.write(table, tmp_path / "packed.h5ad", packed=True)
    packed = []
    with h5py.File(tmp_path / "packed.h5ad") as file:
        file.visititems(lambda name, item: packed.append(name) if getattr(item, "compression", None) else None)
    expected = {"uns/model/weights/0", "var/mean", "varm/factors", "varm/frame/a"}
    assert expected <= set(packed)
    assert_adata_equal(h5ad.read(tmp_path / "packed.h5ad"), table)


def test_what_h5ad_cannot_hold_is_named(counts, tmp_path):
    counts.uns["thing"] = object()
    with pytest.raises(DataError, match="uns"):
        h5ad.write(counts, tmp_path / "file.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_an_absent_matrix_stays_absent(tmp_path):
    adata = AnnData(obs=pd.DataFrame(index=["a", "b"]), var=pd.DataFrame(index=["g"]))
    assert rewritten(adata, tmp_path).X is None


@pytest.mark.parametrize("kind", ["loom", "tenx", "other"])
def test_other_hdf5_files_are_called_by_their_name(tmp_path, kind):
    path = tmp_path / "file.h5ad"
    with h5py.File(path, "w") as file:
        if kind == "loom":
            file["matrix"] = np.eye(2)
            file.create_group("row_attrs")
            file.create_group("col_attrs")
        elif kind == "tenx":
            file.create_group("matrix")
        else:
            file["temperature"] = np.eye(2)
    said = {"loom": "a loom file", "tenx": "a 10x file", "other": r"not an AnnData .*temperature"}
    with pytest.raises(DataError, match=said[kind]):
        h5ad.read(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="Is a directory"):
        h5ad.read(tmp_path)


@pytest.mark.parametrize("dtype", [">i4", ">f8", "<f2", "u1", "?", "i8"])
@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_every_number_type_is_read(counts, tmp_path, dtype, form):
    """SciPy knows neither half precision nor a foreign byte order; files may hold both."""
    path = tmp_path / "file.h5ad"
    counts.X = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}[form](counts.X.toarray() % 2)
    h5ad.write(counts, path)
    with h5py.File(path, "a") as file:
        holder, name = (file, "X") if form == "dense" else (file["X"], "data")
        attributes, values = dict(holder[name].attrs), holder[name][:]
        del holder[name]
        holder[name] = values.astype(dtype)
        holder[name].attrs.update(attributes)
    back = h5ad.read(path)
    np.testing.assert_array_equal(dense(back.X), dense(counts.X))
    assert back.X.dtype.isnative or form == "dense"


def test_real_files_are_read_as_anndata_reads_them():
    path = shared("blakeley.h5ad")
    assert_adata_equal(h5ad.read(path), anndata.read_h5ad(path))


def test_a_file_written_by_a_plain_buffer_is_read(counts, tmp_path):
    """anndata's own writer puts an empty `raw` into the file."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        anndata.io.write_elem(file, "/", counts)
    path = tmp_path / "file.h5ad"
    path.write_bytes(buffer.getvalue())
    assert h5ad.read(path).raw is None
