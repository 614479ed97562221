"""Made-up results of ``evaluate``, small and exact."""

from scinfill.evaluation.document import FORMAT, FORMAT_VERSION
from scinfill.evaluation.scores import METRICS


def document(
    scores,
    *,
    title="data",
    mode="thin",
    fraction=0.1,
    estimate="shrunk",
    spread=0.01,
    kinds=None,
    effect=None,
    saved_model=None,
):
    """Return results with the given values by estimate and metric; differences have the given spread."""
    kinds = {"raw": "baseline", "gene-mean": "baseline", "svd-10": "baseline"} | (kinds or {})
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "scinfill": "0.0",
        "title": title,
        "data": [
            {
                "estimates": list(scores),
                "n_cells": 10,
                "n_genes": 20,
                "n_null_genes": 5,
                "share_nonzero": 0.25,
                "mask": None if mode is None else {"mode": mode, "fraction": fraction},
                "labels": {"a": 6, "b": 4},
                "n_cells_for_structure": 10,
                "cells_for_structure": "all labelled cells",
            }
        ],
        "settings": {"seed": 0, "zero_threshold": 0.585},
        "metrics": {
            name: {"title": metric.title, "better": metric.better, "meaning": metric.meaning}
            for name, metric in METRICS.items()
        },
        "estimates": {
            name: _record(name, values, kinds, estimate, effect, saved_model) for name, values in scores.items()
        },
        "differences": {
            name: {"raw": {metric: _difference(scores, name, metric, spread) for metric in values}}
            for name, values in scores.items()
            if name not in kinds
        },
        "thresholds": [],
    }


def _record(name, values, kinds, estimate, effect, saved_model):
    kind = kinds.get(name, "input")
    return {
        "kind": kind,
        "series": name.split(" (")[0],
        "estimate": estimate if kind == "input" else None,
        "method": None,
        "effect": effect if kind == "input" else None,
        "saved_model": saved_model if kind == "input" else None,
        "beside": {"raw": "raw"},
        "scores": {metric: _score(metric, value) for metric, value in values.items()},
        "skipped": {},
        "notes": [],
        "details": {},
    }


def _score(metric, value):
    record = {"value": value, "n": 7, "of": "things"}
    return record | {"values": [value] * 7, "sd": 0.0} if metric.startswith(("ari", "nmi")) else record


def _difference(scores, name, metric, spread):
    value = scores[name][metric] - scores.get("raw", {}).get(metric, 0)
    return {"value": value, "of": "things", "sd": spread, "interval": [value - spread, value + spread]}
