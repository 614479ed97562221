"""The three imputing verbs through the command line: every option, every refusal, no half-written file."""

import numpy as np
import pytest

import scinfill
from _support import assert_adata_equal, assert_refused, from_bytes, invoke, to_bytes
from scinfill.io import h5ad

pytestmark = pytest.mark.usefixtures("short_training")

VERBS = ["impute-deepmc", "impute-auto", "impute-baseline"]
QUICK_AUTO = ["--preset", "paper", "--hidden", 4, "--iterations", 2, "--device", "cpu"]
QUICK = {"impute-deepmc": ["--rank", 3], "impute-auto": QUICK_AUTO, "impute-baseline": []}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5ad"


def named(value):
    return " ".join(map(str, value)) if isinstance(value, list) else None


def assert_same_result(path, expected):
    """Compare a written file with what the Python function returns; which libraries were loaded may differ."""
    found = h5ad.read(path)
    assert_adata_equal(found, expected, without=("uns/scinfill",))
    assert found.uns["scinfill"]["estimate"] == expected.uns["scinfill"]["estimate"]


# --- every option reaches the method --------------------------------------------------------------------------------

PAPER = {"preset": "paper"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ([], {}),
        (["--estimate", "auto"], {}),
        (["--estimate", "shrunk"], {"estimate": "shrunk"}),
        (["--estimate", "model"], {"estimate": "model"}),
        (["--estimate", "detected"], {"estimate": "detected"}),
        (["--loss", "poisson"], {"loss": "poisson"}),
        (["--loss", "squared"], {"loss": "squared"}),
        (["--counts", "reads"], {"counts_kind": "reads"}),
        (["--keep", "observed"], {"keep": "observed"}),
        (["--keep", "max"], {"keep": "max"}),
        (["--no-gate"], {"gate": False}),
        (["--uncertainty"], {"uncertainty": True}),
        (["--openproblems"], {"openproblems": True}),
        (["--form", "factors"], {"form": "factors"}),
        (["--rank", 4], {"rank": 4}),
        (["--loss", "squared", "--zero-weight", 0.3], {"loss": "squared", "zero_weight": 0.3}),
        (["--batch", "cell_type"], {"batch": "cell_type"}),
        (
            ["--batch", "cell_type", "--batch-effect", "remove"],
            {"batch": "cell_type", "batch_effect": "remove"},
        ),
        (["--ridge", 2.5], {"ridge": 2.5}),
        (["--seed", 7], {"seed": 7}),
        (["--layer", "log2"], {"layer": "log2"}),
        (["--device", "cpu"], {"device": "cpu"}),
        (["--preset", "paper"], PAPER),
        (["--preset", "paper", "--depth", 3], PAPER | {"depth": 3}),
        (["--preset", "paper", "--rank", "5,3"], PAPER | {"rank": (5, 3)}),
        (["--preset", "paper", "--alpha", 1.5, "--iterations", 4], PAPER | {"alpha": 1.5, "n_iterations": 4}),
    ],
    ids=named,
)
def test_every_option_of_deepmc_reaches_the_method(table, out, options, settings):
    table.layers["log2"] = table.X.copy()
    result = invoke("impute-deepmc", "-q", "-o", out, *options, stdin=to_bytes(table))
    assert (result.exit_code, result.stdout_bytes) == (0, b""), result.stderr
    assert_same_result(out, scinfill.impute_deepmc(table, **settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--method", "gene-mean"], {"method": "gene-mean"}),
        (["--method", "als", "--rank", 3], {"method": "als", "rank": 3}),
        (["--method", "nuclear-norm"], {"method": "nuclear-norm"}),
        (["--method", "svd", "--seed", 3], {"method": "svd", "seed": 3}),
        (["--method", "svd", "--openproblems"], {"method": "svd", "openproblems": True}),
        (["--keep", "max"], {"keep": "max"}),
        (["--layer", "log2"], {"layer": "log2"}),
    ],
    ids=named,
)
def test_every_option_of_the_baselines_reaches_the_method(table, out, options, settings):
    table.layers["log2"] = table.X.copy()
    result = invoke("impute-baseline", "-q", "-o", out, *options, stdin=to_bytes(table))
    assert result.exit_code == 0, result.stderr
    assert_same_result(out, scinfill.impute_baseline(table, **settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--lambda", 3], {"regularisation": 3.0}),
        (["--learning-rate", 0.01], {"learning_rate": 0.01}),
        (["--threshold", 0.5], {"threshold": 0.5}),
        (["--keep", "observed", "--seed", 4], {"keep": "observed", "seed": 4}),
        (["--openproblems"], {"openproblems": True}),
    ],
    ids=named,
)
def test_every_option_of_the_published_autoimpute_reaches_the_method(table, out, options, settings):
    result = invoke("impute-auto", "-q", "-o", out, *QUICK_AUTO, *options, stdin=to_bytes(table))
    assert result.exit_code == 0, result.stderr
    quick = {"preset": "paper", "hidden_units": 4, "iterations": 2, "device": "cpu"}
    assert_same_result(out, scinfill.impute_auto(table, **(quick | settings)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--estimate", "detected", "--zero-weight", 0.3], {"estimate": "detected", "zero_weight": 0.3}),
        (["--no-gate", "--uncertainty", "--hidden", "6,3"], {"gate": False, "hidden_units": [6, 3]}),
        (["--loss", "squared", "--zero-weight", 0.5], {"loss": "squared", "zero_weight": 0.5}),
    ],
    ids=named,
)
def test_options_of_the_default_autoimpute_are_recorded(table_file, out, options, expected):
    hidden = [] if "--hidden" in options else ["--hidden", 6]
    result = invoke("impute-auto", table_file, "-q", "-o", out, *hidden, *options)
    assert result.exit_code == 0, result.stderr
    found = h5ad.read(out)
    parameters = scinfill.methods.provenance.steps(found)[-1]["parameters"]
    assert {name: parameters[name] for name in expected} == expected
    assert np.isfinite(found.layers["imputed"]).all()
    assert ("imputed_sd" in found.layers) == ("--uncertainty" in options)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_pipe_gives_the_same_bytes_as_files(verb, table_file, out):
    assert invoke(verb, table_file, "-o", out, *QUICK[verb]).exit_code == 0
    piped = invoke(verb, "-q", *QUICK[verb], stdin=table_file.read_bytes())
    assert piped.stdout_bytes == out.read_bytes()
    assert from_bytes(piped.stdout_bytes).layers["imputed"].dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_input_and_output_may_be_the_same_file(verb, table, table_file):
    assert invoke(verb, table_file, "-o", table_file, *QUICK[verb]).exit_code == 0
    assert list(h5ad.read(table_file).var_names) == list(table.var_names)


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte(table_file, tmp_path):
    for threads in (1, 2):
        target = tmp_path / f"{threads}.h5ad"
        assert invoke("impute-deepmc", table_file, "--threads", threads, "-o", target).exit_code == 0
    assert (tmp_path / "1.h5ad").read_bytes() == (tmp_path / "2.h5ad").read_bytes()


def test_what_auto_decided_is_said(table_file, out):
    said = invoke("impute-deepmc", table_file, "-o", out).stderr
    assert "counts look like molecules (UMI)" in said
    assert "--counts overrules" in said
    assert "estimate shrunk by PoissonFactorization" in said


@pytest.mark.slow
def test_factors_leave_the_dense_layer_out(table_file, out):
    assert invoke("impute-deepmc", table_file, "-q", "--rank", 3, "--form", "factors", "-o", out).exit_code == 0
    found = h5ad.read(out)
    assert "imputed" not in found.layers
    assert found.obsm["X_deepmc"].shape == (found.n_obs, 3)
    assert found.varm["deepmc"].shape == (found.n_vars, 3)


@pytest.mark.slow
def test_without_counts_the_estimate_is_the_model(table, out):
    del table.layers["counts"]
    assert invoke("impute-deepmc", "-q", "-o", out, stdin=to_bytes(table)).exit_code == 0
    assert h5ad.read(out).uns["scinfill"]["estimate"] == "model"


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [
        ("impute-deepmc", ["--estimate", "best"], ["--estimate"]),
        ("impute-deepmc", ["--loss", "mse"], ["--loss"]),
        ("impute-deepmc", ["--counts", "tpm"], ["--counts"]),
        ("impute-deepmc", ["--keep", "all"], ["--keep"]),
        ("impute-deepmc", ["--form", "sparse"], ["--form"]),
        ("impute-deepmc", ["--preset", "papers"], ["--preset"]),
        ("impute-deepmc", ["--device", "tpu"], ["--device"]),
        ("impute-deepmc", ["--threads", "0"], ["--threads"]),
        ("impute-deepmc", ["--seed", "-1"], ["--seed"]),
        ("impute-deepmc", ["--rank", "0"], ["--rank", "positive number"]),
        ("impute-deepmc", ["--rank", "5,"], ["--rank", "positive number"]),
        ("impute-deepmc", ["--rank", "ten"], ["--rank", "positive number"]),
        ("impute-deepmc", ["--rank", "99"], ["--rank 99 does not fit 40 cells x 26 genes", "at most 26"]),
        ("impute-deepmc", ["--rank", "99", "--estimate", "detected"], ["--rank 99 does not fit"]),
        ("impute-deepmc", ["--rank", "5,3"], ["--preset paper"]),
        ("impute-deepmc", ["--depth", "4"], ["--depth"]),
        ("impute-deepmc", ["--depth", "2"], ["--preset paper"]),
        ("impute-deepmc", ["--preset", "paper", "--depth", "2", "--rank", "5"], ["--depth 2 needs as many ranks"]),
        ("impute-deepmc", ["--preset", "paper", "--rank", "99,5"], ["--rank 99 does not fit"]),
        ("impute-deepmc", ["--preset", "paper", "--rank", "3,5"], ["must not grow"]),
        ("impute-deepmc", ["--zero-weight", "1.5"], ["--zero-weight"]),
        ("impute-deepmc", ["--zero-weight", "0.1"], ["--zero-weight", "--loss squared"]),
        ("impute-deepmc", ["--ridge", "-1"], ["--ridge"]),
        ("impute-deepmc", ["--preset", "paper", "--alpha", "0.5"], ["--alpha"]),
        ("impute-deepmc", ["--preset", "paper", "--iterations", "0"], ["--iterations"]),
        ("impute-deepmc", ["--estimate", "model", "--uncertainty"], ["--uncertainty", "shrunk"]),
        ("impute-deepmc", ["--keep", "max", "--form", "factors"], ["--keep", "--form factors"]),
        ("impute-auto", ["--hidden", "0"], ["--hidden", "positive number"]),
        ("impute-auto", ["--hidden", "8", "--lambda", "1"], ["--lambda", "--preset paper"]),
        ("impute-auto", ["--form", "factors"], ["No such option '--form'"]),
        ("impute-auto", ["--preset", "paper", "--hidden", "8,4"], ["one hidden layer"]),
        ("impute-auto", ["--preset", "paper", "--learning-rate", "0"], ["--learning-rate"]),
        ("impute-auto", ["--preset", "paper", "--threshold", "-1"], ["--threshold"]),
        ("impute-baseline", ["--method", "mean"], ["--method"]),
        ("impute-baseline", ["--method", "svd", "--rank", "99"], ["--rank 99 does not fit"]),
        ("impute-baseline", ["--rank", "3"], ["--rank has no meaning for --method gene-mean"]),
        ("impute-baseline", ["--rank", "0"], ["--rank"]),
    ],
    ids=named,
)
def test_wrong_usage_is_one_line_and_no_file(table_file, out, verb, options, words):
    assert_refused(invoke(verb, table_file, "-q", "-o", out, *options), 2, *words)
    assert not out.exists()


@pytest.mark.parametrize("form", ["dense", "factors"])
def test_a_file_named_like_a_form_is_asked_about(table_file, tmp_path, monkeypatch, form):
    """Once `--output` chose the form."""
    monkeypatch.chdir(tmp_path)
    result = invoke("impute-deepmc", table_file, "--rank", 3, "-o", form)
    assert result.exit_code == 0
    assert f"did you mean `--form {form}`?" in result.stderr
    assert (tmp_path / form).exists()


def natural_logarithm(table):
    table.X = table.X * np.float32(np.log(2))


def raw_counts(table):
    table.X = table.layers["counts"].astype(np.float32)


def negative(table):
    table.X.data[0] = -1


def missing(table):
    table.X.data[0] = np.nan


def wrong_size_factor(table):
    table.obs["size_factor"] = 2.0


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (natural_logarithm, ["natural logarithm", "base=2"]),
        (raw_counts, ["raw counts", "`scinfill preprocess`"]),
        (negative, ["negative"]),
        (missing, ["NaN"]),
        (wrong_size_factor, ["cell 'cell0'", "size_factor"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_data_is_named_and_an_existing_file_survives(table, out, verb, spoil, words):
    spoil(table)
    out.write_bytes(b"precious")
    result = invoke(verb, "-q", "-o", out, *QUICK[verb], stdin=to_bytes(table))
    assert_refused(result, 3, *words)
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_layer_is_named_with_those_present(table_file, out, verb):
    result = invoke(verb, table_file, "-q", "-o", out, "--layer", "log3", *QUICK[verb])
    assert_refused(result, 2, "no layer 'log3'", "counts, spliced")
    assert not out.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_no_file_and_no_table(tmp_path, out, verb):
    assert_refused(invoke(verb, tmp_path / "absent.h5ad", "-o", out), 2, "absent.h5ad")
    (tmp_path / "text.h5ad").write_text("not HDF5")
    assert_refused(invoke(verb, tmp_path / "text.h5ad", "-o", out), 3, "text.h5ad")
    assert_refused(invoke(verb, stdin=b""), 3, "standard input", "empty")
    assert not out.exists()


@pytest.mark.parametrize("options", [["--estimate", "shrunk"], ["--loss", "poisson"]], ids=named)
def test_what_needs_counts_says_so(table, out, options):
    del table.layers["counts"]
    result = invoke("impute-deepmc", "-q", "-o", out, *options, stdin=to_bytes(table))
    assert_refused(result, 2, options[0], "layers['counts']", "--estimate model or --estimate detected")


def test_a_failure_in_a_block_leaves_no_file(table_file, out, monkeypatch):
    """The dense layer is computed while the file is written: what fails then must not leave a part behind."""

    def fail(self, rows):
        raise MemoryError("a block of cells")

    monkeypatch.setattr("scinfill.models.estimate.values.Shrunk.block", fail)
    assert_refused(invoke("impute-deepmc", table_file, "-q", "--rank", 3, "-o", out), 4, "not enough memory")
    assert list(out.parent.iterdir()) == [table_file]
