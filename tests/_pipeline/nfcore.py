"""What nf-core and MultiQC bring to PyPI."""

from pathlib import Path

from _pipeline import environments


def linter() -> Path:
    """Return a folder for PATH with the program nf-core."""
    return environments.programs("nf-core", ["nf-core==4.2.1"])


def multiqc() -> Path:
    """Return a folder for PATH with the program multiqc."""
    return environments.programs("multiqc", ["multiqc==1.35"])
