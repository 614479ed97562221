"""One self-contained page: no network, no script, nothing but HTML, a style sheet and drawings.

Every text from a results file (titles, labels, genes, reasons) is escaped here, once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import pandas as pd

from scinfill.reporting import style, tables, witnesses
from scinfill.reporting.figures import Plot
from scinfill.reporting.results import Setting, metrics_of, percent
from scinfill.reporting.verdict import Sentence

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: its own styles and the drawings inside it."""


@dataclass(frozen=True)
class Section:
    """One dataset on the page: what its settings share, and each setting with its figures."""

    dataset: str
    shared: Sequence[Plot]
    settings: Sequence[tuple[Setting, Sequence[Plot]]]


def render(
    title: str,
    sentences: Sequence[Sentence],
    sections: Sequence[Section],
    costs: pd.DataFrame | None,
    absent: Sequence[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    title
        Its heading.
    sentences
        The verdict.
    sections
        Datasets in order.
    costs
        Columns ``name``, ``seconds``, ``peak_mib``, where known.
    absent
        One line for each result that was to come and did not.
    """
    settings = [setting for section in sections for setting, _ in section.settings]
    metrics = metrics_of(settings)
    parts = [
        _header(title, sentences, sections, settings),
        _absent(absent),
        tables.overview(settings, metrics) if len(settings) > 1 else "",
        tables.time_and_memory(costs),
        *(_section(number, section, metrics) for number, section in enumerate(sections)),
        tables.meanings(metrics, settings),
        tables.missing(settings),
        tables.making(settings),
    ]
    css = files("scinfill.reporting").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _header(title: str, sentences: Sequence[Sentence], sections: Sequence[Section], settings: Sequence[Setting]) -> str:
    questions = dict.fromkeys(sentence.question for sentence in sentences)
    items = "\n".join(
        _card(question, [sentence for sentence in sentences if sentence.question == question]) for question in questions
    )
    links = "\n".join(
        f'<li><a href="#data-{number}">{escape(section.dataset)}</a></li>' for number, section in enumerate(sections)
    )
    n_files = len({replicate.source for setting in settings for replicate in setting.replicates})
    counted = f"{len(sections)} dataset{'s' * (len(sections) > 1)}, {n_files} results file{'s' * (n_files > 1)}"
    return (
        f"<header>\n<h1>{escape(title)}</h1>\n"
        f'<p class="soft">{counted}; every estimate beside raw, gene mean and a rank-10 SVD.</p>\n'
        f'<h2 id="verdict">Verdict</h2>\n<ul class="verdict">\n{items}\n</ul>\n'
        f'<nav aria-label="Contents"><ul>{links}\n<li><a href="#meanings">What the numbers mean</a></li></ul></nav>\n'
        "</header>"
    )


def _absent(lines: Sequence[str]) -> str:
    """Return what the verdict could not count, said before anything else is shown."""
    if not lines:
        return ""
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<section>\n<h2 id="absent">Not in this report</h2>\n<ul>\n{items}\n</ul>\n</section>'


def _card(question: str, sentences: Sequence[Sentence]) -> str:
    """Return one question with its answer, or with one answer a method."""
    answers = {sentence.answer for sentence in sentences}
    mark = answers.pop() if len(answers) == 1 else "same"
    if sentences[0].subject is None:
        body = " ".join(_marked(sentence) for sentence in sentences)
    else:
        lines = "".join(
            f'<li class="{sentence.answer}"><b>{escape(str(sentence.subject))}</b>: {_marked(sentence)}</li>'
            for sentence in sentences
        )
        body = f"<ul>{lines}</ul>"
    return f'<li class="{mark}"><strong>{escape(question)}</strong> {body}</li>'


def _marked(sentence: Sentence) -> str:
    """Return the sentence with its first words, the answer, set off."""
    words = re.match(r"(Yes|No|It makes no difference|Not tested)\b", sentence.text)
    if words is None:
        return escape(sentence.text)
    return f'<span class="answer">{words[0]}</span>{escape(sentence.text[words.end() :])}'


def _section(number: int, section: Section, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [f'<section>\n<h2 id="data-{number}">{escape(section.dataset)}</h2>']
    if section.shared:
        parts.append(_figures(section.shared, f"d{number}"))
    for position, (setting, plots) in enumerate(section.settings):
        parts += [
            f"<h3>{escape(setting.label[0].upper() + setting.label[1:])}</h3>",
            _described(setting),
            tables.scores(setting, metrics),
            tables.differences(setting, metrics),
            tables.halves(setting),
            witnesses.tables(setting),
            _notes(setting),
            _figures(plots, f"d{number}s{position}"),
        ]
    return "\n".join(part for part in parts if part) + "\n</section>"


def _described(setting: Setting) -> str:
    data = setting.first.data
    words = f"{data['n_cells']:,} cells × {data['n_genes']:,} genes, {percent(data['share_nonzero'], 1)} non-zero"
    if data.get("labels"):
        words += f"; {len(data['labels'])} labels"
        words += f"; structure on {data['n_cells_for_structure']:,} cells ({data['cells_for_structure']})"
    if data["n_null_genes"]:
        words += f"; {data['n_null_genes']} null genes appended"
    n = len(setting.replicates)
    return f'<p class="soft">{escape(words)}; {n} replicate{"s" * (n > 1)}.</p>'


def _notes(setting: Setting) -> str:
    """Return what must be said beside the scores, once each."""
    notes = dict.fromkeys(
        note for replicate in setting.replicates for _, record in replicate.records() for note in record["notes"]
    )
    return "".join(f'<p class="soft">Note: {escape(note)}.</p>' for note in notes)


def _figures(plots: Sequence[Plot], prefix: str) -> str:
    drawn = "\n".join(
        f'<figure id="{prefix}-{plot.slug}"><h4>{escape(plot.title)}</h4>'
        f'<div role="img" aria-label="{escape(plot.title)}">{style.inline(plot.figure, f"{prefix}-{plot.slug}")}</div>'
        f"<figcaption>{escape(plot.caption)}</figcaption></figure>"
        for plot in plots
    )
    return f'<div class="figures">\n{drawn}\n</div>' if drawn else ""
