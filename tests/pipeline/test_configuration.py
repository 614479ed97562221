"""What each profile comes to, resolved and not run: the place for what no test machine has."""

import pytest
import yaml

from _pipeline.machine import REPOSITORY
from _pipeline.nextflow import ENGINES, tasks

IMAGES = {"magic": "SCINFILL_IMPUTEMAGIC", "scimpute": "SCIMPUTE", "drimpute": "DRIMPUTE", "scvi": "SCVI"}

TASKS = """\
process CPU { script: 'true' }
process GPU { label 'process_gpu'; script: 'true' }
workflow { CPU(); GPU() }
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_switches_the_others_off(resolved, engine):
    configuration = resolved(engine)
    assert {name: configuration[name]["enabled"] for name in ENGINES} == {name: name == engine for name in ENGINES}


def test_containers_run_as_the_caller(resolved):
    assert resolved("docker")["docker"]["runOptions"] == "-u $(id -u):$(id -g)"
    assert resolved("podman")["podman"]["runOptions"] == "-u 0:0"


def test_without_a_profile_there_is_no_engine(resolved):
    assert not set(ENGINES) & resolved("none").keys()


def test_every_process_has_resources_and_an_image(resolved):
    process = resolved("docker")["process"]
    assert process["container"] == "scinfill-cpu:0.1.0"
    assert process["shell"] == ["bash", "-C", "-e", "-u", "-o", "pipefail"]
    for label, cpus in {"process_low": 2, "process_medium": 4, "process_high": 8}.items():
        assert process[f"withLabel:{label}"]["cpus"] == cpus
        assert "* task.attempt" in process[f"withLabel:{label}"]["memory"]
    assert {name for name in IMAGES.values() if f"withName:{name}" in process} == set(IMAGES.values())


def test_results_are_published_below_outdir(resolved):
    process = resolved("none")["process"]
    published = [
        place for setting in process.values() if "publishDir" in str(setting) for place in setting["publishDir"]
    ]
    parts = ("", "/imputed", "/imputed", "/models", "/models", "/multiqc", "/multiqc", "/preprocessed", "/scores")
    assert sorted(place["path"] for place in published) == [f"results{part}" for part in parts]


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("docker", "-u $(id -u):$(id -g) --gpus all"),
        ("podman", "-u 0:0 --device nvidia.com/gpu=all"),
        ("singularity", "--nv"),
        ("apptainer", "--nv"),
    ],
)
def test_a_gpu_reaches_the_container(resolved, engine, options):
    configuration = resolved("docker,gpu")
    assert configuration[engine]["runOptions"] == options
    assert configuration["process"]["withLabel:process_gpu"] == {
        "accelerator": 1,
        "container": "scinfill-gpu:0.1.0",
        "maxForks": 1,
    }
    assert configuration["process"]["container"] == "scinfill-cpu:0.1.0"


def test_profiles_come_in_any_order(resolved):
    one, other = resolved("gpu,docker"), resolved("docker,gpu")
    assert {part: one[part] for part in ("process", *ENGINES)} == {part: other[part] for part in ("process", *ENGINES)}


def test_slurm_asks_for_the_gpu_itself(resolved):
    process = resolved("slurm,singularity,gpu")["process"]
    assert process["executor"] == "slurm"
    assert "--gres=gpu:${task.accelerator.request}" in process["clusterOptions"]
    assert "params.slurm_gpu_queue" in process["queue"]
    assert process["withLabel:process_gpu"]["maxForks"] == 0
    assert process["withLabel:process_gpu"]["accelerator"] == 1


def test_aws_batch(resolved):
    configuration = resolved("awsbatch,gpu")
    process = configuration["process"]
    assert process["executor"] == "awsbatch"
    assert process["withLabel:process_gpu"]["maxForks"] == 0
    assert configuration["aws"]["region"] == "eu-central-1"
    assert configuration["aws"]["batch"]["maxSpotAttempts"] == 3


def test_aws_batch_sends_tasks_with_a_gpu_to_their_own_queue(nextflow, tmp_path):
    """Nextflow itself resolves the rule for two tasks, which run here: the executor for Batch is a plug-in."""
    (tmp_path / "tasks.nf").write_text(TASKS)
    (tmp_path / "here.config").write_text(
        "process.executor = 'local'\ntrace.file = 'trace.txt'\ntrace.fields = 'name,queue'\n"
    )
    configurations = ("-c", REPOSITORY / "nextflow.config", "-c", "here.config", "-profile", "awsbatch,gpu")
    queues = ("--aws_queue", "cheap", "--aws_gpu_queue", "accelerated")
    outcome = nextflow("run", "tasks.nf", *configurations, *queues, "-work-dir", "work", cwd=tmp_path)
    assert outcome.exit_code == 0, outcome.output
    assert {task["name"]: task["queue"] for task in tasks(tmp_path / "trace.txt")} == {
        "CPU": "cheap",
        "GPU": "accelerated",
    }


def test_arm64_asks_for_its_images(resolved):
    configuration = resolved("docker,arm64")
    assert configuration["process"]["arch"] == "linux/arm64"
    assert configuration["docker"]["runOptions"].endswith("--platform linux/arm64")


def test_conda_installs_this_repository(resolved):
    assert resolved("conda")["conda"]["enabled"]
    modules = REPOSITORY / "nextflow" / "modules" / "local" / "scinfill"
    for path in modules.glob("*/main.nf"):
        assert 'conda "${moduleDir}/environment.yml"' in path.read_text()
        *programs, pip = yaml.safe_load((path.parent / "environment.yml").read_text())["dependencies"]
        assert {program.split("::")[1].split("=")[0] for program in programs} == {"python", "pip", "procps-ng"}
        assert (path.parent / pip["pip"][0]).resolve() == REPOSITORY


def test_conda_installs_scvi_and_its_program():
    module = REPOSITORY / "nextflow" / "modules" / "local" / "scvi"
    *programs, pip = yaml.safe_load((module / "environment.yml").read_text())["dependencies"]
    assert "scvi-tools" in {program.split("::")[1].split("=")[0] for program in programs}
    assert (module / pip["pip"][0]).resolve() == REPOSITORY / "containers" / "scvi"


def test_the_test_profile_fits_two_cores(resolved):
    limits = resolved("test")["process"]["resourceLimits"]
    assert limits["cpus"] == 2
    assert resolved("test")["params"]["simulate"] == 2


def test_a_profile_can_set_what_a_module_is_given(resolved):
    assert resolved("test")["params"]["n_genes"] == 150


def test_the_full_test_has_every_fraction_of_the_papers(resolved):
    assert resolved("test_full")["params"]["hidden_fractions"] == "0.1,0.2,0.3,0.4,0.5"
