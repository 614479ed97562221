"""The tables of the page, as HTML. Every text from a results file is escaped here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from scinfill.reporting.comparable import across
from scinfill.reporting.holding import rows_of_pairs
from scinfill.reporting.results import (
    Setting,
    details,
    metrics_of,
    names_in_order,
    pooled,
    pooled_differences,
    signed,
)

EMPTY = "<td>–</td>"
MOST_ROWS_UNFOLDED = 8
"""A longer table is folded: its title opens it."""


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    title
        What it holds, in a few words; plain text.
    html
        Escaped, in a box that scrolls by itself.
    n_rows
        Without the heads.
    """

    title: str
    html: str
    n_rows: int

    def folded(self) -> str:
        """Return it so that a long table opens by a click on its title."""
        if self.n_rows <= MOST_ROWS_UNFOLDED:
            return self.html
        summary = f"{escape(self.title)} <small>({self.n_rows} rows)</small>"
        return f"<details><summary>{summary}</summary>\n{self.html}\n</details>"


def plain(title: str, caption: str, frame: pd.DataFrame) -> Table:
    """Return a table of words and numbers, whose first column heads its rows.

    Parameters
    ----------
    title, caption
        What it holds; what a reader needs to know of it.
    frame
        Texts stay as they are, numbers get three digits, missing values a dash; its columns are the heads.
    """
    heads = "".join(
        f'<th class="text">{escape(str(column))}</th>' if _is_text(frame[column]) else f"<th>{escape(str(column))}</th>"
        for column in frame.columns
    )
    rows = [
        f"<tr><th>{_text(first)}</th>{''.join(_cell(value) for value in others)}</tr>"
        for first, *others in frame.itertuples(index=False, name=None)
    ]
    body, head = "".join(rows), f"<caption>{escape(caption)}</caption>" if caption else ""
    html = f'<div class="scroll"><table>{head}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    return Table(title, html, len(rows))


def _is_text(column: pd.Series) -> bool:
    return any(isinstance(value, str) for value in column)


def _cell(value: object) -> str:
    return f'<td class="text">{_text(value)}</td>' if isinstance(value, str) else f"<td>{_text(value)}</td>"


def _text(value: object) -> str:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return _number(float(value))
    return "–" if value is None else escape(str(value))


def overview(settings: Sequence[Setting]) -> Table | None:
    """Return the mean of every metric over all evaluations, one column a series; None for a single one."""
    if len(settings) < 2:
        return None
    metrics = metrics_of(settings)
    tables = {metric: across(settings, metric) for metric in metrics}
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    rows = []
    for metric, table in tables.items():
        if table.empty:
            continue
        means = table.dropna().mean() if len(table.dropna()) else table.mean()
        best = _best(means, metrics[metric]["better"])
        cells = [
            f"<td{_class(name in best)}>{_number(means[name])}</td>" if name in means else "<td>–</td>"
            for name in names
        ]
        counted = len(table.dropna()) or len(table)
        rows.append(f"<tr>{_metric_head(metrics[metric])}{''.join(cells)}<td>{counted}</td></tr>")
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    html = (
        '<div class="scroll"><table>'
        "<caption>Means over the evaluations that have the number for every column. Recovery is asked of the estimate "
        "'detected' where there is one, everything else of the others. Held-out reads are no test and count "
        "nowhere.</caption>"
        f"<thead><tr><th>score</th>{heads}<th>evaluations</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Table("Means of all scores", html, len(rows))


def time_and_memory(costs: pd.DataFrame | None) -> Table | None:
    """Return what each method took, over its runs."""
    if costs is None or costs.empty:
        return None
    groups = costs.groupby("name", sort=False).agg(
        seconds=("seconds", "mean"), spread=("seconds", "std"), peak_mib=("peak_mib", "max"), runs=("seconds", "size")
    )
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{row.seconds:.1f}{_plus_minus(row.spread, 1)}</td>"
        f"<td>{_number(row.peak_mib, 0)}</td><td>{row.runs:.0f}</td></tr>"
        for name, row in groups.iterrows()
    )
    html = (
        '<div class="scroll"><table><thead><tr><th>method</th><th>seconds</th>'
        f"<th>peak memory (MiB)</th><th>runs</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return Table("Time and memory of each method", html, len(groups))


def scores(setting: Setting) -> Table | None:
    """Return all scores of a setting, one column an estimate, each with its spread and n."""
    if setting.scores.empty:
        return None
    table = pooled(setting.scores)
    names = names_in_order(setting.scores)
    rows = []
    for metric, known in metrics_of([setting]).items():
        if metric not in table.index.get_level_values("metric"):
            continue
        scores = table.loc[metric]
        best = _best(scores["value"], known["better"])
        cells = "".join(
            _score(scores.loc[name], best=name in best) if name in scores.index else EMPTY for name in names
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
    html = (
        f'<div class="scroll"><table><caption>{spread}. Bold: best.</caption><thead><tr><th>score</th>{heads}'
        f"<th>n</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Table("All scores, with spread and n", html, len(rows))


def differences(setting: Setting) -> Table | None:
    """Return inputs minus baselines, paired over what was resampled: cells, genes or k-means starts."""
    if setting.differences.empty:
        return None
    table = pooled_differences(setting.differences)
    columns = list(dict.fromkeys((name, reference) for _, name, reference in table.index))
    rows = [
        f"<tr>{_metric_head(known)}"
        + "".join(
            _score(table.loc[metric, name, reference], best=False)
            if (metric, name, reference) in table.index
            else EMPTY
            for name, reference in columns
        )
        + "</tr>"
        for metric, known in metrics_of([setting]).items()
        if known["better"] and metric in table.index.get_level_values("metric")
    ]
    heads = "".join(f"<th>{escape(name)} − {escape(reference)}</th>" for name, reference in columns)
    spread = (
        f"± standard deviation over {len(setting.replicates)} replicates"
        if len(setting.replicates) > 1
        else "brackets: 95 % interval of the paired difference over cells, genes, pairs of labels or k-means starts"
    )
    html = (
        f'<div class="scroll"><table class="differences"><caption>Paired differences; {spread}. An arrow down: '
        f"below zero is better.</caption><thead><tr><th>difference</th>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Table("Paired differences from raw, gene mean and SVD", html, len(rows))


def halves(setting: Setting) -> Table | None:
    """Return what the untouched half says of every pair of groups and estimate."""
    found = details(setting, "halves")
    if not found:
        return None
    rows = [
        f"<tr><th>{escape(pair)}</th>{''.join(EMPTY if row is None else _pair(row) for row in own)}</tr>"
        for pair, own in rows_of_pairs(found)
    ]
    heads = "".join(f"<th>{escape(name)}</th>" for name in found)
    n_genes = next(iter(found.values()))["n_genes"]
    html = (
        '<div class="scroll"><table><caption>Genes called between two groups (cells in brackets), of '
        f"{n_genes:,}; false among them at least to at most; below it how many of the 50 best-ranked hold, and the "
        "error of fold changes of the smallest and the largest groups of cells.</caption>"
        f"<thead><tr><th>pair</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Table("Pairs of groups in the untouched half", html, len(rows))


def _pair(row: Mapping[str, Any]) -> str:
    bounds = [row[key] for key in ("false_at_least", "false_at_most")]
    false = "" if None in bounds else f"; {_number(bounds[0]['value'], 2)} to {_number(bounds[1]['value'], 2)}"
    errors = row["fold_change"]
    sizes = [size for size in errors if size != "all"]
    few = f"{sizes[0]} cells {_number(errors[sizes[0]], 2)}, " if sizes else ""
    return (
        f"<td>{row['called']:,}{false}<small>best {_number(row['best'], 2)}; {few}all "
        f"{_number(errors['all'], 2)}</small></td>"
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


def _best(values: pd.Series, better: str | None) -> set[str]:
    """Return the names of the best value; what prints alike is equally good."""
    values = values.dropna()
    if better is None or values.empty:
        return set()
    best = values.min() if better == "lower" else values.max()
    return {str(name) for name, value in values.items() if _number(value) == _number(best)}


def _metric_head(known: Mapping[str, Any]) -> str:
    arrow = {"lower": " ↓", "higher": " ↑"}.get(str(known["better"]), "")
    return f'<th title="{escape(str(known["meaning"]))}">{escape(str(known["title"]))}{arrow}</th>'


def meanings(settings: Sequence[Setting]) -> Table:
    """Return what each score on the page says."""
    present = {metric for setting in settings for metric in setting.scores["metric"]}
    rows = [
        {"score": known["title"], "meaning": known["meaning"], "better": known["better"] or "neither"}
        for metric, known in metrics_of(settings).items()
        if metric in present
    ]
    return plain("What each score says", "", pd.DataFrame(rows, columns=["score", "meaning", "better"]))


def missing(settings: Sequence[Setting]) -> Table | None:
    """Return what could not be scored, with the reason.

    A score that an estimate has in another setting of the same data (another kind of mask) is not missing.
    """
    found = {
        (setting.dataset, series, metric)
        for setting in settings
        for series, metric in zip(setting.scores["series"], setting.scores["metric"], strict=True)
    }
    grouped: dict[tuple[str, str], dict[str, None]] = {}
    for setting in settings:
        for replicate in setting.replicates:
            titles = replicate.document["metrics"]
            for _, record in replicate.records():
                for metric, reason in record["skipped"].items():
                    if (setting.dataset, record["series"], metric) in found:
                        continue
                    title = str(titles.get(metric, {"title": metric})["title"])
                    grouped.setdefault((setting.dataset, reason), {})[title] = None
    if not grouped:
        return None
    rows = [
        {"data": dataset, "scores": "; ".join(titles), "reason": reason}
        for (dataset, reason), titles in grouped.items()
    ]
    return plain("Scores that are not there", "", pd.DataFrame(rows))


def making(settings: Sequence[Setting]) -> Table:
    """Return which files the page was made of, and how they were scored."""
    sources: dict[str, tuple[str, str]] = {}
    for setting in settings:
        for replicate in setting.replicates:
            chosen = replicate.document["settings"]
            text = ", ".join(f"{name} {_setting(value)}" for name, value in chosen.items() if value is not None)
            sources[replicate.source] = (str(replicate.document.get("scinfill")), text)
    rows = [
        {"results file": source, "scinfill": version, "settings": text} for source, (version, text) in sources.items()
    ]
    return plain("Results files and their settings", "", pd.DataFrame(rows))


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
