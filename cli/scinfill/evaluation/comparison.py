"""Differences between estimates, paired over the units that were resampled, and thresholds on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scinfill.errors import InputError
from scinfill.evaluation.numerics.intervals import Units, Weights, bootstrap_interval
from scinfill.evaluation.scores import METRICS, Score


@dataclass(frozen=True)
class Difference:
    """Score minus reference, with what is known of its spread.

    Attributes
    ----------
    value
        Difference.
    interval
        95 % interval over resampled units, None where units cannot be paired.
    sd
        Standard deviation of the paired differences over seeds; None for other units.
    of
        What was paired.
    """

    value: float
    interval: tuple[float, float] | None
    sd: float | None
    of: str

    def to_json(self) -> dict[str, Any]:
        """Return the difference without what is not known."""
        record: dict[str, Any] = {"value": self.value, "of": self.of}
        if self.interval is not None:
            record["interval"] = list(self.interval)
        if self.sd is not None:
            record["sd"] = self.sd
        return record

    def within_spread(self, limit: float) -> bool | None:
        """Tell whether the distance to a limit is within the spread; None where no spread is known."""
        if self.sd is not None:
            return abs(self.value - limit) <= self.sd
        if self.interval is not None:
            return self.interval[0] <= limit <= self.interval[1]
        return None


def difference(score: Score, reference: Score, rng: np.random.Generator) -> Difference:
    """Compare two scores of one metric on the same table."""
    value = score.value - reference.value
    if score.units.shape != reference.units.shape:
        return Difference(value, None, None, score.of)
    width = score.units.shape[1]

    def paired(units: Units, weights: Weights) -> NDArray[np.float64]:
        return score.statistic(units[:, :width], weights) - reference.statistic(units[:, width:], weights)

    interval = bootstrap_interval(np.hstack([score.units, reference.units]), paired, rng)
    sd = None
    if score.repeats and score.units.shape[0] > 1:
        sd = float((score.units[:, 0] - reference.units[:, 0]).std(ddof=1))
    return Difference(value, interval, sd, score.of)


@dataclass(frozen=True)
class Threshold:
    """A rule of ``--fail-if-worse-than REFERENCE:METRIC[:TOLERANCE]``."""

    reference: str
    metric: str
    tolerance: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Read a rule.

        Raises
        ------
        InputError
            Not of the form, an unknown metric or one without a better direction, a negative tolerance.
        """
        reference, _, rest = text.partition(":")
        metric, _, tolerance = rest.partition(":")
        rankable = [name for name, known in METRICS.items() if known.better]
        if not reference or metric not in rankable:
            raise InputError(
                f"{text!r} is not REFERENCE:METRIC[:TOLERANCE]; references are raw, gene-mean, svd-10 or an input's "
                f"name, metrics are {', '.join(rankable)}"
            )
        try:
            allowed = float(tolerance or 0)
        except ValueError as error:
            raise InputError(f"{text!r}: the tolerance must be a number, received {tolerance!r}") from error
        if not 0 <= allowed < np.inf:
            raise InputError(f"{text!r}: the tolerance must be zero or more, received {tolerance}")
        return cls(reference, metric, allowed)

    def check(
        self,
        name: str,
        scores: Mapping[str, Mapping[str, Score]],
        skipped: Mapping[str, Mapping[str, str]],
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        """Compare an estimate with the reference and say in one sentence what came out.

        Parameters
        ----------
        name
            Estimate to judge.
        scores, skipped
            Scores by metric of all estimates that the rule may name, and the reasons for those that are missing.
        """
        record: dict[str, Any] = {"rule": self.rule, "estimate": name}
        missing = next((who for who in (name, self.reference) if self.metric not in scores[who]), None)
        if missing is not None:
            reason = skipped[missing].get(self.metric, "it was not asked for")
            message = f"{self.rule}: {missing} has no {self.metric} to compare: {reason}"
            return record | {"passed": False, "message": message}
        ours, theirs = scores[name][self.metric], scores[self.reference][self.metric]
        found = difference(ours, theirs, rng)
        worse_by = found.value if METRICS[self.metric].better == "lower" else -found.value
        passed = worse_by <= self.tolerance
        message = (
            f"{self.rule}: {self.metric} of {name} is {ours.value:.4g}, {abs(worse_by):.2g} "
            f"{'worse' if worse_by > 0 else 'better'} than {self.reference} ({theirs.value:.4g})"
        )
        if not passed:
            message += f", {worse_by - self.tolerance:.2g} beyond the tolerance" if self.tolerance else ""
            message += f"; {self._spread_in_words(found)}"
        return record | {"passed": passed, "message": message, "difference": found.to_json()}

    @property
    def rule(self) -> str:
        """The rule as it was written."""
        return f"{self.reference}:{self.metric}" + (f":{self.tolerance:g}" if self.tolerance else "")

    def _spread_in_words(self, found: Difference) -> str:
        limit = self.tolerance if METRICS[self.metric].better == "lower" else -self.tolerance
        within = found.within_spread(limit)
        if within is None:
            return "its spread is not known"
        if found.sd is not None:
            spread = f"the spread over {found.of} (SD {found.sd:.2g})"
        else:
            low, high = found.interval or (np.nan, np.nan)
            spread = f"the spread over {found.of} (95 % interval of the difference {low:.2g} to {high:.2g})"
        return f"{'within' if within else 'beyond'} {spread}"
