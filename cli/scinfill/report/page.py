"""One self-contained page: no network, no script, nothing but HTML, a style sheet and drawings.

Every text from a results file (titles, labels, genes, reasons) is escaped here, once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from scinfill import __version__
from scinfill.report import style
from scinfill.report.figures import Plot
from scinfill.report.results import Setting, metrics_of, names_in_order, percent, pooled, signed
from scinfill.report.verdict import Sentence, across

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: its own styles and the drawings inside it."""


@dataclass(frozen=True)
class Section:
    """One dataset on the page: what its settings share, and each setting with its figures."""

    dataset: str
    shared: Sequence[Plot]
    settings: Sequence[tuple[Setting, Sequence[Plot]]]


def render(title: str, sentences: Sequence[Sentence], sections: Sequence[Section], costs: pd.DataFrame | None) -> str:
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
    """
    settings = [setting for section in sections for setting, _ in section.settings]
    metrics = metrics_of(settings)
    parts = [
        _header(title, sentences, sections, settings),
        _overview(settings, metrics) if len(settings) > 1 else "",
        _costs(costs),
        *(_section(number, section, metrics) for number, section in enumerate(sections)),
        _meanings(metrics, settings),
        _missing(settings),
        _making(settings),
    ]
    css = files("scinfill.report").joinpath("page.css").read_text(encoding="utf-8")
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


def _overview(settings: Sequence[Setting], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the mean of every metric over all evaluations, one column a series."""
    tables = {metric: across(settings, metric) for metric in metrics}
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    rows = []
    for metric, table in tables.items():
        if table.empty:
            continue
        means = table.dropna().mean() if len(table.dropna()) else table.mean()
        best = _best(means, metrics[metric]["better"])
        cells = [
            f"<td{_class(name == best)}>{_number(means[name])}</td>" if name in means else "<td>–</td>"
            for name in names
        ]
        counted = len(table.dropna()) or len(table)
        rows.append(f"<tr>{_metric_head(metrics[metric])}{''.join(cells)}<td>{counted}</td></tr>")
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    return (
        '<h2 id="overview">All evaluations</h2>\n<div class="scroll"><table>'
        "<caption>Means over the evaluations that have the number for every column. Recovery is asked of the estimate "
        "'detected' where there is one, everything else of the others.</caption>"
        f"<thead><tr><th>score</th>{heads}<th>evaluations</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _costs(costs: pd.DataFrame | None) -> str:
    if costs is None or costs.empty:
        return ""
    groups = costs.groupby("name", sort=False).agg(
        seconds=("seconds", "mean"), spread=("seconds", "std"), peak_mib=("peak_mib", "max"), runs=("seconds", "size")
    )
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{row.seconds:.1f}{_plus_minus(row.spread, 1)}</td>"
        f"<td>{_number(row.peak_mib, 0)}</td><td>{row.runs:.0f}</td></tr>"
        for name, row in groups.iterrows()
    )
    return (
        '<h2 id="costs">Time and memory</h2>\n<div class="scroll"><table><thead><tr><th>method</th><th>seconds</th>'
        f"<th>peak memory (MiB)</th><th>runs</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _section(number: int, section: Section, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [f'<section>\n<h2 id="data-{number}">{escape(section.dataset)}</h2>']
    if section.shared:
        parts.append(_figures(section.shared, f"d{number}"))
    for position, (setting, plots) in enumerate(section.settings):
        parts += [
            f"<h3>{escape(setting.label[0].upper() + setting.label[1:])}</h3>",
            _described(setting),
            _scores(setting, metrics),
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


def _scores(setting: Setting, metrics: Mapping[str, Mapping[str, Any]]) -> str:
    table = pooled(setting.scores)
    names = names_in_order(setting.scores)
    rows = []
    for metric, known in metrics.items():
        if metric not in table.index.get_level_values("metric"):
            continue
        scores = table.loc[metric]
        best = _best(scores["value"], known["better"])
        cells = "".join(
            _score(scores.loc[name], best=name == best) if name in scores.index else "<td>–</td>" for name in names
        )
        fewest, most = int(scores["n"].min()), int(scores["n"].max())
        counted = (
            f"{fewest:,} {scores['of'].iloc[0]}" if fewest == most else f"{fewest:,} to {most:,} {scores['of'].iloc[0]}"
        )
        rows.append(f'<tr>{_metric_head(known)}{cells}<td class="n">{escape(counted)}</td></tr>')
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    spread = (
        f"± standard deviation over {len(setting.replicates)} replicates"
        if len(setting.replicates) > 1
        else "± standard deviation over k-means starts; brackets: 95 % interval by resampling"
    )
    return (
        f'<div class="scroll"><table><caption>{spread}. Bold: best.</caption><thead><tr><th>score</th>{heads}'
        f"<th>n</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _score(row: pd.Series, *, best: bool) -> str:
    small = _plus_minus(row["sd"], 3)
    if not small and np.isfinite(row["low"]):
        small = f"<small>[{_number(row['low'])}, {_number(row['high'])}]</small>"
    return f"<td{_class(best)}>{_number(row['value'])}{small}</td>"


def _plus_minus(sd: float, digits: int) -> str:
    return f"<small>± {sd:.{digits}f}</small>" if pd.notna(sd) else ""


def _number(value: float, digits: int = 3) -> str:
    return signed(value, digits) if pd.notna(value) else "–"


def _class(best: bool) -> str:  # noqa: FBT001 - a cell is the best or not
    return ' class="best"' if best else ""


def _best(values: pd.Series, better: str | None) -> str | None:
    if better is None or values.dropna().empty:
        return None
    return str(values.idxmin() if better == "lower" else values.idxmax())


def _metric_head(known: Mapping[str, Any]) -> str:
    arrow = {"lower": " ↓", "higher": " ↑"}.get(str(known["better"]), "")
    return f'<th title="{escape(str(known["meaning"]))}">{escape(str(known["title"]))}{arrow}</th>'


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


def _meanings(metrics: Mapping[str, Mapping[str, Any]], settings: Sequence[Setting]) -> str:
    present = {metric for setting in settings for metric in setting.scores["metric"]}
    rows = "".join(
        f'<tr><th>{escape(str(known["title"]))}</th><td class="text">{escape(str(known["meaning"]))}</td>'
        f"<td>{escape(str(known['better'] or 'neither'))}</td></tr>"
        for metric, known in metrics.items()
        if metric in present
    )
    return (
        '<h2 id="meanings">What the numbers mean</h2>\n<div class="scroll"><table><thead><tr><th>score</th>'
        f"<th>meaning</th><th>better</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _missing(settings: Sequence[Setting]) -> str:
    """Return what could not be scored, with the reason."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for setting in settings:
        for replicate in setting.replicates:
            titles = replicate.document["metrics"]
            for name, record in replicate.records():
                for metric, reason in record["skipped"].items():
                    title = str(titles.get(metric, {"title": metric})["title"])
                    reasons.setdefault((setting.dataset, title, reason), []).append(name)
    grouped: dict[tuple[str, str], dict[str, None]] = {}
    for (dataset, title, reason), _ in reasons.items():
        grouped.setdefault((dataset, reason), {})[title] = None
    if not grouped:
        return ""
    rows = "".join(
        f'<tr><th>{escape(dataset)}</th><td class="text">{escape(", ".join(titles))}</td>'
        f'<td class="text">{escape(reason)}</td></tr>'
        for (dataset, reason), titles in grouped.items()
    )
    return (
        '<h2 id="missing">What was left out, and why</h2>\n<div class="scroll"><table><thead><tr><th>data</th>'
        f"<th>scores</th><th>reason</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _making(settings: Sequence[Setting]) -> str:
    sources: dict[str, tuple[str, str]] = {}
    for setting in settings:
        for replicate in setting.replicates:
            chosen = replicate.document["settings"]
            text = ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
            sources[replicate.source] = (str(replicate.document.get("scinfill")), text)
    rows = "".join(
        f'<tr><th>{escape(source)}</th><td>{escape(version)}</td><td class="text">{escape(text)}</td></tr>'
        for source, (version, text) in sources.items()
    )
    return (
        f'<h2 id="making">How this page was made</h2>\n<p class="soft">scinfill {escape(__version__)} report.</p>\n'
        '<div class="scroll"><table><thead><tr><th>results file</th><th>scinfill</th><th>settings</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
