"""The papers' figures and ours, each from the results of one setting, each with its n and spread in the caption."""

from collections.abc import Callable, Sequence

from scinfill.reporting.figures import expression, halves, molecules, recovery, structure
from scinfill.reporting.figures.drawing import Plot
from scinfill.reporting.results import Setting
from scinfill.reporting.style import house_style

__all__ = ["Plot", "of_dataset", "of_setting"]

OF_RECOVERY: tuple[Callable[[Setting], Plot | None], ...] = (
    recovery.recovery,
    recovery.recovery_by_decile,
)
OF_ANALYSIS: tuple[Callable[[Setting], Plot | None], ...] = (
    structure.clustering,
    structure.components,
    structure.separability,
    expression.roc,
    molecules.molecules,
    molecules.calibration,
    halves.halves,
    molecules.guard,
    expression.variation,
    expression.true_zeros,
)
"""In the order of the page."""


def of_setting(setting: Setting, *, recovery_only: bool = False) -> list[Plot]:
    """Draw what a setting's results hold.

    Parameters
    ----------
    setting
        Results.
    recovery_only
        For settings that hide values, where others show the data unspoilt.
    """
    with house_style():
        plots = [draw(setting) for draw in (OF_RECOVERY if recovery_only else OF_RECOVERY + OF_ANALYSIS)]
    return [plot for plot in plots if plot is not None]


def of_dataset(settings: Sequence[Setting]) -> list[Plot]:
    """Draw what needs several settings of one dataset."""
    with house_style():
        plot = recovery.recovery_by_fraction(settings)
    return [] if plot is None else [plot]
