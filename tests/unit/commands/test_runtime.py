import io
import json
import logging
import os
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from scinfill.commands import _runtime
from scinfill.commands._runtime import running
from scinfill.progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(**options):
    usual = {"threads": None, "max_memory": None, "verbosity": None, "debug": False, "log_json": False}
    return running("verb", **usual | options)


def talk():
    log = logging.getLogger("scinfill.somewhere")
    log.debug("small")
    log.info("usual")
    log.warning("odd")


@pytest.mark.parametrize(
    ("verbosity", "lines"),
    [
        ("quiet", ["scinfill verb: warning: odd"]),
        (None, ["scinfill verb: usual", "scinfill verb: warning: odd"]),
        ("verbose", ["scinfill verb: small", "scinfill verb: usual", "scinfill verb: warning: odd"]),
    ],
)
def test_messages_go_to_stderr_by_level(capsys, verbosity, lines):
    with run(verbosity=verbosity):
        talk()
    said = capsys.readouterr()
    assert said.err.splitlines() == lines
    assert said.out == ""


def test_messages_as_json_lines(capsys):
    with run(log_json=True):
        talk()
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert records[0] == {"level": "info", "command": "verb", "message": "usual"}


def test_everything_is_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    log = logging.getLogger("scinfill")
    before = dict(os.environ), list(log.handlers), log.level, log.propagate, warnings.filters[:]
    with pytest.raises(RuntimeError), run(threads=1, verbosity="verbose"):
        raise RuntimeError
    assert (dict(os.environ), list(log.handlers), log.level, log.propagate, warnings.filters[:]) == before


def test_threads_are_limited_for_what_is_loaded_and_what_comes():
    np.linalg.inv(np.eye(3))
    with run(threads=1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"


def test_tensorflow_is_quiet_but_not_while_debugging(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with run():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    with run(debug=True):
        assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


def test_a_users_own_setting_wins(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with run():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_advice_to_programmers_is_hidden(capsys):
    with run():
        warnings.warn("use another function", FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == ""


def test_long_work_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(_runtime, "SECONDS_BETWEEN_LINES", 0)
    with run():
        list(track(range(2), "fitting"))
    assert capsys.readouterr().err.splitlines() == [f"scinfill verb: fitting: {done} of 2" for done in range(3)]


def test_short_work_stays_silent(capsys):
    with run():
        list(track(range(2), "fitting"))
    assert capsys.readouterr().err == ""


def test_progress_as_json(capsys, monkeypatch):
    monkeypatch.setattr(_runtime, "SECONDS_BETWEEN_LINES", 0)
    with run(log_json=True):
        list(track(range(1), "fitting"))
    record = json.loads(capsys.readouterr().err.splitlines()[0])
    assert (record["work"], record["done"], record["total"]) == ("fitting", 0, 1)


def test_a_terminal_gets_a_bar_and_messages_above_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with run():
        for _ in track(range(2), "fitting"):
            logging.getLogger("scinfill").warning("odd [bold]")
    assert "fitting" in terminal.getvalue()
    assert "scinfill verb: warning: odd [bold]" in terminal.getvalue()


def test_quiet_means_no_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with run(verbosity="quiet"):
        list(track(range(2), "fitting"))
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("log_json", [False, True])
def test_messages_are_reworded(capsys, log_json):
    with run(log_json=log_json, reword=lambda text: text.replace("`fraction`", "--fraction")):
        logging.getLogger("scinfill.somewhere").warning("%s is large", "`fraction`")
    said = capsys.readouterr().err
    assert "--fraction is large" in said
    assert "`" not in said
