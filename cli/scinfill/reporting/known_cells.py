"""Whether a saved model knows the cells that it imputed: to be known before any of its values is believed."""

from collections.abc import Mapping, Sequence

from scinfill.methods.knowledge import MANY, Knowledge
from scinfill.reporting.results import INPUT, SAVED_MODEL, Setting
from scinfill.reporting.sentences import Sentence

QUESTION = "Does the saved model know these cells?"
HARDLY = 0.5
"""Share of badly known cells from which hardly any is called known."""
SHOWN = 5
"""Datasets that are named."""


def of_results(settings: Sequence[Setting], series: str) -> Sentence | None:
    """Return the answer for an estimate of one or several datasets; None where no saved model imputed them."""
    found: dict[str, Knowledge] = {}
    # Masks take molecules away, so what is told of the data as they are comes first.
    for setting in sorted(settings, key=lambda setting: setting.mode is not None):
        for _, record in setting.first.records():
            if record["series"] == series and record["kind"] == INPUT and record.get("saved_model"):
                found.setdefault(
                    setting.dataset, Knowledge(**{field: record["saved_model"][field] for field in SAVED_MODEL})
                )
    return answer(found, series) if found else None


def answer(by_dataset: Mapping[str, Knowledge], subject: str | None) -> Sentence:
    """Return the answer from what is known of each dataset."""
    lacking = {name: one for name, one in by_dataset.items() if not one.n_told or one.share > MANY}
    facts = _listed(lacking or by_dataset, named=len(by_dataset) > 1)
    if not lacking:
        return Sentence(QUESTION, subject, "yes", f"Nearly all, as far as this can be told: {facts}.")
    text = f"{facts}. Of types that it never saw a model says nothing"
    told = [one for one in lacking.values() if one.n_told]
    if not told:
        return Sentence(QUESTION, subject, "unknown", f"Not told: {text}.")
    hardly = sum(one.n_badly_known for one in told) > HARDLY * sum(one.n_told for one in told)
    first = "Not all of them" if len(lacking) < len(by_dataset) or not hardly else "Hardly"
    return Sentence(QUESTION, subject, "no", f"{first}: {text}.")


def _listed(by_dataset: Mapping[str, Knowledge], *, named: bool) -> str:
    """Return the facts of the datasets, the least known first."""
    ordered = sorted(by_dataset.items(), key=lambda item: (item[1].n_told > 0, -item[1].share))
    said = [f"on {name}, {one.facts()}" if named else one.facts() for name, one in ordered[:SHOWN]]
    more = len(ordered) - len(said)
    return "; ".join([*said, *([f"and {more} more datasets"] if more else [])])
