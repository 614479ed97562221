"""Configurations of institutions, in the form of nf-core/configs, and others that set parameters of their own."""

import pytest

from _pipeline import imitation
from _pipeline.nextflow import trace

CUSTOM = """\
profiles {
    ours { includeConfig "${params.custom_config_base}/conf/ours.config" }
}
"""
OURS = """\
params {
    config_profile_description = 'Our cluster'
    config_profile_contact     = 'us@example.org'
    config_profile_url         = 'https://example.org'
    max_memory                 = 128.GB
    igenomes_base              = '/references'
}
process {
    resourceLimits = [cpus: 1, memory: 128.GB, time: 24.h]
}
"""
ALONE = ("--simulate", "1", "--replicates", "0", "--methods", "als")
WARNING = "WARN: a configuration sets parameters that this pipeline does not have: max_memory, igenomes_base"


@pytest.fixture
def site(tmp_path):
    """A folder with configurations as nf-core's pipelines look for them."""
    folder = tmp_path / "site" / "conf"
    folder.mkdir(parents=True)
    (folder.parent / "nfcore_custom.config").write_text(CUSTOM)
    (folder / "ours.config").write_text(OURS)
    return folder.parent


def test_a_local_folder_brings_its_profiles(nextflow, site, tmp_path):
    given = ("-profile", "ours", "--custom_config_base", site, *ALONE, "-stub-run")
    outcome = nextflow.pipeline(*given, cwd=tmp_path, programs=imitation.write(tmp_path))
    assert outcome.exit_code == 0, outcome.output
    assert [line for line in outcome.messages if "WARN" in line] == [WARNING]
    # Of what the labels ask for, the institution's limits leave this.
    assert {task["cpus"] for task in trace(tmp_path / "results")} == {"1"}
    (record,) = (tmp_path / "results" / "pipeline_info").glob("params_*.json")
    assert '"config_profile_description": "Our cluster"' in record.read_text()


def test_a_file_of_ones_own_may_set_more_than_ours(nextflow, site, tmp_path):
    outcome = nextflow.pipeline(
        "-c", site / "conf" / "ours.config", *ALONE, "-stub-run", cwd=tmp_path, programs=imitation.write(tmp_path)
    )
    assert outcome.exit_code == 0, outcome.output
    assert WARNING in outcome.messages


def test_what_was_given_for_this_run_is_still_checked(nextflow, site, tmp_path):
    (tmp_path / "params.yml").write_text("simulate: 1\nigenomes_bas: x\n")
    given = ("-c", site / "conf" / "ours.config", "-params-file", "params.yml")
    outcome = nextflow.pipeline(*given, cwd=tmp_path)
    assert outcome.exit_code != 0
    assert outcome.messages[-1].startswith("--igenomes_bas is no parameter of this pipeline; ")


def test_without_being_asked_for_nothing_is_fetched(defaults):
    assert defaults["custom_config_base"] is None
    assert defaults["custom_config_version"] is None
