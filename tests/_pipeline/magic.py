"""MAGIC in an environment of its own over the tests' one, which stays without it."""

import sysconfig
import tomllib
from pathlib import Path

from _pipeline import environments
from _pipeline.machine import REPOSITORY

SCINFILL = """\
from scinfill.commands import main

main(prog_name="scinfill")
"""


def programs() -> Path:
    """Return a folder for PATH with a scinfill that finds MAGIC."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    # In one resolver run with what scinfill needs: by itself, MAGIC asks for a pandas that is too old.
    packages = [*project["optional-dependencies"]["magic"], *project["dependencies"]]
    below = sysconfig.get_path("purelib")
    return environments.programs("magic", packages, below=below, scripts={"scinfill": SCINFILL})
