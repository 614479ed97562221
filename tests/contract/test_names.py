"""Each caller reads the name that it used: parameters from Python, options at the shell."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import scinfill
from _support import ROOT, assert_refused, from_bytes, invoke, make_counts, to_bytes
from scinfill.commands import COMMANDS, main
from scinfill.commands._names import PARAMETER, in_options_of
from scinfill.errors import InputError

PACKAGE = ROOT / "cli" / "scinfill"
READING = {"modality", "genome"}
"""Of ``scinfill.read_counts``, which reads the table that a Python caller has already."""
AT_THE_SHELL = {"source", "sources", "target", "threads", "max_memory", "verbosity", "debug", "log_json"} | READING
"""Files and the process: a Python caller has tables, and settings of its own."""
OF_ONE_VERB = {"impute-deepmc": {"folder", "minutes"}, "impute-auto": {"folder", "minutes"}}
"""Of ``scinfill.checkpointed``, which surrounds the call."""
SHELL_ONLY_OF = {
    "evaluate": {"thresholds", "gene_table"},
    "impute-deepmc": {"save_model"},
    "impute-auto": {"save_model"},
}
"""Files that are written beside the result; in Python ``train_model`` returns the model."""
WHOLE_COMMAND = re.compile(rf"\b({'|'.join(COMMANDS)})\b[^`()]*$")
"""What may stand before an option in a text for everyone: the verb that has it."""
SAID_TO_NOBODY = ("info", "debug")
"""Levels of messages that a Python caller has to ask for."""


def verb(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def options(name: str) -> list[click.Option]:
    """Return the options of a verb, but for ``--quiet`` and ``--verbose``, which are no parameter."""
    return [param for param in verb(name).params if isinstance(param, click.Option) and param.name != "verbosity"]


@cache
def texts() -> list[tuple[str, str]]:
    """Return every text outside ``commands`` that is no docstring, with its place; what is filled in later is 0."""
    return [
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name != "commands" and path.name != "style.py"
        for line, text in texts_of(path)
    ]


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    def walk(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SAID_TO_NOBODY:
            return
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "0" for part in node.values]
            yield node.lineno, "".join(parts)
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_no_message_of_the_package_names_an_option_without_its_verb():
    bare = [
        (place, text)
        for place, text in texts()
        for option in re.finditer(r"(?<![\w-])--[a-z]", text)
        if not WHOLE_COMMAND.search(text[: option.start()])
    ]
    assert bare == []


@pytest.mark.slow
def test_every_parameter_that_a_message_names_is_an_option():
    known = {param.name for name in COMMANDS for param in verb(name).params}
    named = [(place, found) for place, text in texts() for found in PARAMETER.finditer(text)]
    assert len(named) > 40
    for place, found in named:
        assert found["name"] in known | {"0"}, (place, found[0])
        if found["function"]:
            of_verb = {option.name for option in options(found["function"].replace("_", "-"))}
            assert found["name"] in of_verb, (place, found[0])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.replace("-", "_") in scinfill.__all__])
def test_options_have_the_names_of_the_parameters(name):
    function = getattr(scinfill, name.replace("-", "_"))
    own = {param.name for param in verb(name).params} - AT_THE_SHELL - OF_ONE_VERB.get(name, set())
    assert own - SHELL_ONLY_OF.get(name, set()) <= inspect.signature(function).parameters.keys()


def test_reading_options_have_the_names_of_the_parameters():
    assert inspect.signature(scinfill.read_counts).parameters.keys() >= READING


def test_checkpoint_options_have_the_names_of_the_parameters():
    assert {"folder", "minutes"} == inspect.signature(scinfill.checkpointed).parameters.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_for_its_parameter(name):
    reword = in_options_of(verb(name))
    for option in options(name):
        long = next(text for text in option.opts if text.startswith("--"))
        assert reword(f"`{option.name}` must be 1 or more") == f"{long} must be 1 or more"
        other = "demo" if name != "demo" else "mask"
        elsewhere = in_options_of(verb(other))(f"use `{name.replace('-', '_')}({option.name}=3)`")
        assert elsewhere == f"use `scinfill {name} {long}{'' if option.is_flag else ' 3'}`"


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("use `estimate='shrunk'` instead", "use --estimate shrunk instead"),
        ("`counts_kind='tpm'` is not known", "--counts tpm is not known"),
        ("`rank=[5, 3]` must not grow", "--rank 5,3 must not grow"),
        ("`rank=5` does not fit", "--rank 5 does not fit"),
        ("leave out `gate=False`", "leave out --no-gate"),
        ("give `uncertainty=True`", "give --uncertainty"),
        ("needs null genes: `mask(null_genes=N)`", "needs null genes: `scinfill mask --null-genes N`"),
        ("no parameter: `ranks`, `mask(nothing=1)`, `other(rank=3)`",) * 2,
        ("a command: `scinfill preprocess`, `rank`s", "a command: `scinfill preprocess`, --ranks"),
        ("there is no layer 'rank', and keep, seed and loss are words",) * 2,
    ],
)
def test_values_stand_as_they_are_typed(message, typed):
    assert in_options_of(verb("impute-deepmc"))(message) == typed


def test_both_callers_read_their_own_name():
    counts = make_counts()
    with pytest.raises(InputError, match=r"^`zero_weight` belongs to the squared loss; add `loss='squared'`"):
        scinfill.impute_deepmc(scinfill.preprocess(counts, n_genes=None), zero_weight=0.1)
    log = invoke("preprocess", "-q", "--n-genes", "all", stdin=to_bytes(counts)).stdout_bytes
    assert from_bytes(log).n_obs == counts.n_obs
    result = invoke("impute-deepmc", "-q", "--zero-weight", "0.1", stdin=log)
    assert_refused(result, 2, "--zero-weight belongs to the squared loss; add --loss squared or --estimate detected")
    assert "`" not in result.stderr
