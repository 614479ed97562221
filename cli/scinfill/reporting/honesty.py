"""Where the intervals of an input hold what they promise, and where not: the strata of ``evaluate`` in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scinfill.reporting.results import INPUT, Setting, details, percent
from scinfill.reporting.sentences import Sentence
from scinfill.reporting.tables import Table, plain

NOMINAL = 0.9
QUESTION = "Are its intervals honest?"


def judged_strata(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return the strata that hold enough entries to be judged, the worst first.

    Parameters
    ----------
    record
        Details ``calibration`` of an estimate.

    Returns
    -------
    Columns ``label``, ``quartile``, ``decile``, ``n``, ``coverage``, ``low``, ``high``; ``gap``, how far the whole
    interval of the coverage lies from .9, so that a small stratum does not look worse than it is known to be; whether
    the coverage is ``outside`` the band, and whether it is so ``surely``, with all of its interval.
    """
    rows = pd.DataFrame(record.get("by_stratum", []))
    if rows.empty:
        return rows
    rows = rows[rows["n"] >= record["fewest_entries"]].copy()
    rows[["low", "high"]] = np.array(rows.pop("interval").tolist()).reshape(-1, 2)
    lowest, highest = record["band"]
    rows["gap"] = np.maximum(np.maximum(rows["low"] - NOMINAL, NOMINAL - rows["high"]), 0)
    rows["outside"] = (rows["coverage"] < lowest) | (rows["coverage"] > highest)
    rows["surely"] = (rows["high"] < lowest) | (rows["low"] > highest)
    by_gap = rows.assign(off=(rows["coverage"] - NOMINAL).abs()).sort_values(
        ["gap", "off"], ascending=False, kind="stable"
    )
    return by_gap.drop(columns="off")


def in_words(row: Mapping[str, Any]) -> str:
    """Return where a stratum lies and what it covers, with its interval and n."""
    return (
        f"{row['label']}, library size quartile {row['quartile']}, expression decile {row['decile']}: "
        f"{row['coverage']:.3f} (95 % interval {row['low']:.3f} to {row['high']:.3f}, n = {row['n']:,})"
    )


def intervals(settings: Sequence[Setting], name: str) -> Sentence | None:
    """Answer whether the intervals of an input are honest everywhere; None where there are none to judge.

    Reads are no test: copies of one molecule fall on both sides of the split.
    """
    found = _records(settings, name)
    if not found:
        return None
    if all(counts == "reads" for counts, _, _ in found):
        return Sentence(QUESTION, name, "unknown", "Not tested: held-out reads are no test of intervals.")
    kept = [(overall, record) for counts, overall, record in found if counts != "reads"]
    overall = float(np.mean([share for share, _ in kept]))
    strata = pd.concat([judged_strata(record) for _, record in kept])
    lowest, highest = kept[0][1].get("band", (np.nan, np.nan))
    poisson = float(np.mean([record["poisson_coverage"]["90"] for _, record in kept]))
    covered = (
        f"90 % intervals cover {percent(overall, 1)} of the held-out molecules (a Poisson around the model alone: "
        f"{percent(poisson, 1)})"
    )
    if strata.empty:
        text = f"Not tested by expression, library size and label: too few entries in each. Over all, {covered}."
        return Sentence(QUESTION, name, "unknown", text)
    n, outside, surely = len(strata), int(strata["outside"].sum()), int(strata["surely"].sum())
    worst = in_words(strata.sort_values("gap", ascending=False, kind="stable").iloc[0])
    band = f"{percent(lowest)} and {percent(highest)}"
    of_strata = (
        f"{n:,} strata of expression, library size and label (of {kept[0][1]['fewest_entries']:,} entries or more)"
    )
    if surely or not lowest <= overall <= highest:
        text = (
            f"No, not everywhere. {covered[0].upper()}{covered[1:]}, but {outside:,} of {of_strata} lie outside "
            f"{band}, {surely:,} of them beyond chance. The worst: {worst}."
        )
        return Sentence(QUESTION, name, "no", text)
    capitalised = f"{covered[0].upper()}{covered[1:]}"
    if outside:
        text = (
            f"Nearly everywhere. {capitalised}; {outside:,} of {of_strata} lie outside {band}, by no more than chance "
            f"may do. The worst: {worst}."
        )
        return Sentence(QUESTION, name, "same", text)
    return Sentence(QUESTION, name, "yes", f"Yes. {capitalised}; all {of_strata} between {band}. The worst: {worst}.")


def _records(settings: Sequence[Setting], name: str) -> list[tuple[str | None, float, Mapping[str, Any]]]:
    return [
        (replicate.data.get("counts"), record["scores"]["coverage_90"]["value"], record["details"]["calibration"])
        for setting in settings
        for replicate in setting.replicates
        for _, record in replicate.records()
        if record["series"] == name and record["kind"] == INPUT and "calibration" in record["details"]
    ]


def table(setting: Setting) -> Table | None:
    """Return the strata of every estimate of a setting, the worst first."""
    parts = []
    for name, record in details(setting, "calibration").items():
        strata = judged_strata(record)
        if not strata.empty:
            parts.append(strata.assign(estimate=name))
    if not parts:
        return None
    rows = pd.concat(parts).sort_values("gap", ascending=False, kind="stable")
    shown = pd.DataFrame(
        {
            "label": rows["label"],
            "estimate": rows["estimate"],
            "library size quartile": rows["quartile"],
            "expression decile": rows["decile"],
            "coverage": rows["coverage"],
            "95 % interval": [f"{low:.3f} to {high:.3f}" for low, high in zip(rows["low"], rows["high"], strict=True)],
            "n": rows["n"],
            "outside": np.where(rows["surely"], "beyond chance", np.where(rows["outside"], "yes", "")),
        }
    )
    few = next(iter(details(setting, "calibration").values()))["fewest_entries"]
    caption = f"The worst first: those whose whole interval lies farthest from .9. Strata of {few:,} entries or more."
    return plain("Coverage by expression, library size and label", caption, shown)
