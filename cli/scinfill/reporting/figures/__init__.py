"""The papers' figures and ours, each from the results of one setting, each with its n and spread in the caption."""

from collections.abc import Sequence

from scinfill.reporting.figures import recovery
from scinfill.reporting.figures.drawing import Plot
from scinfill.reporting.results import Setting
from scinfill.reporting.style import house_style

__all__ = ["Plot", "of_dataset"]


def of_dataset(settings: Sequence[Setting]) -> list[Plot]:
    """Draw what needs several settings of one dataset."""
    with house_style():
        plot = recovery.recovery_by_fraction(settings)
    return [] if plot is None else [plot]
