"""What fails stops its own branch, is tried again where that can help, and is named with its reason."""

import os
from pathlib import Path

import pandas as pd
import pytest

from _pipeline import imitation, object_store
from _pipeline.nextflow import trace

SAMPLES = {"good": "", "wrong": "", "killed": "", "unreadable": "", "fine": "pair", "unreadable_too": "pair"}
SAMPLES |= {"first": "lab", "second": "lab"}
LABELLED = ("good", "unreadable")
WRONG = "SCINFILL_PREPROCESS (wrong): scinfill preprocess: error: X holds NaN"
KILLED = "SCINFILL_PREPROCESS (killed): killed (exit code 137)"
UNREADABLE = "SCINFILL_INSPECT (unreadable): scinfill inspect: error: no HDF5 file"
UNREADABLE_TOO = "SCINFILL_INSPECT (unreadable_too): scinfill inspect: error: no HDF5 file"
ABSENT = "there is no program scinfill-scvi in its image or on its machine; build or install it (containers/README.md)"
INCOMPLETE = "group pair (fine, unreadable_too): deepmc did not finish (2 of 2 results are missing)"
LOST = "group lab (first, second): deepmc did not finish (1 of 2 results are missing)"


@pytest.fixture(scope="module")
def outcome(nextflow, tmp_path_factory):
    """A run of samples with a fate of their own, on a machine that has no program for scVI."""
    folder = tmp_path_factory.mktemp("failures")
    labels = dict.fromkeys(LABELLED, "cell_type")
    rows = (f"{name},{name}.h5ad,{labels.get(name, '')},{group}\n" for name, group in SAMPLES.items())
    (folder / "samples.csv").write_text("sample,counts,labels,group\n" + "".join(rows))
    for name in SAMPLES:
        (folder / f"{name}.h5ad").touch()
    store = object_store.made(folder)
    arguments = (
        "--input",
        "samples.csv",
        "--methods",
        "deepmc,scvi",
        "--replicates",
        "0",
        "--outdir",
        "store://lab/results",
    )
    programs = imitation.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        folders = os.environ["PATH"].split(os.pathsep)
        patch.setenv("PATH", os.pathsep.join(one for one in folders if not (Path(one) / "scinfill-scvi").exists()))
        result = nextflow.pipeline(*arguments, cwd=folder, programs=programs, env=store.environment)
    return result, trace(store.folder / "lab" / "results"), folder, store


def tries(outcome, sample):
    return [task for task in outcome[1] if task["process"].endswith("PREPROCESS") and task["tag"] == sample]


def test_a_killed_task_is_tried_three_times_with_more_memory(outcome):
    killed = tries(outcome, "killed")
    assert [task["exit"] for task in killed] == ["137"] * 3
    memory = [float(task["memory"].split()[0]) for task in killed]
    assert memory == sorted(set(memory))


def test_wrong_data_are_not_tried_again(outcome):
    assert [(task["status"], task["exit"]) for task in tries(outcome, "wrong")] == [("FAILED", "3")]


def test_the_other_samples_go_on(outcome):
    results = outcome[3].folder / "lab" / "results"
    published = {path.name for path in (results / "imputed").iterdir()}
    assert published == {"good.deepmc.h5ad", "first.deepmc.h5ad"}
    assert (results / "report.html").exists()
    assert "The report: store://lab/results/report.html" in outcome[0].messages


def test_what_cannot_be_read_goes_no_further(outcome):
    tasks = [task for task in outcome[1] if task["tag"].startswith("unreadable")]
    assert [(task["process"], task["exit"]) for task in tasks] == [("SCINFILL:SCINFILL_INSPECT", "3")] * 2


def test_a_group_waits_for_all_of_its_samples(outcome):
    done = {task["process"].split(":")[-1] for task in outcome[1] if task["tag"].split(".")[0] in ("pair", "fine")}
    assert done == {"SCINFILL_INSPECT"}
    assert f"WARN: {INCOMPLETE}" in outcome[0].messages


def test_a_sample_that_does_not_come_out_of_its_group_is_missed(outcome):
    assert f"WARN: {LOST}" in outcome[0].messages


def test_what_commands_warned_of_is_said_once(outcome):
    warned = [line for line in outcome[0].messages if "1 of 2 genes" in line]
    assert sorted(warned) == [
        "WARN: SCINFILL_JOIN (lab): scinfill join: warning: 1 of 2 genes is not there",
        "WARN: SCINFILL_PREPROCESS (lab): scinfill preprocess: warning: 1 of 2 genes is not there",
    ]
    assert not any("5 cells" in line for line in outcome[0].messages)


def test_nothing_is_deleted_in_an_object_store(outcome):
    assert not outcome[3].deleted.exists()


def test_the_run_ends_with_an_error_and_names_what_failed_and_why(outcome):
    result = outcome[0]
    assert result.exit_code != 0
    assert f"WARN: {WRONG}" in result.messages
    assert f"WARN: {UNREADABLE}" in result.messages
    assert any(line.startswith(f"WARN: {KILLED}") for line in result.messages)
    assert "WARN: wrong: deepmc did not finish (1 of 1 results are missing)" in result.messages
    assert f"WARN: {UNREADABLE_TOO}" in result.messages
    assert not any("WARN" in line and "good" in line and "scvi" not in line for line in result.messages)


def test_where_the_program_of_another_method_is_missing_ours_go_on(outcome):
    """Where there is no scinfill everything stops with the same exit code."""
    assert f"WARN: SCVI (good.scvi): {ABSENT}" in outcome[0].messages
    assert "WARN: good: scvi did not finish (1 of 1 results are missing)" in outcome[0].messages


def test_the_report_is_told_what_is_missing_and_why(outcome):
    (command,) = (path for path in outcome[2].glob("work/*/*/.command.sh") if "scinfill report" in path.read_text())
    text = command.read_text()
    for sample, reason in (("wrong", WRONG), ("killed", KILLED), ("unreadable", UNREADABLE)):
        assert f"{sample}: deepmc did not finish (1 of 1 results are missing); {reason}" in text
    assert f"{INCOMPLETE}; {UNREADABLE_TOO}" in text
    assert LOST in text
    assert f"{LOST};" not in text
    assert f"good: scvi did not finish (1 of 1 results are missing); SCVI (good.scvi): {ABSENT}" in text
    assert "good: deepmc" not in text


def test_the_report_is_told_what_it_cost(outcome):
    (table,) = outcome[2].glob("work/*/*/costs.csv")
    assert "--cost costs.csv" in (table.parent / ".command.sh").read_text()
    costs = pd.read_csv(table)
    # Of the good sample and of the group that was joined.
    assert list(costs["name"]) == ["deepmc"] * 2
    assert (costs["seconds"] > 0).all()
    assert (costs["peak_mib"].dropna() > 0).all()
