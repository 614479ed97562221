"""Many results of ``evaluate`` → the page and the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import pandas as pd

from scinfill.errors import DataError, InputError
from scinfill.reporting import figures, multiqc, page, style
from scinfill.reporting.page import Section
from scinfill.reporting.results import Setting, collect
from scinfill.reporting.verdict import Sentence, verdict

COST_COLUMNS = ("name", "seconds")
PEAK = "peak_mib"
LONGEST_PREFIX = 120
HIDING = ("nonzero", "entries")


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
    sections: Mapping[str, bytes]


def build(
    documents: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    title: str = "Did imputation help?",
    costs: pd.DataFrame | None = None,
    absent: Sequence[str] = (),
    with_files: bool = False,
) -> Report:
    """Make a report.

    Parameters
    ----------
    documents
        Name and content of every results file.
    title
        Heading of the page.
    costs
        Time and memory: columns ``name``, ``seconds`` and, where known, ``peak_mib``; one row a run.
    absent
        One line for each result that was to come and did not.
    with_files
        Also render every figure as files.

    Raises
    ------
    InputError
        No document, or costs without the columns.
    DataError
        A document that ``evaluate`` did not write.
    """
    if not documents:
        raise InputError("there are no results to report on")
    costs = None if costs is None else _checked(costs)
    settings = collect(documents)
    if not settings:
        raise DataError("the results files hold no data")
    sections = _sections(settings)
    sentences = verdict(settings, costs)
    with style.house_style():
        html = page.render(title, sentences, sections, costs, absent)
        drawn = _files(sections) if with_files else {}
    return Report(html, drawn, sentences, multiqc.sections(settings))


def _checked(costs: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in COST_COLUMNS if column not in costs]
    if missing:
        raise InputError(
            f"costs need the columns name and seconds (and peak_mib where known); there is no {missing[0]!r}, "
            f"only {', '.join(map(str, costs.columns))}"
        )
    checked = costs.assign(**{column: pd.to_numeric(costs[column], errors="coerce") for column in ("seconds",)})
    checked[PEAK] = pd.to_numeric(costs[PEAK], errors="coerce") if PEAK in costs else float("nan")
    if checked["seconds"].isna().any():
        wrong = checked.index[checked["seconds"].isna()][0]
        raise InputError(f"costs: the seconds of {costs.loc[wrong, 'name']!r} are not a number")
    return checked


def _sections(settings: Sequence[Setting]) -> list[Section]:
    datasets: dict[str, list[Setting]] = {}
    for setting in settings:
        datasets.setdefault(setting.dataset, []).append(setting)
    return [_section(dataset, own) for dataset, own in datasets.items()]


def _section(dataset: str, settings: Sequence[Setting]) -> Section:
    """Draw one dataset; where a setting leaves the values alone, those that hide some show their recovery only."""
    hides = [setting.mode in HIDING for setting in settings]
    drawn = [
        (setting, figures.of_setting(setting, recovery_only=hiding and not all(hides)))
        for setting, hiding in zip(settings, hides, strict=True)
    ]
    return Section(dataset, figures.of_dataset(settings), drawn)


def _files(sections: Sequence[Section]) -> dict[str, bytes]:
    content: dict[str, bytes] = {}
    for section in sections:
        groups = [(section.dataset, section.shared)]
        groups += [
            (f"{section.dataset}-{setting.mode}-{setting.fraction}" if setting.mode else section.dataset, plots)
            for setting, plots in section.settings
        ]
        for prefix, plots in groups:
            for plot in plots:
                name = _file_name(prefix, plot.slug, taken=content)
                content[f"{name}.svg"] = style.svg(plot.figure)
                content[f"{name}.png"] = style.png(plot.figure)
    return content


def _file_name(prefix: str, slug: str, *, taken: Mapping[str, bytes]) -> str:
    """Return a name any file system takes: letters, digits, dots and dashes, not too many, no other figure's."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in prefix)
    name = f"{plain[:LONGEST_PREFIX]}-{slug}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(one for one in names if f"{one}.svg" not in taken)
