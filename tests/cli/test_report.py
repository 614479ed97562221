import json

import pytest

from _results import document
from _support import invoke


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(document({"raw": {"ari": 0.5, "poisson": 0.1}, "mine": {"ari": 0.9, "poisson": 0.0}})))
    return path


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


def test_sections_for_multiqc(results, tmp_path):
    result = invoke("report", results, "-o", tmp_path / "report.html", "--multiqc", tmp_path / "sections")
    assert result.exit_code == 0, result.stderr
    (table,) = (tmp_path / "sections").iterdir()
    assert json.loads(table.read_text())["data"] == {
        "data: raw": {"ari": 0.5, "poisson": 0.1},
        "data: mine": {"ari": 0.9, "poisson": 0.0},
    }
