"""What nf-core asks of a pipeline, and both of Nextflow's parsers."""

import json
import re
from collections import Counter

import pytest

from _pipeline import imitation, nfcore
from _pipeline.machine import REPOSITORY, need_programs, run
from _pipeline.nextflow import tasks

LOCAL = REPOSITORY / "nextflow" / "modules" / "local"
GROUPS = {"input_output_options", "institutional_config_options", "generic_options"}


@pytest.mark.slow
def test_the_linter_of_nf_core_finds_no_fault(nextflow, tmp_path):
    need_programs("git", packages=["git"])
    environment = nextflow.environment(tmp_path, nextflow.home / "bin")
    environment |= {"HOME": str(tmp_path), "NFCORE_NO_VERSION_CHECK": "1"}
    found = tmp_path / "lint.json"
    command = ("--hide-progress", "pipelines", "lint", "--dir", REPOSITORY, "--json", found)
    said = run(nfcore.linter() / "nf-core", *command, cwd=tmp_path, env=environment, check=False)
    assert found.exists(), said.stdout + said.stderr
    results = json.loads(found.read_text())
    assert results["tests_failed"] == []
    assert {"files_exist", "nextflow_config", "schema_lint", "schema_params"} <= {
        name for name, _ in results["tests_pass"]
    }


def test_groups_of_parameters_are_called_as_in_nf_core():
    schema = json.loads((REPOSITORY / "nextflow_schema.json").read_text())
    assert schema["$defs"].keys() >= GROUPS
    options = schema["$defs"]["input_output_options"]["properties"]
    assert (REPOSITORY / options["input"]["schema"]).is_file()
    for group in schema["$defs"].values():
        assert group["title"]
        assert group["description"]
        assert all(rule.get("default") not in ("", None) for rule in group["properties"].values() if "default" in rule)


@pytest.mark.parametrize("path", sorted(LOCAL.rglob("main.nf")), ids=lambda path: str(path.parent.relative_to(LOCAL)))
def test_a_module_has_an_nf_test(path):
    """It is not run here: nf-test comes from a site of its own."""
    text = (path.parent / "tests" / "main.nf.test").read_text()
    name = str(path.parent.relative_to(LOCAL))
    assert f'process "{name.replace("/", "_").upper()}"' in text
    assert f'tag "{name}"' in text
    for script in re.findall(r'script "(\S+)"', text):
        assert (path.parent / "tests" / script).resolve().is_file()
    inputs = path.read_text().split("    input:\n")[1].split("    output:\n")[0].strip().splitlines()
    given = set(re.findall(r"input\[(\d)\]", text.split("    test(")[1]))
    assert given == {str(number) for number in range(len(inputs))}


def test_the_strict_parser_runs_it_too(nextflow, tmp_path):
    for name in ("one.h5ad", "two.h5ad"):
        (tmp_path / name).touch()
    (tmp_path / "samples.csv").write_text("sample,counts,group\none,one.h5ad,lab\ntwo,two.h5ad,lab\n")
    given = (
        "-profile",
        "test",
        "-stub-run",
        "--methods",
        "deepmc,als,scimpute,scvi",
        "--input",
        "samples.csv",
        "--save_model",
    )
    programs = imitation.write(tmp_path)
    for name in ("scinfill-scimpute", "scinfill-scvi"):
        (programs / name).write_text("#!/bin/sh\necho 1.2.3\n")
        (programs / name).chmod(0o755)
    outcome = nextflow.pipeline(*given, cwd=tmp_path, programs=programs, env={"NXF_SYNTAX_PARSER": "v2"})
    assert outcome.exit_code == 0, outcome.output
    done = tasks(next((tmp_path / "results" / "pipeline_info").glob("trace_*.txt")))
    assert {task["status"] for task in done} == {"COMPLETED"}
    numbers = Counter(task["process"].split(":")[-1] for task in done)
    # As it is and under three masks.
    assert numbers["SCINFILL_JOIN"] == 1
    assert numbers["SCINFILL_SPLIT"] == 4
    assert numbers["SCINFILL_IMPUTEDEEPMC"] == numbers["SCVI"] == numbers["SCINFILL_EVALUATE"] == 4
    assert numbers["SCINFILL_ADOPT"] == 8
    # This version knows no selectors in its list of options; of anything else it has nothing to complain.
    complaints = [line for line in outcome.messages if "WARN" in line and "'process.with" not in line]
    assert all("process.resourceLimits" in line for line in complaints), complaints
    assert not any("publishDir." in line for line in outcome.messages)


@pytest.mark.slow
def test_multiqc_shows_the_scores_and_what_holds(finished):
    _, results = finished
    page = (results / "multiqc" / "multiqc_report.html").read_text()
    assert "Differences that hold" in page
    sections = {path.name for path in (results / "multiqc").glob("*_mqc.json")}
    assert sections == {"scinfill_scores_mqc.json", "scinfill_held_mqc.json"}
    data = json.loads((results / "multiqc" / "multiqc_report_data" / "multiqc_data.json").read_text())
    assert "simulated_1: als" in json.dumps(data)


@pytest.mark.slow
def test_parameters_are_summarised_and_recorded(finished):
    outcome, results = finished
    assert re.search(r"^scinfill/scinfill \d", outcome.output, re.MULTILINE)
    shown = dict(re.findall(r"^  (\w+) +: (.*)$", outcome.output, re.MULTILINE))
    assert shown["methods"] == "deepmc,als"
    assert shown["profile"] == "test"
    assert shown["multiqc"] == "true"
    assert "outdir" not in shown
    record = min((results / "pipeline_info").glob("params_*.json"))
    recorded = json.loads(record.read_text())
    assert recorded["multiqc"] is True
    assert recorded["outdir"] == "results"
    assert "multiqc: " in (results / "pipeline_info" / "software_versions.yml").read_text()
