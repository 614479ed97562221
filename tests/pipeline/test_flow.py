"""Which tasks there are, what is published and what a second run does, without the tasks' work (-stub-run)."""

from collections import Counter

import pytest
import yaml

import scinfill
from _pipeline import imitation
from _pipeline.nextflow import trace

METHODS = ("deepmc", "auto", "als", "magic", "scimpute", "drimpute", "scvi")
SAMPLES = ("one", "two")
DATASETS = [f"{sample}{mask}" for sample in SAMPLES for mask in ("", ".nonzero-0.1-1", ".thin-0.1-1")]
OTHER_PROGRAMS = ("scinfill-scimpute", "scinfill-drimpute", "scinfill-scvi")


@pytest.fixture(scope="module")
def start(nextflow, tmp_path_factory):
    """Start the pipeline on a samplesheet of two samples; programs are imitated, for a stub asks their version too."""
    folder = tmp_path_factory.mktemp("flow")
    for name in ("one.h5ad", "two.h5ad", "bulk.tsv", "x_A_vs_B.tsv"):
        (folder / name).touch()
    (folder / "samples.csv").write_text(
        "sample,counts,labels,bulk,de_truth\none,one.h5ad,cell_type,bulk.tsv,x_A_vs_B.tsv\ntwo,two.h5ad,,,\n"
    )
    (folder / "quick.config").write_text("process.resourceLimits = [cpus: 1]\nexecutor.cpus = 8\n")
    programs = imitation.write(folder)
    for name in OTHER_PROGRAMS:
        (programs / name).write_text("#!/bin/sh\necho 1.2.3\n")
        (programs / name).chmod(0o755)

    def start(*arguments):
        given = ("-c", "quick.config", "--input", "samples.csv", "--simulate", "0", "--methods", ",".join(METHODS))
        given += ("--skip_halves",)  # a run with them: `configured`
        outcome = nextflow.pipeline("-profile", "test", "-stub-run", *given, *arguments, cwd=folder, programs=programs)
        assert outcome.exit_code == 0, outcome.output
        return trace(folder / "results")

    start.results = folder / "results"
    return start


@pytest.fixture(scope="module")
def tasks(start):
    return start()


def test_every_dataset_goes_through_every_method(tasks):
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    numbers = Counter(task["process"].split(":")[-1] for task in tasks)
    n = len(DATASETS)
    assert numbers == {
        "SCINFILL_INSPECT": 1,
        "SCINFILL_PREPROCESS": 2,
        "SCINFILL_MASK": 4,
        "SCINFILL_IMPUTEDEEPMC": n,
        "SCINFILL_IMPUTEAUTO": n,
        "SCINFILL_IMPUTEBASELINE": n,
        "SCINFILL_IMPUTEMAGIC": n,
        "SCINFILL_EXPORT": 3 * n,
        "SCIMPUTE": n,
        "DRIMPUTE": n,
        "SCVI": n,
        "SCINFILL_ADOPT": 3 * n,
        "SCINFILL_EVALUATE": n,
        "SCINFILL_REPORT": 1,
    }


def test_labels_are_looked_for_before_anything_starts(tasks):
    assert tasks[0]["process"] == "SCINFILL:SCINFILL_INSPECT"
    assert tasks[0]["tag"] == "one"


def test_hidden_values_have_their_own_estimate(tasks):
    branches = {task["process"].split(":")[1] for task in tasks if ":IMPUTE" in task["process"]}
    assert branches == {"IMPUTE", "IMPUTE_HIDDEN", "IMPUTE_MOLECULES"}
    for task in tasks:
        if ":IMPUTE_HIDDEN:" in task["process"]:
            assert ".nonzero-" in task["tag"]


def test_what_is_published(tasks, start):
    published = {str(path.relative_to(start.results)) for path in start.results.rglob("*") if path.is_file()}
    bookkeeping = {path for path in published if path.startswith("pipeline_info/")}
    assert published - bookkeeping == {
        "report.html",
        "figures/stub.svg",
        *(f"preprocessed/{sample}.preprocessed.h5ad" for sample in SAMPLES),
        *(f"imputed/{sample}.{method}.h5ad" for sample in SAMPLES for method in METHODS),
        *(f"scores/{dataset}.{kind}" for dataset in DATASETS for kind in ("scores.json", "genes.csv")),
    }
    kinds = {path.removeprefix("pipeline_info/").split("_20")[0] for path in bookkeeping}
    assert kinds == {"timeline", "trace", "report", "dag", "params", "software_versions.yml"}


def test_versions_are_collected_once(tasks, start):
    versions = yaml.safe_load((start.results / "pipeline_info" / "software_versions.yml").read_text())
    assert versions == {
        "Nextflow": "25.04.4",
        "pipeline": scinfill.__version__,
        "scinfill": "0.0.0",
        "scImpute": "1.2.3",
        "DrImpute": "1.2.3",
        "scvi-tools": "1.2.3",
    }


def test_a_second_run_does_nothing_again(tasks, start):
    again = start("-resume")
    assert {task["status"] for task in again} == {"CACHED"}
    assert sorted(task["hash"] for task in again) == sorted(task["hash"] for task in tasks)
