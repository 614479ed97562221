"""What scinfill needs is said once, in pyproject.toml; every other list of it is compared with that."""

import re
import tomllib

import jinja2
import pytest
import yaml

from _support import ROOT
from scinfill import __version__
from scinfill.commands import COMMANDS

IN_CONDA = {"matplotlib": "matplotlib-base", "tensorflow": "tensorflow-base"}
"""Packages that conda channels split: the part without a graphical interface or the board."""


def versions(lines):
    """Return the lowest version of each package in lines such as ``numpy>=1.26`` or ``numpy >=1.26``."""
    return dict(re.fullmatch(r"([\w-]+) ?(?:>=([\d.]+))?", line).groups() for line in lines)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def recipe():
    """The recipe as conda-build would read it."""
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(
        (ROOT / "containers" / "recipe" / "meta.yaml").read_text()
    )
    pins = {"PYTHON": "python", "pin_subpackage": lambda name, max_pin: f"{name} {max_pin}"}
    return yaml.safe_load(template.render(pins))


def test_the_lighter_list_lacks_tensorflow_alone(project):
    listed = (ROOT / "containers" / "light.txt").read_text().splitlines()
    light = versions(line for line in listed if not line.startswith("#"))
    assert light | {"tensorflow": "2.16"} == versions(project["project"]["dependencies"])
    assert "tensorflow" not in light


def test_the_recipe_asks_for_what_the_package_asks_for(project, recipe):
    needed = versions(project["project"]["dependencies"])
    needed = {IN_CONDA.get(name, name): version for name, version in needed.items()}
    assert versions(recipe["requirements"]["run"]) == needed | {
        "python": project["project"]["requires-python"].removeprefix(">=")
    }
    built_by = versions(project["build-system"]["requires"])
    assert versions(recipe["requirements"]["host"]).items() >= built_by.items()


def test_the_recipe_is_of_this_package(project, recipe):
    assert recipe["package"] == {"name": project["project"]["name"], "version": __version__}
    (script,) = recipe["build"]["entry_points"]
    assert script.split(" = ") == ["scinfill", project["project"]["scripts"]["scinfill"]]
    assert recipe["about"]["summary"] == project["project"]["description"]
    assert recipe["about"]["license"] == project["project"]["license"]
    assert (ROOT / recipe["about"]["license_file"]).is_file()
    assert (ROOT / "containers" / "recipe" / recipe["source"]["path"]).resolve() == ROOT
    for line in recipe["test"]["commands"]:
        for call in line.split(" | "):
            assert call.split()[1] in (*COMMANDS, "--version")


def test_every_version_is_that_of_the_package():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    program = tomllib.loads((ROOT / "containers" / "scvi" / "pyproject.toml").read_text())["project"]
    assert program["version"] == __version__
    manifest = (ROOT / "nextflow.config").read_text()
    assert re.search(r"^    version +?= '(.+)'$", manifest, re.MULTILINE)[1] == __version__
