"""Many results of ``evaluate`` → the page and the figures."""

from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any

import pandas as pd

from scinfill import __version__
from scinfill.errors import DataError, InputError
from scinfill.reporting import figures, multiqc, page, style, tables
from scinfill.reporting.figures import Plot
from scinfill.reporting.page import Chapter, Part, walk
from scinfill.reporting.report import Report
from scinfill.reporting.results import Setting, collect, percent
from scinfill.reporting.sections import sections_of
from scinfill.reporting.tables import Table
from scinfill.reporting.verdict import verdict

COST_COLUMNS = ("name", "seconds")
PEAK = "peak_mib"
HIDING = ("nonzero", "entries")
TITLE = "Did imputation help?"
N_PICTURES = 3
FRONT = ("halves", "molecules", "components", "guard", "recovery", "calibration", "clustering", "roc", "variation")
"""Figures that may stand below the verdict, the most telling ones first."""


def build(
    documents: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    title: str | None = None,
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
    sentences = verdict(settings, costs)
    with style.house_style():
        chapters = _chapters(settings, costs)
        html = page.render(
            title or TITLE,
            chapters,
            summary=_summary(settings),
            sentences=sentences,
            pictures=pictures(chapters, FRONT),
            absent=absent,
        )
        drawn = figure_files(chapters) if with_files else {}
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


def _chapters(settings: Sequence[Setting], costs: pd.DataFrame | None) -> list[Chapter]:
    """Return the page below the verdict: what all evaluations share, each dataset, and how to read it."""
    chapters = [_of_table("overview", "All evaluations", tables.overview(settings))]
    chapters.append(_of_table("costs", "Time and memory", tables.time_and_memory(costs)))
    datasets: dict[str, list[Setting]] = {}
    for setting in settings:
        datasets.setdefault(setting.dataset, []).append(setting)
    chapters += [_dataset(number, dataset, own) for number, (dataset, own) in enumerate(datasets.items())]
    chapters.append(_of_table("meanings", "What the numbers mean", tables.meanings(settings)))
    chapters.append(_of_table("missing", "What was left out, and why", tables.missing(settings)))
    chapters.append(
        _of_table("making", "How this page was made", tables.making(settings), f"scinfill {__version__} report.")
    )
    return [chapter for chapter in chapters if chapter is not None]


def _of_table(anchor: str, title: str, table: Table | None, *sentences: str) -> Chapter | None:
    return None if table is None else Chapter(anchor, title, Part(sentences, [table]))


def _dataset(number: int, dataset: str, settings: Sequence[Setting]) -> Chapter:
    """Return one dataset; where a setting leaves the values alone, those that hide some show their recovery only."""
    hides = [setting.mode in HIDING for setting in settings]
    chapters = [
        _setting(f"d{number}s{position}", setting, only_hidden=hiding and not all(hides))
        for position, (setting, hiding) in enumerate(zip(settings, hides, strict=True))
    ]
    shared = Part(plots=figures.of_dataset(settings))
    return Chapter(f"data-{number}", dataset, shared, chapters, prefix=f"d{number}", file_prefix=dataset)


def _setting(prefix: str, setting: Setting, *, only_hidden: bool) -> Chapter:
    of_files = f"{setting.dataset}-{setting.mode}-{setting.fraction}" if setting.mode else setting.dataset
    chapters = [
        Chapter(f"{section.anchor}-{prefix}", section.title, part, prefix=prefix, file_prefix=of_files)
        for section, part in sections_of(setting, only_hidden=only_hidden)
    ]
    title = setting.label[0].upper() + setting.label[1:]
    return Chapter(prefix, title, Part([_described(setting), *_notes(setting)]), chapters)


def _described(setting: Setting) -> str:
    data = setting.first.data
    words = f"{data['n_cells']:,} cells × {data['n_genes']:,} genes, {percent(data['share_nonzero'], 1)} non-zero"
    if data.get("labels"):
        words += f"; {len(data['labels'])} labels"
        words += f"; structure on {data['n_cells_for_structure']:,} cells ({data['cells_for_structure']})"
    if data["n_null_genes"]:
        words += f"; {data['n_null_genes']} null genes appended"
    n = len(setting.replicates)
    return f"{words}; {n} replicate{'s' * (n > 1)}."


def _notes(setting: Setting) -> list[str]:
    """Return what must be said beside the scores, once each."""
    notes = dict.fromkeys(
        note for replicate in setting.replicates for _, record in replicate.records() for note in record["notes"]
    )
    return [f"Note: {note}." for note in notes]


def _summary(settings: Sequence[Setting]) -> str:
    n_datasets = len({setting.dataset for setting in settings})
    n_files = len({replicate.source for setting in settings for replicate in setting.replicates})
    counted = f"{n_datasets} dataset{'s' * (n_datasets > 1)}, {n_files} results file{'s' * (n_files > 1)}"
    return f"{counted}; every estimate beside raw, gene mean and a rank-10 SVD."


def pictures(chapters: Sequence[Chapter], front: Sequence[str]) -> list[Plot]:
    """Return the first three of the kinds of figures that ``front`` names and the chapters have."""
    first: dict[str, Plot] = {}
    for chapter in walk(chapters):
        for plot in chapter.part.plots:
            first.setdefault(plot.slug, plot)
    return [first[slug] for slug in front if slug in first][:N_PICTURES]


def figure_files(chapters: Sequence[Chapter]) -> dict[str, bytes]:
    """Return every figure of the chapters as SVG and PNG, by file name."""
    content: dict[str, bytes] = {}
    for chapter in walk(chapters):
        for plot in chapter.part.plots:
            name = _file_name(chapter.file_prefix, plot.slug, taken=content)
            content[f"{name}.svg"] = plot.svg
            content[f"{name}.png"] = style.png(plot.figure)
    return content


def _file_name(prefix: str, slug: str, *, taken: Mapping[str, bytes]) -> str:
    """Return a name any file system takes: letters, digits, dots and dashes, not too many, no other figure's."""
    name = f"{style.file_safe(prefix)}-{slug}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(one for one in names if f"{one}.svg" not in taken)
