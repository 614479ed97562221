"""MAGIC in an environment of its own over the tests' one, which stays without it."""

import hashlib
import sys
import sysconfig
import tempfile
import tomllib
import venv
from pathlib import Path

from _pipeline.machine import CACHE, REPOSITORY, lacking, run

SCINFILL = """\
#!{python}
from scinfill.commands import main

main(prog_name="scinfill")
"""


def programs() -> Path:
    """Return a folder for PATH with a scinfill that finds MAGIC, installed from PyPI on first use."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    # In one resolver run with what scinfill needs: by itself, MAGIC asks for a pandas that is too old.
    packages = [*project["optional-dependencies"]["magic"], *project["dependencies"]]
    below = sysconfig.get_path("purelib")
    digest = hashlib.sha256(repr((packages, below, sys.version)).encode()).hexdigest()[:12]
    folder = CACHE / f"magic-{digest}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unfinished = Path(scratch) / "environment"
            _install(unfinished, packages, below)
            script = unfinished / "bin" / "scinfill"
            script.write_text(SCINFILL.format(python=folder / "bin" / "python"))
            script.chmod(0o755)
            unfinished.rename(folder)
    return folder / "bin"


def _install(folder: Path, packages: list[str], below: str) -> None:
    """Make an environment that has all of another one's packages, and install more."""
    venv.create(folder, symlinks=True)
    own = sysconfig.get_path("purelib", vars={"base": str(folder)})
    (Path(own) / "below.pth").write_text(f"import site; site.addsitedir({below!r})\n")
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet")
    try:
        run(*pip, *packages)
    except RuntimeError as error:
        lacking(f"MAGIC: {error}")
