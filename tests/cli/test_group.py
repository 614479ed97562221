import json

import click
import pytest

import scinfill
from _support import assert_refused, invoke
from scinfill import errors
from scinfill.commands import COMMANDS, main


def raising(error):
    """Return the group with one more verb, which fails."""

    @click.command()
    def command():
        raise error

    class Failing(type(main)):
        def get_command(self, ctx, cmd_name):
            return command if cmd_name == "fail" else super().get_command(ctx, cmd_name)

    return Failing(name="scinfill", params=main.params)


def verb_of(name):
    return main.get_command(click.Context(main), name)


def fail(monkeypatch, error, *options):
    monkeypatch.setattr("_support.main", raising(error))
    return invoke(*options, "fail")


def test_the_version():
    result = invoke("--version")
    assert (result.exit_code, result.output) == (0, f"scinfill, version {scinfill.__version__}\n")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_verbs_in_the_order_of_work(flag):
    result = invoke(flag)
    assert result.exit_code == 0
    lines = result.output[result.output.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == list(COMMANDS)


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_explains_itself(verb, flag):
    result = invoke(verb, flag)
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: scinfill {verb}") or f" {verb} " in result.output.splitlines()[0]


@pytest.mark.parametrize("verb", COMMANDS)
def test_output_is_where_the_result_goes(verb):
    """And nothing else, in any verb."""
    options = [param.opts for param in verb_of(verb).params if any("output" in name for name in param.opts)]
    assert options == [["-o", "--output"]]


def test_an_unknown_verb():
    assert_refused(invoke("improve"), 2, "No such command 'improve'", "scinfill --help")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ThresholdError("worse"), 1),
        (errors.InputError("no such file"), 2),
        (errors.DataError("not counts"), 3),
        (errors.ResourceError("disk full"), 4),
        (MemoryError("Unable to allocate 8 PiB"), 4),
        (OSError(5, "Input/output error", "file"), 4),
        (KeyboardInterrupt(), 130),
        (ValueError("a bug"), 1),
        (OSError("a library's own"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_failure_is_one_line_and_its_code(monkeypatch, error, code):
    assert_refused(
        fail(monkeypatch, error), code, "interrupted" if code == 130 else getattr(error, "strerror", None) or str(error)
    )


def test_a_message_of_many_lines_becomes_one(monkeypatch):
    assert_refused(fail(monkeypatch, ValueError("one\n  two\nthree")), 1, "one two three")


def test_a_broken_pipe_is_quiet(monkeypatch):
    result = fail(monkeypatch, BrokenPipeError())
    assert (result.exit_code, result.output) == (141, "")


def test_debug_shows_where(tmp_path):
    result = invoke("preprocess", tmp_path / "absent", "--debug", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("scinfill preprocess: error: ")


def test_json_lines_instead_of_text(tmp_path):
    result = invoke("preprocess", tmp_path / "absent", "--log-json", "-o", tmp_path / "out")
    record = json.loads(result.stderr)
    assert record["level"] == "error"
    assert record["command"] == "preprocess"
    assert record["exit"] == 2
    assert "absent" in record["message"]


def test_wrong_options_too_are_json(tmp_path):
    assert json.loads(invoke("mask", "--log-json", "--fraction", "2").stderr)["exit"] == 2
