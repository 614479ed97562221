"""Tables of every shape and with every kind of value: a defined result, or a reason; never a library's error."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import scinfill
from _support import LOG_READERS, READERS, assert_refused, from_bytes, invoke, invoke_to, make_counts, to_bytes

pytestmark = pytest.mark.usefixtures("few_resamples")


def preprocess(adata, *options):
    return invoke("preprocess", *options, stdin=to_bytes(adata))


def table_of(shape):
    return AnnData(
        sparse.csr_matrix(shape, dtype=np.int32),
        obs=pd.DataFrame(index=[f"c{n}" for n in range(shape[0])]),
        var=pd.DataFrame(index=[f"g{n}" for n in range(shape[1])]),
    )


@pytest.mark.parametrize("verb", [*READERS, "export"])
@pytest.mark.parametrize(
    ("shape", "word"),
    [((0, 5), "0 cells x 5 genes"), ((5, 0), "5 cells x 0 genes"), ((0, 0), "0 cells"), ((1, 5), "one cell only")],
)
def test_nothing_to_work_with(verb, tmp_path, shape, word):
    assert_refused(invoke_to(tmp_path / "out", verb, stdin=to_bytes(table_of(shape))), 3, word)


@pytest.mark.parametrize("verb", [*READERS, "export"])
def test_nothing_but_zeros(verb, tmp_path):
    out = tmp_path / "out"
    assert_refused(invoke_to(out, verb, stdin=to_bytes(table_of((5, 5)))), 3, "X holds nothing but zeros")


@pytest.mark.parametrize(("verb", "word"), [("reconstruct", "no factors"), ("rerun", "records no steps")])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 5), (5, 5)])
def test_nothing_of_ours(verb, shape, word):
    assert_refused(invoke(verb, stdin=to_bytes(table_of(shape))), 3, word)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (1, 1)])
def test_inspect_says_what_little_there_is(shape):
    result = invoke("inspect", stdin=to_bytes(table_of(shape)))
    assert result.exit_code == 0
    assert json.loads(result.stdout) | {"cells": shape[0], "genes": shape[1]} == json.loads(result.stdout)


def test_without_a_matrix(counts):
    counts.X = None
    del counts.layers["spliced"]
    assert_refused(preprocess(counts), 3, "X is absent", "--layer")


def test_raw_only(counts):
    counts.raw = counts
    counts.X = None
    assert_refused(preprocess(counts), 3, "X is absent", "--layer raw")


def spoil(counts, value):
    counts.X = counts.X.astype(np.float64)
    counts.X.data[[3, 50]] = value
    return counts


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (np.nan, "2 NaN values"),
        (np.inf, "2 infinite values"),
        (-1, "2 negative values"),
        (0.5, "counts are whole numbers"),
        (1e30, "no count is that large"),
    ],
)
def test_values_that_are_no_counts_are_placed(counts, value, word):
    assert_refused(preprocess(spoil(counts, value)), 3, word, "cell 'cell0', gene 'gene")


WRONG = [(np.nan, "2 NaN"), (-np.inf, "2 infinite"), (-1, "2 negative"), (1e30, "values up to 1e+30")]


@pytest.mark.parametrize("verb", [*LOG_READERS, "export", "evaluate"])
@pytest.mark.parametrize(("value", "word"), WRONG)
def test_values_that_are_no_logarithms_are_placed(table, tmp_path, verb, value, word):
    out = tmp_path / "out"
    assert_refused(invoke_to(out, verb, stdin=to_bytes(spoil(table, value))), 3, word, "cell 'cell0', gene 'gene")
    assert out.read_bytes() == b"earlier"


@pytest.mark.parametrize(("value", "word"), WRONG)
def test_wrong_values_under_factors_are_placed(table, value, word):
    factors = scinfill.impute_deepmc(table, rank=2, form="factors")
    spoiled = to_bytes(spoil(factors, value))
    assert_refused(invoke("reconstruct", stdin=spoiled), 3, word, "cell 'cell0', gene 'gene")


@pytest.mark.parametrize("verb", [*LOG_READERS, "export"])
@pytest.mark.parametrize(
    ("value", "word"),
    [(np.nan, "2 NaN"), (np.inf, "2 infinite"), (-1, "2 negative"), (0.5, "whole numbers"), (1e30, "that large")],
)
def test_wrong_counts_beside_logarithms_are_placed(table, tmp_path, verb, value, word):
    table.layers["counts"] = table.layers["counts"].astype(np.float64)
    table.layers["counts"].data[[3, 50]] = value
    result = invoke_to(tmp_path / "out", verb, stdin=to_bytes(table))
    assert_refused(result, 3, "layers['counts']", word, "cell 'cell0', gene 'gene")


@pytest.mark.parametrize("verb", [*LOG_READERS, "export", "evaluate"])
def test_counts_where_logarithms_belong(counts, tmp_path, verb):
    assert_refused(invoke_to(tmp_path / "out", verb, stdin=to_bytes(counts)), 3, "raw counts, not log2", "preprocess")


@pytest.mark.parametrize("verb", [*LOG_READERS, "export", "evaluate"])
def test_natural_logarithms(table, tmp_path, verb):
    table.X = table.X * np.float32(np.log(2))
    assert_refused(
        invoke_to(tmp_path / "out", verb, stdin=to_bytes(table)), 3, "natural logarithm", "divide it by ln 2"
    )


@pytest.mark.parametrize("verb", ["preprocess", *LOG_READERS, "export", "evaluate"])
def test_a_layer_that_is_not_there(table, tmp_path, verb):
    assert_refused(
        invoke_to(tmp_path / "out", verb, "--layer", "spliced2", stdin=to_bytes(table)),
        2,
        "spliced2",
        "counts, spliced",
    )


@pytest.mark.parametrize("verb", [*LOG_READERS, "export", "evaluate"])
def test_no_matrix_where_logarithms_belong(table, tmp_path, verb):
    table.X = None
    assert_refused(invoke_to(tmp_path / "out", verb, stdin=to_bytes(table)), 3, "X is absent", "--layer")


@pytest.mark.parametrize(
    ("verb", "options"),
    [("impute-deepmc", ()), ("impute-deepmc", ("--preset", "paper")), ("impute-baseline", ("--method", "als"))],
    ids=["deepmc", "paper", "als"],
)
def test_more_ranks_than_genes(table, verb, options):
    few = to_bytes(table[:, :4])
    assert_refused(
        invoke(verb, "-q", *options, "--rank", 5, stdin=few), 2, "--rank 5 does not fit 40 cells x 4 genes; at most 4"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("short_training")
@pytest.mark.parametrize("verb", LOG_READERS)
@pytest.mark.parametrize("shape", [(2, 26), (40, 1), (3, 2)])
def test_a_table_smaller_than_every_default(table, verb, shape):
    """Ranks, folds and batches shrink with the table."""
    options = ("--mode", "entries", "--fraction", 0.4) if verb == "mask" else ()
    result = invoke(verb, "-q", *options, stdin=to_bytes(table[: shape[0], : shape[1]]))
    assert result.exit_code == 0, result.stderr
    adata = from_bytes(result.stdout_bytes)
    assert adata.shape == shape
    assert verb == "mask" or np.isfinite(adata.layers["imputed"]).all()


@pytest.mark.parametrize(("axis", "what"), [("obs_names", "cell"), ("var_names", "gene")])
@pytest.mark.parametrize("verb", [*READERS, "export", "reconstruct"])
def test_repeated_names(table, counts, tmp_path, verb, axis, what):
    adata = counts if verb == "preprocess" else table
    if verb == "reconstruct":
        adata = scinfill.impute_deepmc(table, rank=2, form="factors")
    names = getattr(adata, axis).tolist()
    setattr(adata, axis, [names[0], *names[:-1]])
    result = invoke_to(tmp_path / "out", verb, stdin=to_bytes(adata))
    assert_refused(result, 3, f"{what} names must be unique", repr(names[0]))


def good(result):
    """Return the table of a verb that succeeded, after checking that it can be masked."""
    assert result.exit_code == 0, result.stderr
    assert invoke("mask", "--mode", "entries", "--fraction", "0.3", stdin=result.stdout_bytes).exit_code == 0
    adata = from_bytes(result.stdout_bytes)
    assert np.isfinite(adata.X.data).all()
    assert np.isfinite(adata.obs["size_factor"]).all()
    assert np.isfinite(adata.var["dispersion_norm"]).all()
    return adata


def with_values(values):
    counts = make_counts(*np.shape(values))
    counts.X = sparse.csr_matrix(np.asarray(values, dtype=np.int32))
    return counts


def test_two_cells():
    assert good(preprocess(make_counts(2, 30), "--min-cells", 1)).n_obs == 2


def test_one_gene():
    assert good(preprocess(with_values(np.arange(1, 21)[:, np.newaxis]))).shape == (20, 1)


def test_empty_cells_and_unseen_genes():
    values = make_counts().X.toarray()
    values[[0, 7]] = 0
    values[:, [2, 9]] = 0
    adata = good(preprocess(with_values(values)))
    assert adata.n_obs == 40
    assert not {"gene2", "gene9"} & set(adata.var_names)


def test_a_constant_gene():
    values = make_counts().X.toarray()
    values[:, 3] = 7
    assert "gene3" in good(preprocess(with_values(values))).var_names


def test_identical_cells():
    assert good(preprocess(with_values(np.tile(np.arange(3, 33), (10, 1))))).shape == (10, 30)


def test_one_dominating_cell():
    values = make_counts().X.toarray()
    values[4] *= 100_000
    assert good(preprocess(with_values(values))).obs["size_factor"].iloc[4] > 1000


def test_names_that_are_numbers_or_empty_are_kept(counts):
    counts.obs_names = ["", *[str(number) for number in range(1, counts.n_obs)]]
    assert good(preprocess(counts)).obs_names[0] == ""


def test_names_that_are_not_text(tmp_path):
    """anndata makes text of them; the file holds it."""
    frame = pd.DataFrame(np.random.default_rng(0).poisson(5, (20, 10)), index=range(100, 120), columns=range(10))
    frame.to_csv(tmp_path / "in.csv")
    adata = good(invoke("preprocess", tmp_path / "in.csv"))
    assert adata.obs_names[0] == "100"
