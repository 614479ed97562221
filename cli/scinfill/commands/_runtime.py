"""Set up threads, messages and progress around a verb. stdout is never touched: it carries data."""

import json
import logging
import os
import stat
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from scinfill.commands._names import Reword
from scinfill.memory import at_most
from scinfill.progress import listening

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LEVELS = {"quiet": logging.WARNING, "normal": logging.INFO, "verbose": logging.DEBUG}
SECONDS_BETWEEN_LINES = 10
QUIET_TENSORFLOW = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "GLOG_minloglevel": "2"}
"""Read when TensorFlow is loaded; its notices on instruction sets and absent GPUs help no user."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

log = logging.getLogger("scinfill")


@contextmanager
def running(
    verb: str,
    *,
    threads: int | None,
    max_memory: int | None,
    verbosity: str | None,
    debug: bool,
    log_json: bool,
    reword: Reword = str,
) -> Iterator[None]:
    """Run a verb with its runtime options, its messages reworded; everything is put back as it was afterwards."""
    level = LEVELS[verbosity or "normal"]
    with ExitStack() as stack:
        if not debug:
            unset = {name: value for name, value in QUIET_TENSORFLOW.items() if name not in os.environ}
            stack.enter_context(_environment(unset))
            stack.enter_context(_errors_only("matplotlib"))
        stack.enter_context(_limited_threads(threads))
        stack.enter_context(at_most(max_memory))
        stack.enter_context(warnings.catch_warnings())
        if not debug:
            warnings.simplefilter("ignore")  # a library's advice to programmers
        bar = None
        if level <= logging.INFO and not log_json and sys.stderr.isatty() and not _feeds_another():
            bar = stack.enter_context(_bar())
        stack.enter_context(_messages(verb, level, log_json=log_json, bar=bar, reword=reword))
        stack.enter_context(listening(_Lines() if bar is None else _Bars(bar)))
        yield


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _errors_only(library: str) -> Iterator[None]:
    """Keep a library's notices back for a while, such as where it keeps its fonts when there is no home."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _limited_threads(threads: int | None) -> Iterator[None]:
    """Limit the linear algebra that is loaded, and what loads later by variables."""
    if threads is None:
        yield
        return
    import numpy as np  # noqa: F401 - its threads can be limited only once they are there
    from threadpoolctl import threadpool_limits

    with _environment(dict.fromkeys(THREAD_VARIABLES, str(threads))), threadpool_limits(limits=threads):
        yield


class _Json(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, verb: str, reword: Reword) -> None:
        super().__init__()
        self.verb = verb
        self.reword = reword

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields = {"level": record.levelname.lower(), "command": self.verb, "message": self.reword(record.getMessage())}
        return json.dumps(fields | getattr(record, "fields", {}))


class _Plain(logging.Formatter):
    """``scinfill verb: message``: in a pipe of several verbs one sees who speaks."""

    def __init__(self, verb: str, reword: Reword) -> None:
        super().__init__()
        self.verb = verb
        self.reword = reword

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return f"scinfill {self.verb}: {level}{self.reword(record.getMessage())}"


class _AboveBar(logging.Handler):
    """Print messages above a progress bar."""

    def __init__(self, bar: "Progress") -> None:
        super().__init__()
        self.bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        self.bar.console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _messages(verb: str, level: int, *, log_json: bool, bar: "Progress | None", reword: Reword) -> Iterator[None]:
    handler: logging.Handler = logging.StreamHandler(sys.stderr) if bar is None else _AboveBar(bar)
    handler.setFormatter(_Json(verb, reword) if log_json else _Plain(verb, reword))
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before


def _feeds_another() -> bool:
    """Whether stdout is a pipe: of several verbs on one terminal only the last may draw."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):  # closed, or a stream without a file
        return False


@contextmanager
def _bar() -> Iterator["Progress"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar


class _Bars:
    """Shows each piece of work as a bar; it goes when the work is done."""

    def __init__(self, bar: "Progress") -> None:
        self.bar = bar
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """Move a bar."""
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=total)
        self.bar.update(self.tasks[name], completed=done)
        if done == total:
            self.bar.remove_task(self.tasks.pop(name))


class _Lines:
    """Says how far long work is, every few seconds; short work stays silent."""

    def __init__(self) -> None:
        self.spoke = time.monotonic()

    def __call__(self, name: str, done: int, total: int) -> None:
        """Say a line if it is time."""
        if time.monotonic() - self.spoke >= SECONDS_BETWEEN_LINES:
            self.spoke = time.monotonic()
            log.info("%s: %d of %d", name, done, total, extra={"fields": {"work": name, "done": done, "total": total}})
