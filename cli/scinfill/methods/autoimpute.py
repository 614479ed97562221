"""AutoImpute: an overcomplete autoencoder whose loss counts observed entries; by default trained blind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from anndata import AnnData

from scinfill.errors import InputError
from scinfill.methods.new_cells import impute_cells
from scinfill.methods.settings import (
    MethodSettings,
    check_range,
    numbers,
    with_options_of,
)
from scinfill.models.autoencoder.new_cells import FixedNetwork, cut_bits
from scinfill.models.autoencoder.recipe import AutoencoderRecipe, Reconstruction
from scinfill.models.batch_effect import BatchedPrediction, BatchEffect
from scinfill.models.devices import check_installed
from scinfill.models.estimate.choices import AnyFactorization, with_batch_ridge
from scinfill.models.estimate.new_cells import REFERENCE_CELLS, ReferenceCells, folds_of, others_than
from scinfill.models.factorization.recipes import PoissonFactorization, SquaredFactorization
from scinfill.models.observations import Observations
from scinfill.models.published.autoimpute import PaperAutoencoder
from scinfill.models.recipe import FixedModel, Loss, Prediction, Recipe
from scinfill.models.sampling import SAMPLE_CELLS, sample_cells

MAX_FOLDS = 4
"""A network costs some hundred times a factorisation of small data."""
ZERO_WEIGHTS_FOR_DETECTED = (0.0, 0.03, 0.3)
"""Zero weights of the networks that ``detected`` combines."""
COMPANION_RANKS = (3, 10, 20)
"""Ranks of the linear fits beside them."""
BATCH_RANK = 10
"""Of the linear fits from which networks take the offsets of batches."""


@dataclass(frozen=True, kw_only=True)
class AutoImpute(MethodSettings):
    """The options of AutoImpute beside the shared ones; :func:`impute_auto` says what each means."""

    command: ClassVar[str] = "impute-auto"
    max_folds: ClassVar = MAX_FOLDS

    hidden_units: int | Sequence[int] | None = None
    regularisation: float | None = None
    learning_rate: float | None = None
    iterations: int | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Refuse to go on without TensorFlow, numbers out of range, and options that contradict each other."""
        if self.model is None:
            check_installed(self.command)
        for width in numbers(self.hidden_units):
            check_range("hidden_units", width, lowest=1)
        check_range("regularisation", self.regularisation, lowest=0)
        check_range("learning_rate", self.learning_rate, lowest=0)
        check_range("iterations", self.iterations, lowest=1)
        check_range("threshold", self.threshold, lowest=0)
        super().__post_init__()

    def check_paper(self) -> None:
        """Refuse what AutoImpute as published does not have."""
        if len(numbers(self.hidden_units)) > 1 or self.zero_weight is not None:
            raise InputError(
                "`preset='paper'` has one hidden layer and no zero weight; give one number as `hidden_units`, and no "
                "`zero_weight`"
            )

    def check_recommended(self) -> None:
        """Refuse what is chosen from held-out entries."""
        only_paper = ("regularisation", "learning_rate", "iterations", "threshold")
        foreign = [name for name in only_paper if getattr(self, name) is not None]
        if foreign:
            raise InputError(
                f"{', '.join(f'`{name}`' for name in foreign)} belong to `preset='paper'`; the default chooses them "
                f"from held-out entries"
            )

    def fixed_model(
        self, prediction: Prediction, loss: Loss, batches: BatchEffect | None, data: Observations
    ) -> FixedNetwork:
        """Return the weights, and how inputs are centred and divided."""
        del batches, data
        if not isinstance(prediction, Reconstruction):
            raise TypeError("an AutoImpute model is a network")
        inputs = prediction.data
        weights = tuple(map(cut_bits, prediction.weights))
        if inputs.codes is None:
            return FixedNetwork(loss, weights, inputs.centre, inputs.spread)
        average = np.average(inputs.centre, axis=0, weights=np.bincount(inputs.codes, minlength=len(inputs.centre)))
        average = average.astype(np.float32)
        return FixedNetwork(loss, weights, average, inputs.spread, inputs.centre - average)

    def reference_cells(self, fixed: FixedModel, prediction: Prediction, data: Observations) -> ReferenceCells:
        """Return a fifth of the cells, read by a network of the others: a network knows its own cells by heart."""
        del prediction
        folds = folds_of(data.shape[0])
        if not folds:
            return [(fixed, np.arange(data.shape[0]))]
        rng = np.random.default_rng(self.seed)
        others = data.cells(others_than(folds[0], data.shape[0]))
        fitted = self.recipe(fixed.loss, others, rng).fit(others, rng=rng)
        structure = fitted.structure if isinstance(fitted, BatchedPrediction) else fitted
        return [(self.fixed_model(structure, fixed.loss, None, others), folds[0][:REFERENCE_CELLS])]

    def published_recipe(self, data: Observations) -> PaperAutoencoder | None:
        """Return AutoImpute as published, with what was given in place of the released program's defaults."""
        del data
        if self.preset != "paper":
            return None
        given: dict[str, Any] = {
            "hidden_units": next(iter(numbers(self.hidden_units)), None),
            "regularisation": self.regularisation,
            "learning_rate": self.learning_rate,
            "max_iterations": self.iterations,
            "threshold": self.threshold,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(PaperAutoencoder(device=self.device), **chosen)

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of training a network."""
        return self._network("poisson", 1.0).memory_for(data)

    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Return the recipe; its epochs are chosen by each fit from entries it holds out."""
        zero_weight = 1.0 if self.zero_weight is None else self.zero_weight
        network = self._network(loss, zero_weight)
        if data.batches is None:
            return network
        rows = sample_cells(data, SAMPLE_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        rank = min(BATCH_RANK, *data.shape)
        outputs = self._linear(loss, rank, zero_weight)
        companions = with_batch_ridge(outputs, sample, rng), self._linear("squared", rank, zero_weight=1.0)
        return replace(network, companions=companions)

    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return networks of several zero weights, or of the one the user fixed, and linear fits beside them.

        A network of few cells gains from a linear companion: their errors differ, and the weights decide.
        """
        weights = ZERO_WEIGHTS_FOR_DETECTED if self.zero_weight is None else (self.zero_weight,)
        ranks = dict.fromkeys(min(rank, *data.shape) for rank in COMPANION_RANKS)
        linear = [SquaredFactorization(rank, zero_weight=weights[0], device=self.device) for rank in ranks]
        networks = [self._network("squared", weight) for weight in weights]
        if data.batches is not None:
            rank = min(BATCH_RANK, *data.shape)
            inputs = self._linear("squared", rank, zero_weight=1.0)
            networks = [
                replace(network, companions=(self._linear("squared", rank, weight), inputs))
                for network, weight in zip(networks, weights, strict=True)
            ]
        return [*networks, *linear]

    def _linear(self, loss: Loss, rank: int, zero_weight: float) -> AnyFactorization:
        """Return a factorisation from which a network takes the offsets of batches."""
        if loss == "poisson":
            return PoissonFactorization(rank, device=self.device)
        return SquaredFactorization(rank, zero_weight=zero_weight, device=self.device)

    def _network(self, loss: Loss, zero_weight: float) -> AutoencoderRecipe:
        widths = numbers(self.hidden_units) or AutoencoderRecipe.hidden_units
        return AutoencoderRecipe(loss, hidden_units=widths, zero_weight=zero_weight, device=self.device)


@with_options_of(AutoImpute)
def impute_auto(adata: AnnData, settings: AutoImpute) -> AnnData:
    """Impute by an autoencoder, gated and shrunk by what held-out data support.

    Parameters
    ----------
    adata
        ``X`` on the scale log2(1 + counts / size_factor), as :func:`scinfill.preprocess` makes it; never changed.
    preset
        ``"paper"`` is AutoImpute as published.
    hidden_units
        Width of the hidden layer; several for a stacked network with a mirrored decoder.
    regularisation, learning_rate, iterations, threshold
        Paper preset: λ, the step, and when it stops.
    device
        ``"auto"`` takes a GPU if there is one.
    model
        As for :func:`scinfill.impute_deepmc`: the network reads each new cell as it is, without TensorFlow.
    batch, batch_effect
        As for :func:`scinfill.impute_deepmc`. The offsets are those of a factorisation fitted beside the network; they
        join what the decoder says, and the encoder reads values without them.
    estimate, loss, counts_kind, zero_weight, keep, gate, calibrate, uncertainty, openproblems, layer, seed
        As for :func:`scinfill.impute_deepmc`.

    Returns
    -------
    A new table with ``layers["imputed"]`` (float32, scale of ``X``) and ``var["imputation_gate"]``,
    ``["heldout_r2"]``, ``["observed_weight"]``.

    Raises
    ------
    InputError
        Settings that contradict each other or the data.
    DataError
        Wrong values or another scale.
    ResourceError
        A GPU was asked for and there is none.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> scinfill.impute_auto(table, hidden_units=8).layers["imputed"].shape == table.shape
    True
    """
    return impute_cells(adata, settings).to_anndata()
