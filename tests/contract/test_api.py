"""The Python functions: typed, documented, with examples that run, and none missing."""

import doctest
import re
import subprocess
import sys

import pytest

import scinfill
from scinfill.commands import COMMANDS

FUNCTIONS = [name for name in scinfill.__all__ if not name.startswith("_")]


def test_every_verb_is_a_function():
    assert {verb.replace("-", "_") for verb in COMMANDS} <= set(FUNCTIONS)


@pytest.mark.usefixtures("short_training", "few_resamples", "plain_figures")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = getattr(scinfill, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert test.examples, "a worked example"
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_documented(name):
    import inspect

    function = getattr(scinfill, name)
    described = re.search(r"Parameters\n-+\n(.*?)(\n\n[A-Z]|\Z)", inspect.getdoc(function), re.DOTALL)[1]
    names = {part.strip() for line in re.findall(r"^\S.*$", described, re.MULTILINE) for part in line.split(",")}
    assert names == set(inspect.signature(function).parameters)


@pytest.mark.slow
def test_types_reach_the_user(tmp_path):
    """What an editor shows: names, types and defaults, of settings objects too; and that the package says so."""
    program = tmp_path / "program.py"
    program.write_text("import scinfill\n" + "".join(f"reveal_type(scinfill.{name})\n" for name in FUNCTIONS))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", "--config-file=", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    shown = dict(zip(FUNCTIONS, re.findall(r'Revealed type is "(.*)"', done.stdout), strict=True))
    for name, signature in shown.items():
        assert signature.startswith("def ("), (name, signature)
        assert "*args" not in signature
    for part in ("rank: ", "int | typing.Sequence[int] | None", "estimate: ", "seed: int"):
        assert part in shown["impute_deepmc"]
    assert "form: " not in shown["impute_auto"]
