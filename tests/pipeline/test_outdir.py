"""What was in --outdir before stays there, whatever becomes of the run; one that takes nothing is named at once."""

import json

import pytest

from _pipeline import imitation, object_store
from _pipeline.nextflow import trace

WRONG = ("--input", "nowhere.csv")
ALONE = ("--simulate", "1", "--replicates", "0", "--methods", "als", "-stub-run")


def content(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_usage_error_leaves_the_folder_as_it_was(nextflow, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("mine.txt", "pipeline_info/mine.txt", "figures/mine.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "empty").mkdir()
    before = content(folder)
    outcome = nextflow.pipeline(*WRONG, "--outdir", "results", cwd=tmp_path)
    assert outcome.exit_code != 0
    assert outcome.messages == [f"--input: there is no file {tmp_path}/nowhere.csv"]
    assert content(folder) == before


def test_a_usage_error_asks_an_object_store_for_no_delete(nextflow, tmp_path):
    store = object_store.made(tmp_path)
    (store.folder / "lab" / "results").mkdir(parents=True)
    outcome = nextflow.pipeline(*WRONG, "--outdir", "store://lab/results", cwd=tmp_path, env=store.environment)
    assert outcome.messages == [f"--input: there is no file {tmp_path}/nowhere.csv"]
    assert not store.deleted.exists()
    assert [path.name for path in store.folder.rglob("*")] == ["lab", "results"]


def test_the_stand_in_records_deletes(nextflow, tmp_path):
    store = object_store.made(tmp_path)
    (store.folder / "lab").mkdir()
    (tmp_path / "wrong.nf").write_text("workflow {\n    file('store://lab').delete()\n}\n")
    outcome = nextflow("run", "wrong.nf", cwd=tmp_path, env=store.environment)
    assert outcome.exit_code == 0, outcome.output
    assert store.deleted.read_text().startswith("store://lab")


def test_results_come_beside_what_is_there(nextflow, tmp_path):
    mine = tmp_path / "results" / "figures" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    # Once without any mask but the halves.
    halves = ("--replicates", "1", "--hidden_fractions", "none", "--thinned_fraction", "0")
    outcome = nextflow.pipeline(*ALONE, *halves, cwd=tmp_path, programs=imitation.write(tmp_path))
    assert outcome.exit_code == 0, outcome.output
    assert mine.read_text() == "mine"
    assert (mine.parent / "stub.svg").exists()
    (record,) = (tmp_path / "results" / "pipeline_info").glob("params_*.json")
    assert json.loads(record.read_text())["methods"] == "als"
    tasks = trace(tmp_path / "results")
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    assert [task["tag"] for task in tasks if task["process"].endswith("MASK")] == ["simulated_1.halves-0.5-1"]


@pytest.mark.parametrize(
    ("outdir", "reason"),
    [
        ("/proc/scinfill", "/proc/scinfill cannot be made"),
        ("taken/deeper", "Not a directory"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_before_any_task(nextflow, tmp_path, outdir, reason):
    (tmp_path / "taken").write_text("a file")
    outcome = nextflow.pipeline(*ALONE, "--outdir", outdir, cwd=tmp_path)
    assert outcome.exit_code != 0
    path = tmp_path / outdir
    assert outcome.messages == [f"--outdir {path} cannot be written ({reason}); give a folder that you may write to"]
    assert list((tmp_path / "work").iterdir()) == []
    assert (tmp_path / "taken").read_text() == "a file"
