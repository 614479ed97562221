"""Sections of a MultiQC report: what is in them, and that MultiQC itself makes a page of them."""

import json

import pytest

import scinfill
from _pipeline import nfcore
from _pipeline.machine import REPOSITORY, run
from _results import document
from scinfill.reporting import multiqc
from scinfill.reporting.results import collect

pytestmark = pytest.mark.usefixtures("few_resamples", "plain_figures")

CALLED = {"halves_called": 0.4, "halves_false_at_least": 0.1, "halves_false_at_most": 0.25}
SCORES = {
    "raw": {"ari": 0.5, "halves_called": 0.0},
    "mine": {"ari": 0.9} | CALLED,
}


def sections_of(*documents):
    found = multiqc.sections(collect([(f"scores{number}", each) for number, each in enumerate(documents)]))
    return {name: json.loads(section) for name, section in found.items()}


def test_scores_of_every_dataset_and_estimate_are_in_the_table():
    table = sections_of(
        document(SCORES, title="a", mode="halves", fraction=0.5),
        document({"raw": {"ari": 0.1}, "mine": {"ari": 0.2}}, title="b", mode=None),
    )["scinfill_scores_mqc.json"]
    assert table["data"]["a: mine"] == SCORES["mine"]
    assert table["data"]["b: raw"] == {"ari": 0.1}
    assert set(table["headers"]) == {"ari", *CALLED}
    assert table["headers"]["halves_false_at_most"]["scale"] == "RdYlGn-rev"


def test_replicates_are_averaged():
    table = sections_of(*(document({"raw": {"ari": value}}, mode=None) for value in (0.2, 0.4)))
    assert table["scinfill_scores_mqc.json"]["data"]["data: raw"]["ari"] == pytest.approx(0.3)


def test_called_genes_are_parted_by_the_untouched_half():
    graph = sections_of(document(SCORES, mode="halves", fraction=0.5))["scinfill_held_mqc.json"]
    assert graph["data"]["data: mine"] == pytest.approx({multiqc.HOLD: 30.0, multiqc.OPEN: 6.0, multiqc.FALSE: 4.0})
    assert graph["data"]["data: raw"] == dict.fromkeys((multiqc.HOLD, multiqc.OPEN, multiqc.FALSE), 0.0)
    assert set(graph["categories"]) == set(graph["data"]["data: mine"])


def test_without_halves_there_is_no_graph():
    assert list(sections_of(document({"raw": {"ari": 0.5}}))) == ["scinfill_scores_mqc.json"]


@pytest.mark.slow
def test_multiqc_makes_a_page_of_them(tmp_path):
    programs = nfcore.multiqc()
    odd = 'a <b>"data"</b> & more'
    scinfill.report(
        [document(SCORES, title=odd, mode="halves", fraction=0.5), document(SCORES, title="b", mode=None)],
        multiqc=tmp_path / "sections",
    )
    settings = REPOSITORY / "nextflow" / "assets" / "multiqc_config.yml"
    command = ("--no-version-check", "--strict", "--config", settings, "--outdir", tmp_path, tmp_path / "sections")
    said = run(programs / "multiqc", *command).stderr
    assert "2 reports" in said or "custom_content" in said, said
    page = (tmp_path / "scinfill-did-imputation-help_multiqc_report.html").read_text()
    assert "Differences that hold" in page
    found = json.loads(
        (tmp_path / "scinfill-did-imputation-help_multiqc_report_data" / "multiqc_data.json").read_text()
    )
    assert "scinfill_scores" in json.dumps(found)
