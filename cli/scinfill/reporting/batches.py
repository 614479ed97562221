"""What ``evaluate --batch`` says of an input: whether batches are mixed and biology kept, in words and as a table."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from scinfill.reporting.comparable import changes_of
from scinfill.reporting.results import Setting, details, signed
from scinfill.reporting.tables import Table, plain

MIXED_SHARE = 0.5
"""Differences between batches within labels that shrink to this share of the raw data's are mixed."""
MIXED_SILHOUETTE = 0.1
"""A batch whose cells lie apart by more is not."""
KEPT_SHARE = 0.5
"""Differences between labels that shrink below this share of the raw data's, whose noise adds to theirs, are lost."""
LARGEST_LOSS = 0.02
"""Of the correlation between batches of differences between labels."""

REMOVE = "scinfill impute-deepmc --batch COLUMN --batch-effect remove"

CAPTION = (
    "Root mean square over genes of the log2 fold changes of means: between batches within a label, which should be "
    "small, and between labels within a batch, which should stay."
)
MIXED, KEPT = "Are the batches mixed?", "Is biology kept across batches?"

Answer = tuple[Literal["yes", "no", "same"], str]


def answers(settings: Sequence[Setting], name: str) -> list[tuple[str, Answer]]:
    """Return the questions with the answers for an input; none where batches were not asked about."""
    found = ((MIXED, _mixed(settings, name)), (KEPT, _kept(settings, name)))
    return [(question, answer) for question, answer in found if answer is not None]


def _mixed(settings: Sequence[Setting], name: str) -> Answer | None:
    change = changes_of(settings, "batch_change", name)
    if change.empty:
        return None
    value, raw = change["value"].mean(), change["raw"].mean()
    numbers = f"Log2 fold changes between batches of one label are {value:.2f} (raw {raw:.2f}), root mean square"
    apart = changes_of(settings, "batch_silhouette", name)
    silhouette = 0.0
    if not apart.empty:
        silhouette = apart["value"].mean()
        numbers += f"; the silhouette of batches within labels is {signed(silhouette, 2)} "
        numbers += f"(raw {signed(apart['raw'].mean(), 2)})"
    if value <= MIXED_SHARE * raw and silhouette <= MIXED_SILHOUETTE:
        return "yes", f"Yes. {numbers}."
    if value < raw - max(change["spread"].mean(), 1e-9) and silhouette <= MIXED_SILHOUETTE:
        return "same", f"In part. {numbers}."
    return "no", f"No; to take them out: {REMOVE}. {numbers}."


def _kept(settings: Sequence[Setting], name: str) -> Answer | None:
    change = changes_of(settings, "label_change", name)
    if change.empty:
        return None
    value, raw = change["value"].mean(), change["raw"].mean()
    numbers = f"Log2 fold changes between labels of one batch are {value:.2f} (raw {raw:.2f}), root mean square"
    agreement = changes_of(settings, "label_agreement", name)
    loss = 0.0
    if not agreement.empty:
        loss = agreement["raw"].mean() - agreement["value"].mean()
        numbers += f"; they correlate between batches by {signed(agreement['value'].mean(), 2)} "
        numbers += f"(raw {signed(agreement['raw'].mean(), 2)})"
    if value < KEPT_SHARE * raw:
        return "no", f"No, labels differ by much less than in the raw data. {numbers}."
    if loss > LARGEST_LOSS:
        return "no", f"No, batches agree less on what sets labels apart. {numbers}."
    return "yes", f"Yes. {numbers}."


def table(setting: Setting) -> Table | None:
    """Return the fold changes of every pair of groups, one column an estimate; None without batches."""
    found = details(setting, "batches")
    if not found:
        return None
    rows: dict[str, dict[str, float]] = {}
    for estimate, record in found.items():
        for row in record["between_batches"]:
            words = f"{row['label']}: {row['first']} – {row['second']}"
            rows.setdefault(words, {})[estimate] = row["change"]
        for row in record["between_labels"]:
            words = f"{row['batch']}: {row['first']} – {row['second']} (labels)"
            rows.setdefault(words, {})[estimate] = row["change"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(found)).rename_axis("groups").reset_index()
    return plain("Fold changes between batches and between labels", CAPTION, frame)
