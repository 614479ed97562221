"""What nf-core asks of a pipeline, and both of Nextflow's parsers."""

import json
import re
from collections import Counter

import pytest

from _pipeline import imitation, nfcore
from _pipeline.machine import REPOSITORY, need_programs, run
from _pipeline.nextflow import trace

LOCAL = REPOSITORY / "nextflow" / "modules" / "local"
PROCESSES = (
    ("SCINFILL_IMPUTEDEEPMC", "deepmc"),
    ("SCINFILL_EXPORT", "scvi"),
    ("SCVI", "scvi"),
    ("SCINFILL_ADOPT", "scvi"),
)
"""What the two methods of the strict parser's run come to."""
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


@pytest.fixture(scope="module")
def strict(nextflow, tmp_path_factory):
    """A stub run by the strict parser, of a group of two samples whose files have one name, and a group of one."""
    folder = tmp_path_factory.mktemp("strict")
    for name in ("1/counts.h5ad", "2/counts.h5ad", "lone.h5ad"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "samples.csv").write_text(
        "sample,counts,group\nz,1/counts.h5ad,lab\na,2/counts.h5ad,lab\nlone,lone.h5ad,other\n"
    )
    given = ("-profile", "test", "-stub-run", "--methods", "deepmc,scvi", "--input", "samples.csv", "--save_model")
    masks = ("--skip_halves", "--thinned_fraction", "0")
    programs = imitation.write(folder)
    (programs / "scinfill-scvi").write_text("#!/bin/sh\necho 1.2.3\n")
    (programs / "scinfill-scvi").chmod(0o755)
    outcome = nextflow.pipeline(*given, *masks, cwd=folder, programs=programs, env={"NXF_SYNTAX_PARSER": "v2"})
    assert outcome.exit_code == 0, outcome.output
    return outcome, folder / "results"


def test_samples_of_a_group_go_together_and_are_published_apart(strict):
    outcome, results = strict
    tasks = trace(results)
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    done = Counter((task["process"].removeprefix("SCINFILL:"), task["tag"]) for task in tasks)
    hidden = ("", ".nonzero-0.1-1")
    assert done == Counter(
        [
            *(("SCINFILL_INSPECT", name) for name in "za"),
            ("SCINFILL_JOIN", "lab"),
            *(("SCINFILL_PREPROCESS", name) for name in ("lab", "lone")),
            *(("SCINFILL_MASK", f"{name}.nonzero-0.1-1") for name in ("lab", "lone")),
            *(
                (f"{branch}:{process}", f"{name}.{method}")
                for branch, name in {
                    "IMPUTE_GROUPS": "lab",
                    "IMPUTE": "lone",
                }.items()
                for process, method in PROCESSES
            ),
            *(
                (f"IMPUTE_HIDDEN:{process}", f"{name}.nonzero-0.1-1.{method}")
                for name in ("lab", "lone")
                for process, method in PROCESSES
            ),
            *(("SCINFILL_SPLIT", f"lab.{method}") for method in ("deepmc", "scvi")),
            *(("SCINFILL_EVALUATE", f"{name}{mask}") for name in ("lab", "lone") for mask in hidden),
            ("SCINFILL_REPORT", "-"),
        ]
    )
    published = {path.name for path in (results / "imputed").iterdir()}
    assert published == {f"{name}.{method}.h5ad" for name in ("stub", "lone") for method in ("deepmc", "scvi")}
    assert {path.name for path in (results / "models").iterdir()} == {"lab.deepmc.model.h5ad", "lone.deepmc.model.h5ad"}
    assert outcome.messages[-1].startswith("The report: ")
    assert not any("did not finish" in line for line in outcome.messages)


def test_the_strict_parser_complains_of_nothing_else(strict):
    outcome, _ = strict
    # This version knows no selectors in its list of options; of anything else it has nothing to complain.
    complaints = [line for line in outcome.messages if "WARN" in line and "'process.with" not in line]
    assert complaints.pop().startswith("WARN: samples.csv, line 4: no other sample is in group 'other'")
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
    assert "simulated_1: deepmc" in json.dumps(data)


@pytest.mark.slow
def test_parameters_are_summarised_and_recorded(finished):
    outcome, results = finished
    assert re.search(r"^scinfill/scinfill \d", outcome.output, re.MULTILINE)
    shown = dict(re.findall(r"^  (\w+) +: (.*)$", outcome.output, re.MULTILINE))
    assert shown["methods"] == "deepmc"
    assert shown["profile"] == "test"
    assert shown["multiqc"] == "true"
    assert "outdir" not in shown
    record = min((results / "pipeline_info").glob("params_*.json"))
    recorded = json.loads(record.read_text())
    assert recorded["multiqc"] is True
    assert recorded["outdir"] == "results"
    assert "multiqc: " in (results / "pipeline_info" / "software_versions.yml").read_text()
