"""A trained model as a table without cells: what new cells need of a training, gene by gene."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.models.autoencoder.new_cells import FixedNetwork
from scinfill.models.estimate.gate import Gate
from scinfill.models.estimate.grouping import Grouping
from scinfill.models.estimate.model_fit import FitScale
from scinfill.models.estimate.new_cells import TrainedModel
from scinfill.models.factorization.new_cells import FixedFactors
from scinfill.models.recipe import FixedModel, Loss
from scinfill.schema import (
    BATCH_OFFSETS,
    BATCHES,
    DEPTH_GENES,
    GATE,
    GENE_FACTORS,
    GENE_WEIGHT,
    GROUP_FACTORS,
    GROUPING_COMPONENTS,
    GROUPING_MEAN,
    HELDOUT_R2,
    INPUT_CENTRE,
    INPUT_OFFSETS,
    INPUT_SPREAD,
    MODEL,
    MODEL_BASE,
    MODEL_DISPERSION,
    MODEL_GAIN,
    MODEL_MEAN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    POSTERIOR_SHAPE,
    SAVED_MODEL,
    UNS,
    BatchEffectKind,
    EstimateKind,
)

FORMAT = 2
"""Version of the layout. Files of the first, which had no weights of genes, are read; later ones are refused."""
HASH = "sha256"
DESCRIBED = ("command", "estimate", "batch", "batches", "batch_effect", "problem")
"""What is told of a model."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DepthGenes:
    """Genes whose counts make up a cell's total, and their means per unit size factor.

    Attributes
    ----------
    names
        Of the genes.
    mean
        (n_genes,); their sum is the total of a cell of size factor 1.
    """

    names: pd.Index
    mean: NDArray[np.float64]


@dataclass(frozen=True)
class SavedModel:
    """A model that was read from its table.

    Attributes
    ----------
    trained
        What computes. Its offsets have a last row of zeros, the average batch.
    genes
        Names in the model's order.
    command
        The verb that trained it.
    estimate
        ``shrunk`` or ``model``.
    gate
        What held-out entries supported; None where the gate was switched off.
    depth_genes
        What size factors are relative to; None where the training had no counts.
    batch, batch_names
        Column of ``obs`` and names of the training's batches; None and none without.
    batch_effect
        Whether batches were removed.
    identity
        Hash of it all.
    """

    trained: TrainedModel
    genes: pd.Index
    command: str
    estimate: EstimateKind
    gate: Gate | None
    depth_genes: DepthGenes | None
    batch: str | None
    batch_names: tuple[str, ...]
    batch_effect: BatchEffectKind
    identity: str


def to_table(trained: TrainedModel, imputed: AnnData, *, command: str, gate: Gate | None, has_counts: bool) -> AnnData:
    """Return a model as a table of the genes and no cells.

    Parameters
    ----------
    trained
        The model.
    imputed
        The imputed training cells, whose record goes along.
    command
        The verb that trained it.
    gate
        What held-out entries supported.
    has_counts
        Whether the training had counts, so that new cells have size factors.
    """
    record = dict(provenance.record(imputed))
    own: dict[str, Any] = {
        "format": FORMAT,
        "command": command,
        "estimate": str(record[provenance.ESTIMATE_KEY]),
        "loss": trained.fixed.loss,
        "fit": np.array([*trained.fit_scale.coefficients, trained.fit_scale.spread, *trained.fit_scale.depths]),
    }
    columns: dict[str, Any] = {
        MODEL_BASE: trained.base,
        MODEL_GAIN: trained.gain,
        MODEL_SCALE: trained.rate_scale,
        MODEL_MEAN: trained.mean,
        MODEL_DISPERSION: trained.fit_scale.dispersion,
        OBSERVED_WEIGHT: trained.observed_weight,
        POSTERIOR_SHAPE: trained.posterior_shape,
        GATE: None if gate is None else gate.slope,
        HELDOUT_R2: None if gate is None else gate.r_squared,
    }
    matrices: dict[str, Any] = {BATCH_OFFSETS: trained.offsets, GROUP_FACTORS: trained.group_factors}
    if trained.groupings:
        columns[GROUPING_MEAN] = trained.groupings[0].mean
        matrices[GROUPING_COMPONENTS] = trained.groupings[0].components.T
        own["centres"] = {str(number): grouping.centres for number, grouping in enumerate(trained.groupings)}
    if isinstance(trained.fixed, FixedFactors):
        columns[MODEL_OFFSET], matrices[GENE_FACTORS] = trained.fixed.offset, trained.fixed.genes.T
        columns[GENE_WEIGHT] = trained.fixed.gene_weights
        own |= {"ridge": float(trained.fixed.ridge), "zero_weight": float(trained.fixed.zero_weight)}
        if trained.fixed.starts is not None:
            own["starts"] = trained.fixed.starts
    elif isinstance(trained.fixed, FixedNetwork):
        columns |= {INPUT_CENTRE: trained.fixed.centre, INPUT_SPREAD: trained.fixed.spread}
        matrices[INPUT_OFFSETS] = trained.fixed.batches
        own["weights"] = {str(number): weight for number, weight in enumerate(trained.fixed.weights)}
    if BATCHES in record:
        own[BATCHES] = dict(record[BATCHES])
    if has_counts:
        own[DEPTH_GENES] = record.pop(DEPTH_GENES, None) or {
            "genes": np.asarray(imputed.var_names.astype(str), dtype=object),
            "mean": trained.mean.astype(np.float64),
        }
    record.pop(MODEL, None)
    table = AnnData(
        X=csr_matrix((0, imputed.n_vars), dtype=np.float32),
        var=pd.DataFrame(
            {name: column for name, column in columns.items() if column is not None}, index=imputed.var_names.copy()
        ),
        varm={name: np.ascontiguousarray(part.T) for name, part in matrices.items() if part is not None},
        uns={UNS: record, SAVED_MODEL: own},
    )
    own[HASH] = _hash_of(table)
    table.uns[SAVED_MODEL] = own
    return table


def identity_of(table: AnnData) -> str:
    """Return the hash by which records name a model.

    Raises
    ------
    InputError
        It is no table at all.
    DataError
        The table is no saved model, or was changed since it was saved.
    """
    if not isinstance(table, AnnData):
        raise InputError(
            f"a saved model is a table: `train_model(...).model`, or `anndata.read_h5ad(FILE)` of its file; received "
            f"{type(table).__name__}"
        )
    own = table.uns.get(SAVED_MODEL)
    if not isinstance(own, Mapping) or HASH not in own or "format" not in own:
        raise DataError(
            "the table given as `model` is no saved model; `scinfill impute-deepmc --save-model FILE` and "
            "`scinfill impute-auto --save-model FILE` write one"
        )
    if own["format"] not in range(1, FORMAT + 1):
        raise DataError(
            f"the model's layout is number {own['format']}, this version of scinfill reads numbers up to {FORMAT}; "
            f"train it again, or use the version that saved it"
        )
    if _hash_of(table) != str(own[HASH]):
        raise DataError("the model is not what was saved: it was changed or damaged since; train and save it again")
    return str(own[HASH])


def describe_model(table: AnnData) -> dict[str, Any] | None:
    """Return what a saved model is and can be asked for, as JSON takes it; None where the table is no saved model.

    Returns
    -------
    ``command`` that trained it, ``estimate``, ``batch``, the column of its batches, ``batches``, their names,
    ``batch_effect``, and ``problem``: why it cannot be used, None where it can. What cannot be read is None.
    """
    if SAVED_MODEL not in table.uns:
        return None
    try:
        model = read_model(table)
    except DataError as error:
        own = table.uns[SAVED_MODEL]
        told = {name: str(own[name]) for name in ("command", "estimate") if isinstance(own, Mapping) and name in own}
        return dict.fromkeys(DESCRIBED) | told | {"problem": str(error)}
    found = (model.command, model.estimate, model.batch, list(model.batch_names), model.batch_effect, None)
    return dict(zip(DESCRIBED, found, strict=True))


def read_model(table: AnnData, *, command: str | None = None) -> SavedModel:
    """Return the model that a table holds.

    Parameters
    ----------
    table
        As :func:`to_table` made it.
    command
        The verb that is to apply it; None for any.

    Raises
    ------
    InputError
        Another verb trained it.
    DataError
        The table is no saved model, or damaged.
    """
    identity = identity_of(table)
    own = table.uns[SAVED_MODEL]
    if command is not None and str(own.get("command")) != command:
        raise InputError(f"the model was trained by {own.get('command')}; apply it by `scinfill {own.get('command')}`")
    try:
        return _read(table, own, identity)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise DataError(f"the model is not usable ({error}); train and save it again") from error


def _read(table: AnnData, own: Mapping[str, Any], identity: str) -> SavedModel:
    def column(name: str) -> Floats | None:
        return table.var[name].to_numpy(np.float32) if name in table.var else None

    def matrix(name: str) -> Floats | None:
        return np.ascontiguousarray(np.asarray(table.varm[name], np.float32).T) if name in table.varm else None

    def needed(part: Floats | None) -> Floats:
        if part is None:
            raise ValueError("a column of it is missing")
        return part

    slope, r_squared = column(GATE), column(HELDOUT_R2)
    *coefficients, spread, least, largest = np.asarray(own["fit"], np.float64)
    groupings: tuple[Grouping, ...] = ()
    if "centres" in own:
        mean, components = needed(column(GROUPING_MEAN)), needed(matrix(GROUPING_COMPONENTS)).T
        centres = [np.asarray(own["centres"][key], np.float32) for key in sorted(own["centres"], key=int)]
        groupings = tuple(Grouping(mean, np.ascontiguousarray(components), part, ()) for part in centres)
    shape = table.var[POSTERIOR_SHAPE].to_numpy(np.float64) if POSTERIOR_SHAPE in table.var else None
    trained = TrainedModel(
        _fixed(table, own, column, matrix),
        needed(column(MODEL_BASE)),
        needed(column(MODEL_GAIN)),
        column(MODEL_SCALE),
        needed(column(MODEL_MEAN)),
        FitScale(
            needed(column(MODEL_DISPERSION)), np.array(coefficients), float(spread), (float(least), float(largest))
        ),
        groupings,
        matrix(GROUP_FACTORS),
        with_average(matrix(BATCH_OFFSETS)),
        column(OBSERVED_WEIGHT),
        shape,
    )
    depth_genes = own.get(DEPTH_GENES)
    batches = own.get(BATCHES)
    return SavedModel(
        trained,
        table.var_names,
        str(own["command"]),
        "shrunk" if own["estimate"] == "shrunk" else "model",
        None if slope is None or r_squared is None else Gate(slope, r_squared),
        None
        if depth_genes is None
        else DepthGenes(
            pd.Index(np.asarray(depth_genes["genes"]).astype(str)), np.asarray(depth_genes["mean"], np.float64)
        ),
        None if batches is None else str(batches["column"]),
        () if batches is None else tuple(np.atleast_1d(batches["names"]).astype(str)),
        "remove" if batches is not None and batches["effect"] == "remove" else "keep",
        identity,
    )


def _fixed(table: AnnData, own: Mapping[str, Any], column: Any, matrix: Any) -> FixedModel:  # noqa: ANN401 - readers
    loss: Loss = "poisson" if own["loss"] == "poisson" else "squared"
    if "weights" not in own:
        genes = np.ascontiguousarray(np.asarray(table.varm[GENE_FACTORS], np.float32))
        offsets = with_average(matrix(BATCH_OFFSETS))
        ridge, zero_weight = float(own["ridge"]), float(own["zero_weight"])
        starts = np.asarray(own["starts"], np.float32) if "starts" in own else None
        return FixedFactors(loss, column(MODEL_OFFSET), genes, ridge, zero_weight, offsets, column(GENE_WEIGHT), starts)
    weights = tuple(np.asarray(own["weights"][key], np.float32) for key in sorted(own["weights"], key=int))
    offsets = with_average(matrix(INPUT_OFFSETS))
    return FixedNetwork(loss, weights, column(INPUT_CENTRE), column(INPUT_SPREAD), offsets)


def with_average(offsets: Floats | None) -> Floats | None:
    """Return offsets with a last row of zeros, those of the average batch."""
    return None if offsets is None else np.concatenate([offsets, np.zeros((1, offsets.shape[1]), np.float32)])


def _hash_of(table: AnnData) -> str:
    """Return a hash of names and numbers, the same for a table in memory and one that was written and read."""
    own = {name: value for name, value in table.uns[SAVED_MODEL].items() if name != HASH}
    content = {
        "genes": np.asarray(table.var_names.astype(str), dtype=object),
        "var": {name: table.var[name].to_numpy() for name in table.var},
        "varm": dict(table.varm),
        "uns": own,
    }
    digest = hashlib.sha256()
    _add(digest, content)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:  # noqa: ANN401 - hashlib's object, and whatever a slot holds
    if isinstance(value, Mapping):
        for name in sorted(map(str, value)):
            digest.update(f"{name}:{{".encode())
            _add(digest, value[name])
            digest.update(b"}")
        return
    array = np.asarray(value)
    digest.update(str(array.shape).encode())
    if array.dtype.kind in "biuf":
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    else:
        digest.update("\0".join(map(str, array.ravel().tolist())).encode())
