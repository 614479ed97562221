"""A run on a Slurm cluster of this one machine; one that asks for GPUs is in test_gpu.py."""

import anndata

from _pipeline import slurm
from _pipeline.nextflow import trace


def test_a_sample_runs_on_the_cluster(nextflow, cluster, tmp_path):
    (tmp_path / "quick.config").write_text(slurm.POLLING)
    arguments = ("--simulate", "1", "--replicates", "0", "--methods", "deepmc", "--slurm_options=--comment=lab")
    given = ("-profile", "test,slurm", *arguments, "-c", "quick.config")
    outcome = nextflow.pipeline(*given, cwd=tmp_path, env=cluster)
    assert outcome.exit_code == 0, outcome.output
    tasks = trace(tmp_path / "results")
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    assert all(task["native_id"].isdecimal() for task in tasks)
    imputed = anndata.read_h5ad(tmp_path / "results" / "imputed" / "simulated_1.deepmc.h5ad")
    assert imputed.layers["imputed"].shape == imputed.shape
    for name, header in slurm.jobs(tmp_path).items():
        assert "--comment=lab" in header, name
        assert not any("gres" in line for line in header), name
