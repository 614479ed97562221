"""Programs from PyPI in environments of their own, so that what they need does not bind the tests' packages."""

import hashlib
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from _pipeline.machine import CACHE, lacking, run


def programs(
    name: str, packages: Sequence[str], *, below: str | None = None, scripts: dict[str, str] | None = None
) -> Path:
    """Return a folder for PATH with the programs of packages, installed on first use.

    With ``below`` the environment also has the packages of that folder. ``scripts`` are more programs by name, in
    Python, without a first line.
    """
    digest = hashlib.sha256(repr((packages, below, sys.version)).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unfinished = Path(scratch) / "environment"
            _install(name, unfinished, packages, below)
            for script in (unfinished / "bin").iterdir():
                if script.is_file() and script.read_bytes().startswith(f"#!{unfinished}".encode()):
                    script.write_text(script.read_text().replace(str(unfinished), str(folder), 1))
            for program, text in (scripts or {}).items():
                path = unfinished / "bin" / program
                path.write_text(f"#!{folder / 'bin' / 'python'}\n{text}")
                path.chmod(0o755)
            unfinished.rename(folder)
    return folder / "bin"


def _install(name: str, folder: Path, packages: Sequence[str], below: str | None) -> None:
    venv.create(folder, symlinks=True)
    if below is not None:
        own = sysconfig.get_path("purelib", vars={"base": str(folder)})
        (Path(own) / "below.pth").write_text(f"import site; site.addsitedir({below!r})\n")
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet")
    try:
        run(*pip, *packages)
    except RuntimeError as error:
        lacking(f"{name}: {error}")
