"""The pipeline for real, on this machine."""

import html
import json
import re

import anndata
import numpy as np
import pytest

import scinfill
from _pipeline.nextflow import trace
from _support import assert_refused, invoke
from scinfill.methods import provenance


@pytest.mark.slow
def test_one_command_goes_from_simulated_samples_to_a_report(finished):
    _, results = finished
    assert {task["status"] for task in trace(results)} == {"COMPLETED"}
    page = (results / "report.html").read_text()
    assert "Not in this report" not in page
    for text in ("simulated_1", "deepmc", "molecules held out", "non-zeros hidden", "of the molecules kept apart"):
        assert text in page
    # A sample as it is and under three masks.
    assert re.search(r"<tr><th>deepmc</th><td>[0-9.]+<small>± [0-9.]+</small></td><td>\d+</td><td>4</td></tr>", page)
    assert list((results / "figures").glob("*.svg"))


@pytest.mark.slow
def test_imputed_files_say_what_made_them(finished):
    table = anndata.read_h5ad(finished[1] / "imputed" / "simulated_1.deepmc.h5ad")
    assert table.layers["imputed"].shape == table.shape == (200, 150)
    assert [step["command"] for step in provenance.steps(table)][-2:] == ["preprocess", "impute-deepmc"]


@pytest.mark.slow
def test_resume_runs_nothing_again(run_on_one_sample, finished):
    _, results = run_on_one_sample("-resume")
    assert {task["status"] for task in trace(results)} == {"CACHED"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A folder with a usable H5AD, the same as a table with genes in rows, and half of a file."""
    folder = tmp_path_factory.mktemp("samples")
    world = scinfill.simulate(n_cells=100, n_genes=80, seed=1)
    world.write_h5ad(folder / "good.h5ad")
    whole = (folder / "good.h5ad").read_bytes()
    (folder / "broken.h5ad").write_bytes(whole[: len(whole) // 2])
    world.to_df().astype(int).T.to_csv(folder / "table.csv")
    return folder


ALONE = ("--methods", "als", "--replicates", "0", "-profile", "test", "--simulate", "0")


def test_a_failing_sample_stops_its_own_branch_only(nextflow, samples):
    (samples / "samples.csv").write_text(
        "sample,counts,labels,genes_in_rows\n"
        "good,good.h5ad,cell_type,\n"
        "broken,broken.h5ad,cell_type,\n"
        "table,table.csv,,true\n"
    )
    outcome = nextflow.pipeline("--input", "samples.csv", *ALONE, cwd=samples)
    assert outcome.exit_code != 0
    (reason,) = (line for line in outcome.messages if "SCINFILL_INSPECT (broken)" in line)
    assert "truncated" in reason
    assert "WARN: broken: als did not finish (1 of 1 results are missing)" in outcome.messages
    results = samples / "results"
    assert {path.name for path in (results / "imputed").iterdir()} == {"good.als.h5ad", "table.als.h5ad"}
    imputed = anndata.read_h5ad(results / "imputed" / "good.als.h5ad")
    assert [step["command"] for step in provenance.steps(imputed)][-2:] == ["preprocess", "impute-baseline"]
    page = html.unescape((results / "report.html").read_text())
    because = reason.removeprefix("WARN: ")
    assert f"broken: als did not finish (1 of 1 results are missing); {because}" in page
    assert f"The report: {results / 'report.html'}" in outcome.messages


def test_an_unknown_label_column_stops_everything_before_work(nextflow, samples):
    (samples / "labels.csv").write_text("sample,counts,labels\ngood,good.h5ad,cluster\n")
    outcome = nextflow.pipeline("--input", "labels.csv", "--outdir", "refused", *ALONE, cwd=samples)
    assert outcome.exit_code != 0
    assert len(outcome.messages) == 1, outcome.output
    (line,) = outcome.messages
    assert line.startswith("labels.csv, line 2: sample 'good' has no obs column 'cluster'; it has ")
    assert "cell_type" in line
    assert [task["process"] for task in trace(samples / "refused")] == ["SCINFILL:SCINFILL_INSPECT"]
    assert [path.name for path in (samples / "refused").iterdir()] == ["pipeline_info"]


@pytest.fixture(scope="module")
def grouped(nextflow, tmp_path_factory):
    """A real run on a group of two samples, whose counts stand in a layer, and the samples by name."""
    folder = tmp_path_factory.mktemp("grouped")
    world = scinfill.simulate(n_cells=120, n_genes=80, n_types=2, seed=1)
    world.layers["raw"] = world.X.copy()
    samples = {"second": world[70:].copy(), "first": world[:70].copy()}
    for name, sample in samples.items():
        sample.obs_names = [f"cell{number}" for number in range(sample.n_obs)]
        (folder / name).mkdir()
        sample.write_h5ad(folder / name / "counts.h5ad")
    rows = (f"{name},{name}/counts.h5ad,lab,cell_type,raw\n" for name in samples)
    (folder / "samples.csv").write_text("sample,counts,group,labels,layer\n" + "".join(rows))
    (folder / "genes.txt").write_text("\n".join(world.var_names[:3]))
    quick = ("--replicates", "0", "--methods", "deepmc", "--n_genes", "30", "--keep_genes", "genes.txt", "--save_model")
    outcome = nextflow.pipeline("--input", "samples.csv", "-profile", "test", *quick, cwd=folder)
    assert outcome.exit_code == 0, outcome.output
    return folder / "results", samples


def test_samples_of_a_group_are_imputed_together_and_published_apart(grouped):
    results, samples = grouped
    published = {path.name for path in (results / "imputed").iterdir()}
    assert published == {f"{name}.deepmc.h5ad" for name in samples}
    joined = scinfill.join(samples, layer="raw")
    log = scinfill.preprocess(joined, n_genes=30, keep_genes=tuple(joined.var_names[:3]))
    expected = scinfill.split(scinfill.impute_deepmc(log, batch="sample"))
    for name, sample in samples.items():
        table = anndata.read_h5ad(results / "imputed" / f"{name}.deepmc.h5ad")
        assert list(table.obs_names) == list(sample.obs_names)
        assert set(table.obs["sample"]) == {name}
        np.testing.assert_array_equal(table.layers["imputed"], expected[name].layers["imputed"])
        commands = [step["command"] for step in provenance.steps(table)]
        assert commands[-4:] == ["join", "preprocess", "impute-deepmc", "split"]


def test_a_group_is_scored_and_asked_about_its_batches(grouped):
    results, _ = grouped
    assert {path.name for path in (results / "scores").iterdir()} == {"lab.scores.json", "lab.genes.csv"}
    scores = json.loads((results / "scores" / "lab.scores.json").read_text())
    assert "batch_change" in scores["estimates"]["deepmc"]["scores"]
    assert "Are the batches mixed?" in (results / "report.html").read_text()


@pytest.fixture(scope="module")
def newcomers(nextflow, grouped, tmp_path_factory):
    """A real run of the month after: new cells of one of the samples, by the model of the group."""
    folder = tmp_path_factory.mktemp("newcomers")
    cells = scinfill.simulate(n_cells=200, n_genes=80, n_types=2, seed=1)[120:].copy()
    cells.obs["sample"] = "first"
    cells.write_h5ad(folder / "new.h5ad")
    (folder / "samples.csv").write_text("sample,counts,labels\nnew,new.h5ad,cell_type\n")
    model = grouped[0] / "models" / "lab.deepmc.model.h5ad"
    outcome = nextflow.pipeline("--input", "samples.csv", "-profile", "test", "--model", model, cwd=folder)
    assert outcome.exit_code == 0, outcome.output
    return folder / "results", cells, anndata.read_h5ad(model)


def test_new_cells_are_imputed_by_the_model_of_an_earlier_run(newcomers):
    results, cells, model = newcomers
    table = anndata.read_h5ad(results / "imputed" / "new.deepmc.h5ad")
    expected = scinfill.impute_deepmc(cells, model=model)
    assert list(table.var_names) == list(model.var_names)
    np.testing.assert_array_equal(table.layers["imputed"], expected.layers["imputed"])
    assert set(table.uns["scinfill"]["batches"]["names"]) == {"first", "second"}


def test_a_model_is_scored_by_the_molecules_that_new_cells_lost(newcomers):
    results, _, _ = newcomers
    scored = {path.name for path in (results / "scores").glob("*.json")}
    assert scored == {f"new{mask}.scores.json" for mask in ("", ".thin-0.1-1", ".halves-0.5-1")}
    thinned = json.loads((results / "scores" / "new.thin-0.1-1.scores.json").read_text())
    loss = {name: record["scores"]["poisson"]["value"] for name, record in thinned["estimates"].items()}
    assert loss["deepmc"] == min(loss.values())
    page = html.unescape((results / "report.html").read_text())
    assert "the values of deepmc are those of the saved model" in page
    assert "Does the saved model know these cells?" in page
    assert "Not in this report" not in page


def test_a_model_of_the_other_method_stops_everything_before_work(nextflow, grouped, samples):
    """What else a file that is named as a model may say of itself is in test_checks.py."""
    model = grouped[0] / "models" / "lab.deepmc.model.h5ad"
    given = ("--simulate", "1", "--outdir", "refused", "--methods", "auto", "--model", model)
    outcome = nextflow.pipeline(*given, cwd=samples)
    assert outcome.exit_code != 0
    assert outcome.messages == [
        f"--model: {model} was trained by deepmc; give --methods deepmc, or leave --methods out; received 'auto'"
    ], outcome.output
    assert [task["process"] for task in trace(samples / "refused")] == ["SCINFILL:SCINFILL_INSPECT_MODEL"]


def test_a_model_that_cannot_be_read_ends_the_run_with_one_line(nextflow, grouped, samples):
    whole = (grouped[0] / "models" / "lab.deepmc.model.h5ad").read_bytes()
    (samples / "cut.h5ad").write_bytes(whole[: len(whole) // 2])
    outcome = nextflow.pipeline("--simulate", "1", "--outdir", "unread", "--model", "cut.h5ad", cwd=samples)
    assert outcome.exit_code != 0
    (message,) = outcome.messages
    assert message.startswith("--model: cut.h5ad cannot be read: scinfill inspect: error: "), outcome.output
    assert "is truncated" in message
    assert [task["process"] for task in trace(samples / "unread")] == ["SCINFILL:SCINFILL_INSPECT_MODEL"]


def test_what_is_no_model_says_so_to_the_pipeline(grouped, tmp_path):
    """The words on which the pipeline refuses it (test_checks.py)."""
    assert scinfill.inspect(grouped[0] / "imputed" / "first.deepmc.h5ad")["model"] is None
    (tmp_path / "text.h5ad").write_text("no model\n")
    assert_refused(invoke("inspect", tmp_path / "text.h5ad"), 3, "is neither HDF5 nor a table")


def test_a_parameter_without_a_value_starts_nothing_and_publishes_nothing(nextflow, tmp_path):
    outcome = nextflow.pipeline("--simulate", "1", "--methods", "", cwd=tmp_path)
    assert outcome.exit_code != 0
    assert outcome.messages == ["--methods needs a value; one that begins with a dash is given with '=', in quotes"]
    assert not (tmp_path / "results").exists()
    assert list((tmp_path / "work").iterdir()) == []


def test_help_lists_every_parameter_and_runs_nothing(nextflow, tmp_path):
    outcome = nextflow.pipeline("--help", cwd=tmp_path)
    assert outcome.exit_code == 0
    for name in ("--input", "--methods", "--hidden_fractions", "--scimpute_image", "--aws_queue"):
        assert f"  {name} " in outcome.output
    assert "trace_suffix" not in outcome.output
    assert not (tmp_path / "results").exists()
