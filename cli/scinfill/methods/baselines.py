"""Simple imputers that any other has to beat, behind the same contract."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix

from scinfill.errors import InputError
from scinfill.methods.deepmc import check_rank
from scinfill.methods.earlier import say_replaced
from scinfill.methods.imputer import Imputation, assemble, observations, require_memory
from scinfill.methods.settings import ImputerSettings, check_choice, with_options_of
from scinfill.models.estimate.learning import learn_model
from scinfill.models.factorization.recipes import SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.models.published.baselines import GeneMean, NuclearNorm, ThresholdedSvd
from scinfill.models.recipe import Recipe
from scinfill.models.requirements import DOUBLE
from scinfill.numerics.parallel import blocks_in_parallel
from scinfill.schema import Baseline, EstimateKind

BLIND_TO_ZEROS: Final[tuple[Baseline, ...]] = ("gene-mean", "als", "nuclear-norm")
"""These look at non-zeros only, so they answer the question of ``detected``; the others that of ``model``."""
DEFAULT_RANK = 10


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

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of dense copies of the matrix in double precision."""
        n_cells, n_genes = data.shape
        return 3 * n_cells * n_genes * DOUBLE

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> InMemory:
        """Diffuse values over the graph of cells."""
        del held_out
        try:
            import magic
        except ImportError as error:
            raise InputError(
                "`method='magic'` needs the package magic-impute; pip install 'scinfill[magic]' in one resolver run"
            ) from error
        operator = magic.MAGIC(random_state=int(rng.integers(2**31)), n_jobs=self.n_threads, verbose=0)
        return InMemory(np.asarray(operator.fit_transform(csr_matrix(data.log_values)), dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class Baselines(ImputerSettings):
    """The options of baselines; :func:`impute_baseline` says what each means."""

    command: ClassVar[str] = "impute-baseline"

    method: Baseline = "gene-mean"
    rank: int | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown method, and a rank where there is none."""
        super().__post_init__()
        check_choice("method", self.method, get_args(Baseline))
        if self.rank is not None and self.method not in ("als", "svd"):
            raise InputError(f"`rank` has no meaning for `method={self.method!r}`")


def baseline(adata: AnnData, settings: Baselines) -> Imputation:
    """Impute with the dense layer still to be computed; see :func:`impute_baseline`."""
    data = observations(adata, settings)
    if settings.rank is not None:
        check_rank(settings.rank, data.shape)
    recipe = _recipe(settings.method, settings.rank or min(DEFAULT_RANK, *data.shape))
    require_memory(recipe.memory_for(data), data, f"{settings.command} ({settings.method})")
    say_replaced(adata)
    with blocks_in_parallel():
        learned = learn_model(recipe, data, gated=False, rng=np.random.default_rng(settings.seed))
    estimate: EstimateKind = "detected" if settings.method in BLIND_TO_ZEROS else "model"
    return assemble(adata, data, learned, estimate, settings)


def _recipe(method: Baseline, rank: int) -> Recipe:
    recipes: dict[Baseline, Recipe] = {
        "gene-mean": GeneMean(),
        "als": SquaredFactorization(rank, zero_weight=0.0),
        "nuclear-norm": NuclearNorm(),
        "svd": ThresholdedSvd(rank),
        "magic": Magic(),
    }
    return recipes[method]


@with_options_of(Baselines)
def impute_baseline(adata: AnnData, settings: Baselines) -> AnnData:
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
        Rank of ``als`` and ``svd``; 10 if not given.
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

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> scinfill.impute_baseline(table, method="svd", rank=2).layers["imputed"].shape == table.shape
    True
    """
    return baseline(adata, settings).to_anndata()
