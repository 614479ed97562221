import re
from html.parser import HTMLParser

import pandas as pd
import pytest

import scinfill
from _results import document
from _worlds import LABELS, imputed, label_means, masked
from scinfill.errors import InputError
from scinfill.reporting.build import build

pytestmark = pytest.mark.slow

HOSTILE = '<script>alert("x")</script> & $gene_{1}$'
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Strict(HTMLParser):
    """Checks that elements close in order, and collects identifiers and addresses."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.identifiers, self.addresses, self.tags, self.text = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.identifiers.append(value)
            if name in ("href", "src", "xlink:href"):
                self.addresses.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    parser = Strict()
    parser.feed(html)
    assert not parser.open
    return parser


@pytest.fixture(scope="module")
def results():
    """Everything that one simulated table can be scored on, with and without hidden values."""
    documents = []
    for mode, estimate in (("entries", "detected"), ("thin", "shrunk")):
        table = imputed(masked(mode, null_genes=8), label_means(masked(mode, null_genes=8)), estimate=estimate)
        if estimate == "shrunk":
            table.var["observed_weight"] = 0.2
            table.layers["imputed_sd"] = table.layers["imputed"]
        document = scinfill.evaluate(table, labels=LABELS, n_starts=2, openproblems=True)
        document["title"] = "simulated"
        documents.append((f"{mode}.json", document))
    return documents


@pytest.fixture(scope="module")
def report(results):
    return build(results, with_files=True)


def test_page_is_whole_and_its_own(report):
    page = parsed(report.html)
    assert "script" not in page.tags
    assert len(page.identifiers) == len(set(page.identifiers))
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.identifiers)
    assert "http" not in re.sub(r"http://www\.w3\.org/[\w/]+|http-equiv", "", report.html)


def test_verdict_comes_first(report):
    assert report.html.index("Use it for clustering?") < report.html.index("<table")


def test_the_page_opens_with_three_pictures_and_links_to_every_section(report):
    page = parsed(report.html)
    assert report.html.count('<figure id="front-') == 3
    assert report.html.index('<figure id="front-') < report.html.index('id="contents"') < report.html.index("<table")
    headings = set(re.findall(r'<h[234] id="([^"]+)"', report.html)) - {"verdict", "contents"}
    assert len(headings) > 10
    assert {f"#{heading}" for heading in headings} <= set(page.addresses)


def test_long_tables_are_folded_and_short_ones_are_not(report):
    for table in re.findall(r"<table.*?</table>", report.html, flags=re.S):
        long = table.count("<tr>") - 1 > 8
        before = report.html[: report.html.index(table)]
        assert (before.count("<details>") > before.count("</details>")) == long


def test_every_figure_is_on_the_page_and_in_the_folder(report):
    drawn = {
        *("recovery", "recovery-by-decile", "clustering", "components", "separability", "roc", "molecules"),
        *("calibration", "guard", "variation", "true-zeros"),
    }
    shown = set(re.findall(r'<figure id="d0s\d-([\w-]+)"', report.html))
    assert shown == drawn
    for kind, signature in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        files = {name: content for name, content in report.figures.items() if name.endswith(kind)}
        assert len(files) == len(drawn)
        assert all(content.startswith(signature) for content in files.values())


def test_every_score_stands_with_its_n(report, results):
    text = " ".join(parsed(report.html).text)
    for score in results[0][1]["estimates"]["made-up"]["scores"].values():
        assert re.search(rf"\b{score['n']:,} (to [\d,]+ )?{score['of']}", text)


def test_paired_differences_stand_with_their_interval(report, results):
    text = re.sub(r"\s+", " ", " ".join(parsed(report.html).text))
    found = results[0][1]["differences"]["made-up"]["raw"]["rmse"]
    numbers = [f"{number:.3f}".replace("-", "−") for number in (found["value"], *found["interval"])]
    assert "made-up (detected) − raw" in text
    assert f"{numbers[0]} [{numbers[1]}, {numbers[2]}]" in text


def test_reasons_and_notes_are_on_the_page(report):
    text = " ".join(parsed(report.html).text)
    assert "What was left out, and why" in text
    assert "needs layers['imputed_sd'] of an estimate 'shrunk'" in text


def test_what_another_mask_of_the_same_data_has_is_not_missing(report):
    *_, left_out = " ".join(parsed(report.html).text).split("What was left out, and why")
    assert "coverage" in left_out
    assert "RMSE, all hidden" not in left_out
    assert "k-means ARI" not in left_out


def test_same_results_same_bytes(report, results):
    assert build(results).html == report.html


def test_replicates_of_several_fractions_are_one_curve():
    documents = [
        (
            f"{fraction}-{rmse}",
            document({"raw": {"rmse": 3.0}, "mine": {"rmse": rmse}}, mode="nonzero", fraction=fraction),
        )
        for fraction in (0.1, 0.5)
        for rmse in (1.0, 1.2)
    ]
    html = build(documents).html
    assert 'id="d0-recovery-by-fraction"' in html
    assert "10 %: 2, 50 %: 2" in html


def test_names_from_files_are_escaped_everywhere():
    table = imputed(masked("entries", null_genes=4), label_means(masked("entries", null_genes=4)), method=HOSTILE)
    table.obs["kind"] = table.obs[LABELS].astype(str) + HOSTILE
    result = scinfill.evaluate({f"name{HOSTILE}": table}, labels="kind", n_starts=2)
    result["title"] = HOSTILE
    report = build([(HOSTILE, result)], title=HOSTILE, with_files=True)
    page = parsed(report.html)
    assert "script" not in page.tags
    assert HOSTILE in " ".join(page.text)
    for name, content in report.figures.items():
        assert re.fullmatch(r"[\w.-]+", name)
        assert b"<script" not in content


def test_what_prints_alike_is_equally_good():
    html = build([("a", document({"raw": {"null_de": 0.0004, "ari": 0.5}, "mine": {"null_de": 0.0, "ari": 0.6}}))]).html
    assert len(re.findall(r'class="best">0.000', html)) == 2
    assert len(re.findall(r'class="best">0.[56]00', html)) == 1


def test_figures_of_names_that_become_alike_are_all_kept():
    """Names of data are free text, names of files are not."""
    titles = ["a b", "a_b", "a/b", "a" * 300]
    made = build([(title, document({"raw": {"ari": 0.5}}, title=title)) for title in titles], with_files=True)
    assert len(made.figures) == 2 * len(titles)
    assert max(map(len, made.figures)) < 200


def test_costs_are_shown():
    costs = pd.DataFrame({"name": ["mine"], "seconds": [12.34], "peak_mib": [512]})
    text = " ".join(parsed(build([("a", document({"raw": {"ari": 1.0}}))], costs=costs).html).text)
    assert "Time and memory" in text
    assert "12.3" in text


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (pd.DataFrame({"name": ["mine"]}), "no 'seconds', only name"),
        (pd.DataFrame({"name": ["mine"], "seconds": ["long"]}), "seconds of 'mine' are not a number"),
    ],
)
def test_wrong_costs_are_refused(costs, message):
    with pytest.raises(InputError, match=message):
        build([("a", document({"raw": {"ari": 1.0}}))], costs=costs)


def test_no_results_are_refused():
    with pytest.raises(InputError, match="no results"):
        build([])
