"""The packages that a release would publish: what is in them, and that they work where they are installed."""

import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec

import pytest

from _environments import layered_environment
from _support import ROOT
from scinfill import __version__

pytestmark = pytest.mark.slow


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder that `make dist` would write."""
    for tool in ("build", "hatchling", "twine"):
        if find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed; pip install '.[test]' brings it")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    return dist / f"scinfill-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment in which nothing is installed but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    programs = layered_environment(folder)
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        programs / "python",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    )
    run(*pip, wheel)
    return programs


def test_twine_takes_them(dist):
    assert len([*dist.iterdir()]) == 2
    run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "cli/scinfill", cwd=ROOT).split()
    untracked = run("git", "ls-files", "--others", "--exclude-standard", "cli/scinfill", cwd=ROOT).split()
    about = f"scinfill-{__version__}.dist-info"
    expected = {name.removeprefix("cli/") for name in (*tracked, *untracked)}
    assert {name for name in names if not name.startswith(about)} == expected
    assert {"scinfill/py.typed", "scinfill/reporting/page.css"} <= names
    assert not [name for name in names if "/tests/" in name or "/test_" in name]
    assert f"{about}/licenses/LICENSE" in names


def test_the_sdist_holds_what_the_wheel_is_built_from(dist, wheel):
    with tarfile.open(dist / f"scinfill-{__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("scinfill/")}
    beside = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "PKG-INFO", ".gitignore"}
    assert names == {f"cli/{name}" for name in package} | beside


def test_it_is_the_wheel_that_runs(installed, tmp_path):
    where = run(installed / "python", "-c", "import scinfill; print(scinfill.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed.parent))
    assert run(installed / "scinfill", "--version", cwd=tmp_path).strip() == f"scinfill, version {__version__}"


def test_the_installed_command_runs_the_whole_chain(installed, tmp_path):
    said = run(installed / "scinfill", "demo", "--cells", 60, "--genes", 60, "-o", "demo", "-q", cwd=tmp_path)
    assert "Which method?" in said
    assert (tmp_path / "demo" / "thinned.auto.h5ad").exists()
    assert "<html" in (tmp_path / "demo" / "report.html").read_text()
