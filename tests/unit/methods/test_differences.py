"""Every kind of difference is seen and named; what is equal is not."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from _support import make_counts
from scinfill.methods.differences import differences
from scinfill.methods.provenance import sign


@pytest.fixture
def table():
    adata = make_counts(6, 4)
    adata.X = sparse.csr_matrix(np.triu(adata.X.toarray()))
    adata.layers["imputed"] = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 4)
    adata.obs["maybe"] = pd.array([1, None, 3, 4, 5, 6], dtype="Int64")
    adata.obs["missing"] = [np.nan, 1, 2, 3, 4, 5]
    adata.obsm["frame"] = pd.DataFrame({"a": range(6)}, index=adata.obs_names)
    adata.uns["notes"] = {"nested": {"text": "so", "array": np.arange(3.0)}}
    adata.raw = adata
    return adata


def put(slot, key, value):
    def change(adata):
        getattr(adata, slot)[key] = value

    return change


def entry(adata):
    adata.layers["imputed"][2, 3] += np.float32(0.25)


def explicit_zero(adata):
    full = sparse.csr_matrix(np.ones(adata.shape))
    full.data = adata.X.toarray().ravel()
    adata.X = full


def not_a_number(adata):
    adata.layers["imputed"][0, 0] = np.nan


def name_of_a_cell(adata):
    adata.obs_names = ["other", *adata.obs_names[1:]]


def raw_column(adata):
    adata.raw.var["length"] = -1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (entry, r"layers\['imputed'\] differs by at most 0.25"),
        (not_a_number, r"layers\['imputed'\] differs by at most inf"),
        (explicit_zero, r"X stores \d+ and \d+ values, not all in the same places, and differs by at most 0"),
        (put("layers", "imputed", np.zeros((6, 4))), "is float32 in the file and float64 in the repetition"),
        (put("layers", "new", np.zeros((6, 4))), r"layers\['new'\] is in the repetition only"),
        (lambda adata: adata.obsm.pop("X_place"), r"obsm\['X_place'\] is in the file only"),
        (put("obsm", "X_place", np.zeros((6, 1))), r"has the shape \(6, 2\) in the file and \(6, 1\)"),
        (put("layers", "spliced", np.zeros((6, 4))), r"layers\['spliced'\] is sparse in one of them only"),
        (put("obs", "maybe", pd.array([1, 2, 3, 4, 5, 6], dtype="Int64")), r"obs\['maybe'\] differs in 1 of 6 values"),
        (put("obs", "cell_type", pd.Categorical(["a"] * 6)), r"obs\['cell_type'\] differs in 3 of 6 values"),
        (
            put("uns", "notes", {"nested": {"text": "no", "array": np.arange(3.0)}}),
            r"uns\['notes'\]\['nested'\]\['text'\]",
        ),
        (name_of_a_cell, "obs.index differs in 1 of 6 values"),
        (raw_column, r"raw.var\['length'\] differs"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_difference_is_named(table, change, sentence):
    other = table.copy()
    change(other)
    found = differences(table, other)
    assert any(pd.Series(found).str.contains(sentence)), found


def test_equal_tables_differ_in_nothing(table):
    assert differences(table, table.copy()) == []


def test_formats_and_steps_are_not_content(table):
    other = table.copy()
    other.X = other.X.tocsc()
    sign(table, command="mask", parameters={}, seed=1, input_sha256="a")
    sign(other, command="mask", parameters={}, seed=1, input_sha256="b")
    assert differences(table, other) == []


def test_every_block_counts(table, monkeypatch):
    monkeypatch.setattr("scinfill.methods.differences.row_slices", lambda n, _: [slice(r, r + 1) for r in range(n)])
    other = table.copy()
    other.layers["imputed"][5, 0] -= np.float32(0.5)
    other.layers["imputed"][0, 0] += np.float32(0.25)
    assert differences(table, other) == ["layers['imputed'] differs by at most 0.5"]
