"""Runs on a Slurm cluster of this one machine."""

import re

import anndata
import pytest

from _pipeline import slurm
from _pipeline.nextflow import trace

QUICK = ("-c", "quick.config")
POLLING = "executor.pollInterval = '1 sec'\nexecutor.queueStatInterval = '2 sec'\nexecutor.submitRateLimit = null\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def jobs(folder):
    """Return the header that every task was submitted with, by the task's name."""
    headers = {}
    for script in folder.glob("work/*/*/.command.run"):
        text = script.read_text()
        name = re.search(r"### name: '(.*)'", text)[1]
        headers[name.split(":")[-1]] = re.findall(r"#SBATCH (.*)", text)
    return headers


def test_a_sample_runs_on_the_cluster(nextflow, cluster, tmp_path):
    (tmp_path / "quick.config").write_text(POLLING)
    arguments = ("--simulate", "1", "--replicates", "0", "--methods", "deepmc", "--slurm_options=--comment=lab")
    outcome = nextflow.pipeline("-profile", "test,slurm", *arguments, *QUICK, cwd=tmp_path, env=cluster)
    assert outcome.exit_code == 0, outcome.output
    tasks = trace(tmp_path / "results")
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    assert all(task["native_id"].isdecimal() for task in tasks)
    imputed = anndata.read_h5ad(tmp_path / "results" / "imputed" / "simulated_1.deepmc.h5ad")
    assert imputed.layers["imputed"].shape == imputed.shape
    for name, header in jobs(tmp_path).items():
        assert "--comment=lab" in header, name
        assert not any("gres" in line for line in header), name


def test_gpu_tasks_ask_for_one_and_only_they(nextflow, cluster, tmp_path):
    (tmp_path / "quick.config").write_text(POLLING)
    arguments = ("--simulate", "1", "--replicates", "0", "--slurm_queue", "main", "--slurm_gpu_queue", "accelerated")
    outcome = nextflow.pipeline(
        "-profile", "test,slurm,gpu", "-stub-run", *arguments, *QUICK, cwd=tmp_path, env=cluster
    )
    assert outcome.exit_code == 0, outcome.output
    assert {task["status"] for task in trace(tmp_path / "results")} == {"COMPLETED"}
    for name, header in jobs(tmp_path).items():
        on_gpu = name.startswith(("SCINFILL_IMPUTEDEEPMC", "SCINFILL_IMPUTEAUTO"))
        assert ("--gres=gpu:1" in header) == on_gpu, name
        assert ("-p accelerated" if on_gpu else "-p main") in header, name
