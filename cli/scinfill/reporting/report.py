"""What a report is made of; loading this loads nothing that draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scinfill.reporting.sentences import Sentence


@dataclass(frozen=True)
class Report:
    """Everything that ``report`` writes.

    Attributes
    ----------
    html
        The page.
    figures
        Content by file name, SVG and PNG of each.
    sentences
        The verdict.
    sections
        Sections of a MultiQC report, JSON by file name.
    """

    html: str
    figures: Mapping[str, bytes]
    sentences: Sequence[Sentence]
    sections: Mapping[str, bytes] = field(default_factory=dict)
