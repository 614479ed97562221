"""One self-contained page: no network, no script, nothing but HTML, a style sheet and drawings.

A page is a verdict, three pictures and a tree of chapters. Every text from a file (titles, labels, genes, reasons) is
escaped here and in ``tables``, once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

from scinfill.reporting import style
from scinfill.reporting.figures import Plot
from scinfill.reporting.sentences import Sentence
from scinfill.reporting.tables import Table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: its own styles and the drawings inside it."""
WIDE = 8
"""Inches."""
FEW_CHAPTERS = 3
"""With more chapters that have sections, these are folded in the contents."""


@dataclass(frozen=True)
class Part:
    """What stands under one heading; without any of these the heading is left out.

    Attributes
    ----------
    sentences
        Plain text, a paragraph each; escaped by the page.
    tables
        Long ones are folded by the page.
    plots
        Figures, also written as files.
    """

    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.sentences or self.tables or self.plots)


@dataclass(frozen=True)
class Chapter:
    """A heading with what stands under it.

    Attributes
    ----------
    anchor
        Identifier of the heading, unique on the page.
    title
        Plain text.
    part
        What stands right under the heading.
    chapters
        Smaller headings below.
    prefix
        Of the identifiers of the figures.
    file_prefix
        Of the names of the files that the figures become.
    """

    anchor: str
    title: str
    part: Part = field(default_factory=Part)
    chapters: Sequence["Chapter"] = ()
    prefix: str = ""
    file_prefix: str = ""


def walk(chapters: Sequence[Chapter]) -> Iterator[Chapter]:
    """Yield the chapters and all below them, in the order of the page."""
    for chapter in chapters:
        yield chapter
        yield from walk(chapter.chapters)


def render(
    title: str,
    chapters: Sequence[Chapter],
    *,
    summary: str,
    sentences: Sequence[Sentence],
    pictures: Sequence[Plot],
    absent: Sequence[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    title
        Its heading.
    chapters
        In order.
    summary
        One line below the heading.
    sentences
        The verdict.
    pictures
        Shown right below the verdict.
    absent
        One line for each result that was to come and did not.
    """
    parts = [
        f'<header>\n<h1>{escape(title)}</h1>\n<p class="soft">{escape(summary)}</p>\n{_verdict(sentences)}',
        _absent(absent),
        _figures(pictures, "front", kind=" front"),
        f"{_contents(chapters)}\n</header>",
        *(f"<section>\n{_chapter(chapter, 2)}\n</section>" for chapter in chapters),
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


def _verdict(sentences: Sequence[Sentence]) -> str:
    questions = dict.fromkeys(sentence.question for sentence in sentences)
    items = "\n".join(
        _card(question, [sentence for sentence in sentences if sentence.question == question]) for question in questions
    )
    return f'<h2 id="verdict">Verdict</h2>\n<ul class="verdict">\n{items}\n</ul>'


def _contents(chapters: Sequence[Chapter]) -> str:
    """Return links to every heading."""
    many = sum(bool(chapter.chapters) for chapter in chapters) > FEW_CHAPTERS
    items = "\n".join(f"<li>{_entry(chapter, folded=many)}</li>" for chapter in chapters)
    return f'<nav aria-label="Contents"><h2 id="contents">Contents</h2>\n<ul>\n{items}\n</ul></nav>'


def _entry(chapter: Chapter, *, folded: bool) -> str:
    link = f'<a href="#{escape(chapter.anchor)}">{escape(chapter.title)}</a>'
    if not chapter.chapters:
        return link
    below = "".join(f"<li>{_entry(inner, folded=False)}</li>" for inner in chapter.chapters)
    if folded and any(inner.chapters for inner in chapter.chapters):
        return f"{link} <details><summary>sections</summary><ul>{below}</ul></details>"
    return f"{link}\n<ul>{below}</ul>"


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


def _chapter(chapter: Chapter, level: int) -> str:
    heading = f'<h{level} id="{escape(chapter.anchor)}">{escape(chapter.title)}</h{level}>'
    parts = [
        heading,
        *(f'<p class="soft">{escape(sentence)}</p>' for sentence in chapter.part.sentences),
        _figures(chapter.part.plots, chapter.prefix),
        *(table.folded() for table in chapter.part.tables),
        *(_chapter(inner, level + 1) for inner in chapter.chapters),
    ]
    return "\n".join(part for part in parts if part)


def _wide(plot: Plot) -> str:
    """Let a broad drawing have a row of its own, or its letters would be too small to read."""
    return ' class="wide"' if plot.figure.get_figwidth() > WIDE else ""


def _figures(plots: Sequence[Plot], prefix: str, *, kind: str = "") -> str:
    drawn = "\n".join(
        f'<figure id="{prefix}-{plot.slug}"{_wide(plot)}><h5>{escape(plot.title)}</h5>'
        f'<div role="img" aria-label="{escape(plot.title)}">{style.inline(plot.svg, f"{prefix}-{plot.slug}")}</div>'
        f"<figcaption>{escape(plot.caption)}</figcaption></figure>"
        for plot in plots
    )
    return f'<div class="figures{kind}">\n{drawn}\n</div>' if drawn else ""
