"""The site as Sphinx builds it, tutorial and all, and as a browser shows it."""

import re
import subprocess
import sys

import click
import pytest

from _browser import browsing
from _support import ROOT
from scinfill.commands import COMMANDS, main

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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_has_a_page_with_the_groups_of_its_help(site, name):
    page = (site / "reference" / "commands" / f"{name}.html").read_text(encoding="utf-8")
    command = main.get_command(click.Context(main), name)
    groups = command.group_options(click.Context(command))
    expected = [heading for heading, options in groups.items() if any("--help" not in each.opts for each in options)]
    assert re.findall(r'class="option-group rubric">([^<]*)<', page) == expected
    assert not re.search(r"\.\. [a-z-]+::", page)


def test_the_readme_quotes_the_verdict_of_the_tutorial(site):
    page = (site / "tutorial.html").read_text(encoding="utf-8")
    quoted = re.findall(r"^> \*\*(.+?\?)\*\* (Yes|No|deepmc)\b", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(quoted) == 4
    for question, answer in quoted:
        assert re.search(rf"<strong>{re.escape(question)}</strong> {answer}\b", page), question


def test_the_tutorial_shows_what_it_computed(site):
    page = (site / "tutorial.html").read_text(encoding="utf-8")
    assert "Use it for clustering?" in page
    assert page.count('<img alt="_images/') >= 4
    for word in ("Warning:", "Traceback", str(ROOT)):
        assert word not in page


def test_pages_fit_the_screen_and_ask_for_nothing_from_outside(site):
    with browsing() as browser:
        for page in SHOWN:
            for width in (1280, 390):
                browser.open(site / f"{page}.html", width=width)
                assert browser.evaluate("document.documentElement.scrollWidth") <= width, page
        assert browser.complaints == []
