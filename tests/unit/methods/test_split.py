"""Each sample of a table as a table of its own; the way back is tested beside ``join``."""

import numpy as np
import pandas as pd
import pytest

import scinfill
from _support import assert_adata_equal, make_counts
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance


def test_every_slot_goes_along(counts):
    counts.raw = counts
    pieces = scinfill.split(counts, by="cell_type")
    assert list(pieces) == ["a", "b"]
    for name, piece in pieces.items():
        expected = counts[counts.obs["cell_type"] == name].copy()
        assert_adata_equal(piece, expected, without=("uns/scinfill",))
        np.testing.assert_array_equal(piece.raw.X.toarray(), expected.raw.X.toarray())


def test_one_sample_alone(counts):
    (piece,) = scinfill.split(counts, by="cell_type", only="b").values()
    assert_adata_equal(piece, scinfill.split(counts, by="cell_type")["b"])
    step = provenance.steps(piece)[-1]
    assert step["parameters"] == {"by": "cell_type", "only": "b"}
    assert step["input_sha256"] == provenance.sha256(counts.X)
    assert scinfill.rerun(piece, counts).identical


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.arange(40) % 3, ["0", "1", "2"]),
        (np.arange(40) % 2 == 0, ["False", "True"]),
        (pd.Categorical(np.where(np.arange(40) % 2, "x", "y"), ["y", "z", "x"]), ["y", "x"]),
        (["z", "y"] * 20, ["y", "z"]),
    ],
)
def test_names_of_any_kind(counts, values, names):
    counts.obs["batch"] = values
    assert list(scinfill.split(counts, by="batch")) == names


def test_categories_that_are_left_and_their_colours(counts):
    counts.obs["stage"] = pd.Categorical(["early", "late"] * 20, ["early", "middle", "late"], ordered=True)
    counts.uns["cell_type_colors"] = np.array(["#111111", "#222222"])
    piece = scinfill.split(counts, by="cell_type")["b"]
    assert piece.obs["cell_type"].cat.categories.tolist() == ["b"]
    assert piece.uns["cell_type_colors"].tolist() == ["#222222"]
    assert piece.obs["stage"].cat.categories.tolist() == ["early", "middle", "late"]


def test_names_of_cells_that_only_look_told_apart_stay(counts):
    counts.obs["sample"] = "1"
    counts.obs_names = [f"{name}-1" for name in counts.obs_names]
    assert scinfill.split(counts)["1"].obs_names.tolist() == counts.obs_names.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "donor"}, InputError, "there is no column 'donor' in obs"),
        ({"by": "age"}, DataError, r"obs\['age'\] holds numbers that may have fractions"),
        ({"by": "gap"}, DataError, r"obs\['gap'\] is missing for 2 cells, the first of them 'cell0'"),
        ({"by": "cell_type", "only": "c"}, InputError, "names no sample 'c'; there are a, b"),
    ],
)
def test_refusals(options, error, message):
    counts = make_counts()
    counts.obs["gap"] = [None, None, *["x"] * 38]
    with pytest.raises(error, match=message):
        scinfill.split(counts, **options)
