"""The pages: all can be reached, nothing public is missing, and what they tell users to type exists."""

import ast
import inspect
import json
import os
import re
import shlex
from pathlib import Path

import click
import pytest

import scinfill
from _support import ROOT
from scinfill.commands import COMMANDS, main

DOCS = ROOT / "docs"
MADE = ("docs/_build/", "docs/reference/commands/", "docs/reference/python/")
"""What a build leaves there."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if not str(page.relative_to(ROOT)).startswith(MADE))
TEXTS = [*PAGES, *(ROOT / folder / "README.md" for folder in ("", "nextflow", "containers"))]
FENCE = re.compile(r"^(`{3,})\{?([\w-]*)\}? ?(\w*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
SHELL = ("", "shell", "bash")
OF_OTHERS = {"--account", "--build-arg", "--gres", "--require-hashes", "--no-deps"}
"""Options of Docker, Slurm and pip."""
PIPELINE = json.loads(next((ROOT / "nextflow").glob("nextflow_schema.json"), ROOT / "nextflow_schema.json").read_text())


def blocks(path: Path) -> list[tuple[str, str]]:
    """Return the language and the text of every block of code."""
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [
        (argument if kind in ("code-block", "code-cell") else kind, re.sub(r"^:\w+:.*\n", "", text, flags=re.MULTILINE))
        for _, kind, argument, text in found
    ]


def commands(path: Path, program: str) -> list[list[str]]:
    """Return the words of every call of a program in the blocks for the shell; of pipes every part."""
    lines = "\n".join(text for language, text in blocks(path) if language in SHELL).replace("\\\n", " ")
    calls = [
        shlex.split(part, comments=True) for line in lines.splitlines() for part in line.split(" > ")[0].split(" | ")
    ]
    return [call[1:] for call in calls if call[:1] == [program]]


def parameters_of_the_pipeline() -> set[str]:
    """Return the parameters of the pipeline as they are typed."""
    return {f"--{name}" for group in PIPELINE["$defs"].values() for name in group["properties"]}


def toctrees(path: Path) -> set[Path]:
    """Return the pages that a page lists, those that are made by a build left out."""
    listed = set()
    for kind, text in [(kind, text) for _, kind, _, text in FENCE.findall(path.read_text(encoding="utf-8"))]:
        for name in re.findall(r"^(?!:)(\S+)$", text, re.MULTILINE) if kind == "toctree" else ():
            listed |= {Path(os.path.normpath(page)) for page in path.parent.glob(f"{name}.md")}
    return listed


def test_every_page_can_be_reached():
    reached, ahead = set(), {DOCS / "index.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= toctrees(page) - reached
    assert set(PAGES) - reached == set()


def test_every_public_function_has_a_reference_page():
    listed = re.findall(r"^   (\w+)$", (DOCS / "reference" / "python.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(name for name in scinfill.__all__ if not name.startswith("_"))


def test_every_verb_stands_in_the_readme():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| verb | does |")[2].partition("\n\n")[0]
    named = re.findall(r"`([\w-]+)`", "\n".join(line.split(" | ")[0] for line in table.splitlines()))
    assert sorted(named) == sorted(COMMANDS)


def test_every_benchmark_has_a_page():
    pages = {page.name for page in (DOCS / "benchmarks").glob("*.md")} - {"index.md"}
    assert pages == {page.name for page in (ROOT / "benchmarks").glob("*.md")}


def test_commands_are_found():
    assert len(commands(DOCS / "tutorial.md", "scinfill")) >= 10
    assert len(commands(DOCS / "howto" / "r-and-seurat.md", "scinfill")) >= 10
    assert commands(ROOT / "nextflow" / "README.md", "nextflow")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(path):
    for verb, *words in commands(path, "scinfill"):
        if verb.startswith("--"):
            continue
        command = main.get_command(click.Context(main), verb)
        assert command is not None, verb
        context = click.Context(command)
        values, _, _ = command.make_parser(context).parse_args(words)
        for param in command.params:
            if isinstance(param.type, click.Choice) and isinstance(values.get(param.name), str):
                param.type.convert(values[param.name], param, context)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_in_sentences_exist(path):
    verbs = {name: main.get_command(click.Context(main), name) for name in COMMANDS}
    options = {
        name: {text for param in verb.params for text in param.opts + param.secondary_opts}
        for name, verb in verbs.items()
    }
    everywhere = set().union(*options.values(), parameters_of_the_pipeline(), OF_OTHERS)
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose):
        words = span.removeprefix("scinfill ").split()
        known = options.get(words[0], everywhere) | {"--help"}
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", span)) <= known, span


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_parameters_of_the_pipeline_exist(path):
    for words in commands(path, "nextflow"):
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= parameters_of_the_pipeline() | {"--help"}, words


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_calls_exist(path):
    code = [text for language, text in blocks(path) if language == "python"]
    for call in [node for text in code for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]:
        match call.func:
            case ast.Attribute(value=ast.Name(id="scinfill"), attr=name):
                known = inspect.signature(getattr(scinfill, name)).parameters
                assert {keyword.arg for keyword in call.keywords} <= set(known), ast.unparse(call)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_of_the_texts_outside_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
