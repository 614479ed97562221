import json

import numpy as np
import pytest
from scipy import sparse

from scinfill import __version__
from scinfill.errors import DataError
from scinfill.io import h5ad
from scinfill.methods import provenance


def sign(adata, **changes):
    step = {"command": "mask", "parameters": {"fraction": 0.1}, "seed": 3, "input_sha256": "abc"}
    provenance.sign(adata, **{**step, **changes})


def test_steps_are_appended_in_order(counts):
    sign(counts, scale="log2", estimate="model")
    sign(counts, command="evaluate", metrics={"rmse": np.float32(1.5), "n": np.int64(3), "list": np.arange(2)})
    first, second = provenance.steps(counts)
    assert (first["command"], second["command"]) == ("mask", "evaluate")
    assert first["version"] == __version__
    assert first["parameters"] == {"fraction": 0.1}
    assert first["seed"] == 3
    assert "numpy" in first["libraries"]
    assert second["metrics"] == {"rmse": 1.5, "n": 3, "list": [0, 1]}
    assert counts.uns["scinfill"]["scale"] == "log2"
    assert counts.uns["scinfill"]["estimate"] == "model"


def test_steps_survive_a_file(counts, tmp_path):
    sign(counts)
    h5ad.write(counts, tmp_path / "file.h5ad")
    back = h5ad.read(tmp_path / "file.h5ad")
    assert provenance.steps(back) == provenance.steps(counts)
    sign(back)
    assert len(provenance.steps(back)) == 2


def test_a_record_shared_with_another_table_is_left_alone(counts):
    sign(counts)
    other = counts.copy()
    other.uns["scinfill"] = counts.uns["scinfill"]
    sign(other)
    assert (len(provenance.steps(counts)), len(provenance.steps(other))) == (1, 2)


def test_equal_work_gives_equal_text(counts):
    other = counts.copy()
    sign(counts)
    sign(other)
    assert counts.uns["scinfill"]["steps"][0] == other.uns["scinfill"]["steps"][0]
    assert json.loads(counts.uns["scinfill"]["steps"][0])


def test_no_steps_yet(counts):
    assert provenance.steps(counts) == []


@pytest.mark.parametrize(
    "record",
    [
        "text",
        {"steps": ["not json"]},
        {"steps": 3},
        {"steps": ["[1]"]},
        {"steps": ['{"command": 1}']},
        {"steps": ['{"command": "mask", "libraries": "all"}']},
    ],
)
def test_a_foreign_record_is_refused(counts, record):
    counts.uns["scinfill"] = record
    with pytest.raises(
        DataError, match=r"not a record of scinfill steps: .*; leave it out: del adata\.uns\['scinfill'\]"
    ):
        provenance.steps(counts)


VALUES = np.array([[0, 1.5, 0], [2, 0, 300]])


@pytest.mark.parametrize(
    "form",
    [
        sparse.csr_matrix(VALUES),
        sparse.csc_array(VALUES),
        np.asfortranarray(VALUES),
        VALUES.astype(np.float32),
        VALUES.astype(np.float16),
        VALUES.astype(">f8"),
    ],
    ids=["csr", "csc", "Fortran", "float32", "float16", "big-endian"],
)
def test_equal_values_have_one_hash_in_every_form(form):
    assert provenance.sha256(form) == provenance.sha256(VALUES)


@pytest.mark.parametrize(
    "other",
    [VALUES.T, VALUES[::-1], VALUES[:, ::-1], VALUES + 0.5, np.vstack([VALUES, np.zeros(3)]), VALUES.reshape(1, 6)],
    ids=["transposed", "other cell order", "other gene order", "other values", "an empty cell more", "other shape"],
)
def test_other_content_has_another_hash(other):
    assert provenance.sha256(other) != provenance.sha256(VALUES)


def test_the_hash_does_not_depend_on_blocks(monkeypatch):
    whole = provenance.sha256(VALUES)
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", 1)
    assert provenance.sha256(VALUES) == whole
