"""Run an imputer: resolve ``auto``, ask for memory, learn the estimate, assemble and sign the table."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from anndata import AnnData

from scinfill import __version__, memory, resume
from scinfill.errors import InputError
from scinfill.methods import openproblems, provenance, saved_model
from scinfill.methods.batches import NamedBatches, read_batches, warn_of_confounded_groups, warn_of_confounded_labels
from scinfill.methods.counts_kind import classify_counts
from scinfill.methods.earlier import say_replaced, without_earlier_imputation
from scinfill.methods.effects import effect_of
from scinfill.methods.reading import read_observations
from scinfill.methods.settings import ImputerSettings, MethodSettings, refuse_zero_weight
from scinfill.models import requirements
from scinfill.models.estimate import local_calibration
from scinfill.models.estimate.learning import (
    Learned,
    learn_detection,
    learn_model,
    learn_prediction,
    learn_shrunk,
)
from scinfill.models.estimate.new_cells import TrainedModel, trained_model
from scinfill.models.estimate.uncertainty import posterior_spread
from scinfill.models.estimate.values import GatedModel, ImputedValues, Shrunk, without_batch_effect
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss
from scinfill.numerics.blocks import RowBlocks
from scinfill.numerics.parallel import blocks_in_parallel
from scinfill.numerics.scratch import give_back
from scinfill.schema import (
    BATCH_OFFSETS,
    BATCHES,
    COUNTS,
    DENOISED,
    GATE,
    HELDOUT_R2,
    IMPUTED,
    IMPUTED_SD,
    MIN_READS_PER_MOLECULE,
    OBSERVED_WEIGHT,
    SCALE,
    UNS,
    BatchEffectKind,
    EstimateKind,
    Keep,
)

log = logging.getLogger(__name__)

WITHOUT_EFFECT = ("batch_effect", "counts_kind", "form", "keep", "layer", "openproblems", "uncertainty")
"""Options that change no fit: what they lead to is in the checkpoint's key itself, or they act on the fits' results."""


@dataclass(frozen=True)
class Imputation:
    """A table with its dense layers still to be computed.

    Attributes
    ----------
    adata
        Everything but the dense layers. Its matrices are those of the input: to be written, not to be changed.
    layers
        Layers by name, computed a block of cells at a time.
    model
        What new cells need of the training, a table without cells, where it was asked for.
    """

    adata: AnnData
    layers: dict[str, RowBlocks] = field(default_factory=dict)
    model: AnnData | None = None

    def to_anndata(self) -> AnnData:
        """Return the table with its layers in memory; unlike ``adata`` it shares nothing with the input."""
        result = self.adata.copy()
        for name, blocks in self.layers.items():
            result.layers[name] = blocks.dense()
        return result


@dataclass(frozen=True)
class Decision:
    """Settings in which ``auto`` is resolved."""

    estimate: EstimateKind
    loss: Loss


def impute(adata: AnnData, settings: MethodSettings, *, with_model: bool = False) -> Imputation:
    """Impute by a method with the estimate that was asked for, and keep the model for new cells where that was asked.

    Raises
    ------
    InputError
        Settings that contradict each other or the data.
    DataError
        Wrong values, or another scale than log2(1 + x).
    """
    if with_model:
        _check_can_be_kept(settings)
    data = observations(adata, settings)
    named = None if settings.batch is None else read_batches(adata, settings.batch)
    if named is not None:
        data = replace(data, batches=named.batches)
    published = settings.published_recipe(data)
    decision = decide(settings, data) if published is None else Decision("detected", published.loss)
    tables = local_calibration.memory_for(data) if published is None and settings.calibrate else 0
    tables += requirements.batch_bytes(data)
    require_memory((published or settings).memory_for(data) + tables, data, settings.command)
    say_replaced(adata)
    if named is not None:
        warn_of_confounded_labels(adata, named)
    resume.identify(lambda: _job(data, settings, decision))
    rng = np.random.default_rng(settings.seed)
    if published is not None:
        learned = learn_prediction(published, data, rng=rng)
    else:
        with blocks_in_parallel():
            learned = _learn(settings, data, decision, rng)
    if named is not None:
        warn_of_confounded_groups(named, learned.groups)
    trained = _trained(settings, data, learned) if with_model else None
    if settings.batch_effect == "remove":
        learned = replace(learned, estimate=without_batch_effect(learned.estimate))
    imputation = assemble(adata, data, learned, decision.estimate, settings)
    if named is not None:
        store_batches(imputation.adata, named, learned, settings.batch_effect)
    if settings.uncertainty and isinstance(learned.estimate, Shrunk):
        imputation.layers[IMPUTED_SD] = RowBlocks(data.shape, posterior_spread(learned.estimate).block)
    if trained is None:
        return imputation
    model = saved_model.to_table(
        trained,
        imputation.adata,
        command=settings.command,
        gate=learned.gate,
        has_counts=data.counts is not None,
    )
    return replace(imputation, model=model)


def _check_can_be_kept(settings: MethodSettings) -> None:
    """Refuse a model that says nothing of new cells, before it is trained."""
    if settings.preset == "paper":
        raise InputError("`preset='paper'` has no gate, and its values are of its own cells; leave it out")
    if settings.estimate == "detected":
        raise InputError(
            "`estimate='detected'` fills values of the cells that it was fitted to; use `estimate='shrunk'` or "
            "`estimate='model'` for a model of new cells"
        )


def _trained(settings: MethodSettings, data: Observations, learned: Learned) -> TrainedModel:
    """Return what new cells need of a training."""
    model = learned.estimate.model if isinstance(learned.estimate, Shrunk) else learned.estimate
    if not isinstance(model, GatedModel):
        raise TypeError("only gated models are kept")
    with blocks_in_parallel():
        fixed = settings.fixed_model(model.prediction, model.loss, model.batches, data)
        reference = settings.reference_cells(fixed, model.prediction, data)
        return trained_model(fixed, reference, learned.estimate, data)


def observations(adata: AnnData, settings: ImputerSettings) -> Observations:
    """Return what an imputer may look at, if that is enough for what was asked for."""
    data = read_observations(adata, layer=settings.layer)
    if settings.openproblems:
        openproblems.check_counts(data)
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


def _job(data: Observations, settings: MethodSettings, decision: Decision) -> resume.Job:
    """Say what is computed, from what, by what: the key by which a checkpoint is recognised."""
    options = {name: value for name, value in settings.record().items() if name not in WITHOUT_EFFECT}
    size_factor = None if data.size_factor is None else data.size_factor[:, None]
    matrices = {"log_values": data.log_values, "counts": data.counts, "size_factor": size_factor}
    if data.batches is not None:
        matrices["batches"] = data.batches.codes[:, None]
    return {
        "method": {"command": settings.command},
        "input": {name: None if matrix is None else provenance.sha256(matrix) for name, matrix in matrices.items()},
        "parameters": options | {"estimate": decision.estimate, "loss": decision.loss, "seed": settings.seed},
        "versions": {"scinfill": __version__} | provenance.library_versions(),
    }


def _learn(settings: MethodSettings, data: Observations, decision: Decision, rng: np.random.Generator) -> Learned:
    if decision.estimate == "detected":
        return learn_detection(settings.recipes_for_detected(data), data, rng=rng)
    recipe = settings.recipe(decision.loss, data, rng)
    log.info("estimate %s by %s", decision.estimate, recipe)
    learn = learn_shrunk if decision.estimate == "shrunk" else learn_model
    return learn(recipe, data, gated=settings.gate, calibrate=settings.calibrate, rng=rng, max_folds=settings.max_folds)


def decide(settings: MethodSettings, data: Observations) -> Decision:
    """Replace every ``auto`` by what the data say, and refuse what cannot be."""
    umi = data.counts is not None and _is_umi(settings, data)
    estimate: EstimateKind = ("shrunk" if umi else "model") if settings.estimate == "auto" else settings.estimate
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
    if estimate != "detected":
        refuse_zero_weight(loss, settings.zero_weight)
    return Decision(estimate, loss)


def _is_umi(settings: MethodSettings, data: Observations) -> bool:
    if settings.counts_kind != "auto":
        return settings.counts_kind == "umi"
    if data.counts is None or data.counts.nnz == 0:
        return True
    look = classify_counts(data.counts)
    log.log(
        logging.WARNING if look.is_close else logging.INFO,
        "counts look like %s (%.3g counts for each molecule that the zeros imply; reads have %g or more%s); "
        "`counts_kind` overrules",
        "molecules (UMI)" if look.kind == "umi" else "reads",
        look.counts_per_molecule,
        MIN_READS_PER_MOLECULE,
        ", so it is close, and other cells or genes of the same data may fall on the other side"
        if look.is_close
        else "",
    )
    return look.kind == "umi"


def store_batches(adata: AnnData, named: NamedBatches, learned: Learned, effect: BatchEffectKind) -> None:
    """Keep the names of the batches and their offsets."""
    batches = {"column": named.column, "names": np.array(named.names, dtype=object), "effect": effect}
    adata.uns[UNS] = dict(adata.uns[UNS]) | {BATCHES: batches}
    if learned.batch_offsets is not None:
        adata.varm[BATCH_OFFSETS] = np.ascontiguousarray(learned.batch_offsets.T)


def assemble(
    adata: AnnData, data: Observations, learned: Learned, estimate: EstimateKind, settings: ImputerSettings
) -> Imputation:
    """Join the input's slots with the imputed layer, what was learned of each gene, and the signature."""
    result = without_earlier_imputation(adata)
    if learned.gate is not None:
        result.var[GATE] = learned.gate.slope
        result.var[HELDOUT_R2] = learned.gate.r_squared
    if learned.observed_weight is not None:
        result.var[OBSERVED_WEIGHT] = learned.observed_weight
    for warning in effect_of(result).warnings():
        log.warning("%s", warning)
    settings.store(result, learned)
    input_sha256 = provenance.sha256(data.log_values)
    provenance.sign(
        result,
        command=settings.command,
        parameters=settings.record(),
        seed=settings.seed,
        input_sha256=input_sha256,
        metrics={"estimate": estimate} | learned.details,
        scale=SCALE,
        estimate=estimate,
    )
    layers = {IMPUTED: RowBlocks(data.shape, with_seen_values(learned.estimate, data, settings.keep))}
    if settings.openproblems:
        layers[DENOISED] = openproblems.to_openproblems(learned.estimate, data)
        openproblems.name(result, command=settings.command, parameters=settings.record(), input_sha256=input_sha256)
    return Imputation(result, layers)


def with_seen_values(values: ImputedValues, data: Observations, keep: Keep) -> Callable[[slice], np.ndarray]:
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
