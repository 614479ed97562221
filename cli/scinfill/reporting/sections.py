"""The sections of a setting on the page, in order; a new one is a line in SECTIONS.

A section builds what it shows from the results of one setting: figures, tables and sentences, or nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scinfill.reporting import batches, honesty, tables, witnesses
from scinfill.reporting.figures import Plot, coverage, expression, genes, halves, molecules, recovery, structure
from scinfill.reporting.page import Part
from scinfill.reporting.results import Setting
from scinfill.reporting.style import house_style
from scinfill.reporting.tables import Table


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    anchor
        Unique; links of the page end in it.
    title
        Heading.
    build
        From the results of a setting to what is shown.
    shown_where_hidden
        Also shown for a setting that hides values where another setting shows the same data unspoilt.
    """

    anchor: str
    title: str
    build: Callable[[Setting], Part]
    shown_where_hidden: bool = False


def _part(*made: Table | Plot | None) -> Part:
    """Return a section of what could be made."""
    return Part(
        tables=[one for one in made if isinstance(one, Table)], plots=[one for one in made if isinstance(one, Plot)]
    )


SECTIONS: tuple[Section, ...] = (
    Section("scores", "Scores", lambda at: _part(tables.scores(at), tables.differences(at)), shown_where_hidden=True),
    Section("halves", "Do differences hold?", lambda at: _part(halves.halves(at), tables.halves(at))),
    Section(
        "recovery",
        "Hidden values",
        lambda at: _part(recovery.recovery(at), recovery.recovery_by_decile(at)),
        shown_where_hidden=True,
    ),
    Section(
        "structure",
        "Clusters and components",
        lambda at: _part(structure.clustering(at), structure.components(at), structure.separability(at)),
    ),
    Section("proteins", "Surface proteins", lambda at: _part(witnesses.protein_table(at))),
    Section("gradient", "A known gradient", lambda at: _part(witnesses.gradient_table(at))),
    Section("batches", "Batches", lambda at: _part(batches.table(at))),
    Section("molecules", "Held-out molecules", lambda at: _part(molecules.molecules(at))),
    Section(
        "calibration",
        "Are the intervals honest?",
        lambda at: _part(molecules.calibration(at), coverage.strata(at), honesty.table(at)),
    ),
    Section("guard", "Invented signal", lambda at: _part(molecules.guard(at))),
    Section(
        "expression",
        "Genes known from bulk data, and spread",
        lambda at: _part(expression.roc(at), expression.variation(at), expression.true_zeros(at)),
    ),
    Section("genes", "Genes before and after", lambda at: Part(genes.how_to_read(at), plots=genes.genes(at))),
)
"""In the order of the page."""


def sections_of(
    setting: Setting, *, only_hidden: bool = False, only: Sequence[str] | None = None
) -> list[tuple[Section, Part]]:
    """Build the sections that a setting has anything to show in.

    Parameters
    ----------
    setting
        Results.
    only_hidden
        Leave out what is better seen in a setting that hides no values.
    only
        Anchors of the sections to build; None for all.
    """
    with house_style():
        built = [
            (section, section.build(setting))
            for section in SECTIONS
            if (section.shown_where_hidden or not only_hidden) and (only is None or section.anchor in only)
        ]
    return [(section, part) for section, part in built if part]
