"""The site as Sphinx builds it, tutorial and all, and as a browser shows it."""

import subprocess
import sys

import pytest

from _browser import browsing
from _support import ROOT
from scinfill.commands import COMMANDS

pytestmark = pytest.mark.slow

SHOWN = ("index", "tutorial", "howto/input", "reference/commands/evaluate", "reference/python/scinfill.impute_deepmc")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_verb_has_a_page_with_its_groups(site):
    for verb in COMMANDS:
        page = (site / "reference" / "commands" / f"{verb}.html").read_text(encoding="utf-8")
        assert f"scinfill {verb}" in page
        assert '<p class="rubric option-group">Messages</p>' in page
        assert ":: " not in page


def test_the_tutorial_shows_what_it_computed(site):
    page = (site / "tutorial.html").read_text(encoding="utf-8")
    assert "Use it for clustering?" in page
    assert page.count('<img alt="../_images/') + page.count('<img alt="_images/') >= 4
    for word in ("Warning:", "Traceback", str(ROOT)):
        assert word not in page


def test_pages_fit_the_screen_and_ask_for_nothing_from_outside(site):
    with browsing() as browser:
        for page in SHOWN:
            for width in (1280, 390):
                browser.open(site / f"{page}.html", width=width)
                assert browser.evaluate("document.documentElement.scrollWidth") <= width, page
        assert browser.complaints == []
