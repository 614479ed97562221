"""What the pipeline's code must be, whatever it does."""

import json
import re

import jsonschema
import pytest
import yaml

import scinfill
from _pipeline.machine import REPOSITORY

LINTED = ("main.nf", "nextflow.config", "nextflow", "tests/pipeline/problems.nf")
FILES = [path for ending in ("*.nf", "*.config") for path in (REPOSITORY / "nextflow").rglob(ending)]
MODULES = sorted((REPOSITORY / "nextflow" / "modules").rglob("main.nf"))
PROCESS = re.compile(r"process (\w+) \{(.*)\n\}", re.DOTALL)
SCHEMA = json.loads((REPOSITORY / "nextflow" / "nextflow_schema.json").read_text())
COLUMNS = json.loads((REPOSITORY / "nextflow" / "assets" / "schema_input.json").read_text())


def name_of(path):
    return str(path.relative_to(REPOSITORY / "nextflow"))


def test_strict_syntax(nextflow, tmp_path):
    outcome = nextflow("lint", *(REPOSITORY / name for name in LINTED), cwd=tmp_path)
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
    assert name.isupper()
    assert "topic: versions" in body
    assert "    stub:\n" in body
    assert "params." not in body
    script = body.split("    script:\n")[1].split("    stub:\n")[0]
    commands = re.findall(r'"""\n\s+(\S+)', script)
    assert len(commands) == 1
    assert commands[0].startswith("scinfill")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_describes_every_channel(path):
    body = PROCESS.search(path.read_text())[2]
    described = yaml.safe_load((path.parent / "meta.yml").read_text())
    assert described["name"] == path.parent.name
    assert set(described["output"]) == set(re.findall(r"emit: (\w+)", body)) | {"versions"}
    section = body.split("    input:\n")[1].split("    output:\n")[0]
    inputs = re.findall(r"(?:val|path)[ (](\w+)", section)
    assert list(described["input"]) == inputs


def test_one_version_everywhere():
    configuration = (REPOSITORY / "nextflow.config").read_text()
    assert re.search(r"version +=  *'(.*)'", configuration)[1] == scinfill.__version__
    for image in ("cpu", "gpu"):
        assert f"'scinfill-{image}:{scinfill.__version__}'" in configuration


def test_every_parameter_has_a_rule_and_its_default(nextflow, tmp_path):
    given = nextflow.configuration(cwd=tmp_path)["params"]
    rules = {name: rule for group in SCHEMA["$defs"].values() for name, rule in group["properties"].items()}
    assert given.keys() == rules.keys()
    del given["trace_suffix"]  # the time of the start
    assert {name: value for name, value in given.items() if value is not None} == {
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
    known |= {"exclusiveMaximum", "hidden", "meta", "exists"}
    columns = COLUMNS["items"]["properties"]
    rules = [rule for group in SCHEMA["$defs"].values() for rule in group["properties"].values()]
    for rule in [*rules, *columns.values()]:
        assert rule.keys() <= known
        assert "pattern" not in rule or "errorMessage" in rule
