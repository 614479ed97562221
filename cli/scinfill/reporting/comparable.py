"""Which numbers of which settings can be compared, and with what: each metric is asked where it means something."""

from collections.abc import Sequence

import pandas as pd

from scinfill.reporting.results import INPUT, Setting

DETECTED = "detected"
MOLECULES = ("poisson", "mse_log_cp10k")
FOLD_CHANGES = {f"fold_change_{cells}": cells for cells in ("20", "50", "100", "all")}
"""What the untouched half says of fold changes, and how many cells of each group the estimate was asked of."""
HALVES = ("halves_called", "halves_false_at_least", "halves_false_at_most", "halves_best", *FOLD_CHANGES)
RECOVERY = ("rmse", "mae", "nmse", "nmse_squared", "rmse_entries")


def across(settings: Sequence[Setting], metric: str) -> pd.DataFrame:
    """Return one metric by setting (rows) and series (columns); replicates are averaged."""
    settings = fair(settings, metric)
    if not settings:
        return pd.DataFrame()
    asked = asked_of(settings, metric)
    rows = [
        scores[scores["metric"] == metric].groupby("series", sort=False)["value"].mean()
        for scores in (of_estimates(setting.scores, asked) for setting in settings)
        if (scores["metric"] == metric).any()
    ]
    return pd.DataFrame(rows).reset_index(drop=True)


def fair(settings: Sequence[Setting], metric: str) -> Sequence[Setting]:
    """Return the settings that show data as they are: hiding values is for recovery, and spoils anything else.

    Reads that are held out are no test: copies of one molecule fall on both sides. Settings without any input have
    nothing to compare; data that some input was not made from is not unspoilt for it.
    """
    if metric in (*MOLECULES, *HALVES):
        settings = [setting for setting in settings if setting.first.data.get("counts") != "reads"]
    compared = [setting for setting in settings if inputs_of(setting)] or settings
    unspoilt = [setting for setting in compared if setting.mode in (None, "thin", "halves")]
    everyone = {name for setting in compared for name in inputs_of(setting)}
    complete = everyone == {name for setting in unspoilt for name in inputs_of(setting)}
    return unspoilt if metric not in RECOVERY and unspoilt and complete else compared


def inputs_of(setting: Setting) -> set[str]:
    """Return the series that were imputed, baselines aside."""
    return set(setting.scores.loc[setting.scores["kind"] == INPUT, "series"])


def asked_of(settings: Sequence[Setting], metric: str) -> set[str]:
    """Return the names of the estimates that a metric is a fair question to.

    ``detected`` answers what a hidden value would have been; the other estimates what the mean is. Where a series
    has both, each is asked its own question.
    """
    scores = pd.concat([setting.scores for setting in settings]).drop_duplicates("name")
    is_detected = scores["question"] == DETECTED
    wanted = is_detected if metric in RECOVERY else ~is_detected
    has_wanted = wanted.groupby(scores["series"]).transform("any")
    return set(scores.loc[wanted | ~has_wanted, "name"])


def of_estimates(rows: pd.DataFrame, names: set[str]) -> pd.DataFrame:
    """Return the rows of some estimates."""
    return rows[rows["name"].isin(names)]


def changes_of(settings: Sequence[Setting], metric: str, name: str) -> pd.DataFrame:
    """Return ``value``, ``raw`` and ``spread`` of an input's metric in every setting that has both."""
    settings = fair(settings, metric)
    asked = asked_of(settings, metric) if settings else set()
    found = []
    for setting in settings:
        scores = setting.scores[setting.scores["metric"] == metric]
        of_input = of_estimates(scores[(scores["series"] == name) & (scores["kind"] == INPUT)], asked)
        of_raw = scores[scores["name"] == "raw"]
        differences = setting.differences
        paired = differences[(differences["metric"] == metric) & (differences["reference"] == "raw")]
        if not of_input.empty and not of_raw.empty:
            found.append(
                {
                    "dataset": setting.dataset,
                    "value": of_input["value"].mean(),
                    "raw": of_raw["value"].mean(),
                    "spread": _spread(of_estimates(paired, set(of_input["name"]))),
                }
            )
    return pd.DataFrame(found, columns=["dataset", "value", "raw", "spread"])


def _spread(paired: pd.DataFrame) -> float:
    """Return how far a difference may move: over replicates, else half its interval, else over seeds."""
    if len(paired) > 2:
        return float(paired["value"].std())
    half = (paired["high"].astype(float) - paired["low"].astype(float)) / 2
    if half.notna().any():
        return float(half.mean())
    return float(paired["sd"].astype(float).mean()) if paired["sd"].notna().any() else 0.0
