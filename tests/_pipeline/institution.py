"""The configuration of an institution, in the form of nf-core/configs; it sets parameters that are not ours."""

from pathlib import Path

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


def write(folder: Path) -> Path:
    """Write it below a folder, where nf-core's pipelines look for it, and return the value of custom_config_base."""
    site = folder / "site"
    (site / "conf").mkdir(parents=True)
    (site / "nfcore_custom.config").write_text(CUSTOM)
    (site / "conf" / "ours.config").write_text(OURS)
    return site
