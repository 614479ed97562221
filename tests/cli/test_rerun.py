"""``rerun``: one line that says whether a file can be made again, and an exit code for scripts."""

import anndata
import pytest

from _support import assert_adata_equal, assert_refused, from_bytes, invoke, make_counts
from scinfill.io import h5ad


@pytest.fixture
def chain(tmp_path):
    """Counts as a table of text with genes in rows, and what two commands made of it."""
    counts, table, imputed = tmp_path / "counts.csv", tmp_path / "table.h5ad", tmp_path / "imputed.h5ad"
    make_counts().to_df().T.astype(int).to_csv(counts)
    assert invoke("preprocess", "--transpose", "--n-genes", 20, counts, "-o", table).exit_code == 0
    assert invoke("impute-deepmc", "--rank", 2, table, "-o", imputed).exit_code == 0
    return counts, table, imputed


def test_an_identical_result_is_said_in_one_line(chain):
    result = invoke("rerun", chain[2], "--input", chain[0])
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes == b""
    last = result.stderr.splitlines()[-1]
    assert last == "scinfill rerun: identical: 2 steps repeated, and every matrix and column is as in the file"


@pytest.mark.slow
def test_quiet_leaves_the_exit_code(chain):
    result = invoke("rerun", "-q", chain[2], "--input", chain[1])
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.slow
def test_a_difference_is_a_failed_gate_that_says_how_much(chain, tmp_path):
    imputed = anndata.read_h5ad(chain[2])
    imputed.layers["imputed"][3, 4] += 0.5
    h5ad.write(imputed, chain[2])
    out = tmp_path / "repeated.h5ad"
    result = invoke("rerun", "-q", chain[2], "--input", chain[0], "-o", out)
    assert_refused(result, 1, "not identical: layers['imputed'] differs by at most 0.5")
    assert "imputed" in h5ad.read(out).layers


@pytest.mark.slow
def test_many_differences_are_counted(chain):
    imputed = anndata.read_h5ad(chain[2])
    for number in range(7):
        imputed.obs[f"mine{number}"] = number
    h5ad.write(imputed, chain[2])
    assert_refused(
        invoke("rerun", "-q", chain[2], "--input", chain[0]), 1, "obs['mine4'] is in the file only; and 2 more"
    )
    said = invoke("rerun", "-v", chain[2], "--input", chain[0]).stderr
    assert "obs['mine6'] is in the file only" in said


@pytest.mark.slow
def test_the_repeated_file_and_a_pipe(chain, tmp_path):
    out = tmp_path / "repeated.h5ad"
    assert invoke("rerun", chain[2], "--input", chain[0], "-o", out).exit_code == 0
    assert_adata_equal(h5ad.read(chain[2]), h5ad.read(out))
    piped = invoke("rerun", "-q", "--input", chain[0], "-o", "-", stdin=chain[2].read_bytes())
    assert_adata_equal(h5ad.read(out), from_bytes(piped.stdout_bytes))


@pytest.mark.slow
def test_a_simulated_table_needs_no_input(tmp_path):
    counts = tmp_path / "counts.h5ad"
    assert invoke("simulate", "--cells", 60, "--genes", 50, "--dropout", 1, "-o", counts).exit_code == 0
    table = invoke("preprocess", "-q", counts, "--min-cells", 2).stdout_bytes
    assert invoke("rerun", stdin=table).exit_code == 0


def test_two_inputs_from_one_pipe(chain):
    said = "only one of INPUT and --input can be standard input"
    for inputs in (("-", "--input", "-"), (chain[2], "--input", "-", "--input", "-")):
        assert_refused(invoke("rerun", *inputs, stdin=chain[2].read_bytes()), 2, said)


@pytest.mark.slow
def test_another_device_than_the_recorded_one(chain):
    result = invoke("rerun", "-q", chain[2], "--input", chain[1], "--device", "cpu")
    assert_refused(result, 1, "step 2 (impute-deepmc) measured another recipe")
