"""``--help`` answers fast because nothing heavy is imported for it."""

import subprocess
import sys

import pytest

from scinfill.commands import COMMANDS

HEAVY = (
    "anndata",
    "h5py",
    "keras",
    "matplotlib",
    "numpy",
    "pandas",
    "rich",
    "scanpy",
    "scipy",
    "sklearn",
    "tensorflow",
)
LOADED = f"""
import sys
try:
    from scinfill.commands import main
    main(sys.argv[1:])
finally:
    print(*sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)
"""


def loaded(*args: str) -> str:
    """Return the heavy modules that a call has loaded when it ends."""
    done = subprocess.run([sys.executable, "-c", LOADED, *args], capture_output=True, text=True, check=True)
    return done.stderr.strip()


@pytest.mark.parametrize("args", [("--help",), ("--version",), *((verb, "--help") for verb in COMMANDS)], ids=" ".join)
def test_no_heavy_module_for_help(args):
    assert loaded(*args) == ""


def test_importing_the_package_is_light():
    code = f"import sys, scinfill; print(*set({HEAVY}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_the_public_functions_are_there():
    code = "import scinfill; print(all(callable(getattr(scinfill, n)) for n in scinfill.__all__ if n[0] != '_'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr
