"""A headless Chromium, driven through its debugging pipe: what a page looks like, and what it complains about."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell")
ARGUMENTS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)
TAKE_PIPES = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 100) for pipe in sys.argv[1:3]]
os.dup2(pipes[0], 3), os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and answers on 4."""


@cache
def executable() -> str:
    """Return the browser, or skip the test where there is none and none can be had."""
    found = os.environ.get("SCINFILL_CHROMIUM") or _on_path() or _installed()
    if not found:
        pytest.skip("no Chromium on this machine; SCINFILL_CHROMIUM names one")
    return found


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@cache
def _installed() -> str | None:
    """Install Chromium where continuous integration may: as root on Debian or Ubuntu, with a network."""
    if not os.environ.get("CI") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    quick = ("-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=0", "-qq")
    for step in (("update",), ("install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core")):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", *quick, *step], env=environment, check=False, capture_output=True)
    return _on_path()


class Browser:
    """One tab. Every complaint of the page is kept in ``complaints``."""

    def __init__(self, writing, reading):
        self.writing, self.reading = writing, reading
        self.number = 0
        self.session = None
        self.buffer = b""
        self.events = []
        self.complaints = []

    def call(self, method, **params):
        """Call a method of the DevTools protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.writing.write(json.dumps(message).encode() + b"\0")
        self.writing.flush()
        while (answer := self._next()).get("id") != self.number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self):
        while b"\0" not in self.buffer:
            chunk = os.read(self.reading.fileno(), 2**20)
            if not chunk:
                raise RuntimeError("the browser has gone")
            self.buffer += chunk
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def _note(self, event):
        self.events.append(event["method"])
        params = event.get("params", {})
        if event["method"] == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif event["method"] == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif event["method"] == "Network.requestWillBeSent" and not params["request"]["url"].startswith(
            ("file:", "data:")
        ):
            self.complaints.append(f"request to {params['request']['url']}")

    def open(self, path: Path, *, width: int = 1200, height: int = 900, media: str = "", dark: bool = False):
        """Open a local page and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self.events:
            self._note(self._next())

    def evaluate(self, expression: str):
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def screenshot(self, path: Path):
        """Save the whole page as PNG."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def browsing():
    """Yield a browser."""
    command = executable()
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        os.fdopen(writing, "wb") as out,
        os.fdopen(reading, "rb", 0) as into,
    ):
        take_pipes = (sys.executable, "-c", TAKE_PIPES, str(to_browser), str(from_browser))
        process = subprocess.Popen(
            [*take_pipes, command, *ARGUMENTS, f"--user-data-dir={profile}"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            browser = Browser(out, into)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(f"{domain}.enable")
            yield browser
        finally:
            process.kill()
            process.wait()
