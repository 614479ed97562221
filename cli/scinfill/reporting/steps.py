"""What was done to a table: its records as sentences."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

import pandas as pd

from scinfill.methods.rerun import STEPS
from scinfill.reporting.results import described_mask
from scinfill.reporting.tables import Table, plain

Step = Mapping[str, Any]

METHODS = {"impute-deepmc": "deepMc (matrix factorisation)", "impute-auto": "AutoImpute (autoencoder)"}
ESTIMATES = {
    "shrunk": "the mean expression of each cell, moved towards what was seen by one weight a gene",
    "model": "the mean expression of each cell, as the gated model predicts it",
    "detected": "the value that would have been seen, had the gene been detected",
}


def step_in_words(step: Step) -> str:
    """Return one sentence on what a step did, with its version, its seed and the settings that are not the default."""
    told = TOLD.get(step["command"], _other)(step["parameters"], step["metrics"])
    changed = _changed(step)
    by = f"scinfill {step.get('version', '?')} {step['command']}"
    seed = f", seed {step['seed']}" if step.get("seed") is not None else ""
    settings = f"; {changed}" if changed else "; default settings" if step["command"] in STEPS else ""
    return f"{told} ({by}{seed}{settings})."


def _preprocess(parameters: Step, _: Step) -> str:
    source = f"layer {parameters['layer']!r}" if parameters.get("layer") else "X"
    if parameters.get("like"):
        return (
            f"Counts were read from {source}; genes and size factors are those of the saved model "
            f"{parameters['like']!s:.12}, and values are log2(1 + counts / size factor)"
        )
    n_genes = parameters.get("n_genes")
    chosen = "every gene of these" if n_genes is None else f"of these the {n_genes:,} most dispersed"
    return (
        f"Counts were read from {source}; genes with {parameters.get('min_counts')} counts or more in "
        f"{parameters.get('min_cells')} cells or more were kept, counts divided by the library size, {chosen} taken, "
        f"and values are log2(1 + counts / size factor)"
    )


def _mask(parameters: Step, _: Step) -> str:
    fraction = parameters.get("fraction")
    what = described_mask(parameters.get("mode"), fraction) if fraction else "nothing hidden"
    null = parameters.get("null_genes") or 0
    appended = f", and {null:,} simulated genes without any structure appended" if null else ""
    return f"To test imputation, {what}{appended}"


def _imputation(parameters: Step, metrics: Step, *, method: str) -> str:
    estimate = metrics.get("estimate")
    what = f": estimate '{estimate}', {ESTIMATES[estimate]}" if estimate in ESTIMATES else ""
    recipe = f"; fitted: {metrics['recipe']}" if metrics.get("recipe") else ""
    saved = f" as trained in the saved model {parameters['model']!s:.12}" if parameters.get("model") else ""
    kept = {"observed": "; seen values were put back", "max": "; seen values were kept where larger"}
    return f"Imputed by {method}{saved}{what}{recipe}{kept.get(str(parameters.get('keep')), '')}"


def _adopt(parameters: Step, _: Step) -> str:
    return f"The result of another program, {parameters.get('method')}, was taken in (scale {parameters.get('scale')})"


def _simulate(parameters: Step, _: Step) -> str:
    return (
        f"{parameters.get('n_cells'):,} cells and {parameters.get('n_genes'):,} genes of {parameters.get('n_types')} "
        f"types were simulated"
    )


def _markers(parameters: Step, _: Step) -> str:
    against = parameters.get("reference") or "all other cells"
    return f"Markers of {parameters.get('groupby')!r} against {against} were found, with p-values from the counts"


def _reconstruct(parameters: Step, _: Step) -> str:
    counted = (
        f"{len(parameters[what]):,} {what}" if parameters.get(what) else f"all {what}" for what in ("genes", "cells")
    )
    return f"Values were computed from the factors for {' and '.join(counted)}"


def _join(parameters: Step, _: Step) -> str:
    return (
        f"Several tables became one, with the {parameters.get('genes')} genes; obs[{parameters.get('batch')!r}] says "
        f"where a cell came from"
    )


def _split(parameters: Step, _: Step) -> str:
    return f"The cells whose obs[{parameters.get('by')!r}] is {parameters.get('only')!r} were taken"


def _other(parameters: Step, _: Step) -> str:
    return f"A step with {len(parameters)} parameters"


TOLD: dict[str, Callable[[Step, Step], str]] = {
    "simulate": _simulate,
    "join": _join,
    "split": _split,
    "preprocess": _preprocess,
    "mask": _mask,
    "impute-deepmc": lambda parameters, metrics: _imputation(parameters, metrics, method=METHODS["impute-deepmc"]),
    "impute-auto": lambda parameters, metrics: _imputation(parameters, metrics, method=METHODS["impute-auto"]),
    "impute-baseline": lambda parameters, metrics: _imputation(
        parameters, metrics, method=f"the baseline {parameters.get('method')}"
    ),
    "adopt": _adopt,
    "markers": _markers,
    "reconstruct": _reconstruct,
}
"""By verb, from parameters and metrics to the sentence's main clause."""


def _changed(step: Step) -> str:
    """Return the settings that differ from the defaults of this version."""
    if step["command"] not in STEPS:
        return ""
    known = signature(STEPS[step["command"]]).parameters
    changed = {
        name: value
        for name, value in step["parameters"].items()
        if name in known and known[name].default is not Parameter.empty and value != known[name].default
    }
    return ", ".join(f"{name} {value}" for name, value in changed.items())


def parameters_table(steps: Sequence[Step]) -> Table:
    """Return every parameter and every library of all steps."""
    rows = [
        {"step": f"{number} {step['command']}", "what": what, "name": str(name), "value": str(value)}
        for number, step in enumerate(steps, start=1)
        for what in ("parameters", "metrics", "libraries")
        for name, value in step[what].items()
    ]
    rows = [
        row | {"what": {"parameters": "parameter", "metrics": "found", "libraries": "library"}[row["what"]]}
        for row in rows
    ]
    return plain(
        "Every parameter, finding and library", "", pd.DataFrame(rows, columns=["step", "what", "name", "value"])
    )
