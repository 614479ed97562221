"""deepMc: deep matrix factorisation, by default aware of zeros and of what held-out data support."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, get_args

import numpy as np
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.methods.imputer import Imputation
from scinfill.methods.new_cells import impute_cells
from scinfill.methods.settings import (
    MethodSettings,
    check_choice,
    check_range,
    numbers,
    with_options_of,
)
from scinfill.models.batch_effect import BatchedPrediction, BatchEffect
from scinfill.models.devices import computing_on
from scinfill.models.estimate.choices import (
    RANKS,
    best_by_entries,
    best_by_molecules,
    feasible_ranks,
    with_batch_ridge,
)
from scinfill.models.estimate.detected import CellFloor, Detected
from scinfill.models.estimate.learning import Learned
from scinfill.models.estimate.model_fit import halves_of
from scinfill.models.estimate.new_cells import REFERENCE_CELLS, ReferenceCells, folds_of, mean_expression, others_than
from scinfill.models.estimate.values import GatedModel, Shrunk
from scinfill.models.factorization.alternating import Factors
from scinfill.models.factorization.new_cells import FixedFactors
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.models.published.deepmc import Chain, PaperFactorization
from scinfill.models.recipe import FixedModel, Loss, Prediction, Recipe
from scinfill.models.sampling import MOST_FOLDS, RANK_CELLS, RANK_GENES, sample_cells, sample_genes
from scinfill.schema import (
    CELL_FACTORS,
    CELL_GROUPS,
    CURVE,
    GENE_FACTORS,
    GROUP_FACTORS,
    MODEL,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    UNS,
    Form,
    ModelKind,
)

log = logging.getLogger(__name__)

PAPER_RANKS = {1: (10,), 2: (11, 5), 3: (13, 11, 5)}
"""Ranks for each depth when none are given, from the grids of the authors' scripts."""
DETECTED_FITS = ((3, 0.0), (10, 0.0), (20, 0.0), (10, 0.03), (10, 0.1), (20, 0.1), (10, 0.3))
"""(rank, zero weight) of the fits that ``detected`` combines."""


@dataclass(frozen=True, kw_only=True)
class DeepMc(MethodSettings):
    """The options of deepMc beside the shared ones; :func:`impute_deepmc` says what each means."""

    command: ClassVar[str] = "impute-deepmc"
    max_folds: ClassVar = MOST_FOLDS

    rank: int | Sequence[int] | None = None
    depth: int | None = None
    ridge: float | None = None
    alpha: float | None = None
    n_iterations: int | None = None
    form: Form = "dense"

    def __post_init__(self) -> None:
        """Refuse numbers out of range, and options that contradict each other."""
        check_range("depth", self.depth, lowest=1, highest=max(PAPER_RANKS))
        check_range("ridge", self.ridge, lowest=0)
        check_range("alpha", self.alpha, lowest=1)
        check_range("n_iterations", self.n_iterations, lowest=1)
        check_choice("form", self.form, get_args(Form))
        if self.form == "factors":
            self._refuse_without_dense_layer()
        super().__post_init__()

    def _refuse_without_dense_layer(self) -> None:
        asked = {"uncertainty": self.uncertainty, "openproblems": self.openproblems, "keep": self.keep != "none"}
        for name, is_asked in asked.items():
            if is_asked:
                raise InputError(f"`{name}` is about the dense layer; leave out `form='factors'`")

    def check_paper(self) -> None:
        """Refuse what deepMc as published does not have."""
        if self.zero_weight is not None or self.ridge is not None:
            raise InputError("`preset='paper'` has neither zero weight nor ridge; leave out `zero_weight` and `ridge`")
        ranks = numbers(self.rank)
        if len(ranks) > max(PAPER_RANKS):
            raise InputError(f"`rank={list(ranks)}` names {len(ranks)} layers; at most {max(PAPER_RANKS)}")
        if ranks and len(ranks) != (self.depth or len(ranks)):
            raise InputError(f"`depth={self.depth}` needs as many ranks; `rank` names {len(ranks)}")
        if any(after > before for before, after in pairwise(ranks)):
            raise InputError(f"`rank={list(ranks)}` must not grow from layer to layer")

    def check_recommended(self) -> None:
        """Refuse layers and their steps."""
        if self.depth not in (None, 1) or self.alpha is not None or self.n_iterations is not None:
            raise InputError(
                "`depth`, `alpha` and `n_iterations` belong to `preset='paper'`: a linear product gains no rank by "
                "depth"
            )
        ranks = numbers(self.rank)
        if len(ranks) > 1:
            raise InputError(f"`rank={list(ranks)}` names {len(ranks)} layers; they belong to `preset='paper'`")

    def fixed_model(
        self, prediction: Prediction, loss: Loss, batches: BatchEffect | None, data: Observations
    ) -> FixedFactors:
        """Return μ and D, against which Z of new cells is solved as in the training."""
        if not isinstance(prediction, Factors):
            raise TypeError("a deepMc model is made of factors")
        default = PoissonFactorization.ridge if loss == "poisson" else SquaredFactorization.ridge
        fixed = FixedFactors(
            loss,
            prediction.offset,
            prediction.genes,
            ridge=default if self.ridge is None else self.ridge,
            zero_weight=1.0 if self.zero_weight is None else self.zero_weight,
            batches=None if batches is None else batches.offsets,
            gene_weights=prediction.gene_weights,
        )
        return fixed.with_starts(data, halves_of(mean_expression(data)))

    def reference_cells(self, fixed: FixedModel, prediction: Prediction, data: Observations) -> ReferenceCells:
        """Return a sample of many cells, who hardly leave a mark on D; few by parts, with D of all others."""
        rows = sample_cells(data, REFERENCE_CELLS, np.random.default_rng(self.seed))
        folds = folds_of(data.shape[0]) if rows is None else []
        if not (folds and isinstance(fixed, FixedFactors) and isinstance(prediction, Factors)):
            return [(fixed, np.arange(data.shape[0]) if rows is None else rows)]
        others = [others_than(fold, data.shape[0]) for fold in folds]
        refitted = [fixed.refitted(data.cells(part), prediction.cells[part]) for part in others]
        return list(zip(refitted, folds, strict=True))

    def published_recipe(self, data: Observations) -> PaperFactorization | None:
        """Return deepMc as published, with the ranks that were given or those of the authors' scripts."""
        if self.preset != "paper":
            return None
        if self.device == "gpu":
            with computing_on(self.device):  # refuses where there is none
                log.warning("`preset='paper'` of deepMc runs on the CPU; the GPU that was asked for stays idle")
        ranks = numbers(self.rank) or tuple(min(rank, *data.shape) for rank in PAPER_RANKS[self.depth or 1])
        for rank in ranks:
            check_rank(rank, data.shape)
        return PaperFactorization(
            ranks,
            alpha=PaperFactorization.alpha if self.alpha is None else self.alpha,
            n_iterations=PaperFactorization.n_iterations if self.n_iterations is None else self.n_iterations,
        )

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of a fit with the largest rank that may be tried."""
        largest = max(self._given_rank(data) or (*RANKS, *(rank for rank, _ in DETECTED_FITS)))
        return PoissonFactorization(min(largest, *data.shape)).memory_for(data)

    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Choose the rank on a sample of cells and genes."""
        rows = sample_cells(data, RANK_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        columns = sample_genes(sample, RANK_GENES, rng)
        sample = sample if columns is None else sample.genes(columns)
        ranks = self._given_rank(data) or feasible_ranks(data.shape)
        if loss == "poisson":
            ridge = PoissonFactorization.ridge if self.ridge is None else self.ridge
            recipes = [PoissonFactorization(rank, ridge, device=self.device) for rank in ranks]
            return with_batch_ridge(best_by_molecules(recipes, sample, rng), sample, rng)
        weight = 1.0 if self.zero_weight is None else self.zero_weight
        recipe = best_by_entries([self._squared_recipe(rank, weight, by_noise=True) for rank in ranks], sample, rng)
        return with_batch_ridge(recipe, sample, rng)

    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return fits of several ranks and zero weights, or the ones the user fixed."""
        fits = list(DETECTED_FITS)
        if given := self._given_rank(data):
            fits = [(given[0], weight) for _, weight in fits]
        if self.zero_weight is not None:
            fits = [(rank, self.zero_weight) for rank, _ in fits]
        feasible = [(min(rank, *data.shape), weight) for rank, weight in fits]
        return [self._squared_recipe(rank, weight) for rank, weight in dict.fromkeys(feasible)]

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep the factors and what turns them into values."""
        estimate = learned.estimate
        if isinstance(estimate, Chain):
            cells, genes = estimate.two_factors()
            store_factors(result, Factors(np.zeros(len(genes), np.float32), cells, genes), "as-is")
            return
        if isinstance(estimate, Detected):
            store_factors(result, join_factors(estimate), "detected")
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
        if model.local is not None:
            result.obsm[CELL_GROUPS] = model.local.group
            result.varm[GROUP_FACTORS] = np.ascontiguousarray(model.local.factor.T)

    def _given_rank(self, data: Observations) -> tuple[int, ...]:
        """Return the rank that the user fixed, or nothing."""
        ranks = numbers(self.rank)
        for rank in ranks:
            check_rank(rank, data.shape)
        return ranks

    def _squared_recipe(self, rank: int, zero_weight: float, *, by_noise: bool = False) -> SquaredFactorization:
        ridge = SquaredFactorization.ridge if self.ridge is None else self.ridge
        return SquaredFactorization(rank, ridge, zero_weight=zero_weight, by_noise=by_noise, device=self.device)


def store_factors(result: AnnData, factors: Factors, kind: ModelKind) -> None:
    """Put μ, Z and D where :func:`scinfill.reconstruct` looks for them."""
    result.obsm[CELL_FACTORS] = factors.cells
    result.varm[GENE_FACTORS] = factors.genes
    result.var[MODEL_OFFSET] = factors.offset
    result.uns[UNS] = dict(result.uns.get(UNS, {})) | {MODEL: kind}


def join_factors(estimate: Detected) -> Factors:
    """Return one factorisation that equals the weighted sum of several."""
    offset = np.zeros(estimate.predictions[0].shape[1], np.float32)
    cells, genes = [], []
    for fit, weight in zip(estimate.predictions, estimate.weights, strict=True):
        prediction = fit.structure if isinstance(fit, BatchedPrediction) else fit
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
    check_range("rank", rank, lowest=1)
    if rank > min(shape):
        raise InputError(f"`rank={rank}` does not fit {shape[0]} cells x {shape[1]} genes; at most {min(shape)}")


@with_options_of(DeepMc)
def impute_deepmc(adata: AnnData, settings: DeepMc) -> AnnData:
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
        differential expression on ``layers["counts"]``: a gene without supported structure is predicted by its mean,
        but the spread within groups that a test needs is smoothed away.
    loss, counts_kind
        ``"auto"`` is the Poisson loss for molecules (UMI), the squared loss for reads, which the counts tell by how
        many of them stand for one molecule that the zeros imply: 6 or more are reads. The squared loss weighs each
        gene, where cells are solved, by the inverse of the variance that a first fit could not explain.
    rank
        None: chosen from held-out molecules or entries. A sequence gives one rank a layer (paper preset).
    depth, alpha, n_iterations
        Paper preset: layers (the papers' 1L, 2L, 3L; 1 if not given), Landweber step (1.1) and sweeps (15).
    batch
        Column of ``obs`` that names each cell's batch. Every gene gets an offset in each batch, beside the structure
        that batches share: log λ = log s + μ + β_batch + z·d, with a penalty on β chosen from held-out molecules. A
        gene without supported structure stays at its batch's mean.
    batch_effect
        ``"keep"``: values as in the cell's own batch. ``"remove"``: as in the average batch, the model's rates and what
        was seen multiplied by exp(−β) (squared loss: log2 values less β). Labels and groups that one batch alone has
        are warned of: there the batch and the type cannot be told apart.
    zero_weight
        Weight of zeros in the squared loss. None: 1 (zeros are data), and chosen from seen entries for ``detected``.
    ridge
        Penalty on the factors.
    keep
        ``"observed"`` leaves seen values exactly as they are, ``"max"`` lets none fall.
    gate
        Keep a gene at its mean unless entries the fit did not see support its prediction.
    calibrate
        Multiply the model's expected counts, in groups of similar cells, by observed over expected totals, as far as
        held-out molecules support it: fold changes between groups come out as large as the counts say. For
        ``"shrunk"``, and ``"model"`` with the Poisson loss; genes kept at their mean stay there.
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
    model
        A model that :func:`scinfill.train_model` or ``scinfill impute-deepmc --save-model`` made. ``adata`` then holds
        new cells, as counts or as ``preprocess(like=model)`` left them: nothing is trained, each cell is solved against
        the model, and no cell's values depend on the others. Genes are matched by name; those that are absent are
        predicted. ``obs["model_fit"]`` says how well the model knows a cell. Options of the training are refused.
    seed
        Random seed. Repeated runs on the same machine with the same number of threads give identical tables.

    Returns
    -------
    A new table with ``layers["imputed"]`` (float32, scale of ``X``), the factors ``obsm["X_deepmc"]`` and
    ``varm["deepmc"]``, the groups that calibrated them (``obsm["X_deepmc_groups"]``, ``varm["deepmc_groups"]``), and
    ``var["imputation_gate"]``, ``["heldout_r2"]``, ``["observed_weight"]``. With ``batch`` also
    ``varm["batch_offsets"]`` (genes × batches) and the batches' names in ``uns["scinfill"]["batches"]``.

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
    return deepmc(adata, settings).to_anndata()


def deepmc(adata: AnnData, settings: DeepMc, *, with_model: bool = False) -> Imputation:
    """Impute with the dense layers still to be computed; see :func:`impute_deepmc`."""
    imputation = impute_cells(adata, settings, with_model=with_model)
    return replace(imputation, layers={}) if settings.form == "factors" else imputation
