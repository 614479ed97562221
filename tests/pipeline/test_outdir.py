"""What was in --outdir before stays there, whatever becomes of the run; one that takes nothing is named at once."""

import json

from _pipeline import institution, object_store
from _pipeline.nextflow import trace

ALONE = ("--simulate", "1", "--replicates", "0", "--methods", "als", "-stub-run")


def content(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_usage_error_starts_nothing_and_leaves_the_folder_as_it_was(nextflow, tmp_path):
    """Beside a configuration that sets what is not ours; on the command line, false means what it says."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("mine.txt", "pipeline_info/mine.txt", "figures/mine.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "empty").mkdir()
    before = content(folder)
    (tmp_path / "params.yml").write_text("simulate: 1\nigenomes_bas: x\n")
    given = ("-c", institution.write(tmp_path) / "conf" / "ours.config", "-params-file", "params.yml")
    outcome = nextflow.pipeline(*given, "--help", "false", "--outdir", "results", cwd=tmp_path)
    assert outcome.exit_code != 0
    (message,) = outcome.messages
    assert message.startswith("--igenomes_bas is no parameter of this pipeline; ")
    assert content(folder) == before
    assert list((tmp_path / "work").iterdir()) == []


def test_a_usage_error_asks_an_object_store_for_no_delete(nextflow, tmp_path):
    store = object_store.made(tmp_path)
    (store.folder / "lab" / "results").mkdir(parents=True)
    given = ("--input", "ü.csv", "--outdir", "store://lab/results")
    outcome = nextflow.pipeline(*given, cwd=tmp_path, env=store.environment | {"LC_ALL": "C"})
    assert outcome.exit_code != 0
    assert outcome.messages == ["--input has letters that the locale cannot name; export LC_ALL=C.UTF-8"]
    assert not store.deleted.exists()
    assert [path.name for path in store.folder.rglob("*")] == ["lab", "results"]


def test_the_stand_in_records_deletes(nextflow, tmp_path):
    store = object_store.made(tmp_path)
    (store.folder / "lab").mkdir()
    (tmp_path / "wrong.nf").write_text("workflow {\n    file('store://lab').delete()\n}\n")
    outcome = nextflow("run", "wrong.nf", cwd=tmp_path, env=store.environment)
    assert outcome.exit_code == 0, outcome.output
    assert store.deleted.read_text().startswith("store://lab")


def test_results_come_beside_what_is_there(configured):
    _, results = configured
    assert (results / "figures" / "mine.png").read_text() == "mine"
    assert (results / "figures" / "stub.svg").exists()
    (record,) = (results / "pipeline_info").glob("params_*.json")
    assert json.loads(record.read_text())["methods"] == "als"
    # Once without any mask but the halves.
    tasks = trace(results)
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    assert [task["tag"] for task in tasks if task["process"].endswith("MASK")] == ["simulated_1.halves-0.5-1"]


def test_a_folder_that_cannot_be_written_is_named_before_any_task(nextflow, tmp_path):
    """Other reasons why it cannot are in test_checks.py."""
    (tmp_path / "taken").write_text("a file")
    outcome = nextflow.pipeline(*ALONE, "--outdir", "taken/deeper", cwd=tmp_path)
    assert outcome.exit_code != 0
    assert outcome.messages == [
        f"--outdir {tmp_path}/taken/deeper cannot be written (Not a directory); give a folder that you may write to"
    ]
    assert list((tmp_path / "work").iterdir()) == []
    assert (tmp_path / "taken").read_text() == "a file"
