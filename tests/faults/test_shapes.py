"""Tables of every shape and with every kind of value: a defined result, or a reason; never a library's error."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from _support import LOG_READERS, READERS, assert_refused, from_bytes, invoke, make_counts, to_bytes


def preprocess(adata, *options):
    return invoke("preprocess", *options, stdin=to_bytes(adata))


def table_of(shape):
    return AnnData(
        sparse.csr_matrix(shape, dtype=np.int32),
        obs=pd.DataFrame(index=[f"c{n}" for n in range(shape[0])]),
        var=pd.DataFrame(index=[f"g{n}" for n in range(shape[1])]),
    )


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize(
    ("shape", "word"),
    [((0, 5), "0 cells x 5 genes"), ((5, 0), "5 cells x 0 genes"), ((0, 0), "0 cells"), ((1, 5), "one cell only")],
)
def test_nothing_to_work_with(verb, shape, word):
    assert_refused(invoke(verb, stdin=to_bytes(table_of(shape))), 3, word)


@pytest.mark.parametrize("verb", READERS)
def test_nothing_but_zeros(verb):
    assert_refused(invoke(verb, stdin=to_bytes(table_of((5, 5)))), 3, "X holds nothing but zeros")


def test_without_a_matrix(counts):
    counts.X = None
    del counts.layers["spliced"]
    assert_refused(preprocess(counts), 3, "X is absent", "--layer")


def test_raw_only(counts):
    counts.raw = counts
    counts.X = None
    assert_refused(preprocess(counts), 3, "X is absent", "raw.to_adata()")


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


@pytest.mark.parametrize("verb", LOG_READERS)
@pytest.mark.parametrize(("value", "word"), [(np.nan, "2 NaN"), (-np.inf, "2 infinite"), (-1, "2 negative")])
def test_values_that_are_no_logarithms_are_placed(table, verb, value, word):
    assert_refused(invoke(verb, stdin=to_bytes(spoil(table, value))), 3, word, "cell 'cell0', gene 'gene")


@pytest.mark.parametrize(("axis", "what"), [("obs_names", "cell"), ("var_names", "gene")])
@pytest.mark.parametrize("verb", READERS)
def test_repeated_names(table, counts, verb, axis, what):
    adata = counts if verb == "preprocess" else table
    names = getattr(adata, axis).tolist()
    setattr(adata, axis, [names[0], *names[:-1]])
    assert_refused(invoke(verb, stdin=to_bytes(adata)), 3, f"{what} names must be unique", repr(names[0]))


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
