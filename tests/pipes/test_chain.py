"""The main job on real data: preprocess | mask | impute | evaluate, as real processes joined by real pipes."""

import json
import subprocess
import warnings

import anndata
import numpy as np
import pytest

from _support import SHARED_TABLES, command, run, shared

SMALL = "blakeley.h5ad"
PREPARE = (["preprocess", "-q"], ["mask", "-q", "--fraction", 0.1, "--seed", 1])
EVALUATE = ["evaluate", "-q", "--labels", "cell_type", "--starts", 2]


def chain(source, *steps, through_cat=False):
    """Run verbs joined by pipes, the first one given the file or what ``cat`` sends it; all must succeed."""
    first, *others = steps
    calls = [["cat", str(source)], command(*first)] if through_cat else [command(first[0], source, *first[1:])]
    calls += [command(*step) for step in others]
    processes = []
    feed = subprocess.DEVNULL
    for call in calls:
        process = subprocess.Popen(call, stdin=feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if feed is not subprocess.DEVNULL:
            feed.close()
        feed = process.stdout
        processes.append(process)
    output = processes[-1].stdout.read()
    for process in processes:
        said = process.stderr.read().decode()
        process.stderr.close()
        process.stdout.close()
        assert process.wait() == 0, said
    return output


def scores(path):
    """Return the scores of the imputed values and of the estimates beside them."""
    estimates = json.loads(path.read_text())["estimates"]
    imputed = next(name for name, record in estimates.items() if record["kind"] == "input")
    return estimates[imputed], estimates


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED_TABLES)
@pytest.mark.parametrize("options", [[], ["--estimate", "detected"]], ids=["default", "detected"])
def test_real_data_through_pipes(name, options, tmp_path):
    target = tmp_path / "scores.json"
    impute = ["impute-deepmc", "-q", *options]
    assert chain(shared(name), *PREPARE, impute, [*EVALUATE, "-o", target]) == b""
    record, estimates = scores(target)
    assert {"raw", "gene-mean", "svd-10"} <= estimates.keys()
    assert {"rmse", "ari"} <= record["scores"].keys()
    assert all(np.isfinite(score["value"]) for score in record["scores"].values())
    if options:
        assert record["estimate"] == "detected"
        assert record["scores"]["rmse"]["value"] < estimates["gene-mean"]["scores"]["rmse"]["value"]
    else:
        assert record["estimate"] in ("shrunk", "model")


@pytest.mark.slow
@pytest.mark.parametrize("name", [SMALL, "scmix_3lines_celseq2.h5ad"])
def test_pipes_files_and_cat_give_the_same_bytes(name, tmp_path):
    source, genes = shared(name), ["--n-genes", 150]
    impute = ["impute-deepmc", "-q", "--rank", 3]
    prepare = ([*PREPARE[0], *genes], PREPARE[1])
    table, masked, imputed = (tmp_path / f"{step}.h5ad" for step in ("table", "masked", "imputed"))
    assert run("preprocess", source, "-q", *genes, "-o", table).returncode == 0
    assert run("mask", table, *PREPARE[1][1:], "-o", masked).returncode == 0
    assert run("impute-deepmc", masked, *impute[1:], "-o", imputed).returncode == 0
    expected = imputed.read_bytes()
    assert chain(source, *prepare, impute) == expected
    assert chain(source, *prepare, impute, through_cat=True) == expected


@pytest.mark.parametrize(
    "impute",
    [
        ["impute-deepmc"],
        ["impute-deepmc", "--estimate", "detected"],
        ["impute-deepmc", "--form", "factors"],
        ["impute-deepmc", "--preset", "paper", "--depth", 2],
        ["impute-auto", "--preset", "paper", "--hidden", 16, "--iterations", 5],
        ["impute-baseline", "--method", "svd"],
    ],
    ids=lambda impute: " ".join(map(str, impute)),
)
def test_scanpy_reads_and_uses_every_imputed_file_without_a_warning(impute, tmp_path):
    target = tmp_path / "imputed.h5ad"
    prepare = ([*PREPARE[0], "--n-genes", 150], PREPARE[1])
    chain(shared(SMALL), *prepare, [*impute, "-q", "-o", target])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scanpy's own imports say
        import scanpy as sc
    adata = anndata.read_h5ad(target)
    assert adata.uns["log1p"]["base"] == 2
    if "imputed" in adata.layers:
        sc.pp.pca(adata, layer="imputed", n_comps=5)
        assert np.isfinite(adata.obsm["X_pca"]).all()


def test_a_failing_imputer_sends_nothing_on(tmp_path):
    target = tmp_path / "scores.json"
    source = shared(SMALL)
    prepare = [command("preprocess", source, "-q"), command("impute-deepmc", "-q", "--rank", 5000)]
    first = subprocess.run(prepare[0], capture_output=True, check=True)
    second = subprocess.run(prepare[1], input=first.stdout, capture_output=True, check=False)
    assert (second.returncode, second.stdout) == (2, b"")
    last = subprocess.run(command(*EVALUATE, "-o", target), input=second.stdout, capture_output=True, check=False)
    assert last.returncode == 3
    assert not target.exists()
