"""What every imputer shares: which estimate, which loss, the gate, what becomes of seen values, the signature."""

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np
from anndata import AnnData

from scinfill import memory
from scinfill.errors import InputError
from scinfill.methods import openproblems, ownership, provenance, work
from scinfill.methods.observations import observed
from scinfill.models import requirements
from scinfill.models.estimates import Estimate as Values
from scinfill.models.estimates import Shrunk
from scinfill.models.learning import Effort, Learned, learn_detection, learn_model, learn_shrunk
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Recipe
from scinfill.models.uncertainty import posterior_spread
from scinfill.numerics.blocks import RowBlocks
from scinfill.numerics.parallel import blocks_in_parallel
from scinfill.numerics.scratch import give_back
from scinfill.numerics.sparse import median_count
from scinfill.schema import (
    CELL_FACTORS,
    COUNTS,
    CURVE,
    DENOISED,
    ESTIMATES,
    GATE,
    GENE_FACTORS,
    HELDOUT_R2,
    IMPUTED,
    IMPUTED_SD,
    METHOD_ID,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    SCALE,
    UMI_MEDIAN_NONZERO,
    CountsKind,
    Estimate,
    Keep,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImputeSettings:
    """What a user may ask of any imputer.

    Attributes
    ----------
    estimate
        ``auto`` is ``shrunk`` for UMI-like counts and ``model`` otherwise.
    loss
        ``auto`` is ``poisson`` for UMI-like counts and ``squared`` otherwise; ``detected`` is always squared.
    counts_kind
        ``auto`` calls counts UMI-like when their median non-zero value is below 20.
    keep
        ``observed`` leaves seen values exactly as they are, ``max`` lets no value fall below what was seen.
    gate
        Hold each gene's prediction against entries the fit did not see.
    uncertainty
        Also write ``layers["imputed_sd"]``; for the estimate ``shrunk`` only.
    openproblems
        Also write ``layers["denoised"]``, expected counts, and the names that the Open Problems denoising task reads.
    layer
        Layer that holds the log2 values instead of ``X``.
    seed
        Start of the random numbers.
    """

    estimate: Literal["auto"] | Estimate = "auto"
    loss: Literal["auto"] | Loss = "auto"
    counts_kind: Literal["auto"] | CountsKind = "auto"
    keep: Keep = "none"
    gate: bool = True
    uncertainty: bool = False
    openproblems: bool = False
    layer: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no data could make right.

        Raises
        ------
        InputError
            An unknown name or a negative seed.
        """
        check_choice("estimate", self.estimate, ("auto", *ESTIMATES))
        check_choice("loss", self.loss, ("auto", *get_args(Loss)))
        check_choice("counts_kind", self.counts_kind, ("auto", *get_args(CountsKind)))
        check_choice("keep", self.keep, get_args(Keep))
        check_range("seed", self.seed, lowest=0)

    def parameters(self) -> dict[str, Any]:
        """Return the settings as the Python functions call them, for the record; the seed stands beside them."""
        settings = asdict(self)
        del settings["seed"]
        return settings


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a name that is not known; the command line has done so, the Python API has not."""
    if value not in known:
        raise InputError(f"`{name}={value!r}` is not known; it is one of {', '.join(known)}")


def check_range(name: str, value: float | None, *, lowest: float, highest: float = float("inf")) -> None:
    """Refuse a number out of range; None is what was not given."""
    if value is not None and not lowest <= value <= highest:
        rule = f"{lowest:g} or more" if highest == float("inf") else f"from {lowest:g} to {highest:g}"
        raise InputError(f"`{name}` must be {rule}; it is {value}")


class Signer(Protocol):
    """What the record and the table keep of a method."""

    @property
    def command(self) -> str:
        """The verb."""
        ...

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return the keyword arguments, but for the seed, by which its Python function repeats the work."""
        ...

    def store(self, result: AnnData, learned: Learned) -> None:
        """Add what of the model can be kept in the table, such as factors."""
        ...


class Method(Signer, Protocol):
    """An imputer whose settings are chosen from held-out data."""

    @property
    def effort(self) -> Effort:
        """How often its fits can be repeated."""
        ...

    def memory_for(self, data: Observations) -> int:
        """Return the bytes that its largest fit takes beside the data."""
        ...

    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Return complete settings for the estimates ``shrunk`` and ``model``, chosen from held-out data."""
        ...

    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return the squared-loss fits to combine for the estimate ``detected``."""
        ...


@dataclass(frozen=True)
class Imputation:
    """A table with its dense layers still to be computed.

    Attributes
    ----------
    adata
        Everything but the dense layers. Its matrices are those of the input: to be written, not to be changed.
    layers
        Layers by name, computed a block of cells at a time.
    """

    adata: AnnData
    layers: Mapping[str, RowBlocks] = field(default_factory=dict)

    def to_anndata(self) -> AnnData:
        """Return the table with its layers in memory; unlike ``adata`` it shares nothing with the input."""
        result = self.adata.copy()
        for name, blocks in self.layers.items():
            result.layers[name] = blocks.dense()
        return result

    def without_layers(self) -> "Imputation":
        """Return the table alone: what of the model is kept in it can rebuild them."""
        return Imputation(self.adata)


@dataclass(frozen=True)
class Decision:
    """What ``auto`` came to mean."""

    estimate: Estimate
    loss: Loss


def impute(adata: AnnData, method: Method, settings: ImputeSettings) -> Imputation:
    """Impute with a method's recipes and the estimate that was asked for.

    Raises
    ------
    InputError
        Settings that contradict each other or the data.
    DataError
        Wrong values, or another scale than log2(1 + x).
    """
    data = observations(adata, settings)
    decision = decide(settings, data)
    require_memory(method.memory_for(data), data, method.command)
    work.bind(data, method, settings, decision.estimate, decision.loss)
    with blocks_in_parallel():
        learned = _learn(method, data, decision, settings)
    return assemble(adata, data, learned, decision.estimate, settings=settings, signer=method)


def observations(adata: AnnData, settings: ImputeSettings) -> Observations:
    """Return what an imputer may look at, if that is enough for what was asked for."""
    data = observed(adata, layer=settings.layer)
    if settings.openproblems:
        openproblems.check_counts(data)
    say_replaced(adata)
    return data


def require_memory(size: int, data: Observations, command: str) -> None:
    """Refuse work that cannot fit, before it starts.

    Raises
    ------
    ResourceError
        With the figure that would do.
    """
    n_cells, n_genes = data.shape
    give_back()
    memory.require(int(requirements.MARGIN * size), f"{command} of {n_cells} cells x {n_genes} genes")


def _learn(method: Method, data: Observations, decision: Decision, settings: ImputeSettings) -> Learned:
    rng = np.random.default_rng(settings.seed)
    if decision.estimate == "detected":
        return learn_detection(method.recipes_for_detected(data), data, rng=rng)
    recipe = method.recipe(decision.loss, data, rng)
    log.info("estimate %s by %s", decision.estimate, recipe)
    learn = learn_shrunk if decision.estimate == "shrunk" else learn_model
    return learn(recipe, data, gated=settings.gate, rng=rng, effort=method.effort)


def decide(settings: ImputeSettings, data: Observations) -> Decision:
    """Replace every ``auto`` by what the data say, and refuse what cannot be."""
    umi = data.counts is not None and _is_umi(settings, data)
    estimate: Estimate = ("shrunk" if umi else "model") if settings.estimate == "auto" else settings.estimate
    squared = estimate == "detected" or not umi
    loss: Loss = ("squared" if squared else "poisson") if settings.loss == "auto" else settings.loss
    if data.counts is None and (estimate == "shrunk" or loss == "poisson"):
        asked = "`estimate='shrunk'`" if estimate == "shrunk" else "`loss='poisson'`"
        raise InputError(
            f"{asked} needs counts, and there is no layers[{COUNTS!r}]; use `estimate='model'` or `estimate='detected'`"
        )
    if estimate == "detected" and loss == "poisson":
        raise InputError("`estimate='detected'` is a squared-loss fit; leave out `loss='poisson'`")
    if settings.uncertainty and estimate != "shrunk":
        raise InputError(f"`uncertainty` is defined for `estimate='shrunk'`, not for {estimate}")
    return Decision(estimate, loss)


def _is_umi(settings: ImputeSettings, data: Observations) -> bool:
    if settings.counts_kind != "auto":
        return settings.counts_kind == "umi"
    if data.counts is None or data.counts.nnz == 0:
        return True
    median = median_count(data.counts.data)
    umi = median < UMI_MEDIAN_NONZERO
    log.info(
        "counts look like %s (median non-zero count %g); --counts umi|reads overrules",
        "molecules (UMI)" if umi else "reads",
        median,
    )
    return umi


def refuse_zero_weight(loss: Loss, zero_weight: float | None) -> None:
    """Refuse an option that would have no effect: to the Poisson loss every zero is data."""
    if loss == "poisson" and zero_weight is not None:
        raise InputError("`zero_weight` belongs to the squared loss; add `loss='squared'` or `estimate='detected'`")


def refuse_with_paper(settings: ImputeSettings) -> None:
    """Refuse what the papers do not have: they know one estimate, blind to zeros, without weights or gate."""
    if settings.estimate not in ("auto", "detected") or settings.loss == "poisson" or settings.uncertainty:
        raise InputError("`preset='paper'` has one estimate; leave out `estimate`, `loss` and `uncertainty`")


def assemble(
    adata: AnnData,
    data: Observations,
    learned: Learned,
    estimate: Estimate,
    *,
    settings: ImputeSettings,
    signer: Signer,
) -> Imputation:
    """Join the input's slots with the imputed layers, what was learned of each gene, and the signature."""
    result = copied(adata)
    if learned.gate is not None:
        result.var[GATE] = learned.gate.slope
        result.var[HELDOUT_R2] = learned.gate.r_squared
    if learned.observed_weight is not None:
        result.var[OBSERVED_WEIGHT] = learned.observed_weight
    signer.store(result, learned)
    parameters = signer.parameters(settings)
    input_sha256 = provenance.sha256(data.log_values)
    provenance.sign(
        result,
        command=signer.command,
        parameters=parameters,
        seed=settings.seed,
        input_sha256=input_sha256,
        metrics={"estimate": estimate} | learned.details,
        scale=SCALE,
        estimate=estimate,
    )
    layers = {IMPUTED: RowBlocks(data.shape, kept(learned.estimate, data, settings.keep))}
    if settings.uncertainty and isinstance(learned.estimate, Shrunk):
        layers[IMPUTED_SD] = RowBlocks(data.shape, posterior_spread(learned.estimate).block)
    if settings.openproblems:
        layers[DENOISED] = openproblems.denoised(learned.estimate, data)
        openproblems.name(result, command=signer.command, parameters=parameters, input_sha256=input_sha256)
    return Imputation(result, layers)


STALE_LAYERS = (IMPUTED, IMPUTED_SD, DENOISED)
STALE_COLUMNS = (GATE, HELDOUT_R2, OBSERVED_WEIGHT, MODEL_OFFSET, MODEL_BASE, MODEL_GAIN, MODEL_SCALE)
STALE_UNS = (CURVE, METHOD_ID)
"""What an earlier imputation left; beside a new one it would be taken for its own."""


def say_replaced(adata: AnnData) -> None:
    """Say, before the work, which of these names hold what no imputation of ours left."""
    slots = {
        "layers": STALE_LAYERS,
        "var": STALE_COLUMNS,
        "obsm": (CELL_FACTORS,),
        "varm": (GENE_FACTORS,),
        "uns": STALE_UNS,
    }
    ownership.say_replaced(adata, slots, by=("impute-", "adopt", "reconstruct"))


def copied(adata: AnnData) -> AnnData:
    """Return a table of its own frames and mappings that shares the matrices nobody changes."""
    return AnnData(
        X=adata.X,
        obs=adata.obs.copy(),
        var=adata.var.drop(columns=[column for column in STALE_COLUMNS if column in adata.var]),
        uns=deepcopy({name: value for name, value in adata.uns.items() if name not in STALE_UNS}),
        obsm={name: value for name, value in adata.obsm.items() if name != CELL_FACTORS},
        varm={name: value for name, value in adata.varm.items() if name != GENE_FACTORS},
        layers={name: layer for name, layer in adata.layers.items() if name not in STALE_LAYERS},
        obsp=dict(adata.obsp),
        varp=dict(adata.varp),
        raw=None if adata.raw is None else {"X": adata.raw.X, "var": adata.raw.var, "varm": dict(adata.raw.varm)},
    )


def kept(values: Values, data: Observations, keep: Keep) -> Callable[[slice], np.ndarray]:
    """Return the block function that treats seen values as ``--keep`` says."""
    if keep == "none":
        return values.block

    def block(rows: slice) -> np.ndarray:
        imputed = values.block(rows)
        seen = data.log_values[rows]
        row, column = seen.nonzero()
        imputed[row, column] = seen.data if keep == "observed" else np.maximum(seen.data, imputed[row, column])
        return imputed

    return block
