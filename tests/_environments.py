"""Environments of Python made of the packages that are here: no network, and nothing is installed twice."""

import sys
import venv
from pathlib import Path

TENSORFLOW = ("keras", "tensorboard", "tensorflow")
"""How the names of TensorFlow's packages begin."""


def layered_environment(folder: Path, *, left_out: tuple[str, ...] = (), sources: Path | None = None) -> Path:
    """Make an environment that sees every package of this one, but for scinfill and those left out.

    Parameters
    ----------
    folder
        Where the environment is made.
    left_out
        How the names of the packages begin that it must not see.
    sources
        Folder whose packages it sees beside them.

    Returns
    -------
    Its folder of programs.
    """
    venv.create(folder, with_pip=False)
    packages = folder / "packages"
    packages.mkdir()
    for place in map(Path, sys.path):
        if place.name not in ("site-packages", "dist-packages"):
            continue
        for package in place.iterdir():
            link = packages / package.name
            if not (package.name.startswith(("scinfill", *left_out)) or package.suffix == ".pth" or link.exists()):
                link.symlink_to(package)
    seen = [str(packages), *([str(sources)] if sources else [])]
    own = next(folder.glob("lib/python3*/site-packages"))
    (own / "layered.pth").write_text("\n".join(seen) + "\n")
    return folder / "bin"
