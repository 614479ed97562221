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

ODD = "in [1] *?$(touch ran) & 'q' \"d\" ü"
LABELS = 'cell "type\'s" $(touch ran); `touch ran`'
LAYER = "raw 'counts'; $(touch ran)"
TYPES = {"type1": "T $1 [x]*", "type2": 'it\'s "B"'}
CONFIGURATION = """\
process {{
    withName: IMPUTE_MAGIC {{ beforeScript = 'export PATH={magic}:$PATH' }}
    withName: PREPROCESS {{ memory = {{ (meta.id == 'table' ? 70.MB : 3.GB) * task.attempt }} }}
}}
"""


def write_samples(folder):
    """Write a sample with bulk data and truth, the same as a table with genes in rows, and their samplesheet."""
    world = scinfill.simulate(n_cells=100, n_genes=80, n_types=2, seed=1)
    names = world.var_names
    bulk = world.varm["bulk"].rename(columns=lambda name: TYPES[name.split("_")[0]] + name[len("type1") :])
    bulk.to_csv(folder / "bulk [2] $x; y.tsv", sep="\t")
    truth = pd.DataFrame({"gene": names, "is_de": world.var["is_de_type1_vs_type2"]})
    truth.to_csv(folder / f"{TYPES['type1']}_vs_{TYPES['type2']}.csv", index=False)
    world.to_df().astype(int).T.to_csv(folder / "table [1].csv")
    # A pattern would find this one.
    (folder / "table 1.csv").write_text("not this one")
    sample = anndata.AnnData(X=np.log1p(world.X), obs=pd.DataFrame(index=world.obs_names), var=world.var[[]])
    sample.layers[LAYER] = world.X
    sample.obs[LABELS] = world.obs["cell_type"].cat.rename_categories(TYPES)
    sample.write_h5ad(folder / "counts [1] $(touch ran);.h5ad")
    rows = pd.DataFrame(
        {
            "sample": ["odd", "table"],
            "counts": ["counts [1] $(touch ran);.h5ad", str(folder / "table [1].csv")],
            "labels": [LABELS, None],
            "layer": [LAYER, None],
            "genes_in_rows": [None, "true"],
            "bulk": [f"{ODD}/bulk [2] $x; y.tsv", None],
            "de_truth": [f"{TYPES['type1']}_vs_{TYPES['type2']}.csv", None],
        }
    )
    rows.to_csv(folder / "samples [1] $x.csv", index=False)


@pytest.fixture(scope="module")
def finished(nextflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / ODD).mkdir()
    write_samples(folder / ODD)
    (folder / "own.config").write_text(CONFIGURATION.format(magic=magic.programs()))
    arguments = ("--input", f"{ODD}/samples [1] $x.csv", "--outdir", f"out/{ODD}", "--methods", "als,magic")
    more = ("--preprocess_args=--n-genes 60", f"--evaluate_args=--cv-label '{TYPES['type1']}'")
    outcome = nextflow.pipeline(
        *("-profile", "test", "-c", "own.config", "--simulate", "0", "--replicates", "0"), *arguments, *more, cwd=folder
    )
    assert outcome.exit_code == 0, outcome.output
    return outcome, folder, folder / "out" / ODD


def test_nothing_in_a_name_was_run(finished):
    _, folder, _ = finished
    assert list(folder.rglob("ran")) == []


def test_every_sample_went_through_every_method_to_the_report(finished):
    outcome, _, results = finished
    imputed = {path.name for path in (results / "imputed").iterdir()}
    assert imputed == {f"{sample}.{method}.h5ad" for sample in ("odd", "table") for method in ("als", "magic")}
    assert f"The report: {results / 'report.html'}" in outcome.messages
    assert "Not in this report" not in (results / "report.html").read_text()


def test_the_counts_were_those_of_the_named_layer_and_file(finished):
    odd, table = (
        anndata.read_h5ad(finished[2] / "preprocessed" / f"{name}.preprocessed.h5ad") for name in ("odd", "table")
    )
    assert list(odd.obs_names) == list(table.obs_names)
    np.testing.assert_array_equal(odd.X.toarray(), table.X.toarray())


def test_magic_imputed_for_real(finished):
    table = anndata.read_h5ad(finished[2] / "imputed" / "odd.magic.h5ad")
    als = anndata.read_h5ad(finished[2] / "imputed" / "odd.als.h5ad")
    assert table.layers["imputed"].shape == table.shape
    assert not np.allclose(table.layers["imputed"], als.layers["imputed"])


def test_labels_bulk_and_truth_were_scored(finished):
    scores = json.loads((finished[2] / "scores" / "odd.scores.json").read_text())
    print(json.dumps(scores)[:6000])


def test_too_little_memory_is_refused_by_scinfill_and_met_with_more(finished):
    *refused, last = (
        task for task in trace(finished[2]) if task["process"].endswith("PREPROCESS") and task["tag"] == "table"
    )
    assert refused
    assert {(task["status"], task["exit"]) for task in refused} == {("FAILED", "4")}
    assert last["status"] == "COMPLETED"
    assert int(last["attempt"]) == len(refused) + 1
    for task in refused:
        assert "--max-memory allows" in (Path(task["workdir"]) / ".command.err").read_text()
