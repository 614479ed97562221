"""Configurations of institutions, in the form of nf-core/configs, and others that set parameters of their own.

That what is given for a run is checked beside them is in test_outdir.py.
"""

from _pipeline.nextflow import trace

UNKNOWN = {"max_memory", "igenomes_base", "max_time"}
WARNING = "WARN: a configuration sets parameters that this pipeline does not have: "


def test_a_local_folder_and_a_file_of_ones_own_may_set_more_than_ours(configured):
    outcome, results = configured
    (warning,) = (line for line in outcome.messages if "WARN" in line)
    assert warning.startswith(WARNING)
    assert set(warning.removeprefix(WARNING).split(", ")) == UNKNOWN
    # Of what the labels ask for, the institution's limits leave this.
    assert {task["cpus"] for task in trace(results)} == {"1"}
    (record,) = (results / "pipeline_info").glob("params_*.json")
    assert '"config_profile_description": "Our cluster"' in record.read_text()


def test_without_being_asked_for_nothing_is_fetched(defaults):
    assert defaults["custom_config_base"] is None
    assert defaults["custom_config_version"] is None
