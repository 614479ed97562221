"""Podman, Buildah and the CPU image, with storage and settings of their own: the machine's stay as they are."""

import hashlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from _pipeline.machine import CACHE, REPOSITORY, is_root_on_debian, lacking, need_programs, run

IMAGE = "localhost/scinfill-cpu:test"
DOCKERFILE = REPOSITORY / "containers" / "cpu" / "Dockerfile"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "cli", "containers/cpu", "containers/locks")
DEBIAN = "bookworm"
CONTAINERS_CONF = """\
[containers]
# Raising limits, crun's cgroups and a network of one's own are refused where root lacks a capability.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/running"
"""


def environment() -> Mapping[str, str]:
    """Have Podman and Buildah, and return what their commands need to find the tests' own storage."""
    if not is_root_on_debian():
        lacking("Podman with a base image of one's own: only root on Debian can make it here")
    programs = ("podman", "buildah", "runc", "debootstrap")
    need_programs(*programs, packages=(*programs, "fuse-overlayfs"))
    folder = CACHE / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(CONTAINERS_CONF)
    (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder))
    return {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }


def podman(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Podman on the tests' own storage."""
    return run("podman", *arguments, check=check, env=os.environ | environment())


def cpu_image() -> str:
    """Return the name of the image of ``containers/cpu``, built if it is not there as it now would be."""
    content = _content()
    found = podman("image", "inspect", "--format", '{{index .Labels "test.content"}}', IMAGE, check=False)
    if found.stdout.strip() != content:
        _need_base_image()
        podman("image", "prune", "--force", "--filter", "until=24h")  # steps kept from builds of another day
        # Steps are kept: where the machine has an earlier image, the packages are there, and ours alone is built.
        options = ("--isolation", "chroot", "--network", "host", "--layers")
        # A machine's own certificate authorities count inside as well.
        certificates = ("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro")
        labels = ("--label", f"test.content={content}", "--build-arg", "VERSION=test", "--build-arg", "AWS=yes")
        command = (
            "buildah",
            "build",
            *options,
            *certificates,
            *labels,
            "--tag",
            IMAGE,
            "--file",
            DOCKERFILE,
            REPOSITORY,
        )
        run(*command, env=os.environ | environment())
    return IMAGE


def _content() -> str:
    """Return a hash of everything that the image is made of."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES, cwd=REPOSITORY).stdout
    digest = hashlib.sha256()
    for name in sorted(listed.splitlines()):
        path = REPOSITORY / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b"") + b"\0")
    return digest.hexdigest()


def _need_base_image() -> None:
    """Make a stand-in for the base image from Debian's own packages: no registry has to be reached."""
    name = re.search(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[1]
    if podman("image", "exists", name, check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch) / "root"
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", DEBIAN, root, *_mirror())
        run(
            "tar",
            "--create",
            "--file",
            Path(scratch) / "base.tar",
            "--directory",
            root,
            "--exclude=./dev/*",
            "--exclude=./var/cache/apt/*",
            ".",
        )
        podman("import", "--quiet", Path(scratch) / "base.tar", name)


def _mirror() -> list[str]:
    """Return the mirror that this machine takes Debian 12 from, or none for the usual one."""
    listed = run("apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages").stdout
    return [line.split()[1] for line in listed.splitlines() if line.startswith(f"{DEBIAN} ")][:1]


@contextmanager
def docker_service(folder: Path) -> Iterator[Mapping[str, str]]:
    """Let Podman answer Docker's client, and yield the environment that makes the client ask it."""
    need_programs("docker", packages=("docker.io",))
    address = f"unix://{folder / 'docker.socket'}"
    with subprocess.Popen(
        ["podman", "system", "service", "--time=0", address],
        env=os.environ | environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as service:
        client = {"DOCKER_HOST": address}
        try:
            for _ in range(100):
                if run("docker", "version", check=False, env=os.environ | client).returncode == 0:
                    break
                time.sleep(0.1)
            yield client
        finally:
            service.terminate()


def save(image: str, target: Path) -> None:
    """Write an image as an OCI folder, uncompressed: it is read once, here."""
    podman("save", "--quiet", "--format", "oci-dir", "--uncompressed", "--output", target, image)
