"""From results of ``evaluate`` to tables: which data, which setting, which estimate, which score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import pandas as pd

from scinfill.errors import DataError
from scinfill.models.estimate.effect import Effect

FORMAT = "scinfill evaluation"
FORMAT_VERSION = 1
PARTS = {"data": list, "estimates": dict, "differences": dict, "metrics": dict, "settings": dict}
Fields = Mapping[str, type | tuple[type, ...]]

DATA: Fields = {"estimates": list, "n_cells": int, "n_genes": int, "n_null_genes": int, "share_nonzero": (int, float)}
RECORD: Fields = {"kind": str, "series": str, "scores": dict, "skipped": dict, "notes": list, "details": dict}
EFFECT: Fields = {
    "n_genes": int,
    "genes_gated_shut": (int, NoneType),
    "mean_observed_weight": (int, float, NoneType),
}
SAVED_MODEL: Fields = {
    "model": str,
    "n_cells": int,
    "n_told": int,
    "n_badly_known": int,
    "n_genes_absent": int,
}
SCORE: Fields = {"value": (int, float), "n": int, "of": str}
"""What must be there, and of which kind."""
BASELINES = ("raw", "gene-mean", "svd-10")
INPUT = "input"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Replicate:
    """One table of one results file, with everything that was scored on it."""

    source: str
    document: Document
    data: Mapping[str, Any]

    def records(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return name and record of every estimate of this table."""
        return [(name, self.document["estimates"][name]) for name in self.data["estimates"]]


@dataclass(frozen=True)
class Setting:
    """One dataset with one kind of mask: replicates differ in seeds alone.

    Attributes
    ----------
    dataset
        Title of the data.
    mode, fraction
        What was hidden; None for nothing.
    replicates
        One or more.
    scores
        One row per replicate, estimate and metric.
    differences
        One row per replicate, input, baseline and metric: input minus baseline.
    """

    dataset: str
    mode: str | None
    fraction: float | None
    replicates: tuple[Replicate, ...]
    scores: pd.DataFrame
    differences: pd.DataFrame

    @property
    def label(self) -> str:
        """What was hidden, in words."""
        return described_mask(self.mode, self.fraction)

    @property
    def first(self) -> Replicate:
        """The replicate whose curves and points are drawn."""
        return self.replicates[0]


def described_mask(mode: str | None, fraction: float | None) -> str:
    """Return what was hidden, in words."""
    what = {
        "nonzero": "of the non-zeros hidden",
        "entries": "of all entries hidden, zeros included",
        "thin": "of the molecules held out",
        "halves": "of the molecules kept apart, untouched",
    }
    if mode not in what or fraction is None:
        return "nothing hidden"
    return f"{percent(fraction)} {what[mode]}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share as people write it."""
    return f"{100 * share:.{digits}f} %"


def signed(value: float, digits: int = 3) -> str:
    """Return a number with a real minus sign, and none on a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def collect(documents: Sequence[tuple[str, Document]]) -> list[Setting]:
    """Group results by dataset and mask.

    Parameters
    ----------
    documents
        Name and content of every results file.

    Raises
    ------
    DataError
        A document that ``evaluate`` did not write.
    """
    groups: dict[tuple[str, str | None, float | None], list[Replicate]] = {}
    for source, document in documents:
        _check(source, document)
        for data in document["data"]:
            mask = data.get("mask") or {}
            key = (str(document.get("title") or source), mask.get("mode"), mask.get("fraction"))
            groups.setdefault(key, []).append(Replicate(source, document, data))
    return [
        Setting(dataset, mode, fraction, tuple(replicates), _scores(replicates), _differences(replicates))
        for (dataset, mode, fraction), replicates in groups.items()
    ]


def _check(source: str, document: Document) -> None:
    if document.get("format") != FORMAT:
        raise DataError(f"{source!r} is not a result of `scinfill evaluate` (its format is {document.get('format')!r})")
    if document.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{source!r} has format version {document.get('format_version')!r}, this scinfill reads "
            f"{FORMAT_VERSION}; evaluate again"
        )
    for key, kind in PARTS.items():
        if not isinstance(document.get(key), kind):
            raise DataError(f"{source!r} is damaged: {key!r} is missing or not a {kind.__name__}; evaluate again")
    for name, record in document["estimates"].items():
        _check_record(source, name, record)
    for data in document["data"]:
        _check_fields(data, DATA, f"{source!r} is damaged: 'data'")
        if not set(data["estimates"]) <= set(document["estimates"]):
            raise DataError(f"{source!r} is damaged: 'data' names estimates that are not there; evaluate again")


def _check_record(source: str, name: str, record: Any) -> None:  # noqa: ANN401 - any JSON
    _check_fields(record, RECORD, f"{source!r} is damaged: estimate {name!r}")
    for part, words, fields in (("effect", "effect", EFFECT), ("saved_model", "saved model", SAVED_MODEL)):
        if record.get(part) is not None:
            _check_fields(record[part], fields, f"{source!r} is damaged: the {words} of {name!r}")
    for metric, score in record["scores"].items():
        _check_fields(score, SCORE, f"{source!r} is damaged: score {metric!r} of {name!r}")


def _check_fields(record: Any, fields: Fields, where: str) -> None:  # noqa: ANN401 - any JSON
    for field, kind in fields.items():
        if not isinstance(record, dict) or not isinstance(record.get(field), kind):
            raise DataError(f"{where} has no {field!r} of the right kind; evaluate again")


def display_name(record: Mapping[str, Any]) -> str:
    """Return how tables call an estimate: its series, and which question it answers."""
    return f"{record['series']} ({record['estimate']})" if record.get("estimate") else str(record["series"])


def details(setting: Setting, key: str) -> dict[str, Any]:
    """Return one kind of detail of every estimate of the first replicate, by display name."""
    return {
        display_name(record): record["details"][key]
        for _, record in setting.first.records()
        if key in record["details"]
    }


def _scores(replicates: Sequence[Replicate]) -> pd.DataFrame:
    rows = [
        {
            "source": replicate.source,
            "name": display_name(record),
            "series": record["series"],
            "question": record.get("estimate"),
            "kind": record["kind"],
            "metric": metric,
            "value": score["value"],
            "sd": score.get("sd"),
            "low": score.get("interval", [None, None])[0],
            "high": score.get("interval", [None, None])[1],
            "n": score["n"],
            "of": score["of"],
        }
        for replicate in replicates
        for _, record in replicate.records()
        for metric, score in record["scores"].items()
    ]
    columns = ["source", "name", "series", "question", "kind", "metric", "value", "sd", "low", "high", "n", "of"]
    return pd.DataFrame(rows, columns=columns)


def _differences(replicates: Sequence[Replicate]) -> pd.DataFrame:
    rows = [
        {
            "name": display_name(record),
            "reference": reference,
            "metric": metric,
            "value": found["value"],
            "sd": found.get("sd"),
            "low": found.get("interval", [None, None])[0],
            "high": found.get("interval", [None, None])[1],
        }
        for replicate in replicates
        for estimate, record in replicate.records()
        for reference, metrics in replicate.document["differences"].get(estimate, {}).items()
        for metric, found in metrics.items()
    ]
    columns = ["name", "reference", "metric", "value", "sd", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def effects_of(settings: Sequence[Setting], series: str) -> dict[str, Effect]:
    """Return by dataset what imputing it did, the mean over masks and replicates; nothing where no file says."""
    rows = [
        {"dataset": setting.dataset} | {field: record["effect"].get(field) for field in EFFECT}
        for setting in settings
        for replicate in setting.replicates
        for _, record in replicate.records()
        if record["series"] == series and record["kind"] == INPUT and record.get("effect")
    ]
    if not rows:
        return {}
    means = pd.DataFrame(rows).set_index("dataset").astype(float).groupby(level=0, sort=False).mean()
    return {
        str(dataset): Effect(
            round(row["n_genes"]),
            None if pd.isna(row["genes_gated_shut"]) else round(row["genes_gated_shut"]),
            None if pd.isna(row["mean_observed_weight"]) else float(row["mean_observed_weight"]),
        )
        for dataset, row in means.iterrows()
    }


def pooled(scores: pd.DataFrame) -> pd.DataFrame:
    """Pool replicates: mean and standard deviation over them; a single one keeps its own spread.

    Returns
    -------
    One row per (metric, name) with ``value``, ``sd``, ``low``, ``high``, ``n``, ``of``, ``kind``, ``series``,
    ``question`` and ``n_replicates``, in the order of appearance.
    """
    groups = scores.groupby(["metric", "name"], sort=False)
    table = groups.agg(
        value=("value", "mean"),
        sd=("value", "std"),
        own_sd=("sd", "first"),
        low=("low", "first"),
        high=("high", "first"),
        n=("n", "first"),
        of=("of", "first"),
        kind=("kind", "first"),
        series=("series", "first"),
        question=("question", "first"),
        n_replicates=("value", "size"),
    )
    single = table["n_replicates"] == 1
    table["sd"] = table["own_sd"].astype(float).where(single, table["sd"])
    table[["low", "high"]] = table[["low", "high"]].astype(float).where(single, float("nan"))
    return table.drop(columns="own_sd")


def pooled_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Pool replicates of differences as :func:`pooled` does; a single one keeps its interval.

    Returns
    -------
    One row per (metric, name, reference) with ``value``, ``sd``, ``low`` and ``high``.
    """
    table = differences.groupby(["metric", "name", "reference"], sort=False).agg(
        value=("value", "mean"),
        sd=("value", "std"),
        low=("low", "first"),
        high=("high", "first"),
        size=("value", "size"),
    )
    single = table["size"] == 1
    table[["low", "high"]] = table[["low", "high"]].astype(float).where(single, float("nan"))
    return table.drop(columns="size")


def metrics_of(settings: Sequence[Setting]) -> dict[str, Mapping[str, Any]]:
    """Return what is known of each metric (title, better, meaning), in the order of the results files."""
    known: dict[str, Mapping[str, Any]] = {}
    for setting in settings:
        for replicate in setting.replicates:
            known |= replicate.document["metrics"]
    return known


def names_in_order(scores: pd.DataFrame) -> list[str]:
    """Return the estimates' names: baselines first, in their usual order, then inputs."""
    first = scores.drop_duplicates("name")
    baselines = [name for name in BASELINES if name in set(first["name"])]
    return baselines + [name for name in first["name"] if name not in baselines]
