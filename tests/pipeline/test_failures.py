"""What fails stops its own branch, is tried again where that can help, and is named with its reason."""

import pytest

from _pipeline import imitation
from _pipeline.nextflow import trace

SAMPLES = ("good", "wrong", "killed")


@pytest.fixture(scope="module")
def outcome(nextflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("failures")
    (folder / "samples.csv").write_text("sample,counts\n" + "".join(f"{name},{name}.h5ad\n" for name in SAMPLES))
    for name in SAMPLES:
        (folder / f"{name}.h5ad").touch()
    arguments = ("--input", "samples.csv", "--methods", "deepmc", "--replicates", "0")
    result = nextflow.pipeline(*arguments, cwd=folder, programs=imitation.write(folder))
    return result, trace(folder / "results"), folder


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
    published = {path.name for path in (outcome[2] / "results" / "imputed").iterdir()}
    assert published == {"good.deepmc.h5ad"}
    assert (outcome[2] / "results" / "report.html").exists()


def test_the_run_ends_with_an_error_and_names_what_failed_and_why(outcome):
    result = outcome[0]
    assert result.exit_code != 0
    assert "WARN: PREPROCESS (wrong): scinfill preprocess: error: X holds NaN" in result.messages
    assert "WARN: wrong: deepmc did not finish (1 of 1 results are missing)" in result.messages
    assert not any("WARN" in line and "good" in line for line in result.messages)


def test_the_report_is_told_what_is_missing(outcome):
    (command,) = (path for path in outcome[2].glob("work/*/*/.command.sh") if "scinfill report" in path.read_text())
    text = command.read_text()
    assert "--missing 'wrong: deepmc did not finish (1 of 1 results are missing)'" in text
    assert "--missing 'killed: deepmc did not finish (1 of 1 results are missing)'" in text
    assert "good" not in text
