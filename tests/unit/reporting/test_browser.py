"""The page in a real browser: nothing complains, everything shows."""

import pytest

import scinfill
from _browser import browsing, executable
from _worlds import LABELS, imputed, label_means, masked
from scinfill.reporting.build import build

pytestmark = pytest.mark.slow

VIEWS = {
    "desktop": {},
    "dark": {"dark": True},
    "phone": {"width": 390, "height": 844},
    "print": {"media": "print", "width": 800},
}
SMALL = """[...document.querySelectorAll("figure")].filter(figure => {
  const box = figure.querySelector("svg").getBoundingClientRect();
  const drawn = figure.querySelectorAll("svg path, svg use, svg image").length;
  return box.width < 150 || box.height < 50 || drawn < 3 || !figure.checkVisibility();
}).map(figure => figure.id)"""
SMALLEST_LETTERS = """Math.min(...[...document.querySelectorAll("figure svg text")]
  .map(text => text.getBoundingClientRect().height).filter(height => height > 0))"""
CONTRAST = """(() => {
  const channel = value => { const c = value / 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const luminance = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(channel);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ink = luminance(getComputedStyle(document.querySelector("figure svg")).color);
  const page = luminance(getComputedStyle(document.querySelector("figure")).backgroundColor);
  return (Math.max(ink, page) + .05) / (Math.min(ink, page) + .05);
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report on everything that one simulated table can be scored on."""
    executable()
    documents = []
    for mode, estimate in (("entries", "detected"), ("thin", "shrunk")):
        table = imputed(masked(mode, null_genes=8), label_means(masked(mode, null_genes=8)), estimate=estimate)
        table.var["observed_weight"] = 0.2
        table.layers["imputed_sd"] = table.layers["imputed"]
        documents.append((f"{mode}.json", scinfill.evaluate(table, labels=LABELS, n_starts=2)))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(build(documents).html)
    return path


@pytest.mark.parametrize("view", VIEWS)
def test_page_shows_everything_and_complains_of_nothing(page, view, tmp_path):
    with browsing() as browser:
        browser.open(page, **VIEWS[view])
        assert browser.evaluate("document.querySelectorAll('figure').length") > 10
        assert browser.evaluate(SMALL) == []
        assert "Use it for clustering?" in browser.evaluate("document.body.innerText")
        assert browser.evaluate(CONTRAST) > 7
        assert view == "print" or browser.evaluate(SMALLEST_LETTERS) > 6
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.evaluate(overflow) <= 0
        browser.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 50_000
        assert browser.complaints == []


def test_browser_reports_what_a_page_does_wrong(tmp_path):
    """The check above can fail."""
    path = tmp_path / "wrong.html"
    path.write_text("<script>console.log('a'); missing()</script><img src='https://example.invalid/x.png'>")
    with browsing() as browser:
        browser.open(path)
        assert len(browser.complaints) >= 3
