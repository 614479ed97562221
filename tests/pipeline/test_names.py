"""A real run on names as people have them, beside bulk data, with MAGIC and a task that first has too little memory."""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import scinfill
from _pipeline import magic
from _pipeline.nextflow import trace
from scinfill.methods import provenance

ODD = "in [1] *?$(touch ran) & 'q' \"d\" ü"
LABELS = 'cell "type\'s" $(touch ran); `touch ran`'
LAYER = "raw 'counts'; $(touch ran)"
COUNTS, BULK, SHEET = "counts [1] $(touch ran);.h5ad", "bulk [2] $x; y.tsv", "samples [1] $x.csv"
TYPES = {"type1": "T $1 [x]*", "type2": 'it\'s "B"'}
TRUTH = f"{TYPES['type1']}_vs_{TYPES['type2']}.csv"
CONFIGURATION = """\
process {{
    withName: SCINFILL_IMPUTEMAGIC {{ beforeScript = 'export PATH={magic}:$PATH' }}
    withName: SCINFILL_PREPROCESS {{ memory = {{ 70.MB * task.attempt }} }}
}}
"""


def write_sample(folder, world):
    """Write a sample with bulk data, truth and samplesheet; its counts are in a layer, its X something else."""
    sample = anndata.AnnData(X=np.log1p(world.X), obs=pd.DataFrame(index=world.obs_names), var=world.var[[]])
    sample.layers[LAYER] = world.X
    sample.obs[LABELS] = world.obs["cell_type"].cat.rename_categories(TYPES)
    sample.write_h5ad(folder / COUNTS)
    bulk = world.varm["bulk"].rename(columns=lambda name: TYPES[name[: len("type1")]] + name[len("type1") :])
    bulk.to_csv(folder / BULK, sep="\t")
    truth = pd.DataFrame({"gene": world.var_names, "is_de": world.var["is_de_type1_vs_type2"]})
    truth.to_csv(folder / TRUTH, index=False)
    row = {"sample": "odd", "counts": COUNTS, "labels": LABELS, "layer": LAYER}
    row |= {"bulk": f"{ODD}/{BULK}", "de_truth": folder / TRUTH}
    pd.DataFrame([row]).to_csv(folder / SHEET, index=False)


@pytest.fixture(scope="module")
def world():
    return scinfill.simulate(n_cells=100, n_genes=80, n_types=2, seed=1)


@pytest.fixture(scope="module")
def finished(nextflow, world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / ODD).mkdir()
    write_sample(folder / ODD, world)
    (folder / "own.config").write_text(CONFIGURATION.format(magic=magic.programs()))
    settings = ("-profile", "test", "-c", "own.config", "--simulate", "0", "--replicates", "0", "--methods", "magic")
    arguments = ("--preprocess_args=--n-genes 60", f"--evaluate_args=--starts 2 --cv-label '{TYPES['type1']}'")
    files = ("--input", f"{ODD}/{SHEET}", "--outdir", f"out/{ODD}")
    outcome = nextflow.pipeline(*settings, *arguments, *files, cwd=folder)
    assert outcome.exit_code == 0, outcome.output
    return outcome, folder, folder / "out" / ODD


def test_nothing_in_a_name_was_run(finished):
    _, folder, _ = finished
    assert list(folder.rglob("ran")) == []


def test_the_results_lie_in_the_named_folder(finished):
    outcome, _, results = finished
    published = {str(path.relative_to(results)) for path in results.rglob("odd.*")}
    assert published == {
        "preprocessed/odd.preprocessed.h5ad",
        "imputed/odd.magic.h5ad",
        "scores/odd.scores.json",
        "scores/odd.genes.csv",
    }
    assert f"The report: {results / 'report.html'}" in outcome.messages
    assert "Not in this report" not in (results / "report.html").read_text()


def test_the_counts_were_those_of_the_named_layer(finished, world):
    expected = scinfill.preprocess(world, n_genes=60)
    table = anndata.read_h5ad(finished[2] / "preprocessed" / "odd.preprocessed.h5ad")
    np.testing.assert_allclose(table.X.toarray(), expected.X.toarray())


def test_magic_imputed(finished):
    table = anndata.read_h5ad(finished[2] / "imputed" / "odd.magic.h5ad")
    assert provenance.steps(table)[-1]["parameters"]["method"] == "magic"
    # It leaves few zeros, and is no copy of what it got.
    assert np.mean(table.layers["imputed"] > 0) > np.mean(table.X.toarray() > 0)


def test_labels_bulk_and_truth_were_scored(finished):
    document = json.loads((finished[2] / "scores" / "odd.scores.json").read_text())
    assert document["settings"]["labels"] == LABELS
    assert document["settings"]["cv_label"] == TYPES["type1"]
    assert set(document["data"][0]["labels"]) == set(TYPES.values())
    scores = document["estimates"]["magic"]["scores"]
    assert scores["de_auc"]["value"] > 0.8
    assert scores["zero_retention"]["n"] > 0
    assert not {"de_auc", "zero_retention"} & set(document["estimates"]["magic"]["skipped"])


def test_too_little_memory_is_refused_by_scinfill_and_met_with_more(finished):
    *refused, last = (task for task in trace(finished[2]) if task["process"].endswith("PREPROCESS"))
    assert [(task["status"], task["exit"]) for task in refused] == [("FAILED", "4")] * len(refused)
    assert "--max-memory allows 70.0 MiB" in (Path(refused[0]["workdir"]) / ".command.err").read_text()
    assert last["status"] == "COMPLETED"
    assert float(last["memory"].split()[0]) == 70 * int(last["attempt"]) == 70 * (len(refused) + 1)
