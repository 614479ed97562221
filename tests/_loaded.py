"""Real processes that have loaded their libraries: forked from one that did, for tests of what comes after that.

What a process makes of its environment, its streams and its start is asked of those in ``_support.py``.
"""

import os
import signal
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from unittest.mock import patch

from _support import ROOT, with_short_training
from scinfill.commands import main

CONTEXT = get_context("forkserver")


def start_loaded(*words: object, said: Path | str = os.devnull) -> ForkServerProcess:
    """Start the command line without standard input; a file receives what it says."""
    return _start(_call, words, said)


def end_loaded(n_writes: int, number: int, *words: object, said: Path) -> int:
    """Run the command line until a signal ends it before its n-th file is in place; return the exit code.

    Training is short. However fast the machine is, the file is written, and not where it belongs.
    """
    return ended(_start(_call_until, words, said, n_writes, number))


def ended(process: ForkServerProcess) -> int:
    """Wait for the end of a process; return its exit code, or that of the signal with a minus before it."""
    process.join()
    code = process.exitcode
    process.close()
    return code


def _start(target, words, said, *more) -> ForkServerProcess:
    CONTEXT.set_forkserver_preload([__name__])
    with patch.dict(os.environ, {"PYTHONPATH": str(ROOT / "tests")}):
        forkserver.ensure_running()
    process = CONTEXT.Process(target=target, args=([str(word) for word in words], str(said), *more))
    process.start()
    return process


def _call(words: list[str], said: str) -> None:
    for stream, name in ((1, os.devnull), (2, said)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(words)


def _call_until(words: list[str], said: str, n_writes: int, number: int) -> None:
    usual, left = Path.replace, n_writes

    def replace(self, target):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), number)
        return usual(self, target)

    with patch.object(Path, "replace", replace), with_short_training():
        _call(words, said)
