"""The workflows, hooks and templates of the repository: well formed, and doing what a developer does."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from _pipeline.machine import CACHE, MAY_INSTALL, lacking
from _support import ROOT

ACTIONLINT = "1.7.12"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def shell_lines(workflow):
    """Return every line that a workflow gives to a shell."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text())["jobs"]
    return [line.strip() for job in jobs.values() for step in job["steps"] for line in step.get("run", "").splitlines()]


@pytest.fixture(scope="module")
def actionlint():
    """The linter, from PATH, or built by Go where the tests may install something."""
    found = shutil.which("actionlint")
    if found:
        return found
    program = CACHE / f"actionlint-{ACTIONLINT}" / "actionlint"
    if not program.exists():
        go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
        if not (go and MAY_INSTALL):
            lacking("actionlint: not on PATH; SCINFILL_TEST_INSTALL=1 lets the tests build it, where there is Go")
        package = f"github.com/rhysd/actionlint/cmd/actionlint@v{ACTIONLINT}"
        settings = os.environ | {"GOBIN": str(program.parent), "GOFLAGS": "-modcacherw"}
        subprocess.run([go, "install", package], check=True, capture_output=True, env=settings)
    return program


def test_actionlint_finds_nothing(actionlint):
    done = subprocess.run([actionlint, "-no-color", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_are_those_of_a_developer():
    assert ".ci/run" in shell_lines("tests")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_target_of_make_is_there(workflow):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    called = {line.split()[1] for line in shell_lines(workflow.stem) if line.startswith("make ")}
    assert called <= set(targets)


def test_a_release_builds_every_image():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    built = jobs["images"]["strategy"]["matrix"]["include"]
    folders = {path.parent.name for path in (ROOT / "containers").glob("*/Dockerfile")}
    assert {each["folder"] for each in built} == folders
    for each in built:
        assert (ROOT / each.get("lock", "containers")).exists()
    assert any(each["runner"].endswith("-arm") for each in built)
    assert set(jobs["publish"]["needs"]) == {"packages", "images"}


def test_the_hooks_are_the_checks_before_the_tests():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    checks = re.findall(
        r'^check "(\w+)" "\$bin/([\w-]+)"', (ROOT / "tests" / "run_checks.sh").read_text(), re.MULTILINE
    )
    named = [(hook["id"], hook["entry"].split()[0].removeprefix(".venv/bin/")) for hook in hooks]
    assert [*named, ("tests", "pytest")] == checks


def test_pre_commit_takes_the_hooks():
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    from pre_commit.clientlib import load_config

    (repository,) = load_config(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"  # nothing is downloaded before a commit
    assert {hook["language"] for hook in repository["hooks"]} <= {"system", "unsupported"}


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_forms_of_issues_are_complete(form):
    content = yaml.safe_load(form.read_text())
    assert content["name"]
    assert content["description"]
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    for field in fields:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_forms_name_verbs_that_are_there():
    from scinfill.commands import COMMANDS

    text = "".join(form.read_text() for form in FORMS)
    assert set(re.findall(r"`scinfill ([a-z-]+) ", text)) <= set(COMMANDS)
