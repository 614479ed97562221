"""The tools for Galaxy call the commands as they are."""

import re
import shutil
import subprocess
from xml.etree import ElementTree

import click
import pytest

from _support import ROOT
from scinfill import __version__
from scinfill.commands import COMMANDS, main

FOLDER = ROOT / "containers" / "galaxy"
VERBS = {"preprocess": ["preprocess"], "impute": ["impute-deepmc", "impute-auto"], "evaluate": ["evaluate"]}
MACROS = ElementTree.parse(FOLDER / "macros.xml")


def tool(name):
    return ElementTree.parse(FOLDER / f"{name}.xml")


def options(verb):
    """Return the options of a verb by each of their names."""
    command = main.get_command(click.Context(main), verb)
    return {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}


def test_every_tool_is_known():
    assert {path.stem for path in FOLDER.glob("*.xml")} == {*VERBS, "macros"}


def test_the_version_is_that_of_the_package():
    (token,) = [token for token in MACROS.iter("token") if token.get("name") == "@TOOL_VERSION@"]
    assert token.text == __version__


@pytest.mark.parametrize("name", VERBS)
def test_its_options_are_those_of_the_commands(name):
    command = tool(name).find("command").text
    resources = "".join(token.text for token in MACROS.iter("token") if token.get("name") == "@RESOURCES@")
    for call in re.split(r"(?=\bscinfill )", command.replace("@RESOURCES@", resources))[1:]:
        verb = call.split()[1]
        verbs = VERBS[name] if verb == "$method" else [verb]
        assert set(verbs) <= set(COMMANDS)
        for each in verbs:
            assert set(re.findall(r"(?<!\S)--[a-z-]+", call)) <= options(each).keys()


@pytest.mark.parametrize("name", VERBS)
def test_its_parameters_have_the_default_and_the_choices_of_the_options(name):
    parameters = [*tool(name).iter("param")]
    named = [parameter for parameter in parameters if parameter.get("argument")]
    assert named
    for parameter in named:
        for verb in VERBS[name]:
            option = options(verb)[parameter.get("argument")]
            if parameter.get("type") == "boolean":
                assert option.is_flag
                assert parameter.get("truevalue") == parameter.get("argument")
            elif parameter.get("type") == "select":
                assert [choice.get("value") for choice in parameter.iter("option")] == [*option.type.choices]
                (chosen,) = parameter.findall("option[@selected='true']")
                assert chosen.get("value") == option.default
            elif parameter.get("value") and option.default is not None and parameter.get("argument") != "--title":
                assert parameter.get("value") == str(option.default)


def test_planemo_finds_nothing():
    planemo = shutil.which("planemo")
    if planemo is None:
        pytest.skip("planemo is not installed (pip install planemo: 360 MB, in an environment of its own)")
    done = subprocess.run([planemo, "lint", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
