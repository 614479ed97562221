"""deepMc: deep matrix factorisation, by default aware of zeros and of what held-out data support."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import numpy as np
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.methods import work
from scinfill.methods.imputer import (
    Imputation,
    ImputeSettings,
    assemble,
    check_choice,
    check_range,
    impute,
    observations,
    refuse_with_paper,
    refuse_zero_weight,
    require_memory,
)
from scinfill.models import requirements
from scinfill.models.choices import RANKS, best_by_entries, best_by_molecules, feasible_ranks
from scinfill.models.deepmc import PoissonFactorization, SquaredFactorization
from scinfill.models.deepmc_paper import Chain, PaperFactorization
from scinfill.models.detected import CellFloor, Detected
from scinfill.models.devices import Device, computing_on
from scinfill.models.estimates import GatedModel, Shrunk
from scinfill.models.factorization import Factors
from scinfill.models.learning import THOROUGH, AsIs, Effort, Learned, learn_as_is
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Recipe
from scinfill.models.sampling import SAMPLE_CELLS, sample_cells
from scinfill.schema import (
    CELL_FACTORS,
    CURVE,
    GENE_FACTORS,
    MODEL,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    UNS,
    Form,
    Keep,
    ModelKind,
    Preset,
)

log = logging.getLogger(__name__)

PAPER_RANKS = {1: (10,), 2: (11, 5), 3: (13, 11, 5)}
"""Ranks for each depth when none are given, from the grids of the authors' scripts."""
DETECTED_FITS = ((3, 0.0), (10, 0.0), (20, 0.0), (10, 0.03), (10, 0.1), (20, 0.1), (10, 0.3))
"""(rank, zero weight) of the fits that ``detected`` combines."""


@dataclass(frozen=True)
class DeepMc:
    """The default preset.

    Attributes
    ----------
    rank
        None: chosen from held-out molecules, or held-out entries where there are no molecules.
    zero_weight
        Of the squared loss. None: 1 (zeros are data), and chosen from seen entries for ``detected``.
    ridge
        None: 5 for the Poisson loss, 20 for the squared loss.
    device
        ``auto`` takes a GPU if there is one.
    form
        For the record: whether the dense layer is kept.
    """

    rank: int | None = None
    zero_weight: float | None = None
    ridge: float | None = None
    device: Device = "auto"
    form: Form = "dense"
    effort: Effort = THOROUGH
    command: str = "impute-deepmc"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of a fit with the largest rank that may be tried."""
        largest = self.rank or max(*RANKS, *(rank for rank, _ in DETECTED_FITS))
        return requirements.factorization(data, min(largest, *data.shape))

    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Choose the rank on a sample of cells."""
        refuse_zero_weight(loss, self.zero_weight)
        rows = sample_cells(data, SAMPLE_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        ranks = self._ranks(data)
        if loss == "poisson":
            ridge = PoissonFactorization.ridge if self.ridge is None else self.ridge
            return best_by_molecules(
                [PoissonFactorization(rank, ridge, device=self.device) for rank in ranks], sample, rng
            )
        weight = 1.0 if self.zero_weight is None else self.zero_weight
        return best_by_entries([self._squared(rank, weight) for rank in ranks], sample, rng)

    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return fits of several ranks and zero weights, or the ones the user fixed."""
        if self.rank is not None:
            check_rank(self.rank, data.shape)
        wanted = [
            (self.rank or rank, weight if self.zero_weight is None else self.zero_weight)
            for rank, weight in DETECTED_FITS
        ]
        feasible = [(min(rank, *data.shape), weight) for rank, weight in wanted]
        return [self._squared(rank, weight) for rank, weight in dict.fromkeys(feasible)]

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return the settings as given."""
        return settings.parameters() | {
            "preset": "recommended",
            "rank": self.rank,
            "zero_weight": self.zero_weight,
            "ridge": self.ridge,
            "device": self.device,
            "form": self.form,
        }

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep the factors and what turns them into values."""
        estimate = learned.estimate
        if isinstance(estimate, Detected):
            store_factors(result, joined(estimate), "detected")
            result.uns[CURVE] = np.column_stack([estimate.curve_from, estimate.curve_to])
            return
        model = estimate.model if isinstance(estimate, Shrunk) else estimate
        if not (isinstance(model, GatedModel) and isinstance(model.prediction, Factors)):
            raise TypeError("a deepMc estimate is made of factors")
        store_factors(result, model.prediction, model.loss)
        result.var[MODEL_BASE] = model.base
        result.var[MODEL_GAIN] = model.gain
        if model.rate_scale is not None:
            result.var[MODEL_SCALE] = model.rate_scale

    def _ranks(self, data: Observations) -> list[int]:
        if self.rank is None:
            return feasible_ranks(data.shape)
        check_rank(self.rank, data.shape)
        return [self.rank]

    def _squared(self, rank: int, zero_weight: float) -> SquaredFactorization:
        ridge = SquaredFactorization.ridge if self.ridge is None else self.ridge
        return SquaredFactorization(rank, zero_weight, ridge, device=self.device)


@dataclass(frozen=True)
class PaperDeepMc:
    """The papers' algorithm: blind to zeros, no gate, its product at every position."""

    recipe: PaperFactorization
    form: Form = "dense"
    command: str = "impute-deepmc"

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return the settings, complete."""
        return settings.parameters() | {
            "preset": "paper",
            "rank": list(self.recipe.ranks),
            "alpha": self.recipe.alpha,
            "n_iterations": self.recipe.n_iterations,
            "form": self.form,
        }

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep Z, and D_L ⋯ D_1 as one matrix."""
        if not (isinstance(learned.estimate, AsIs) and isinstance(learned.estimate.prediction, Chain)):
            raise TypeError("the paper preset's estimate is a chain of factors")
        cells, genes = learned.estimate.prediction.two_factors()
        store_factors(result, Factors(np.zeros(len(genes), np.float32), cells, genes), "as-is")


def store_factors(result: AnnData, factors: Factors, kind: ModelKind) -> None:
    """Put μ, Z and D where :func:`scinfill.reconstruct` looks for them."""
    result.obsm[CELL_FACTORS] = factors.cells
    result.varm[GENE_FACTORS] = factors.genes
    result.var[MODEL_OFFSET] = factors.offset
    result.uns[UNS] = dict(result.uns.get(UNS, {})) | {MODEL: kind}


def joined(estimate: Detected) -> Factors:
    """Return one factorisation that equals the weighted sum of several."""
    offset = np.zeros(estimate.predictions[0].shape[1], np.float32)
    cells, genes = [], []
    for prediction, weight in zip(estimate.predictions, estimate.weights, strict=True):
        if isinstance(prediction, CellFloor):
            cells.append(weight * prediction.floor[:, None])
            genes.append(np.ones((prediction.n_genes, 1), np.float32))
        elif isinstance(prediction, Factors):
            offset = offset + weight * prediction.offset
            cells.append(weight * prediction.cells)
            genes.append(prediction.genes)
    return Factors(offset, np.column_stack(cells).astype(np.float32), np.column_stack(genes).astype(np.float32))


def check_rank(rank: int, shape: tuple[int, int]) -> None:
    """Refuse a rank that the matrix cannot have."""
    if not 1 <= rank <= min(shape):
        raise InputError(f"`rank={rank}` does not fit {shape[0]} cells x {shape[1]} genes; at most {min(shape)}")


def deepmc_imputation(
    adata: AnnData,
    settings: ImputeSettings | None = None,
    *,
    preset: Preset = "recommended",
    depth: int | None = None,
    rank: Sequence[int] = (),
    zero_weight: float | None = None,
    ridge: float | None = None,
    alpha: float | None = None,
    n_iterations: int | None = None,
    form: Form = "dense",
    device: Device = "auto",
) -> Imputation:
    """Impute by matrix factorisation with the dense layers still to be computed; see :func:`impute_deepmc`."""
    settings = settings or ImputeSettings()
    check_choice("preset", preset, get_args(Preset))
    check_range("depth", depth, lowest=1, highest=max(PAPER_RANKS))
    check_range("zero_weight", zero_weight, lowest=0, highest=1)
    check_range("ridge", ridge, lowest=0)
    check_range("alpha", alpha, lowest=1)
    check_range("n_iterations", n_iterations, lowest=1)
    check_choice("form", form, get_args(Form))
    if form == "factors":
        _refuse_without_dense_layer(settings)
    if preset == "paper":
        if zero_weight is not None or ridge is not None:
            raise InputError("`preset='paper'` has neither zero weight nor ridge; leave out `zero_weight` and `ridge`")
        if device == "gpu":
            with computing_on(device):  # refuses where there is none
                log.warning("`preset='paper'` of deepMc runs on the CPU; the GPU that was asked for stays idle")
        imputation = _paper(adata, settings, depth=depth, ranks=rank, alpha=alpha, n_iterations=n_iterations, form=form)
        return imputation.without_layers() if form == "factors" else imputation
    if depth not in (None, 1) or alpha is not None or n_iterations is not None:
        raise InputError(
            "`depth`, `alpha` and `n_iterations` belong to `preset='paper'`: a linear product gains no rank by depth"
        )
    if len(rank) > 1:
        raise InputError(f"`rank={list(rank)}` names {len(rank)} layers; they belong to `preset='paper'`")
    imputation = impute(adata, DeepMc(rank[0] if rank else None, zero_weight, ridge, device, form), settings)
    return imputation.without_layers() if form == "factors" else imputation


def _refuse_without_dense_layer(settings: ImputeSettings) -> None:
    dense_only = {
        "uncertainty": settings.uncertainty,
        "openproblems": settings.openproblems,
        "keep": settings.keep != "none",
    }
    for name, asked in dense_only.items():
        if asked:
            raise InputError(f"`{name}` is about the dense layer; leave out `form='factors'`")


def _paper(
    adata: AnnData,
    settings: ImputeSettings,
    *,
    depth: int | None,
    ranks: Sequence[int],
    alpha: float | None,
    n_iterations: int | None,
    form: Form,
) -> Imputation:
    refuse_with_paper(settings)
    depth = depth or len(ranks) or 1
    if depth not in PAPER_RANKS:
        raise InputError(f"`rank={list(ranks)}` names {depth} layers; at most {max(PAPER_RANKS)}")
    data = observations(adata, settings)
    chosen = tuple(ranks) or tuple(min(rank, *data.shape) for rank in PAPER_RANKS[depth])
    if len(chosen) != depth:
        raise InputError(f"`depth={depth}` needs as many ranks; `rank` names {len(chosen)}")
    for rank in chosen:
        check_rank(rank, data.shape)
    if any(after > before for before, after in pairwise(chosen)):
        raise InputError(f"`rank={list(chosen)}` must not grow from layer to layer")
    require_memory(requirements.paper_factorization(data, chosen), data, PaperDeepMc.command)
    recipe = PaperFactorization(
        chosen,
        alpha=PaperFactorization.alpha if alpha is None else alpha,
        n_iterations=PaperFactorization.n_iterations if n_iterations is None else n_iterations,
    )
    signer = PaperDeepMc(recipe, form)
    work.bind(data, signer, settings, "detected", recipe.loss)
    learned = learn_as_is(recipe, data, rng=np.random.default_rng(settings.seed))
    return assemble(adata, data, learned, "detected", settings=settings, signer=signer)


def impute_deepmc(
    adata: AnnData,
    *,
    preset: Preset = "recommended",
    estimate: str = "auto",
    loss: str = "auto",
    counts_kind: str = "auto",
    depth: int | None = None,
    rank: int | Sequence[int] | None = None,
    zero_weight: float | None = None,
    ridge: float | None = None,
    alpha: float | None = None,
    n_iterations: int | None = None,
    keep: Keep = "none",
    gate: bool = True,
    uncertainty: bool = False,
    openproblems: bool = False,
    form: Form = "dense",
    device: Device = "auto",
    layer: str | None = None,
    seed: int = 0,
) -> AnnData:
    """Impute by matrix factorisation: X ≈ μ + Z·D, gated and shrunk by what held-out data support.

    Parameters
    ----------
    adata
        ``X`` on the scale log2(1 + counts / size_factor), as :func:`scinfill.preprocess` makes it; never changed.
    preset
        ``"paper"`` is deepMc as published (``depth`` layers, ``alpha``, ``n_iterations``), blind to zeros.
    estimate
        ``"shrunk"`` (UMI counts) or ``"model"`` (reads): what is the mean expression? For looking, clustering and
        means of few cells. ``"detected"``: what would have been seen here? For filling hidden values. Test for
        differential expression on ``layers["counts"]``: a gene without structure stays at its mean in any estimate,
        but the spread within groups that a test needs is smoothed away.
    loss, counts_kind
        ``"auto"`` is the Poisson loss for counts whose median non-zero value is below 20.
    rank
        None: chosen from held-out molecules or entries. A sequence gives one rank a layer (paper preset).
    zero_weight, ridge
        Of the squared loss; the penalty on factors.
    keep
        ``"observed"`` leaves seen values exactly as they are, ``"max"`` lets none fall.
    gate
        Keep a gene at its mean unless entries the fit did not see support its prediction.
    uncertainty
        Add ``layers["imputed_sd"]`` (estimate ``shrunk``).
    openproblems
        Add what the Open Problems denoising task reads: ``layers["denoised"]`` (expected counts),
        ``uns["method_id"]`` and, where the table has none, ``uns["dataset_id"]``.
    form
        ``"factors"`` leaves the dense layer out; :func:`scinfill.reconstruct` rebuilds any part of it.
    device
        ``"auto"`` takes a GPU if there is one; the paper preset always runs on the CPU.
    layer
        Layer that holds the log2 values instead of ``X``.
    seed
        Same seed, same machine, same threads: same bytes.

    Returns
    -------
    A new table with ``layers["imputed"]`` (float32, scale of ``X``), the factors ``obsm["X_deepmc"]`` and
    ``varm["deepmc"]``, and ``var["imputation_gate"]``, ``["heldout_r2"]``, ``["observed_weight"]``.

    Raises
    ------
    InputError
        Settings that contradict each other or the data.
    DataError
        Wrong values or another scale.

    Examples
    --------
    >>> import numpy as np, anndata, scinfill
    >>> counts = anndata.AnnData(np.random.default_rng(0).poisson(5, size=(20, 50)))
    >>> scinfill.impute_deepmc(scinfill.preprocess(counts)).layers["imputed"].shape
    (20, 50)
    """
    settings = ImputeSettings(
        estimate=estimate,  # type: ignore[arg-type] # checked by ImputeSettings
        loss=loss,  # type: ignore[arg-type]
        counts_kind=counts_kind,  # type: ignore[arg-type]
        keep=keep,
        gate=gate,
        uncertainty=uncertainty,
        openproblems=openproblems,
        layer=layer,
        seed=seed,
    )
    ranks = () if rank is None else (rank,) if isinstance(rank, int) else tuple(rank)
    return deepmc_imputation(
        adata,
        settings,
        preset=preset,
        depth=depth,
        rank=ranks,
        zero_weight=zero_weight,
        ridge=ridge,
        alpha=alpha,
        n_iterations=n_iterations,
        form=form,
        device=device,
    ).to_anndata()
