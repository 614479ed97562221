"""What the pipeline's code must be, whatever it does."""

import json
import re
import shutil

import jsonschema
import pytest
import yaml

import scinfill
from _pipeline.machine import REPOSITORY

LINTED = ("main.nf", "nextflow.config", "nextflow", "tests/pipeline/problems.nf")
FILES = [path for ending in ("*.nf", "*.config") for path in (REPOSITORY / "nextflow").rglob(ending)]
LOCAL = REPOSITORY / "nextflow" / "modules" / "local"
MODULES = sorted(LOCAL.rglob("main.nf"))
PROCESS = re.compile(r"process (\w+) \{(.*)\n\}", re.DOTALL)
SCHEMA = json.loads((REPOSITORY / "nextflow_schema.json").read_text())
COLUMNS = json.loads((REPOSITORY / "nextflow" / "assets" / "schema_input.json").read_text())


def name_of(path):
    return str(path.relative_to(REPOSITORY / "nextflow"))


def test_strict_syntax(nextflow, tmp_path):
    """In a copy without ``when:``: nf-core asks for it, the linter warns of it, and this version fails at warnings."""
    for name in LINTED:
        copied = tmp_path / "copy" / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy)(REPOSITORY / name, copied)
    for path in tmp_path.rglob("main.nf"):
        path.write_text(re.sub(r"    when:\n.*\n\n", "", path.read_text()))
    outcome = nextflow("lint", *(tmp_path / "copy" / name for name in LINTED), cwd=tmp_path)
    assert outcome.exit_code == 0, outcome.output
    assert f"{len(FILES) + 3} files had no errors" in outcome.output


def test_the_linter_sees_what_is_wrong(nextflow, tmp_path):
    (tmp_path / "wrong.nf").write_text("workflow {\n    def unused = 1\n    println nothing\n}\n")
    outcome = nextflow("lint", "wrong.nf", cwd=tmp_path)
    assert outcome.exit_code != 0
    assert "`nothing` is not defined" in outcome.output


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_one_command_with_stub_and_version(path):
    name, body = PROCESS.search(path.read_text()).groups()
    assert name == str(path.parent.relative_to(LOCAL)).replace("/", "_").upper()
    assert set(re.findall(r"meta\.(\w+)", body)) <= {"id"}
    assert "    when:\n    task.ext.when == null || task.ext.when\n" in body
    for setting in ("args", "prefix"):
        assert f"task.ext.{setting} ?: " in body
    assert "topic: versions" in body
    assert "    stub:\n" in body
    assert "params." not in body
    script = body.split("    script:\n")[1].split("    stub:\n")[0]
    commands = re.findall(r'"""\n\s+(\S+)', script)
    assert len(commands) == 1
    assert commands[0].startswith(("scinfill", "multiqc"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_describes_every_channel(path):
    body = PROCESS.search(path.read_text())[2]
    described = yaml.safe_load((path.parent / "meta.yml").read_text())
    assert described["name"] == str(path.parent.relative_to(LOCAL)).replace("/", "_")
    assert set(described["output"]) == set(re.findall(r"emit: (\w+)", body))
    assert described["topics"]["versions"] == described["output"][re.search(r"versions, emit: (\w+)", body)[1]]
    section = body.split("    input:\n")[1].split("    output:\n")[0]
    for line, channel in zip(section.strip().splitlines(), described["input"], strict=True):
        names = [name for part in channel for name in part] if "tuple" in line else list(channel)
        assert names == re.findall(r"(?:val|path)[ (](\w+)", line)
    for description in (described, *(field for tool in described["tools"] for field in tool.values())):
        assert description["description"]
    assert len(described["keywords"]) >= 3
    assert all(word == word.lower() for word in described["keywords"])


def test_one_version_everywhere():
    configuration = (REPOSITORY / "nextflow.config").read_text()
    assert re.search(r"version +=  *'(.*)'", configuration)[1] == scinfill.__version__
    for image in ("cpu", "gpu"):
        assert f"'scinfill-{image}:{scinfill.__version__}'" in configuration


def test_every_parameter_has_a_rule_and_its_default(defaults):
    given = dict(defaults)
    rules = {name: rule for group in SCHEMA["$defs"].values() for name, rule in group["properties"].items()}
    assert given.keys() == rules.keys()
    del given["trace_suffix"]  # the time of the start
    # nf-core's schemas name no default that is empty or false.
    assert {name: value for name, value in given.items() if value not in (None, "") and value is not False} == {
        name: rules[name]["default"] for name in given if "default" in rules[name]
    }


def test_the_schemas_are_schemas():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(COLUMNS)
    jsonschema.validate({"methods": "deepmc", "seed": 3, "input": "samples.csv"}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError, match="-1 is less than the minimum"):
        jsonschema.validate({"seed": -1}, SCHEMA)
    jsonschema.validate([{"sample": "a", "counts": "a.h5ad"}], COLUMNS)
    with pytest.raises(jsonschema.ValidationError, match="'counts' is a required property"):
        jsonschema.validate([{"sample": "a"}], COLUMNS)


def test_every_group_of_parameters_counts():
    assert [entry["$ref"] for entry in SCHEMA["allOf"]] == [f"#/$defs/{name}" for name in SCHEMA["$defs"]]


def test_the_checks_know_every_keyword_of_the_schemas():
    """The checks are ours, not a library's: a keyword they do not know would look like a rule and be none."""
    known = {"type", "format", "mimetype", "pattern", "errorMessage", "description", "default", "enum", "minimum"}
    known |= {"exclusiveMaximum", "hidden", "meta", "exists", "schema"}
    columns = COLUMNS["items"]["properties"]
    rules = [rule for group in SCHEMA["$defs"].values() for rule in group["properties"].values()]
    for rule in [*rules, *columns.values()]:
        assert rule.keys() <= known
        assert "pattern" not in rule or "errorMessage" in rule
