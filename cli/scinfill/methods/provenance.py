"""Each step signs its work: what was done to the table, with what, to which matrix."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from scinfill import __version__
from scinfill.errors import DataError
from scinfill.numerics.sparse import canonical, entry_blocks
from scinfill.schema import UNS, USES, EstimateKind

STEPS_KEY = "steps"
SCALE_KEY = "scale"
ESTIMATE_KEY = "estimate"
USE = "use"
INPUT = {"name", "sha256", "steps"}
"""What a step that read several tables records of each, in the place of one hash."""
GENES_ABSENT = "genes_absent"
"""Measured by an imputation of new cells: how many genes of its model the table lacked."""
LIBRARIES = ("anndata", "numpy", "scipy", "scikit-learn")
TENSORFLOW_PACKAGES = ("tensorflow-cpu", "tensorflow")
"""TensorFlow goes by either name; the second wins where both are there."""


def sign(
    adata: AnnData,
    *,
    command: str,
    parameters: dict[str, Any],
    seed: int | None,
    input_sha256: str | list[dict[str, Any]],
    metrics: dict[str, Any] | None = None,
    scale: str | None = None,
    estimate: EstimateKind | None = None,
) -> None:
    """Append one step to ``uns["scinfill"]["steps"]`` of a table that is the caller's own.

    Nothing in a step depends on the clock or the machine's name, so equal work gives equal bytes.

    Parameters
    ----------
    adata
        Changed in place; a dictionary it shares with another table is not.
    command
        The verb.
    parameters
        All of them, defaults included.
    seed
        None where nothing is random.
    input_sha256
        :func:`sha256` of the matrix the step read; of several tables a list with the name, the hash and the earlier
        steps of each.
    metrics
        What the step measured on its way.
    scale, estimate
        Set ``uns["scinfill"]["scale"]`` and ``["estimate"]`` where given; with the estimate ``["use"]`` says what it
        is good for.
    """
    step = {
        "version": __version__,
        "command": command,
        "parameters": parameters,
        "seed": seed,
        "input_sha256": input_sha256,
        "libraries": library_versions(),
        "metrics": metrics or {},
    }
    signed = dict(record(adata))
    text = json.dumps(step, default=_plain, sort_keys=True)
    signed[STEPS_KEY] = np.array([*to_array(steps(adata)), text], dtype=object)
    if scale is not None:
        signed[SCALE_KEY] = scale
    if estimate is not None:
        signed |= {ESTIMATE_KEY: estimate, USE: USES[estimate]}
    adata.uns[UNS] = signed


def to_array(steps: Sequence[Mapping[str, Any]]) -> NDArray[np.object_]:
    """Return steps as a table holds them."""
    return np.array([json.dumps(step, sort_keys=True) for step in steps], dtype=object)


def steps(adata: AnnData) -> list[dict[str, Any]]:
    """Return the steps that made a table, first one first; each has a command, parameters, libraries and metrics.

    Raises
    ------
    DataError
        ``uns["scinfill"]`` is not what scinfill writes.
    """
    try:
        found = [json.loads(text) for text in np.atleast_1d(record(adata).get(STEPS_KEY, []))]
    except (TypeError, ValueError, RecursionError) as error:
        raise _foreign(str(error)) from error
    for number, step in enumerate(found, start=1):
        if not (isinstance(step, dict) and isinstance(step.get("command"), str)):
            raise _foreign(f"step {number} names no verb")
        for part in ("parameters", "libraries", "metrics"):
            if not isinstance(step.setdefault(part, {}), dict):
                raise _foreign(f"{part} of step {number} have no names")
        for given in inputs(step):
            if not (isinstance(given, dict) and given.keys() >= INPUT and _are_steps(given["steps"])):
                raise _foreign(f"an input of step {number} has no name, hash or steps")
    return found


def _are_steps(found: Any) -> bool:  # noqa: ANN401 - whatever a record holds
    return isinstance(found, list) and all(
        isinstance(step, dict) and isinstance(step.get("parameters"), dict) and "command" in step for step in found
    )


def inputs(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the name, the hash and the earlier steps of every table that a step joined, none for other steps."""
    found = step.get("input_sha256")
    return found if isinstance(found, list) else []


def scales_of(steps: Sequence[Mapping[str, Any]]) -> set[str | None]:
    """Return the models that a table was preprocessed like, None standing for its own scale; nothing for counts.

    The last preprocessing tells; that of a table that was joined since is that of all its parts.
    """
    for step in reversed(steps):
        if step["command"] == "preprocess":
            return {step["parameters"].get("like")}
        of_parts = [scales_of(part["steps"]) for part in inputs(step)]
        if found := set().union(*of_parts):
            return found
    return set()


def last_imputation(adata: AnnData) -> dict[str, Any] | None:
    """Return the step that wrote the imputed values, an imputer's or ``adopt``; None where none did.

    Of tables that were imputed and then joined it is the step of the first, if all were imputed alike: by one method
    with one set of parameters. Of what they measured, ``genes_absent`` is the largest of all.

    Raises
    ------
    DataError
        See :func:`steps`.
    """
    return _last_imputation(steps(adata))


def _last_imputation(found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    for step in reversed(found):
        if step["command"].startswith(("impute-", "adopt")):
            return step
        of_parts = [_last_imputation(part["steps"]) for part in inputs(step)]
        imputed = [part for part in of_parts if part is not None]
        if imputed:
            first, *others = imputed
            how = "command", "parameters"
            if len(imputed) < len(of_parts) or any(one[key] != first[key] for one in others for key in how):
                return None
            absent = max(part.get("metrics", {}).get(GENES_ABSENT, 0) for part in imputed)
            return first | {"metrics": first.get("metrics", {}) | {GENES_ABSENT: absent}}
    return None


def record(adata: AnnData) -> Mapping[str, Any]:
    """Return ``uns["scinfill"]``, empty where scinfill was not at work.

    Raises
    ------
    DataError
        Something else has that name.
    """
    found = adata.uns.get(UNS, {})
    if not isinstance(found, Mapping):
        raise _foreign(f"it is a {type(found).__name__}")
    return found


def _foreign(why: str) -> DataError:
    return DataError(f"uns[{UNS!r}] is not a record of scinfill steps: {why}; leave it out: del adata.uns[{UNS!r}]")


def library_versions() -> dict[str, str]:
    """Return the installed versions of what numbers may depend on: the same whatever a process has loaded so far."""
    return dict(_installed_versions())


@cache
def _installed_versions() -> Mapping[str, str]:
    """Read the packages' metadata once a process: it takes as long as many a step."""
    versions = {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}
    for package in TENSORFLOW_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions["tensorflow"] = metadata.version(package)
    return versions


def sha256(matrix: Any) -> str:  # noqa: ANN401 - dense or any sparse format
    """Return a hash of shape, positions and values: the same for CSR, CSC and dense, for every number type."""
    rows = canonical(matrix)
    positions = hashlib.sha256(np.array(rows.shape, dtype="<i8").tobytes())
    positions.update(np.diff(rows.indptr).astype("<i8"))
    values = hashlib.sha256()
    for block in entry_blocks(rows.indptr):
        entries = slice(rows.indptr[block.start], rows.indptr[block.stop])
        positions.update(rows.indices[entries].astype("<i4"))
        values.update(rows.data[entries].astype("<f8"))
    return hashlib.sha256(positions.digest() + values.digest()).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a parameter or metric may be
    """Return what JSON can hold for NumPy's scalars and arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
