"""The results as one JSON-ready document, and the scores of genes as one table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

import scinfill
from scinfill.evaluation.case import UNLABELLED, Case, Settings
from scinfill.evaluation.comparison import Threshold, difference
from scinfill.evaluation.inputs import Trial
from scinfill.evaluation.numerics.intervals import LEVEL, RESAMPLES
from scinfill.evaluation.scorecard import Scorecard
from scinfill.evaluation.scores import METRICS
from scinfill.numerics.sparse import column_counts, column_sums

FORMAT = "scinfill evaluation"
FORMAT_VERSION = 1

Cards = Mapping[str, Scorecard]


def assemble(
    trials: Sequence[Trial], cards: Cards, settings: Settings, thresholds: Sequence[Threshold], *, title: str | None
) -> dict[str, Any]:
    """Return the document that ``evaluate`` writes and ``report`` reads."""
    rng = np.random.default_rng(settings.seed)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "scinfill": scinfill.__version__,
        "title": title,
        "data": [_describe(trial) for trial in trials],
        "settings": asdict(settings) | {"interval_level": LEVEL, "resamples": RESAMPLES},
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
        "estimates": {name: card.to_json(rng) for name, card in cards.items()},
        "differences": {
            estimate.name: _differences(cards, estimate.name, trial.baselines, rng)
            for trial in trials
            for estimate in trial.estimates
            if estimate.kind == "input"
        },
        "thresholds": _judge(trials, cards, thresholds, rng),
    }


def _describe(trial: Trial) -> dict[str, Any]:
    case = trial.case
    log_values = case.observations.log_values
    record = {
        "estimates": [estimate.name for estimate in trial.estimates],
        "n_cells": case.n_cells,
        "n_genes": int(case.real_genes.size),
        "n_null_genes": int(case.null_genes.sum()),
        "counts": case.counts_kind,
        "share_nonzero": float(log_values.nnz / np.prod(log_values.shape)),
        "mask": dict(case.mask) or None,
        "labels": None,
    }
    return record | (_describe_labels(case) if case.labels is not None else {})


def _describe_labels(case: Case) -> dict[str, Any]:
    labels = case.require_labels()
    sizes = Counter(labels.codes.tolist())
    return {
        "labels": {name: sizes[code] for code, name in enumerate(labels.names)},
        "n_unlabelled": sizes[UNLABELLED],
        "n_cells_for_structure": int(case.sample.size),
        "cells_for_structure": "all labelled cells"
        if case.sample.size == case.n_cells - sizes[UNLABELLED]
        else f"a random sample (seed {case.settings.seed})",
    }


def _differences(
    cards: Cards, name: str, baselines: Mapping[str, str], rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Compare an estimate with each baseline of its own table, metric by metric."""
    ours = cards[name].findings.scores
    return {
        plain: {
            metric: difference(ours[metric], cards[unique].findings.scores[metric], rng).to_json()
            for metric in METRICS
            if metric in ours and metric in cards[unique].findings.scores
        }
        for plain, unique in baselines.items()
    }


def _judge(
    trials: Sequence[Trial], cards: Cards, thresholds: Sequence[Threshold], rng: np.random.Generator
) -> list[dict[str, Any]]:
    judgements = []
    for trial in trials:
        known = dict(cards) | {plain: cards[unique] for plain, unique in trial.baselines.items()}
        scores = {name: card.findings.scores for name, card in known.items()}
        skipped = {name: card.skipped for name, card in known.items()}
        judgements += [
            threshold.check(estimate.name, scores, skipped, rng)
            for threshold in thresholds
            for estimate in trial.estimates
            if estimate.kind == "input" and estimate.name != threshold.reference
        ]
    return judgements


def gene_table(trials: Sequence[Trial], cards: Cards) -> pd.DataFrame:
    """Return one row per estimate and gene; empty where a gene has no such score."""
    parts = []
    for trial in trials:
        log_values = trial.case.observations.log_values
        mean = column_sums(log_values) / log_values.shape[0]
        seen = column_counts(log_values) / log_values.shape[0]
        for estimate in trial.estimates:
            table = pd.DataFrame(
                {
                    "estimate": estimate.name,
                    "gene": trial.case.gene_names,
                    "null_gene": trial.case.null_genes,
                    "mean": mean,
                    "share_seen": seen,
                }
            )
            parts.append(table.assign(**cards[estimate.name].findings.by_gene))
    return pd.concat(parts, ignore_index=True)
