"""H5AD files as anndata wrote them before 0.7."""

import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from _support import assert_refused, invoke, make_counts
from scinfill.io import h5ad
from scinfill.io.sources import inventory


def records(frame, codes=()):
    """Return a frame as records with fixed texts, the index first; categories become codes."""
    columns = {"index": frame.index.to_numpy().astype("S")}
    for name in frame:
        values = frame[name].cat.codes.to_numpy() if name in codes else frame[name].to_numpy()
        columns[name] = values.astype("S") if values.dtype.kind == "O" else values
    kinds = [(name, values.dtype) for name, values in columns.items()]
    out = np.empty(len(frame), dtype=kinds)
    for name, values in columns.items():
        out[name] = values
    return out


def sparse_group(file, name, matrix):
    group = file.create_group(name)
    group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = b"csr", matrix.shape
    for part in ("data", "indices", "indptr"):
        group[part] = getattr(matrix, part)


def write(path, counts):
    with h5py.File(path, "w") as file:
        sparse_group(file, "X", counts.X)
        file["obs"], file["var"] = records(counts.obs, ["cell_type"]), records(counts.var)
        file["uns/cell_type_categories"] = counts.obs["cell_type"].cat.categories.to_numpy().astype("S")
        file["uns/made"] = "here"
        place = np.empty(counts.n_obs, dtype=[("X_place", "f8", (2,))])
        place["X_place"] = counts.obsm["X_place"]
        file["obsm"] = place
        sparse_group(file, "raw.X", counts.X * 2)
        file["raw.var"] = records(counts.var)
    return path


def test_everything_is_read(tmp_path):
    counts = make_counts()
    adata = h5ad.read(write(tmp_path / "old.h5ad", counts))
    np.testing.assert_array_equal(adata.X.toarray(), counts.X.toarray())
    pd.testing.assert_frame_equal(adata.obs, counts.obs)
    pd.testing.assert_frame_equal(adata.var, counts.var)
    np.testing.assert_array_equal(adata.obsm["X_place"], counts.obsm["X_place"])
    np.testing.assert_array_equal(adata.raw.X.toarray(), counts.X.toarray() * 2)
    assert adata.raw.var_names.equals(counts.var_names)
    assert set(adata.uns) == {"made"}


def test_anndata_reads_the_same(tmp_path):
    path = write(tmp_path / "old.h5ad", make_counts())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = anndata.read_h5ad(path)
    adata = h5ad.read(path)
    np.testing.assert_array_equal(adata.X.toarray(), expected.X.toarray())
    pd.testing.assert_frame_equal(adata.obs, expected.obs, check_names=False)
    assert adata.raw.shape == expected.raw.shape


@pytest.mark.slow
def test_inspect_and_preprocess(tmp_path):
    path = write(tmp_path / "old.h5ad", make_counts())
    found, _ = inventory(path)
    assert (found["cells"], found["obsm"], found["raw"]["genes"]) == (40, ["X_place"], 30)
    for options in ([], ["--layer", "raw"]):
        result = invoke("preprocess", path, *options, "-o", tmp_path / "out.h5ad")
        assert result.exit_code == 0, result.stderr
    assert h5ad.read(tmp_path / "out.h5ad").obs["cell_type"].cat.categories.tolist() == ["a", "b"]


def test_positions_outside_the_matrix_are_found(tmp_path):
    path = write(tmp_path / "old.h5ad", make_counts())
    with h5py.File(path, "a") as file:
        file["X/indices"][3] = 10**6
    assert_refused(invoke("preprocess", path), 3, "X is not usable")


def test_frames_that_are_none(tmp_path):
    path = write(tmp_path / "old.h5ad", make_counts())
    with h5py.File(path, "a") as file:
        del file["obs"]
        file["obs"] = np.arange(40)
    assert_refused(invoke("preprocess", path), 3, "obs or var is no frame", "write the file again")


@pytest.mark.parametrize(
    ("names", "remedy"),
    [(("assays", "cell.names"), "SeuratDisk::Convert"), (("row_attrs", "col_attrs"), "read_loom")],
)
def test_kindred_formats_name_their_way(tmp_path, names, remedy):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        for name in names:
            file.create_group(name)
    assert_refused(invoke("preprocess", tmp_path / "in.h5"), 3, remedy)
