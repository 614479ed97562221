"""A record is enough to do the work again, and what came out differently is said."""

import inspect
import json
import logging
import warnings
from functools import cache

import numpy as np
import pytest

import scinfill
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.adopt import adopt
from scinfill.methods.rerun import NEVER_RECORDED, SOURCES, STEPS, rerun

SETTINGS = {
    "simulate": {"n_cells": 60, "n_genes": 40, "n_types": 2, "depth": 300, "dropout": 0.5, "truth": "factors"},
    "preprocess": {"n_genes": 25, "min_cells": 3},
    "mask": {"mode": "thin", "fraction": 0.2, "null_genes": 3, "seed": 4},
}
IMPUTERS = {
    "impute-deepmc": {"rank": 3, "uncertainty": True, "seed": 2},
    "impute-deepmc in batches": {"rank": 2, "batch": "cell_type", "batch_effect": "remove"},
    "impute-deepmc as factors": {"rank": 2, "form": "factors", "estimate": "detected", "zero_weight": 0.1},
    "impute-deepmc of the paper": {"preset": "paper", "depth": 2, "rank": (4, 3), "n_iterations": 2},
    "impute-auto": {"hidden_units": (6, 3), "gate": False, "device": "cpu"},
    "impute-auto of the paper": {"preset": "paper", "hidden_units": 5, "iterations": 3, "device": "cpu"},
    "impute-baseline": {"method": "svd", "rank": 2, "keep": "max"},
}


@cache
def _made(upto):
    if upto == "simulate":
        return scinfill.simulate(**SETTINGS["simulate"])
    if upto == "preprocess":
        return scinfill.preprocess(_made("simulate"), **SETTINGS["preprocess"])
    return scinfill.mask(_made("preprocess"), **SETTINGS["mask"])


def made(upto):
    """Return the table after a step, the caller's own."""
    return _made(upto).copy()


def changed(adata, number, **changes):
    """Return the table with another record of one step."""
    steps = provenance.steps(adata)
    steps[number] |= changes
    adata.uns["scinfill"]["steps"] = np.array([json.dumps(step) for step in steps], dtype=object)
    return adata


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_whole_chain_comes_out_the_same(name):
    function = getattr(scinfill, name.split(" ")[0].replace("-", "_"))
    table = function(made("mask"), **IMPUTERS[name])
    again = rerun(table)
    assert again.differences == []
    assert again.identical
    assert again.n_steps == 4


@pytest.mark.parametrize(("behind", "n_steps"), [("simulate", 2), ("preprocess", 1)])
def test_the_input_may_have_steps_behind_it(behind, n_steps):
    again = rerun(made("mask"), made(behind))
    assert again.identical
    assert again.n_steps == n_steps


@pytest.mark.slow
def test_values_on_demand_are_repeated_too():
    factors = scinfill.impute_deepmc(made("preprocess"), rank=2, form="factors")
    part = scinfill.reconstruct(factors, genes=list(factors.var_names[:3]))
    assert rerun(part, made("preprocess")).identical


@pytest.mark.slow
def test_a_name_of_an_earlier_version_is_understood():
    """Version 0.1.0 recorded ``form`` as ``output``."""
    table = scinfill.impute_deepmc(made("mask"), rank=2, form="factors")
    parameters = provenance.steps(table)[-1]["parameters"]
    parameters["output"] = parameters.pop("form")
    assert rerun(changed(table, 3, parameters=parameters)).identical
    with pytest.raises(InputError, match="has every recorded step behind it"):
        rerun(table, scinfill.impute_deepmc(made("mask"), rank=2, form="factors"))


def test_genes_in_rows_and_repeated_names():
    counts = made("simulate")
    del counts.uns["scinfill"]
    counts.obs_names = ["cell"] * counts.n_obs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's of names that repeat
        turned = counts.T
        table = scinfill.preprocess(turned, transpose=True, unique_names=True)
        again = rerun(table, turned)
    assert again.identical


@pytest.mark.slow
@pytest.mark.parametrize("verb", [*SOURCES, *STEPS])
def test_what_is_recorded_is_what_the_function_takes(verb):
    """All of it but the table, the seed and where work is kept, so that nothing is forgotten."""
    function = (SOURCES | STEPS)[verb]
    assert getattr(scinfill, verb.replace("-", "_")) is function
    result = {
        "simulate": lambda: made("simulate"),
        "preprocess": lambda: made("preprocess"),
        "mask": lambda: made("mask"),
        "markers": lambda: scinfill.markers(made("preprocess"), groupby="cell_type"),
        "reconstruct": lambda: scinfill.reconstruct(scinfill.impute_deepmc(made("preprocess"), rank=2)),
    }.get(verb, lambda: function(made("preprocess"), **({"hidden_units": 3} if verb == "impute-auto" else {})))()
    step = provenance.steps(result)[-1]
    assert step["command"] == verb
    taken = inspect.signature(function).parameters.keys() - {"adata", "seed"} - NEVER_RECORDED
    assert step["parameters"].keys() == taken
    assert step.keys() == {"version", "command", "parameters", "seed", "input_sha256", "libraries", "metrics"}
    assert (step["seed"] is not None) == ("seed" in inspect.signature(function).parameters)


def test_a_changed_value_is_found():
    table = made("mask")
    table.layers["heldout_counts"].data[5] += 2
    table.obs["mine"] = 1
    again = rerun(table)
    assert not again.identical
    assert set(again.differences) == {
        "layers['heldout_counts'] differs by at most 2",
        "obs['mine'] is in the file only",
    }


def test_another_seed_is_another_result():
    assert "X" in rerun(changed(made("mask"), 2, seed=5)).differences[0]


def test_another_measurement_is_a_difference():
    assert rerun(changed(made("mask"), 0, metrics={"depth": 301})).differences == [
        "step 1 (simulate) measured another depth"
    ]


def test_the_table_and_the_input_are_left_alone():
    table, counts = made("mask"), made("simulate")
    before = provenance.steps(table), table.X.copy(), provenance.steps(counts)
    rerun(table, counts)
    assert (provenance.steps(table), provenance.steps(counts)) == (before[0], before[2])
    np.testing.assert_array_equal(table.X.toarray(), before[1].toarray())


def test_other_versions_are_warned_of(caplog):
    libraries = provenance.library_versions() | {"numpy": "1.0", "tensorflow": "3.0"}
    assert rerun(changed(made("mask"), 1, version="0.0.1", libraries=libraries)).identical
    assert "recorded with numpy 1.0, scinfill 0.0.1, tensorflow 3.0; here are numpy 2" in caplog.text


def test_the_same_versions_are_not_worth_a_word(caplog):
    caplog.set_level(logging.WARNING)
    rerun(made("mask"))
    assert not [record for record in caplog.records if "recorded" in record.getMessage()]


def test_another_input_is_warned_of(caplog):
    counts = made("simulate")
    counts.X.data[0] += 1
    again = rerun(made("preprocess"), counts)
    assert not again.identical
    assert "the input is not the recorded one: its values have the SHA-256 " in caplog.text


# --- refusals -------------------------------------------------------------------------------------------------------


def refused(error, words, adata, counts=None):
    with pytest.raises(error, match=words) as caught:
        rerun(adata, counts)
    assert "\n" not in str(caught.value)


def test_a_table_without_steps():
    table = made("preprocess")
    del table.uns["scinfill"]
    refused(DataError, "records no steps", table)


def test_without_the_input_it_needs():
    counts = made("simulate")
    del counts.uns["scinfill"]
    refused(InputError, "starts with preprocess: name what that step read as `counts`", scinfill.preprocess(counts))


def test_an_input_where_none_is_read():
    counts = made("simulate")
    del counts.uns["scinfill"]
    refused(InputError, "starts with simulate, which reads nothing", made("preprocess"), counts)


def test_an_input_with_nothing_left_to_do():
    refused(InputError, "has every recorded step behind it", made("preprocess"), made("preprocess"))


def test_an_input_made_by_other_steps():
    other = scinfill.preprocess(made("simulate"), n_genes=7)
    refused(DataError, "its step 2 has other parameters; name", made("mask"), other)


def test_an_input_made_by_another_verb():
    other = changed(made("preprocess"), 1, command="mask")
    refused(DataError, "its step 2 is mask, not preprocess", made("mask"), other)


def test_a_record_that_names_a_folder_to_write_to(tmp_path):
    table = scinfill.impute_deepmc(made("preprocess"), rank=2)
    parameters = provenance.steps(table)[-1]["parameters"] | {"checkpoint": str(tmp_path / "folder")}
    refused(DataError, "has a parameter 'checkpoint'", changed(table, 2, parameters=parameters))
    assert list(tmp_path.iterdir()) == []


def test_a_result_of_another_program():
    table = adopt(made("preprocess"), made("preprocess").X, method="scImpute", scale="log2")
    refused(DataError, "step 3 took the result of 'scImpute' over from another program", table)


def test_magic_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr("scinfill.methods.rerun.find_spec", lambda _: None)
    table = scinfill.impute_baseline(made("preprocess"))
    parameters = provenance.steps(table)[-1]["parameters"] | {"method": "magic"}
    refused(
        InputError, "step 3 .*, method magic. needs the package magic-impute", changed(table, 2, parameters=parameters)
    )


@pytest.mark.parametrize(
    ("number", "changes", "words"),
    [
        (1, {"command": "polish"}, "step 2 is 'polish', which scinfill .* cannot repeat"),
        (1, {"command": "simulate"}, "step 2 is 'simulate', which scinfill .* cannot repeat"),
        (1, {"parameters": {"colour": 3}}, "step 2 .preprocess, by scinfill .* has a parameter 'colour', which"),
        (1, {"parameters": {"keep_genes": 3}}, "step 2 .preprocess. records parameters that are not usable"),
        (
            2,
            {"parameters": {"fraction": "some"}},
            "step 3 .mask.: `fraction` must be 0 or more and below 1; it is 'some'",
        ),
        (2, {"parameters": {"fraction": 2}}, "step 3 .mask.: `fraction` must be 0 or more and below 1"),
        (0, {"seed": "first"}, "step 1 .simulate. records parameters that are not usable"),
    ],
    ids=[
        "unknown verb",
        "a start in the middle",
        "unknown parameter",
        "wrong type",
        "no number",
        "out of range",
        "no seed",
    ],
)
def test_a_step_that_cannot_be(number, changes, words):
    refused((DataError, InputError), words, changed(made("mask"), number, **changes))
