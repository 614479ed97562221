"""Blind training: what counts is never what was read, and held-out entries say how far to go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.autoencoder.batches import Batch, FitData, Floats, Tensor, epoch
from scinfill.models.autoencoder.network import ADAM_MEMORY, StepScalars, Weights, compiled_forward, compiled_step
from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.observations import pattern_of
from scinfill.models.recipe import Loss
from scinfill.numerics.masking import values_at
from scinfill.resume import resumable

VALIDATION_CELLS = 500
VALIDATION_SHARE = 0.1
"""Share of the entries of VALIDATION_CELLS cells at most that is held out to judge progress."""
VALIDATION_STEPS = 8
"""Steps between two validations, at least; several short epochs are as long."""
VALIDATIONS_PER_EPOCH = 4
"""At most. What many cells have to teach takes longer to show than what few have; a long epoch ends with each."""
PATIENCE = 3
"""Validations without improvement before training goes back to its best weights and slows down."""
SLOWDOWNS = 2
SLOWDOWN = 0.3


@dataclass(frozen=True)
class TrainSettings:
    """Settings of the training.

    Attributes
    ----------
    loss, zero_weight
        See :func:`scinfill.models.autoencoder.network.output_gradient`.
    input_dropout
        Share of the inputs of a batch that is set to the gene mean; the loss counts these alone.
    ridge
        ρ in ρ/2·(‖E‖² + ‖D‖²), beside the loss summed over all entries: a prior, so it weighs less the more cells.
    learning_rate
        Learning rate of Adam at the start.
    batch_cells
        At most; cells are shared out evenly.
    max_steps
        Batches at most, if the held-out entries do not stop the training before.
    """

    loss: Loss
    zero_weight: float = 1.0
    input_dropout: float = 0.3
    ridge: float = 100.0
    learning_rate: float = 2e-3
    batch_cells: int = 256
    max_steps: int = 3_000


@dataclass(frozen=True)
class Trained:
    """The weights at the lowest held-out loss, and that loss at the start and at every validation."""

    weights: Weights
    heldout_loss: list[float]


def train(first: "TrainingState", data: FitData, settings: TrainSettings, rng: np.random.Generator) -> Trained:
    """Train from a first state until entries held out from ``data`` gain no more.

    Training goes back to the best weights and slows down SLOWDOWNS times before it stops.
    """
    heldout = draw_heldout(data, rng)
    if heldout.nnz == 0:  # a handful of values: nothing could tell learning from copying, so the gene means stay
        return Trained(first.best, [])
    fitted = data.holding_out(heldout)
    validation = Validation(fitted, heldout, settings)
    adam = Adam(settings, data.shape[0])
    n_batches = -(-data.shape[0] // settings.batch_cells)
    steps_per_epoch = min(n_batches, max(VALIDATION_STEPS, n_batches // VALIDATIONS_PER_EPOCH))
    epochs_per_validation = -(-VALIDATION_STEPS // steps_per_epoch)
    n_validations = settings.max_steps // (epochs_per_validation * steps_per_epoch)
    draw = partial(
        epoch,
        fitted,
        batch_cells=settings.batch_cells,
        input_dropout=settings.input_dropout,
        most_batches=steps_per_epoch,
    )

    def one_epoch(state: TrainingState, number: int) -> TrainingState:
        # Blind training: of every batch some inputs are dropped, and the loss counts these alone.
        for batch in draw(rng=rng):
            adam.step(state, batch)
        # Now and then ask entries that take no part in training.
        if (number + 1) % epochs_per_validation == 0:
            state.judge(validation.loss(state.weights))
        return state

    trained: Trained = resumable(
        "train",
        replace(first, losses=[validation.loss(first.weights)]),
        one_epoch,
        n_validations * epochs_per_validation,
        result=TrainingState.finish,
        until=TrainingState.is_over,
        rng=rng,
        label="train",
    )
    return trained


@dataclass
class TrainingState:
    """All that changes during a training.

    Attributes
    ----------
    weights, first_moments, second_moments
        TensorFlow variables: the network, and Adam's moments.
    best
        The weights at the lowest held-out loss.
    losses
        Held-out loss at the start and at every validation.
    learning_rate
        As it is now.
    n_steps
        Batches so far.
    stale, slowdowns
        Validations since the lowest loss or the last slowdown, and slowdowns so far.
    """

    weights: tuple[Tensor, ...]
    first_moments: tuple[Tensor, ...]
    second_moments: tuple[Tensor, ...]
    best: Weights
    losses: list[float]
    learning_rate: float
    n_steps: int = 0
    stale: int = 0
    slowdowns: int = 0

    @classmethod
    def first(cls, tf: ModuleType, weights: Weights, settings: TrainSettings) -> "TrainingState":
        """Return the state before the first step, without a held-out loss."""

        def zeros() -> tuple[Tensor, ...]:
            return tuple(tf.Variable(tf.zeros_like(weight)) for weight in weights)

        return cls(tuple(map(tf.Variable, weights)), zeros(), zeros(), weights, [], settings.learning_rate)

    @classmethod
    def going_on(cls, tf: ModuleType, weights: Weights, settings: TrainSettings) -> "TrainingState":
        """Return the first state of a training of weights that were trained on similar data: one slowdown is over."""
        first = cls.first(tf, weights, settings)
        return replace(first, learning_rate=SLOWDOWN * settings.learning_rate, slowdowns=1)

    def judge(self, loss: float) -> None:
        """Remember the best weights; without improvement go back to them and slow down, or be over."""
        self.losses.append(loss)
        if loss == min(self.losses):
            self.best, self.stale = tuple(weight.numpy() for weight in self.weights), 0
            return
        self.stale += 1
        if self.stale < PATIENCE:
            return
        # Without improvement: back to the best weights, in smaller steps, until that was done often enough.
        self.slowdowns, self.stale = self.slowdowns + 1, 0
        if not self.is_over():
            self.learning_rate *= SLOWDOWN
            for weight, best in zip(self.weights, self.best, strict=True):
                weight.assign(best)

    def is_over(self) -> bool:
        """Whether a further slowdown would be one too many."""
        return self.slowdowns > SLOWDOWNS

    def finish(self) -> Trained:
        """Return what is needed of a training that is over."""
        return Trained(self.best, self.losses)


class Adam:
    """The compiled step with its settings."""

    def __init__(self, settings: TrainSettings, n_cells: int) -> None:
        self._step = compiled_step(settings.loss, settings.zero_weight)
        self._ridge = np.float32(settings.ridge / n_cells)

    def step(self, state: TrainingState, batch: Batch) -> None:
        """Move the weights down the gradient of one batch."""
        state.n_steps += 1
        powers = (np.float32(memory**state.n_steps) for memory in ADAM_MEMORY)
        scalars = StepScalars(np.float32(state.learning_rate), self._ridge, *powers)
        self._step(state.weights, state.first_moments, state.second_moments, batch, scalars)


class Validation:
    """The loss at held-out entries: everything else of their cells is read."""

    def __init__(self, fitted: FitData, heldout: csr_array, settings: TrainSettings) -> None:
        rows = np.flatnonzero(np.diff(heldout.indptr))
        self.settings = settings
        self.inputs = fitted.inputs(rows)
        self.row, self.column = heldout[rows].nonzero()
        self.truth = values_at(fitted.target[rows], heldout[rows])
        exposure = fitted.exposure_of(rows)
        self.exposure = exposure[self.row, self.column if fitted.offsets is not None else 0]

    def loss(self, weights: Sequence[Tensor]) -> float:
        """Return the mean loss of an entry, up to what no weight can change."""
        output = compiled_forward()(weights, self.inputs).numpy()[self.row, self.column]
        losses = entry_loss(output, self.truth, self.exposure, self.settings)
        return float(np.sum(losses, dtype=np.float64) / max(len(losses), 1))


def entry_loss(output: Floats, target: Floats, exposure: Floats, settings: TrainSettings) -> Floats:
    """Return the loss of every entry, whose derivative the network's ``output_gradient`` is."""
    if settings.loss == "poisson":
        log_rate = np.minimum(output, np.float32(LARGEST_LOG_RATE))
        return exposure * np.exp(log_rate) - target * log_rate
    weight = np.where(target > 0, np.float32(1), np.float32(settings.zero_weight))
    return weight * (target - output - exposure) ** 2 / 2


def draw_heldout(data: FitData, rng: np.random.Generator) -> csr_array:
    """Return a pattern of VALIDATION_SHARE of the entries of VALIDATION_CELLS cells at most, none held out already.

    Where chance takes none of a tiny table, one is taken.
    """
    n_cells, n_genes = data.shape
    rows = np.sort(rng.permutation(n_cells)[:VALIDATION_CELLS])
    chosen = rng.random((len(rows), n_genes), dtype=np.float32) < VALIDATION_SHARE
    seen = np.broadcast_to(data.seen(rows) > 0, chosen.shape)
    chosen &= seen
    if seen.any() and not chosen.any():
        chosen.flat[rng.choice(np.flatnonzero(seen))] = True
    row, column = np.nonzero(chosen)
    return pattern_of(rows[row], column, data.shape)
