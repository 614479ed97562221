"""Options of imputers as settings objects: each option is named, typed and checked once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from numbers import Real
from typing import Any, ClassVar, Concatenate, Literal, ParamSpec, TypeVar, get_args

import numpy as np
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.methods.saved_model import identity_of
from scinfill.models.batch_effect import BatchEffect
from scinfill.models.devices import Device, check_installed
from scinfill.models.estimate.learning import Learned
from scinfill.models.estimate.new_cells import ReferenceCells
from scinfill.models.observations import Observations
from scinfill.models.recipe import FixedModel, Loss, Prediction, Recipe
from scinfill.schema import ESTIMATES, BatchEffectKind, CountsKind, EstimateKind, Keep, Preset

OF_NEW_CELLS = frozenset(
    {"keep", "openproblems", "layer", "seed", "uncertainty", "batch", "batch_effect", "device", "form", "model"}
)
"""Options that act on cells, not on a training: those that stand beside a saved model."""

Options = ParamSpec("Options")
Settings = TypeVar("Settings")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class ImputerSettings:
    """Settings that every imputer has, with what the table and its record keep of them.

    The fields are the keyword arguments of its Python function and the options of its command.

    Attributes
    ----------
    keep
        ``observed`` leaves seen values exactly as they are, ``max`` lets no value fall below what was seen.
    openproblems
        Also write ``layers["denoised"]``, expected counts, and the names that the Open Problems denoising task reads.
    layer
        Layer that holds the log2 values instead of ``X``.
    seed
        Random seed.
    """

    command: ClassVar[str]
    """The verb."""

    keep: Keep = "none"
    openproblems: bool = False
    layer: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no data could make right.

        Raises
        ------
        InputError
            An unknown name or a number out of range.
        """
        check_choice("keep", self.keep, get_args(Keep))
        check_range("seed", self.seed, lowest=0)

    def record(self) -> dict[str, Any]:
        """Return the keyword arguments, but for the seed, by which the Python function repeats the work."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "seed"}

    def store(self, result: AnnData, learned: Learned) -> None:
        """Add to the table what of the model can be kept in it, such as factors."""


@dataclass(frozen=True, kw_only=True)
class MethodSettings(ImputerSettings, ABC):
    """Settings that deepMc and AutoImpute share: which estimate, by which loss, how carefully.

    Each is a subclass that adds its own options, and knows the models that they stand for.

    Attributes
    ----------
    estimate
        ``auto`` is ``shrunk`` for UMI-like counts and ``model`` otherwise.
    loss
        ``auto`` is ``poisson`` for UMI-like counts and ``squared`` otherwise; ``detected`` is always squared.
    counts_kind
        ``auto`` calls counts reads when 6 or more of them stand for one molecule that the zeros imply, else UMI-like.
    gate
        Hold each gene's prediction against entries the fit did not see.
    calibrate
        Multiply expected counts, group by group of similar cells, by what was seen there.
    uncertainty
        Also write ``layers["imputed_sd"]``; for the estimate ``shrunk`` only.
    preset
        ``paper`` is the algorithm as published.
    zero_weight
        Weight of zeros in the squared loss. None: 1 (zeros are data), and chosen from seen entries for ``detected``.
    batch
        Column of ``obs`` that names each cell's batch, whose offsets join the model; None: batches are not told apart.
    batch_effect
        Whether values are those of the cell's own batch (``keep``) or of the average batch (``remove``).
    device
        ``auto`` takes a GPU if there is one.
    model
        A saved model to apply, instead of training one.
    """

    max_folds: ClassVar[int]
    """How often its fits can be repeated."""

    estimate: Literal["auto"] | EstimateKind = "auto"
    loss: Literal["auto"] | Loss = "auto"
    counts_kind: Literal["auto"] | CountsKind = "auto"
    gate: bool = True
    calibrate: bool = True
    uncertainty: bool = False
    preset: Preset = "recommended"
    zero_weight: float | None = None
    batch: str | None = None
    batch_effect: BatchEffectKind = "keep"
    device: Device = "auto"
    model: AnnData | None = None

    def __post_init__(self) -> None:
        """Refuse unknown names, numbers out of range, a GPU without TensorFlow, and what contradicts the preset."""
        super().__post_init__()
        if self.device == "gpu":
            check_installed("`device='gpu'`")
        check_choice("preset", self.preset, get_args(Preset))
        check_range("zero_weight", self.zero_weight, lowest=0, highest=1)
        check_choice("estimate", self.estimate, ("auto", *ESTIMATES))
        check_choice("loss", self.loss, ("auto", *get_args(Loss)))
        check_choice("batch_effect", self.batch_effect, get_args(BatchEffectKind))
        self._check_batches()
        if self.model is not None:
            self._check_nothing_to_train()
        check_choice("counts_kind", self.counts_kind, ("auto", *get_args(CountsKind)))
        if self.preset == "paper":
            self._check_one_estimate()
            self.check_paper()
        else:
            self.check_recommended()

    def record(self) -> dict[str, Any]:
        """Return the keyword arguments; a saved model is named by its hash."""
        options = super().record()
        return options if self.model is None else options | {"model": identity_of(self.model)}

    @abstractmethod
    def fixed_model(
        self, prediction: Prediction, loss: Loss, batches: BatchEffect | None, data: Observations
    ) -> FixedModel:
        """Return what of a fit reads new cells."""

    @abstractmethod
    def reference_cells(self, fixed: FixedModel, prediction: Prediction, data: Observations) -> ReferenceCells:
        """Return training cells by which new ones are measured, with models that know them no better than new ones."""

    @abstractmethod
    def published_recipe(self, data: Observations) -> Recipe | None:
        """Return the published algorithm where it was asked for (``preset="paper"``)."""

    @abstractmethod
    def memory_for(self, data: Observations) -> int:
        """Return the bytes that the largest fit takes beside the data."""

    @abstractmethod
    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Return complete settings for the estimates ``shrunk`` and ``model``, chosen from held-out data."""

    @abstractmethod
    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return the squared-loss fits to combine for the estimate ``detected``."""

    @abstractmethod
    def check_paper(self) -> None:
        """Refuse options that the published algorithm does not have."""

    @abstractmethod
    def check_recommended(self) -> None:
        """Refuse options that only the published algorithm has."""

    def _check_nothing_to_train(self) -> None:
        """Refuse options of a training beside a model whose training is over."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in OF_NEW_CELLS and value != field.default:
                raise InputError(
                    f"`{field.name}={value!r}` is chosen in the training of a model; leave it out beside `model`"
                )

    def _check_batches(self) -> None:
        """Refuse what has no meaning with the offsets of batches, or without them."""
        if self.batch is not None and self.preset == "paper":
            raise InputError("`preset='paper'` knows no batches; leave out `batch`, or `preset='paper'`")
        if self.batch_effect == "keep":
            return
        if self.batch is None and self.model is None:
            raise InputError("`batch_effect='remove'` needs `batch`, the column of obs that names each cell's batch")
        if self.estimate == "detected":
            raise InputError(
                "`estimate='detected'` fills values as they would have been seen in the cell's own batch; use "
                "`batch_effect='keep'`, or `estimate='shrunk'`"
            )
        if self.keep != "none" or self.openproblems:
            asked = "openproblems" if self.openproblems else "keep"
            raise InputError(
                f"`{asked}` is about values as they were seen in the cell's own batch; leave it out, or use "
                f"`batch_effect='keep'`"
            )

    def _check_one_estimate(self) -> None:
        """Refuse what the papers do not have: they know one estimate, blind to zeros, without weights or gate."""
        if self.estimate not in ("auto", "detected") or self.loss == "poisson" or self.uncertainty:
            raise InputError("`preset='paper'` has one estimate; leave out `estimate`, `loss` and `uncertainty`")


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a name that is not known; the command line has done so, the Python API has not."""
    if value not in known:
        raise InputError(f"`{name}={value!r}` is not known; it is one of {', '.join(known)}")


def check_range(name: str, value: float | None, *, lowest: float, highest: float = float("inf")) -> None:
    """Refuse a number out of range, and what is no number; None is what was not given."""
    if value is not None and not (isinstance(value, Real) and lowest <= value <= highest):
        rule = f"{lowest:g} or more" if highest == float("inf") else f"from {lowest:g} to {highest:g}"
        raise InputError(f"`{name}` must be {rule}; it is {value if isinstance(value, Real) else repr(value)}")


def refuse_zero_weight(loss: Loss, zero_weight: float | None) -> None:
    """Refuse an option that would have no effect: to the Poisson loss every zero is data."""
    if loss == "poisson" and zero_weight is not None:
        raise InputError("`zero_weight` belongs to the squared loss; add `loss='squared'` or `estimate='detected'`")


def numbers(value: int | Sequence[int] | None) -> tuple[int, ...]:
    """Return one number, several or none as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(value)


def with_options_of(
    settings: Callable[Options, Settings],
) -> Callable[[Callable[[AnnData, Settings], Result]], Callable[Concatenate[AnnData, Options], Result]]:
    """Turn a function of a table and settings into one of a table and the settings' fields as keyword arguments."""

    def decorate(function: Callable[[AnnData, Settings], Result]) -> Callable[Concatenate[AnnData, Options], Result]:
        whole = signature(function)
        fields = [item for item in signature(settings).parameters.values() if item.kind is Parameter.KEYWORD_ONLY]
        shown = whole.replace(parameters=[whole.parameters["adata"], *fields])

        @wraps(function)
        def call(adata: AnnData, *args: Options.args, **options: Options.kwargs) -> Result:
            try:
                shown.bind(adata, *args, **options)
            except TypeError as error:  # in the words of the function, not of its settings
                raise TypeError(f"{function.__name__}() {error}") from None
            return function(adata, settings(*args, **options))

        call.__signature__ = shown  # type: ignore[attr-defined]
        return call  # type: ignore[return-value] # mypy: a caller may name `adata` too

    return decorate
