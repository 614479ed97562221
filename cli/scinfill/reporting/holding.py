"""What the untouched half of the molecules says of an input, in words: which differences hold, and how exactly."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from scinfill.reporting.comparable import FOLD_CHANGES, changes_of, fair
from scinfill.reporting.results import INPUT, Setting, percent

SMALL = 0.1
"""Log2 units below which most differences that do not hold lie."""


def invented(settings: Sequence[Setting], name: str) -> str | None:
    """Return how many of the genes called on an input do not hold, beside raw; None where no half was kept."""
    called = changes_of(settings, "halves_called", name)
    most = changes_of(settings, "halves_false_at_most", name)
    least = changes_of(settings, "halves_false_at_least", name)
    if called.empty:
        return None
    if most.empty or least.empty:
        return "No gene is called between similar groups, on it or on raw counts"
    return (
        f"Between similar groups {percent(called['value'].mean())} of the genes are called (raw: "
        f"{percent(called['raw'].mean())}). {_shares(least, most, 'value')} of them do not hold in the untouched half "
        f"of the molecules (raw: {_shares(least, most, 'raw')}){_on_average(len(most))}{_by_size(settings, name)}"
    )


def _shares(least: pd.DataFrame, most: pd.DataFrame, column: str) -> str:
    low, high = percent(least[column].mean()), percent(most[column].mean())
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _on_average(n: int) -> str:
    return f", mean of {n} evaluations" if n > 1 else ""


def _by_size(settings: Sequence[Setting], name: str) -> str:
    """Return how called differences hold below and above SMALL, over all evaluations."""
    rows = pd.DataFrame(
        [
            row
            for setting in fair(settings, "halves_called")
            for replicate in setting.replicates
            for _, record in replicate.records()
            if record["series"] == name and record["kind"] == INPUT
            for row in record["details"].get("halves", {}).get("by_size", [])
            if row["called"]
        ]
    )
    if rows.empty:
        return ""
    small = rows["to"].fillna(np.inf) <= SMALL
    shares = [
        (words, np.average(some["hold"], weights=some["called"]))
        for words, some in ((f"above {SMALL} log2 units", rows[~small]), (f"below {SMALL}", rows[small]))
        if not some.empty
    ]
    (first, share), *others = shares
    rest = "".join(f", {words} in {percent(kept)}" for words, kept in others)
    return f"; differences {first} keep their sign in {percent(share)}{rest}"


def sizes(settings: Sequence[Setting], name: str) -> tuple[Literal["yes", "no", "same"], str] | None:
    """Answer whether fold changes of an input are closer to the untouched half than raw counts'; None if not asked."""
    better: list[str] = []
    worse: list[str] = []
    numbers: list[str] = []
    for metric, cells in FOLD_CHANGES.items():
        changes = changes_of(settings, metric, name)
        if changes.empty:
            continue
        gain, spread = (changes["raw"] - changes["value"]).mean(), max(changes["spread"].mean(), 1e-9)
        numbers.append(f"{cells} cells {changes['value'].mean():.2f} (raw {changes['raw'].mean():.2f})")
        if abs(gain) > spread:
            (better if gain > 0 else worse).append(cells)
    if not numbers:
        return None
    errors = f"Error of log2 fold changes of group means against the untouched half: {', '.join(numbers)}"
    if better and worse:
        return "yes", f"Yes for {_groups(better)}; for {_groups(worse)} the counts are closer. {errors}."
    if better:
        return "yes", f"Yes. {errors}."
    return ("no", f"No, the counts are closer. {errors}.") if worse else ("same", f"It makes no difference. {errors}.")


def _groups(sizes: Sequence[str]) -> str:
    few = [size for size in sizes if size != "all"]
    words = " or ".join(filter(None, [", ".join(few[:-1]), *few[-1:]]))
    return " and ".join([f"groups of {words} cells"] * bool(few) + ["whole groups"] * ("all" in sizes))


def rows_of_pairs(found: dict[str, Any]) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Return the pairs of groups in order, each with its row of every estimate.

    Parameters
    ----------
    found
        Details of the two halves by the name of the estimate.
    """
    by_pair: dict[str, list[dict[str, Any] | None]] = {}
    for position, record in enumerate(found.values()):
        for row in record["pairs"]:
            pair = f"{row['first']} ({row['n_first']:,}) – {row['second']} ({row['n_second']:,})"
            by_pair.setdefault(pair, [None] * len(found))[position] = row
    return list(by_pair.items())
