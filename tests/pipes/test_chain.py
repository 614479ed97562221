"""The main job on real data: preprocess | mask | impute | evaluate, as real processes joined by real pipes."""

import json
import subprocess
import warnings

import anndata
import numpy as np
import pytest

from _support import SHARED_TABLES, command, invoke, run, shared

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_resamples")]

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


def in_this_process(source, *steps):
    """Do the same without processes, which take long to start."""
    content = source.read_bytes()
    for step in steps:
        done = invoke(*step, stdin=content)
        assert done.exit_code == 0, done.stderr
        content = done.stdout_bytes
    return content


def scores(path):
    """Return the scores of the imputed values and of the estimates beside them."""
    estimates = json.loads(path.read_text())["estimates"]
    imputed = next(name for name, record in estimates.items() if record["kind"] == "input")
    return estimates[imputed], estimates


@pytest.mark.parametrize("name", SHARED_TABLES)
@pytest.mark.parametrize("options", [[], ["--estimate", "detected"]], ids=["default", "detected"])
def test_real_data_through_pipes(name, options, tmp_path):
    target = tmp_path / "scores.json"
    impute = ["impute-deepmc", "-q", *options]
    # The smallest through real pipes, with every default; of the others as many genes as show the same.
    join, genes = (chain, []) if name == SMALL else (in_this_process, ["--n-genes", 300])
    prepare = ([*PREPARE[0], *genes], PREPARE[1])
    assert join(shared(name), *prepare, impute, [*EVALUATE, "-o", target]) == b""
    record, estimates = scores(target)
    assert {"raw", "gene-mean", "svd-10"} <= estimates.keys()
    assert {"rmse", "ari"} <= record["scores"].keys()
    assert all(np.isfinite(score["value"]) for score in record["scores"].values())
    if options:
        assert record["estimate"] == "detected"
        assert record["scores"]["rmse"]["value"] < estimates["gene-mean"]["scores"]["rmse"]["value"]
    else:
        assert record["estimate"] in ("shrunk", "model")


def test_pipes_files_and_cat_give_the_same_bytes(tmp_path):
    source, genes = shared(SMALL), ["--n-genes", 150]
    impute = ["impute-deepmc", "-q", "--rank", 3]
    prepare = ([*PREPARE[0], *genes], PREPARE[1])
    table, masked, imputed = (tmp_path / f"{step}.h5ad" for step in ("table", "masked", "imputed"))
    assert invoke("preprocess", source, "-q", *genes, "-o", table).exit_code == 0
    assert invoke("mask", table, *PREPARE[1][1:], "-o", masked).exit_code == 0
    assert invoke("impute-deepmc", masked, *impute[1:], "-o", imputed).exit_code == 0
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
    in_this_process(shared(SMALL), *prepare, [*impute, "-q", "-o", target])
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
    first = invoke("preprocess", source, "-q")
    second = run("impute-deepmc", "-q", "--rank", 5000, input=first.stdout_bytes)
    assert (second.returncode, second.stdout) == (2, b"")
    last = run(*EVALUATE, "-o", target, input=second.stdout)
    assert last.returncode == 3
    assert not target.exists()
