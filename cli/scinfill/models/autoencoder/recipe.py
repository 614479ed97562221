"""The default AutoImpute: an autoencoder that never reads what its loss counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.autoencoder.batches import Floats, Inputs, Offsets, prepare
from scinfill.models.autoencoder.network import Weights, compiled_forward, initial_weights, mirror_widths
from scinfill.models.autoencoder.training import TrainingState, TrainSettings, train
from scinfill.models.batch_effect import BatchedPrediction, centre_beside
from scinfill.models.centre import gene_centre
from scinfill.models.devices import Device, computing_on
from scinfill.models.observations import Observations
from scinfill.models.recipe import Prediction, Recipe, SampleFit
from scinfill.models.requirements import BLOCKS, SINGLE, TENSORFLOW, sample_bytes
from scinfill.models.sampling import sample_cells

TRAINING_CELLS = 50_000
"""More cells than a training ever visits often: it learns from a sample, and reads all of them at the end."""


@dataclass(frozen=True)
class Reconstruction:
    """Prediction of a trained network for all cells.

    Attributes
    ----------
    weights
        Matrix and bias of every layer.
    data
        What it reads.
    device
        Where it is computed.
    heldout_loss
        At the start of the training and at every validation.
    """

    weights: Weights
    data: Inputs
    device: Device
    heldout_loss: Sequence[float]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return self.data.shape

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes): the log rate per unit size factor (Poisson loss), or the log2 value (squared)."""
        with computing_on(self.device):
            output: Floats = compiled_forward()(self.weights, self.data.inputs(rows)).numpy()
        return output


@dataclass(frozen=True)
class AutoencoderRecipe(TrainSettings):
    """An autoencoder with sigmoid units and a linear output; the fields of its parent say how it is trained.

    Attributes
    ----------
    hidden_units
        Width of each encoder layer; the decoder mirrors them.
    device
        ``auto`` takes a GPU if there is one.
    companions
        Where the data have batches: the fits whose offsets stand in the decoder, and are taken from the inputs.
    """

    hidden_units: tuple[int, ...] = (512,)
    device: Device = "auto"
    companions: tuple[Recipe, Recipe] | None = field(default=None, kw_only=True, repr=False)

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of training: weights, moments, best weights, batches, and a sample."""
        widths = [data.shape[1], *mirror_widths(self.hidden_units), data.shape[1]]
        weights = int(np.dot(widths[:-1], widths[1:]))
        batches = 12 * self.batch_cells * max(widths)
        beside = () if data.batches is None or self.companions is None else self.companions
        companions = max((recipe.memory_for(data) for recipe in beside), default=0)
        return companions + TENSORFLOW + (8 * weights + batches) * SINGLE + sample_bytes(data, TRAINING_CELLS) + BLOCKS

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Prediction:
        """Train on ``data``; see :class:`scinfill.models.recipe.Recipe`."""
        return self._fit(data, held_out, None, rng)

    def fit_from(self, start: SampleFit, data: Observations, *, rng: np.random.Generator) -> Prediction:
        """Train on ``data`` from a network of a sample; see :class:`scinfill.models.recipe.StartingRecipe`."""
        fitted = start.prediction
        structure = fitted.structure if isinstance(fitted, BatchedPrediction) else fitted
        if not isinstance(structure, Reconstruction):
            raise TypeError("the training of a network starts from a network")
        *weights, output_bias = structure.weights
        scale = np.float32(np.log(start.share)) if self.loss == "poisson" else np.float32(0)
        return self._fit(data, None, (*weights, output_bias - scale), rng)

    def _fit(
        self, data: Observations, held_out: csr_array | None, start: Weights | None, rng: np.random.Generator
    ) -> Prediction:
        rows = sample_cells(data, TRAINING_CELLS, rng)
        sample = data if rows is None else data.cells(rows)
        sample_held_out = held_out if rows is None or held_out is None else held_out[rows]
        offsets = None if data.batches is None else self._offsets(sample, sample_held_out, rng)
        fit_data = prepare(sample, self.loss, sample_held_out, offsets)
        with computing_on(self.device) as tf:
            if start is None:
                first = TrainingState.first(tf, self._initial_weights(sample, offsets, sample_held_out, rng), self)
            else:
                first = TrainingState.going_on(tf, start, self)
            trained = train(first, fit_data, self, rng)
        codes = None if data.batches is None else data.batches.codes
        everything = Inputs(data.log_values, fit_data.spread, fit_data.centre, held_out, codes=codes)
        structure = Reconstruction(trained.weights, everything, self.device, trained.heldout_loss)
        if offsets is None or codes is None:
            return structure
        return BatchedPrediction(structure, codes, offsets.outputs, offsets.ridge)

    def _initial_weights(
        self, sample: Observations, offsets: Offsets | None, held_out: csr_array | None, rng: np.random.Generator
    ) -> Weights:
        """Return a network that knows the genes' means and nothing else."""
        if offsets is None:
            centre = gene_centre(self.loss, sample, held_out, zero_weight=self.zero_weight)
        else:
            centre = centre_beside(self.loss, sample, offsets.outputs, held_out=held_out, zero_weight=self.zero_weight)
        output_bias = np.log(centre) if self.loss == "poisson" else centre
        return initial_weights(sample.shape[1], mirror_widths(self.hidden_units), output_bias, rng)

    def _offsets(self, sample: Observations, held_out: csr_array | None, rng: np.random.Generator) -> Offsets:
        """Return the offsets of batches by fits that tell them from structure jointly, as batches may differ in types.

        They stand in the decoder from the start: the code is never asked to learn them.
        """
        if self.companions is None:
            raise ValueError("a network of batches needs companions")
        outputs, inputs = (recipe.fit(sample, rng=rng, held_out=held_out) for recipe in self.companions)
        if not (isinstance(outputs, BatchedPrediction) and isinstance(inputs, BatchedPrediction)):
            raise TypeError("a fit of batches has offsets")
        return Offsets(inputs.offsets, outputs.offsets, outputs.ridge)
