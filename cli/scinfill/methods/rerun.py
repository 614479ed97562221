"""Do again what a file says was done to it, and compare."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import signature
from typing import Any, Final

from anndata import AnnData

from scinfill import __version__
from scinfill.errors import DataError, InputError, ScinfillError
from scinfill.methods import provenance
from scinfill.methods.autoimpute import impute_auto
from scinfill.methods.baselines import impute_baseline
from scinfill.methods.deepmc import impute_deepmc
from scinfill.methods.differences import differences
from scinfill.methods.join import join
from scinfill.methods.markers import markers
from scinfill.methods.mask import mask
from scinfill.methods.preprocess import preprocess
from scinfill.methods.reconstruct import reconstruct
from scinfill.methods.saved_model import identity_of
from scinfill.methods.simulate import simulate
from scinfill.methods.split import split
from scinfill.models.devices import Device

log = logging.getLogger(__name__)

Step = dict[str, Any]

SOURCES: Final[dict[str, Callable[..., AnnData]]] = {"simulate": simulate}
"""Verbs that read no table."""
STEPS: Final[dict[str, Callable[..., AnnData]]] = {
    "preprocess": preprocess,
    "mask": mask,
    "impute-deepmc": impute_deepmc,
    "impute-auto": impute_auto,
    "impute-baseline": impute_baseline,
    "reconstruct": reconstruct,
    "markers": markers,
}
"""Verbs by the function that takes a table, and the recorded parameters as its keyword arguments."""
SPLIT: Final = "split"
"""Its function gives tables by name, of which a step records one."""
JOIN: Final = "join"
"""Its function takes tables by name; a step records these names."""
RENAMED: Final = {"impute-deepmc": {"output": "form"}}
"""Parameters that steps of earlier versions record under another name, by verb."""
SAVED_MODELS = ("model", "like")
"""Parameters that are saved models, which records name by their hash."""
NEVER_RECORDED = {"adata", "tables", "seed"}
"""The table or tables, and the seed, which stands beside them."""
ESSENTIAL = ("command", "parameters", "seed")
"""What makes two steps the same work, whoever does it."""


@dataclass(frozen=True)
class Rerun:
    """Result of a repetition.

    Attributes
    ----------
    adata
        The repeated table.
    n_steps
        How many steps were repeated.
    differences
        A sentence for everything that is not as in the file.
    """

    adata: AnnData
    n_steps: int
    differences: Sequence[str]

    @property
    def identical(self) -> bool:
        """Whether every matrix, column and entry came out as it is in the file."""
        return not self.differences


def rerun(
    adata: AnnData,
    counts: AnnData | Sequence[AnnData] | None = None,
    *,
    device: Device | None = None,
    model: AnnData | None = None,
) -> Rerun:
    """Repeat the steps that a table records and compare the result with it.

    Parameters
    ----------
    adata
        Written by scinfill; never changed.
    counts
        What the first step read. It may have been made by steps itself: only those that follow are repeated. None where
        the record starts with ``simulate``. Where tables were joined, either all of these in their order, or the joined
        one.
    device
        Where models are computed; None for what was recorded.
    model
        The saved model, where a step used one; no record holds it.

    Returns
    -------
    The repeated table and what differs. Other versions than the recorded ones, and another input, are warned of.

    Raises
    ------
    InputError
        ``counts`` is missing, or has nothing left to repeat.
    DataError
        The table records no steps, or one that cannot be repeated, or ``counts`` was made by other steps.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> scinfill.rerun(table).identical
    True
    """
    recorded = _steps(adata)
    if not recorded:
        raise DataError("the file records no steps: scinfill did not write it, so there is nothing to repeat")
    n_done = _join_of(recorded, counts) if isinstance(counts, Sequence) else _steps_done(recorded, counts)
    for number, step in enumerate(recorded[n_done:], start=n_done + 1):
        _check_repeatable(number, step)
        _check_model(number, step, model)
    _warn_of_other_versions(recorded[n_done:])
    table: AnnData | Sequence[AnnData] | None = counts
    for number, step in enumerate(recorded[n_done:], start=n_done + 1):
        log.info("step %d of %d: %s", number, len(recorded), step["command"])
        table = _repeat(number, step, table, device, model)
        if number == n_done + 1:
            _warn_of_another_input(step, table)
    assert isinstance(table, AnnData)  # noqa: S101 - there was a step
    return Rerun(table, len(recorded) - n_done, differences(adata, table) + _other_metrics(recorded, table))


def keeps_proteins(adata: AnnData) -> bool:
    """Whether a step of a table kept the antibodies of what it read."""
    return any(step["parameters"].get("proteins") is True for step in provenance.steps(adata))


def _steps(adata: AnnData) -> list[Step]:
    """Return the recorded steps with their parameters as the functions call them today."""
    return [
        step
        | {
            "parameters": {
                RENAMED.get(step["command"], {}).get(name, name): value for name, value in step["parameters"].items()
            }
        }
        for step in provenance.steps(adata)
    ]


def _steps_done(recorded: Sequence[Step], counts: AnnData | None) -> int:
    """Return how many of the steps the input has behind it."""
    first = recorded[0]["command"]
    if counts is None:
        if first in SOURCES:
            return 0
        raise InputError(f"the record starts with {first}: name what that step read as `counts`")
    done = _steps(counts)
    if not done and first in SOURCES:
        raise InputError(f"the record starts with {first}, which reads nothing; leave out `counts`")
    for number, (step, other) in enumerate(zip(done, recorded, strict=False), start=1):
        if _essence(step) != _essence(other):
            same_verb = step["command"] == other["command"]
            what = "has other parameters" if same_verb else f"is {step['command']}, not {other['command']}"
            raise DataError(
                f"the input was made by other steps than the record's: its step {number} {what}; "
                f"name what the first step read"
            )
    if len(done) >= len(recorded):
        raise InputError("the input has every recorded step behind it: name the counts that the first step read")
    return len(done)


def _join_of(recorded: Sequence[Step], tables: Sequence[AnnData]) -> int:
    """Return how many steps come before that which joined so many tables, after checking what made these."""
    joins = [number for number, step in enumerate(recorded) if step["command"] == JOIN]
    if not joins:
        raise InputError(f"the record joins no tables, so `counts` is one; {len(tables)} are given")
    fitting = [number for number in joins if len(provenance.inputs(recorded[number])) == len(tables)]
    if not fitting:
        names = ", ".join(repr(given["name"]) for given in provenance.inputs(recorded[joins[0]]))
        raise InputError(f"the record joins {names}: name these as `counts`, in this order; {len(tables)} are given")
    made_by = [[_essence(step) for step in _steps(table)] for table in tables]
    for number in fitting:
        before = [_essence(step) for step in recorded[:number]]
        inputs = provenance.inputs(recorded[number])
        if made_by == [[*before, *(_essence(step) for step in given["steps"])] for given in inputs]:
            return number
    raise DataError("the inputs were made by other steps than the record's; name what was joined, in its order")


def _essence(step: Step) -> list[Any]:
    return [step.get(key) for key in ESSENTIAL]


def _check_repeatable(number: int, step: Step) -> None:
    """Refuse before any work what cannot be repeated."""
    command, parameters = step["command"], step["parameters"]
    if command == "adopt":
        raise DataError(
            f"step {number} took the result of {parameters.get('method')!r} over from another program, which cannot be "
            f"repeated here"
        )
    known = (SOURCES if number == 1 else {}) | {SPLIT: split, JOIN: join}
    function = (known | STEPS).get(command)
    if function is None:
        raise DataError(f"step {number} is {command!r}, which scinfill {__version__} cannot repeat")
    foreign = parameters.keys() - (signature(function).parameters.keys() - NEVER_RECORDED)
    if foreign:
        raise DataError(
            f"step {number} ({command}, by scinfill {step.get('version')}) has a parameter {min(foreign)!r}, which "
            f"scinfill {__version__} does not know"
        )
    if parameters.get("method") == "magic" and find_spec("magic") is None:
        raise InputError(f"step {number} ({command}, method magic) needs the package magic-impute; it is not installed")


def _check_model(number: int, step: Step, model: AnnData | None) -> None:
    """Refuse a step that needs a saved model where that is not given, or another one is."""
    recorded = next((step["parameters"][name] for name in SAVED_MODELS if step["parameters"].get(name)), None)
    if recorded is None:
        return
    if model is None:
        raise InputError(
            f"step {number} ({step['command']}) needs the saved model of SHA-256 {recorded:.12}…, which is a file of "
            f"its own; name it as `model`"
        )
    given = identity_of(model)
    if given != recorded:
        raise DataError(
            f"step {number} ({step['command']}) used the saved model of SHA-256 {recorded:.12}…; `model` is another, "
            f"{given:.12}…"
        )


def _warn_of_other_versions(steps: Sequence[Step]) -> None:
    here = {"scinfill": __version__} | provenance.library_versions()
    others = {
        name: version
        for step in steps
        for name, version in ({"scinfill": step.get("version")} | step["libraries"]).items()
        if here.get(name) != version
    }
    if others:
        log.warning(
            "recorded with %s; here are %s: values may differ",
            ", ".join(f"{name} {version}" for name, version in sorted(others.items())),
            ", ".join(f"{name} {here.get(name, '(none)')}" for name in sorted(others)),
        )


def _repeat(
    number: int,
    step: Step,
    table: AnnData | Sequence[AnnData] | None,
    device: Device | None,
    model: AnnData | None,
) -> AnnData:
    """Do one step."""
    function = (
        _join_in_order(number, step)
        if step["command"] == JOIN
        else (SOURCES | STEPS | {SPLIT: _split_one})[step["command"]]
    )
    arguments = dict(step["parameters"])
    if step.get("seed") is not None:
        arguments["seed"] = step["seed"]
    arguments |= {name: model for name in SAVED_MODELS if arguments.get(name) is not None}
    if device is not None and "device" in arguments:
        arguments["device"] = device
    try:
        return function(**arguments) if table is None else function(table, **arguments)
    except ScinfillError as error:
        raise type(error)(f"step {number} ({step['command']}): {error}") from error
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(f"step {number} ({step['command']}) records parameters that are not usable: {error}") from error


def _split_one(table: AnnData, *, only: str, **parameters: Any) -> AnnData:  # noqa: ANN401 - as recorded
    return split(table, only=only, **parameters)[only]


def _join_in_order(number: int, step: Step) -> Callable[..., AnnData]:
    """Return ``join`` as a function of the tables in their order."""
    names = [given["name"] for given in provenance.inputs(step)]

    def join_tables(tables: AnnData | Sequence[AnnData], **parameters: Any) -> AnnData:  # noqa: ANN401 - as recorded
        given = [tables] if isinstance(tables, AnnData) else tables
        if len(given) != len(names):
            raise InputError(f"it joined {', '.join(map(repr, names))}: name each of these as `counts`, in this order")
        return join(dict(zip(names, given, strict=True)), **parameters)

    return join_tables


def _warn_of_another_input(step: Step, table: AnnData) -> None:
    for then, now in zip(_hashes(step), _hashes(provenance.steps(table)[-1]), strict=True):
        if then != now:
            log.warning(
                "the input is not the recorded one: its values have the SHA-256 %.12s…, recorded is %.12s…", now, then
            )


def _hashes(step: Step) -> list[str | None]:
    return [given["sha256"] for given in provenance.inputs(step)] or [step.get("input_sha256")]


def _other_metrics(recorded: Sequence[Step], table: AnnData) -> list[str]:
    """Return what the steps measured differently on their way."""
    return [
        f"step {number} ({step['command']}) measured another {name}"
        for number, (step, again) in enumerate(zip(recorded, provenance.steps(table), strict=True), start=1)
        for name in sorted(step["metrics"].keys() | again["metrics"].keys())
        if step["metrics"].get(name) != again["metrics"].get(name)
    ]
