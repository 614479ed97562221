import io

import pandas as pd
import pytest

import scinfill
from _support import assert_refused, from_bytes, invoke, make_counts, to_bytes


@pytest.fixture(scope="module")
def imputed():
    table = scinfill.preprocess(make_counts(60), n_genes=None)
    table.obs["donor"] = [f"d{number % 3}" for number in range(60)]
    return to_bytes(scinfill.impute_deepmc(table, rank=2))


def test_the_table_goes_to_standard_output(imputed):
    result = invoke("markers", "--groupby", "cell_type", "-q", stdin=imputed)
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(io.StringIO(result.stdout))
    assert list(table) == [
        *("group", "gene", "log2fc", "log2fc_low", "log2fc_high", "log2fc_counts", "statistic", "p", "p_adjusted"),
        *("supported", "seen_in_group", "seen_in_rest", "mean_in_group", "mean_in_rest"),
    ]
    assert set(table["supported"]) <= {"yes", "no"}
    assert set(table["group"]) == {"a", "b"}


@pytest.mark.parametrize(("name", "separator"), [("out.csv", ","), ("out.tsv", "\t")])
def test_the_name_says_how_fields_are_separated(imputed, tmp_path, name, separator):
    out = tmp_path / name
    result = invoke("markers", "--groupby", "cell_type", "--reference", "a", "-o", out, stdin=imputed)
    assert result.exit_code == 0, result.stderr
    assert "pairs of group and gene are supported by the counts" in result.stderr
    assert set(pd.read_csv(out, sep=separator)["group"]) == {"b"}


@pytest.mark.slow
def test_an_h5ad_file_holds_the_table_and_what_scanpy_plots(imputed, tmp_path):
    out = tmp_path / "out.h5ad"
    result = invoke("markers", "--groupby", "cell_type", "--replicate", "donor", "-o", out, stdin=imputed)
    assert result.exit_code == 0, result.stderr
    table = from_bytes(out.read_bytes())
    assert table.uns["scinfill_markers"]["supported"].dtype == bool
    assert table.uns["rank_genes_groups"]["params"]["method"] == "t-test"
    assert table.uns["rank_genes_groups"]["names"].dtype.names == ("a", "b")
    again = invoke("markers", "--groupby", "cell_type", "-q", "-o", tmp_path / "again.h5ad", out)
    assert again.exit_code == 0, again.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--groupby", "kind"), 2, ("there is no column 'kind'", "cell_type")),
        (("--groupby", "age"), 3, ("obs['age'] is a measurement", "cell_type")),
        (("--groupby", "cell_type", "--reference", "c"), 2, ("--reference c is no group", "a, b")),
        (("--groupby", "cell_type", "--replicate", "symbol"), 2, ("there is no column 'symbol'",)),
        (("--groupby", "donor", "--replicate", "cell_type", "--reference", "d9"), 2, ("--reference d9",)),
    ],
)
def test_refusals_name_the_remedy(imputed, tmp_path, options, code, words):
    out = tmp_path / "out.csv"
    out.write_bytes(b"earlier")
    assert_refused(invoke("markers", *options, "-o", out, stdin=imputed), code, *words)
    assert out.read_bytes() == b"earlier"


def test_one_replicate_is_refused_with_the_option(imputed):
    result = invoke("markers", "--groupby", "donor", "--replicate", "donor", stdin=imputed)
    assert_refused(result, 3, "fewer than 2 replicates", "--replicate")
