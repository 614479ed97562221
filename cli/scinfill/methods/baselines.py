"""Simple imputers that any other has to beat, behind the same contract."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from scinfill.errors import InputError
from scinfill.methods.deepmc import check_rank
from scinfill.methods.imputer import (
    Imputation,
    ImputeSettings,
    assemble,
    check_choice,
    observations,
    require_memory,
)
from scinfill.models import requirements
from scinfill.models.baselines import GeneMean, NuclearNorm, ThresholdedSvd
from scinfill.models.deepmc import SquaredFactorization
from scinfill.models.learning import Learned, learn_model
from scinfill.models.observations import Observations
from scinfill.models.recipe import Recipe
from scinfill.numerics.parallel import blocks_in_parallel
from scinfill.schema import BASELINES, Baseline, Estimate, Keep

BLIND_TO_ZEROS: Final[tuple[Baseline, ...]] = ("gene-mean", "als", "nuclear-norm")
"""These look at non-zeros only, so they answer the question of ``detected``; the others that of ``model``."""
DEFAULT_RANK = 10


@dataclass(frozen=True)
class BaselineMethod:
    """What the record says of a baseline."""

    method: Baseline
    rank: int | None
    command: str = "impute-baseline"

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return method and rank, and of the shared settings those that mean something here."""
        shared = settings.parameters()
        own = {"method": self.method, "rank": self.rank}
        return own | {name: shared[name] for name in ("keep", "openproblems", "layer")}

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep nothing beside the values."""


@dataclass(frozen=True)
class InMemory:
    """A dense matrix as a prediction."""

    values: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.values.shape

    def block(self, rows: slice) -> NDArray[np.float32]:
        """Return a copy of some rows."""
        return self.values[rows].copy()


@dataclass(frozen=True)
class Magic:
    """MAGIC, where ``magic-impute`` is installed, with its defaults; it gets the same log2 matrix as all others."""

    n_threads: int = 1
    loss: Literal["squared"] = "squared"

    def fit(self, data: Observations, *, rng: np.random.Generator, hidden: csr_array | None = None) -> InMemory:
        """Diffuse values over the graph of cells."""
        del hidden
        try:
            import magic
        except ImportError as error:
            raise InputError(
                "`method='magic'` needs the package magic-impute; pip install 'scinfill[magic]' in one resolver run"
            ) from error
        operator = magic.MAGIC(random_state=int(rng.integers(2**31)), n_jobs=self.n_threads, verbose=0)
        return InMemory(np.asarray(operator.fit_transform(csr_matrix(data.log_values)), dtype=np.float32))


def baseline_imputation(
    adata: AnnData,
    settings: ImputeSettings | None = None,
    *,
    method: Baseline,
    rank: int | None = None,
) -> Imputation:
    """Impute with a baseline with the dense layer still to be computed; see :func:`impute_baseline`."""
    settings = settings or ImputeSettings()
    check_choice("method", method, BASELINES)
    if rank is not None and method not in ("als", "svd"):
        raise InputError(f"`rank` has no meaning for `method={method!r}`")
    data = observations(adata, settings)
    if rank is not None:
        check_rank(rank, data.shape)
    chosen = rank or min(DEFAULT_RANK, *data.shape)
    recipe = _recipe(method, chosen)
    require_memory(_memory_for(method, chosen, data), data, f"impute-baseline ({method})")
    with blocks_in_parallel():
        learned = learn_model(recipe, data, gated=False, rng=np.random.default_rng(settings.seed))
    estimate: Estimate = "detected" if method in BLIND_TO_ZEROS else "model"
    return assemble(adata, data, learned, estimate, settings=settings, signer=BaselineMethod(method, rank))


def _memory_for(method: Baseline, rank: int, data: Observations) -> int:
    """Return the bytes that a baseline takes beside the data."""
    sizes: dict[Baseline, int] = {
        "gene-mean": requirements.BLOCKS,
        "als": requirements.factorization(data, rank),
        "nuclear-norm": requirements.low_rank(data, NuclearNorm.largest_rank, sparse_copies=2),
        "svd": requirements.low_rank(data, rank, sparse_copies=2),
        "magic": requirements.dense(data, copies=3),
    }
    return sizes[method]


def _recipe(method: Baseline, rank: int) -> Recipe:
    recipes: dict[Baseline, Recipe] = {
        "gene-mean": GeneMean(),
        "als": SquaredFactorization(rank, zero_weight=0.0),
        "nuclear-norm": NuclearNorm(),
        "svd": ThresholdedSvd(rank),
        "magic": Magic(),
    }
    return recipes[method]


def impute_baseline(
    adata: AnnData,
    *,
    method: Baseline = "gene-mean",
    rank: int | None = None,
    keep: Keep = "none",
    openproblems: bool = False,
    layer: str | None = None,
    seed: int = 0,
) -> AnnData:
    """Impute with a simple method, to see what a clever one adds.

    Parameters
    ----------
    adata
        ``X`` on the scale log2(1 + counts / size_factor); never changed.
    method
        ``"gene-mean"``, every zero filled by the mean of the gene's seen values, as :func:`scinfill.evaluate` scores
        it beside every input; ``"als"``, plain matrix factorisation of the non-zeros; ``"nuclear-norm"``, mcImpute;
        ``"svd"``, thresholded after ALRA (the ``svd-10`` of an evaluation is not thresholded); ``"magic"``, where
        ``magic-impute`` is installed.
    rank
        Of ``als`` and ``svd``; 10 if not given.
    keep, openproblems, layer, seed
        As for :func:`scinfill.impute_deepmc`.

    Returns
    -------
    A new table with ``layers["imputed"]``, float32 on the scale of ``X``.

    Raises
    ------
    InputError
        An unknown method, a rank that does not fit, or MAGIC without its package.
    DataError
        Wrong values or another scale.
    """
    settings = ImputeSettings(keep=keep, openproblems=openproblems, layer=layer, seed=seed, gate=False)
    return baseline_imputation(adata, settings, method=method, rank=rank).to_anndata()
