"""Every failure of a verb becomes one line on stderr and an exit code."""

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from scinfill.commands._names import in_options_of
from scinfill.errors import InputError, ResourceError, ScinfillError

DEBUG = "scinfill.debug"
LOG_JSON = "scinfill.log_json"
"""Keys of ``ctx.meta``, which all contexts of a call share."""

INTERNAL_EXIT = 1
SIGNAL_EXIT = 128
"""Plus the signal's number: what a shell reports for a process that a signal ended."""


@contextmanager
def translate_errors(ctx: click.Context) -> Iterator[None]:
    """Run the block, and end the process with the exit code that fits what it raised.

    A broken pipe ends quietly: whoever reads decides when it has read enough.
    """
    try:
        with _ending_on_sigterm():
            yield
    except (click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        _forget_stdout()
        ctx.exit(SIGNAL_EXIT + signal.SIGPIPE)
    except SystemExit as end:
        if end.code != SIGNAL_EXIT + signal.SIGTERM:
            raise
        _fail(ctx, "terminated", SIGNAL_EXIT + signal.SIGTERM)
    except KeyboardInterrupt:
        _fail(ctx, "interrupted", SIGNAL_EXIT + signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is one line as well
        _fail(ctx, *_explain(ctx, error))


def _explain(ctx: click.Context, error: Exception) -> tuple[str, int]:
    """Return the message and the exit code of an error."""
    match error:
        case click.UsageError():
            hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            return error.format_message() + hint, InputError.exit_code
        case ScinfillError():
            return _in_options(ctx, str(error)), error.exit_code
        case MemoryError():
            return f"not enough memory: {error}", ResourceError.exit_code
        case OSError() if error.errno is not None:
            return f"{error.strerror}: {error.filename}" if error.filename else str(error), ResourceError.exit_code
        case _:
            return f"unforeseen {type(error).__name__}: {error}; --debug shows where", INTERNAL_EXIT


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that temporary files go, and win over whatever that makes fail."""
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> NoReturn:
        received.append(number)
        raise SystemExit(SIGNAL_EXIT + number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except Exception:
        if received:
            raise SystemExit(SIGNAL_EXIT + received[0]) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _in_options(ctx: click.Context, message: str) -> str:
    """Return the message with the options of the verb that failed."""
    group, name = ctx.command, ctx.invoked_subcommand
    verb = group.get_command(ctx, name) if isinstance(group, click.Group) and name else None
    return message if verb is None else in_options_of(verb)(message)


def _fail(ctx: click.Context, message: str, exit_code: int) -> NoReturn:
    if ctx.meta.get(DEBUG):
        traceback.print_exc()
    line = " ".join(message.split())
    if ctx.meta.get(LOG_JSON):
        line = json.dumps({"level": "error", "command": ctx.invoked_subcommand, "message": line, "exit": exit_code})
    else:
        line = f"scinfill {ctx.invoked_subcommand or ''}".rstrip() + f": error: {line}"
    click.echo(line, err=True)
    ctx.exit(exit_code)


def _forget_stdout() -> None:
    """Point stdout nowhere: Python would complain at exit when it flushes into the broken pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a stdout without a file, as tests have
        if error.errno not in (None, errno.EBADF):
            raise
