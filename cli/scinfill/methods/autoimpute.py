"""AutoImpute: an overcomplete autoencoder whose loss counts observed entries; by default trained blind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

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
from scinfill.models.autoencoder import TRAINING_CELLS, AutoencoderRecipe
from scinfill.models.autoencoder_paper import PaperAutoencoder
from scinfill.models.deepmc import SquaredFactorization
from scinfill.models.devices import Device
from scinfill.models.learning import Effort, Learned, learn_as_is
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss, Recipe
from scinfill.schema import Keep, Preset

FRUGAL = Effort(most_folds=4, most_splits=2)
"""A network costs some hundred times a factorisation of small data."""
ZERO_WEIGHTS_FOR_DETECTED = (0.0, 0.03, 0.3)
"""Of the networks that ``detected`` combines."""
COMPANION_RANKS = (3, 10, 20)
"""Of the linear fits beside them."""


@dataclass(frozen=True)
class AutoImpute:
    """The default preset.

    Attributes
    ----------
    hidden_units
        Width of each hidden layer of the encoder; the decoder mirrors it.
    zero_weight
        Of the squared loss. None: 1 (zeros are data), and chosen from seen entries for ``detected``.
    device
        ``auto`` takes a GPU if there is one.
    """

    hidden_units: tuple[int, ...] = AutoencoderRecipe.hidden_units
    zero_weight: float | None = None
    device: Device = "auto"
    effort: Effort = FRUGAL
    command: str = "impute-auto"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of training a network."""
        batch_cells = AutoencoderRecipe.batch_cells
        return requirements.network(data, self.hidden_units, training_cells=TRAINING_CELLS, batch_cells=batch_cells)

    def recipe(self, loss: Loss, data: Observations, rng: np.random.Generator) -> Recipe:
        """Return the recipe; its epochs are chosen by each fit from entries it holds out."""
        del data, rng
        refuse_zero_weight(loss, self.zero_weight)
        weight = 1.0 if self.zero_weight is None else self.zero_weight
        return self._recipe(loss, weight)

    def recipes_for_detected(self, data: Observations) -> Sequence[Recipe]:
        """Return networks of several zero weights, or of the one the user fixed, and linear fits beside them.

        A network of few cells gains from a linear companion: their errors differ, and the weights decide.
        """
        weights = ZERO_WEIGHTS_FOR_DETECTED if self.zero_weight is None else (self.zero_weight,)
        ranks = dict.fromkeys(min(rank, *data.shape) for rank in COMPANION_RANKS)
        linear = [SquaredFactorization(rank, weights[0], device=self.device) for rank in ranks]
        return [*(self._recipe("squared", weight) for weight in weights), *linear]

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return the settings as given."""
        return settings.parameters() | {
            "preset": "recommended",
            "hidden_units": list(self.hidden_units),
            "zero_weight": self.zero_weight,
            "device": self.device,
        }

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep nothing beside the values: a network's weights are no slot of a table."""

    def _recipe(self, loss: Loss, zero_weight: float) -> AutoencoderRecipe:
        return AutoencoderRecipe(loss, hidden_units=self.hidden_units, zero_weight=zero_weight, device=self.device)


@dataclass(frozen=True)
class PaperAutoImpute:
    """The published recipe: blind to zeros, no gate, the network's output at every position."""

    recipe: PaperAutoencoder
    command: str = "impute-auto"

    def parameters(self, settings: ImputeSettings) -> dict[str, Any]:
        """Return the settings, complete."""
        return settings.parameters() | {
            "preset": "paper",
            "hidden_units": self.recipe.hidden_units,
            "regularisation": self.recipe.regularisation,
            "learning_rate": self.recipe.learning_rate,
            "iterations": self.recipe.most_iterations,
            "threshold": self.recipe.threshold,
            "device": self.recipe.device,
        }

    def store(self, result: AnnData, learned: Learned) -> None:
        """Keep nothing beside the values."""


def autoimpute_imputation(
    adata: AnnData,
    settings: ImputeSettings | None = None,
    *,
    preset: Preset = "recommended",
    hidden_units: Sequence[int] = (),
    zero_weight: float | None = None,
    regularisation: float | None = None,
    learning_rate: float | None = None,
    iterations: int | None = None,
    threshold: float | None = None,
    device: Device = "auto",
) -> Imputation:
    """Impute by an autoencoder with the dense layers still to be computed; see :func:`impute_auto`."""
    settings = settings or ImputeSettings()
    check_choice("preset", preset, get_args(Preset))
    for width in hidden_units:
        check_range("hidden_units", width, lowest=1)
    check_range("zero_weight", zero_weight, lowest=0, highest=1)
    check_range("regularisation", regularisation, lowest=0)
    check_range("learning_rate", learning_rate, lowest=0)
    check_range("iterations", iterations, lowest=1)
    check_range("threshold", threshold, lowest=0)
    only_paper = {
        "regularisation": regularisation,
        "learning_rate": learning_rate,
        "iterations": iterations,
        "threshold": threshold,
    }
    if preset == "paper":
        refuse_with_paper(settings)
        if len(hidden_units) > 1 or zero_weight is not None:
            raise InputError(
                "`preset='paper'` has one hidden layer and no zero weight; give one number as `hidden_units`, "
                "no `zero_weight`"
            )
        given: dict[str, Any] = {
            "hidden_units": hidden_units[0] if hidden_units else None,
            "regularisation": regularisation,
            "learning_rate": learning_rate,
            "most_iterations": iterations,
            "threshold": threshold,
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        recipe = replace(PaperAutoencoder(device=device), **chosen)
        data = observations(adata, settings)
        signer = PaperAutoImpute(recipe)
        require_memory(requirements.paper_network(data, recipe.hidden_units), data, signer.command)
        work.bind(data, signer, settings, "detected", recipe.loss)
        learned = learn_as_is(recipe, data, rng=np.random.default_rng(settings.seed))
        return assemble(adata, data, learned, "detected", settings=settings, signer=signer)
    foreign = [f"`{name}`" for name, value in only_paper.items() if value is not None]
    if foreign:
        raise InputError(
            f"{', '.join(foreign)} belong to `preset='paper'`; the default chooses them from held-out entries"
        )
    return impute(adata, AutoImpute(tuple(hidden_units) or AutoImpute.hidden_units, zero_weight, device), settings)


def impute_auto(
    adata: AnnData,
    *,
    preset: Preset = "recommended",
    estimate: str = "auto",
    loss: str = "auto",
    counts_kind: str = "auto",
    hidden_units: int | Sequence[int] | None = None,
    zero_weight: float | None = None,
    regularisation: float | None = None,
    learning_rate: float | None = None,
    iterations: int | None = None,
    threshold: float | None = None,
    keep: Keep = "none",
    gate: bool = True,
    uncertainty: bool = False,
    openproblems: bool = False,
    device: Literal["auto", "cpu", "gpu"] = "auto",
    layer: str | None = None,
    seed: int = 0,
) -> AnnData:
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
        Of the paper preset: λ, the step, and when it stops.
    device
        ``"auto"`` takes a GPU if there is one.
    estimate, loss, counts_kind, zero_weight, keep, gate, uncertainty, openproblems, layer, seed
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
    widths = () if hidden_units is None else (hidden_units,) if isinstance(hidden_units, int) else tuple(hidden_units)
    return autoimpute_imputation(
        adata,
        settings,
        preset=preset,
        hidden_units=widths,
        zero_weight=zero_weight,
        regularisation=regularisation,
        learning_rate=learning_rate,
        iterations=iterations,
        threshold=threshold,
        device=device,
    ).to_anndata()
