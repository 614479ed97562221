"""Apptainer on Debian 12, which has none: unstable's package, with the C library it needs laid aside for it alone."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from _pipeline.machine import (
    MAY_INSTALL,
    is_root_on_debian,
    lacking,
    need_programs,
    refresh_package_lists,
    run,
)

LIBRARIES = Path("/opt/scinfill-test-apptainer")
SYSTEM_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
PACKAGES = ("apptainer", "libc6", "libseccomp2", "libsqlite3-0")


def need() -> None:
    """Have ``apptainer`` on PATH, or skip with the reason.

    Unstable changes by the day: where its package no longer fits, that is no fault of the pipeline, in
    continuous integration as little as elsewhere.
    """
    if shutil.which("apptainer"):
        return
    if not is_root_on_debian() or not MAY_INSTALL:
        lacking("apptainer: not installed, and only root on Debian with SCINFILL_TEST_INSTALL=1 can install it here")
    need_programs("patchelf", "mksquashfs", packages=("patchelf", "squashfs-tools", "squashfuse", "fuse2fs"))
    with tempfile.TemporaryDirectory() as scratch:
        _install(_unpacked(Path(scratch)))


def _unpacked(folder: Path) -> Path:
    """Download the packages with lists of packages of their own, and unpack them into a folder."""
    refresh_package_lists()
    site = run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").stdout.splitlines()[0]
    folder.chmod(0o755)
    for name in ("lists/partial", "cache/archives/partial", "packages", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "sid.list").write_text(f"deb {site} sid main\n")
    options = {
        "Dir::Etc::SourceList": folder / "sid.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ("apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items()))
    run(*apt, "update")
    run(*apt, "download", *(f"{package}/sid" for package in PACKAGES), cwd=folder / "packages")
    for package in (folder / "packages").glob("*.deb"):
        run("dpkg-deb", "--extract", package, folder / "root")
    return folder / "root"


def _install(root: Path) -> None:
    LIBRARIES.mkdir(exist_ok=True)
    for library in (root / SYSTEM_LIBRARIES.relative_to("/")).glob("*.so*"):
        shutil.copy2(library, LIBRARIES / library.name, follow_symlinks=True)
    shutil.copytree(root / "etc" / "apptainer", "/etc/apptainer", dirs_exist_ok=True)
    starters = SYSTEM_LIBRARIES / "apptainer"
    shutil.copytree(root / starters.relative_to("/"), starters, symlinks=True, dirs_exist_ok=True)
    Path("/var/lib/apptainer/mnt/session").mkdir(parents=True, exist_ok=True)
    # The programs find their settings from where they lie, so they must lie where the package puts them.
    program = Path("/usr/bin/apptainer")
    shutil.copy2(root / "usr" / "bin" / "apptainer", program)
    for binary in (program, starters / "bin" / "starter"):
        run("patchelf", "--set-interpreter", LIBRARIES / "ld-linux-x86-64.so.2", binary)
        # RPATH, not RUNPATH: libraries of libraries are to be found there too.
        run("patchelf", "--force-rpath", "--set-rpath", f"{LIBRARIES}:{SYSTEM_LIBRARIES}", binary)
    settings = Path("/etc/apptainer/apptainer.conf")
    # By default root keeps every capability inside, which is refused where it lacks one outside.
    settings.write_text(
        re.sub(r"(?m)^root default capabilities = .*$", "root default capabilities = file", settings.read_text())
    )


def build(layout: Path, target: Path) -> None:
    """Turn an OCI folder into Apptainer's own form of an image, a folder: packing it as a SIF file adds a minute."""
    scratch = {"APPTAINER_TMPDIR": str(target.parent)}
    run("apptainer", "build", "--disable-cache", "--sandbox", target, f"oci:{layout}", env=os.environ | scratch)
