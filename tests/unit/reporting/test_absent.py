import pytest

from _results import document
from scinfill.reporting.build import build

pytestmark = pytest.mark.usefixtures("plain_figures")

RESULTS = [("scores.json", document({"raw": {"ari": 0.5}, "deepmc": {"ari": 0.6}}))]


def test_what_did_not_come_is_said_before_any_score():
    html = build(RESULTS, absent=["<b>: deepmc did not finish"]).html
    assert html.index("Not in this report") < html.index('id="data-0"')
    assert "&lt;b&gt;: deepmc did not finish" in html


def test_a_complete_report_says_nothing_of_it():
    assert "Not in this report" not in build(RESULTS).html
