import json

import numpy as np
import pytest

from _results import document
from _support import assert_refused, invoke
from _worlds import LABELS, imputed, label_means, masked

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(document({"raw": {"ari": 0.5, "poisson": 0.1}, "mine": {"ari": 0.9, "poisson": 0.0}})))
    return path


@pytest.mark.slow
def test_page_figures_and_verdict(results, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text("name,seconds,peak_mib\nmine,12,800\n")
    page, folder = tmp_path / "report.html", tmp_path / "a" / "figures"
    result = invoke("report", results, "-o", page, "--figures", folder, "--title", "Mine", "--cost", costs)
    assert result.exit_code == 0, result.stderr
    assert "<title>Mine</title>" in page.read_text()
    assert "12 s and 0.8 GiB" in page.read_text()
    assert {path.suffix for path in folder.iterdir()} == {".svg", ".png"}
    assert "Use it for clustering? mine: Yes" in result.stderr


@pytest.mark.slow
def test_reads_a_pipe_and_writes_one(results):
    result = invoke("report", "-q", stdin=results.read_bytes())
    assert result.stdout.startswith("<!doctype html>")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("content", "exit_code", "message"),
    [
        (b"{", 3, "is not JSON"),
        (b"[]", 3, "holds a JSON list"),
        (b'{"a": 1}', 3, "not a result of `scinfill evaluate`"),
        (b"", 3, "not JSON"),
    ],
)
def test_wrong_results_are_one_line_and_no_page(results, tmp_path, content, exit_code, message):
    results.write_bytes(content)
    result = invoke("report", results, "-o", tmp_path / "report.html")
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_missing_files_are_wrong_use(results, tmp_path):
    assert invoke("report", tmp_path / "nowhere.json").exit_code == 2
    assert invoke("report", results, "--cost", tmp_path / "nowhere.csv").exit_code == 2
    (tmp_path / "file").write_text("x")
    result = invoke("report", results, "--figures", tmp_path / "file" / "figures", "-o", tmp_path / "r.html")
    assert result.exit_code == 2
    assert "cannot be made a folder" in result.stderr


@pytest.mark.slow
def test_sections_for_multiqc(results, tmp_path):
    result = invoke("report", results, "-o", tmp_path / "report.html", "--multiqc", tmp_path / "sections")
    assert result.exit_code == 0, result.stderr
    (table,) = (tmp_path / "sections").iterdir()
    assert json.loads(table.read_text())["data"] == {
        "data: raw": {"ari": 0.5, "poisson": 0.1},
        "data: mine": {"ari": 0.9, "poisson": 0.0},
    }


@pytest.fixture
def table(tmp_path):
    adata = imputed(masked("thin"), label_means(masked("thin")))
    adata.write_h5ad(tmp_path / "imputed.h5ad")
    return tmp_path / "imputed.h5ad"


@pytest.mark.slow
def test_one_imputed_file_is_told_from_results_by_its_content(table, tmp_path):
    renamed = table.rename(tmp_path / "scores.json")
    result = invoke(
        "report", renamed, "--labels", LABELS, "-o", tmp_path / "page.html", "--figures", tmp_path / "figures"
    )
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "page.html").read_text()
    assert "What was done to this file?" in page
    assert "scores.json: 150 cells" in page
    assert any(path.name.startswith("file-gene-1-") for path in (tmp_path / "figures").iterdir())
    assert str(tmp_path / "figures") in result.stderr


def test_a_file_through_a_pipe_gives_the_same_facts(table, tmp_path):
    piped = invoke("report", "-q", stdin=table.read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert "standard input: 150 cells" in piped.stdout


def test_tables_and_results_do_not_mix(table, results):
    assert_refused(invoke("report", table, results), 2, "imputed.h5ad", "takes it alone", "scinfill evaluate")
    assert_refused(invoke("report", table, "--missing", "x"), 2, "--missing", "results")
    assert_refused(invoke("report", results, "--labels", LABELS), 2, "--labels", "goes with a table")
    assert_refused(invoke("report", table, "--labels", "nothing"), 2, "no column 'nothing'", LABELS)


def test_a_damaged_file_is_one_line_and_harms_no_page(table, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("earlier")
    table.write_bytes(table.read_bytes()[:2000])
    assert_refused(invoke("report", table, "-o", page), 3, "imputed.h5ad")
    assert page.read_text() == "earlier"


def test_a_measurement_labels_nothing(table):
    assert_refused(invoke("report", table, "--labels", "size_factor"), 3, "is a measurement", LABELS)


def test_values_that_no_scale_has_are_named(table):
    adata = imputed(masked("thin"), label_means(masked("thin")))
    adata.layers["imputed"][3, 4] = np.nan
    adata.write_h5ad(table)
    assert_refused(invoke("report", table), 3, "layers['imputed']")
