import json

import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import scinfill
from _support import assert_refused, from_bytes, invoke, shared, to_bytes
from _worlds import LABELS, imputed, label_means, masked

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")


@pytest.fixture
def table(tmp_path):
    """A masked and imputed file."""
    path = tmp_path / "cells.h5ad"
    path.write_bytes(to_bytes(imputed(masked(null_genes=5), label_means(masked(null_genes=5)))))
    return path


def evaluated(*args):
    result = invoke("evaluate", *args, "--starts", 2)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), result.stderr


@pytest.mark.slow
def test_json_on_stdout_and_a_table_on_stderr(table):
    document, stderr = evaluated(table, "--labels", LABELS)
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10", "made-up"]
    assert document["title"] == "cells"
    assert "k-means ARI" in stderr
    assert "[model]" in stderr
    assert "the estimate 'detected' for this score" in stderr


@pytest.mark.slow
def test_quiet_says_nothing(table):
    assert evaluated(table, "--labels", LABELS, "--quiet")[1] == ""


def test_reads_a_pipe(table):
    result = invoke("evaluate", "--starts", 1, "-q", stdin=table.read_bytes())
    assert json.loads(result.stdout)["title"] is None


@pytest.mark.slow
def test_genes_are_shown_and_the_report_draws_them(table, tmp_path):
    genes = list(masked(null_genes=5).var_names[:3])
    document, _ = evaluated(
        table, "--labels", LABELS, "--show-genes", f"{genes[2]},{genes[0]}", "--show-genes", genes[1]
    )
    found = document["estimates"]["made-up"]["details"]["genes"]["genes"]
    assert [record["gene"] for record in found] == [genes[2], genes[0], genes[1]]
    page = invoke("report", "-q", "--figures", tmp_path / "figures", stdin=json.dumps(document).encode())
    assert "Genes before and after" in page.stdout
    drawn = {path.suffix for path in (tmp_path / "figures").iterdir() if "gene-1-" in path.name}
    assert drawn == {".svg", ".png"}


def test_a_gene_that_is_not_there_is_one_line_with_the_closest_names(table):
    name = masked(null_genes=5).var_names[0]
    result = invoke("evaluate", table, "--show-genes", f"{name}0x")
    assert_refused(result, 2, "--show-genes", name, "--n-genes all")


@pytest.mark.slow
def test_output_file_gets_what_stdout_would(table, tmp_path):
    invoke("evaluate", table, "-q", "-o", tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text()) == json.loads(invoke("evaluate", table, "-q").stdout)


def test_several_inputs_by_name_and_by_file(table, tmp_path):
    other = tmp_path / "other.h5ad"
    other.write_bytes(table.read_bytes())
    document, _ = evaluated(f"mine={table}", other, "-q")
    assert list(document["estimates"])[3:] == ["mine", "other"]


@pytest.mark.slow
def test_the_default_baseline_needs_no_name(tmp_path):
    log, made = tmp_path / "log.h5ad", tmp_path / "gene-mean.h5ad"
    log.write_bytes(to_bytes(masked()))
    assert invoke("impute-baseline", log, "-q", "-o", made).exit_code == 0
    assert list(evaluated(made, "-q")[0]["estimates"])[2:] == ["svd-10", "gene-mean (input)"]
    assert list(evaluated(made, log, "-q")[0]["estimates"])[2:] == ["svd-10", "gene-mean (input)"]


def test_file_whose_name_holds_an_equals_sign(table, tmp_path):
    odd = tmp_path / "a=b.h5ad"
    odd.write_bytes(table.read_bytes())
    assert "made-up" in evaluated(odd, "-q")[0]["estimates"]


@pytest.mark.slow
def test_gene_table(table, tmp_path):
    evaluated(table, "--labels", LABELS, "--table", tmp_path / "genes.csv", "-q")
    genes = pd.read_csv(tmp_path / "genes.csv")
    assert set(genes["estimate"]) == {"raw", "gene-mean", "svd-10", "made-up"}


@pytest.mark.slow
def test_bulk_files(table, tmp_path):
    genes = masked().var_names
    truth = tmp_path / "truth_type1_vs_type2.tsv"
    truth.write_text("gene\tis_de\n" + "".join(f"{gene}\t{number % 2}\n" for number, gene in enumerate(genes)))
    bulk = tmp_path / "bulk.tsv"
    bulk.write_text(
        "gene\ttype1.a\ttype2.a\n" + "".join(f"{gene}\t{number % 3}\t5\n" for number, gene in enumerate(genes))
    )
    document, _ = evaluated(
        table, "--labels", LABELS, "--bulk", bulk, "--de-truth", truth, "--de-truth", f"type2_vs_type3={truth}", "-q"
    )
    details = document["estimates"]["raw"]["details"]
    assert {"truth_type1_vs_type2", "type2_vs_type3"} <= {curve["contrast"] for curve in details["roc"]}
    assert {row["label"] for row in details["true_zeros"]} == {"type1", "type2"}


def test_gate_that_holds_exits_with_0(table):
    assert invoke("evaluate", table, "--fail-if-worse-than", "raw:rmse", "-q").exit_code == 0


def test_gate_that_fails_exits_with_1_and_still_writes(table, tmp_path):
    worse = imputed(masked(), -masked().X.toarray())
    table.write_bytes(to_bytes(worse))
    target = tmp_path / "scores.json"
    result = invoke("evaluate", table, "-o", target, "--fail-if-worse-than", "gene-mean:rmse", "-q")
    assert result.exit_code == 1
    assert "gene-mean:rmse: rmse of made-up is" in result.stderr
    assert "beyond the spread" in result.stderr
    assert result.stderr.count("\n") == 1
    assert json.loads(target.read_text())["thresholds"][0]["passed"] is False


def test_each_gate_that_fails_has_a_line_of_its_own(table, tmp_path):
    table.write_bytes(to_bytes(imputed(masked(), -masked().X.toarray())))
    rules = ("--fail-if-worse-than", "gene-mean:rmse", "--fail-if-worse-than", "gene-mean:mae")
    result = invoke("evaluate", table, "-o", tmp_path / "scores.json", *rules, "-q")
    assert result.exit_code == 1
    first, second, last = result.stderr.splitlines()
    assert first.startswith("scinfill evaluate: error: gene-mean:rmse: rmse of made-up is")
    assert second.startswith("scinfill evaluate: error: gene-mean:mae: mae of made-up is")
    assert last == "scinfill evaluate: error: 2 of 2 comparisons failed"


@pytest.mark.slow
def test_replicates_are_one_column_and_each_mask_one_table(tmp_path):
    names = []
    for mode, seed in (("nonzero", 1), ("nonzero", 2), ("entries", 1)):
        path = tmp_path / f"{mode}{seed}.h5ad"
        table = masked(mode, seed=seed)
        path.write_bytes(to_bytes(imputed(table, label_means(table))))
        names.append(f"mine={path}")
    document, stderr = evaluated(*names)
    assert list(document["estimates"])[-1] == "mine (3)"
    assert "mean ± standard deviation of 2 replicates" in stderr
    assert stderr.count("score ") == 2
    assert "20 % of the non-zeros hidden" in stderr
    assert "20 % of all entries hidden, zeros included" in stderr
    assert "mine (2)" not in stderr


def test_open_problems_numbers(tmp_path):
    path = tmp_path / "thin.h5ad"
    path.write_bytes(to_bytes(imputed(masked("thin"), label_means(masked("thin")))))
    assert "openproblems_poisson_asis" in evaluated(path, "--openproblems", "-q")[0]["estimates"]["raw"]["scores"]


def test_layer_of_another_tool(table, tmp_path):
    foreign = imputed(masked(), label_means(masked()))
    foreign.layers["magic"] = csr_matrix(foreign.layers.pop("imputed"))
    table.write_bytes(to_bytes(foreign))
    record = evaluated(table, "--layer", "magic", "-q")[0]["estimates"]["made-up"]
    assert record["kind"] == "input"
    assert record["estimate"] is None


@pytest.mark.parametrize(
    ("args", "exit_code", "message"),
    [
        (["--labels", "kind"], 2, "no column 'kind' in obs; columns present: batch, cell_type"),
        (["--layer", "magic"], 2, "no layer 'magic'; layers present:"),
        (["--fail-if-worse-than", "raw:beauty"], 2, "metrics are rmse"),
        (["--fail-if-worse-than", "magic:rmse"], 2, "no 'magic' here"),
        (["--starts", "0"], 2, "--starts"),
        (["--bulk", "nowhere.tsv"], 2, "nowhere.tsv"),
        (["--table", "nowhere/genes.csv"], 2, "no folder"),
        (["--max-cells", "x"], 2, "--max-cells"),
    ],
)
def test_wrong_use_is_one_line_and_no_output(table, tmp_path, args, exit_code, message):
    target = tmp_path / "scores.json"
    result = invoke("evaluate", table, "-o", target, *args)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not target.exists()
    assert result.stdout == ""


def test_different_genes_are_wrong_data(table, tmp_path):
    part = tmp_path / "part.h5ad"
    part.write_bytes(to_bytes(from_bytes(table.read_bytes())[:, 1:].copy()))
    result = invoke("evaluate", table, part)
    assert result.exit_code == 3
    assert "differ in 1 genes" in result.stderr


def test_raw_counts_in_x_are_refused_with_the_remedy(table):
    table.write_bytes(to_bytes(scinfill.simulate(n_cells=20, n_genes=10)))
    result = invoke("evaluate", table)
    assert result.exit_code == 3
    assert "scinfill preprocess" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "bulk", "truth"),
    [
        ("scmix_3lines_celseq2", "scmix_bulk_counts_3lines", "scmix_de_truth_H1975_vs_HCC827"),
        ("tung_partial", "tung_bulk_counts", "tung_de_truth_NA19098_vs_NA19239"),
    ],
)
def test_real_bulk_files_fit_real_cells(tmp_path, data, bulk, truth):
    log = tmp_path / "log.h5ad"
    assert invoke("preprocess", shared(f"{data}.h5ad"), "--n-genes", 300, "-o", log).exit_code == 0
    document, _ = evaluated(
        log, "--labels", LABELS, "--bulk", shared(f"{bulk}.tsv"), "--de-truth", shared(f"{truth}.tsv"), "-q"
    )
    record = document["estimates"]["raw"]
    assert record["scores"]["de_auc"]["value"] > 0.8
    assert record["details"]["true_zeros"]
