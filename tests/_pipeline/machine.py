"""What this machine has, may have installed, or lacks. A lack skips a test; in continuous integration it fails."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SCINFILL_TEST_CACHE") or Path.home() / ".cache" / "scinfill-tests")
"""Downloads and built images, outside the repository."""

IN_CI = os.environ.get("CI") == "true"
MAY_INSTALL = IN_CI or os.environ.get("SCINFILL_TEST_INSTALL") == "1"


def lacking(reason: str) -> NoReturn:
    """Skip the test and say why; fail it in continuous integration, where nothing may be lacking."""
    if IN_CI:
        pytest.fail(f"continuous integration must have this: {reason}")
    pytest.skip(reason)


def run(*command: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output as text; the error of a failed one holds what it said."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if check and result.returncode != 0:
        raise RuntimeError(
            f"{command[0]} ended with {result.returncode}: {result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
    return result


def is_root_on_debian() -> bool:
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


@cache
def refresh_package_lists() -> None:
    run("apt-get", "-qq", "update")


def need_programs(*programs: str, packages: Sequence[str]) -> None:
    """Have programs on PATH, from Debian packages where that is allowed."""
    absent = [program for program in programs if shutil.which(program) is None]
    if not absent:
        return
    if not is_root_on_debian():
        lacking(f"{', '.join(absent)}: not installed, and only root on Debian can install it here")
    if not MAY_INSTALL:
        lacking(f"{', '.join(absent)}: not installed; SCINFILL_TEST_INSTALL=1 lets the tests install Debian packages")
    refresh_package_lists()
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages, env=environment)
