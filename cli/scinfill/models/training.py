"""Blind training: what counts is never what was read, and held-out entries say how far to go."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.batches import Batch, FitData, Floats, Tensor, epoch
from scinfill.models.gate import LARGEST_LOG_RATE
from scinfill.models.network import ADAM_MEMORY, Pace, Weights, compiled_forward, compiled_step
from scinfill.models.observations import pattern_of, values_at
from scinfill.models.recipe import Loss
from scinfill.progress import track

VALIDATION_CELLS = 2_000
VALIDATION_SHARE = 0.1
"""Of the entries of so many cells, held out to judge progress."""
CHECK_STEPS = 8
"""Steps between two looks at the held-out entries, rounded up to whole epochs."""
PATIENCE = 3
"""Looks without improvement before training goes back to its best weights and slows down."""
SLOWDOWNS = 2
SLOWDOWN = 0.3


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained.

    Attributes
    ----------
    loss, zero_weight
        See :func:`scinfill.models.network.output_gradient`.
    hide
        Share of the inputs of a batch that is hidden; the loss counts these alone.
    ridge
        ρ in ρ/2·(‖E‖² + ‖D‖²), beside the loss summed over all entries: a prior, so it weighs less the more cells.
    learning_rate
        Of Adam, at first.
    batch_cells
        At most; cells are shared out evenly.
    most_steps
        Batches at most, if the held-out entries do not stop the training before.
    """

    loss: Loss
    zero_weight: float = 1.0
    hide: float = 0.3
    ridge: float = 100.0
    learning_rate: float = 2e-3
    batch_cells: int = 512
    most_steps: int = 3_000


@dataclass(frozen=True)
class Trained:
    """The weights at the lowest held-out loss, and that loss at the start and at every look."""

    weights: Weights
    heldout_loss: list[float]


def train(tf: ModuleType, start: Weights, data: FitData, settings: TrainSettings, rng: np.random.Generator) -> Trained:
    """Train from the weights ``start`` until entries held out from ``data`` gain no more.

    Training goes back to the best weights and slows down SLOWDOWNS times before it stops.
    """
    heldout = draw_heldout(data, rng)
    if heldout.nnz == 0:  # a handful of values: nothing could tell learning from copying, so the gene means stay
        return Trained(start, [])
    fitted = data.hiding(heldout)
    check = Check(fitted, heldout, settings)
    adam = Adam(tf, start, settings, data.shape[0])
    best, losses = start, [check.loss(adam.weights)]
    slowdowns = stale = 0
    steps_each = -(-data.shape[0] // settings.batch_cells)
    epochs_each = -(-CHECK_STEPS // steps_each)
    for _ in track(range(settings.most_steps // (epochs_each * steps_each)), "train"):
        for _ in range(epochs_each):
            for batch in epoch(fitted, batch_cells=settings.batch_cells, hide=settings.hide, rng=rng):
                adam.step(batch)
        losses.append(check.loss(adam.weights))
        if losses[-1] == min(losses):
            best, stale = adam.current(), 0
            continue
        stale += 1
        if stale < PATIENCE:
            continue
        if slowdowns == SLOWDOWNS:
            break
        adam.go_back(best, SLOWDOWN)
        slowdowns, stale = slowdowns + 1, 0
    return Trained(best, losses)


class Adam:
    """Weights and their moments as TensorFlow variables, moved by the compiled step."""

    def __init__(self, tf: ModuleType, start: Weights, settings: TrainSettings, n_cells: int) -> None:
        self.weights = tuple(tf.Variable(weight) for weight in start)
        self._moments = [tuple(tf.Variable(tf.zeros_like(weight)) for weight in start) for _ in ADAM_MEMORY]
        self._step = compiled_step(settings.loss, settings.zero_weight)
        self._learning_rate = settings.learning_rate
        self._ridge = np.float32(settings.ridge / n_cells)
        self._n_steps = 0

    def step(self, batch: Batch) -> None:
        """Move the weights down the gradient of one batch."""
        self._n_steps += 1
        powers = (np.float32(memory**self._n_steps) for memory in ADAM_MEMORY)
        pace = Pace(np.float32(self._learning_rate), self._ridge, *powers)
        self._step(self.weights, *self._moments, batch, pace)

    def current(self) -> Weights:
        """Return a copy of the weights."""
        return tuple(weight.numpy() for weight in self.weights)

    def go_back(self, weights: Weights, slowdown: float) -> None:
        """Take up earlier weights, and go on in smaller steps."""
        self._learning_rate *= slowdown
        for variable, weight in zip(self.weights, weights, strict=True):
            variable.assign(weight)


class Check:
    """The loss at held-out entries: everything else of their cells is read."""

    def __init__(self, fitted: FitData, heldout: csr_array, settings: TrainSettings) -> None:
        rows = np.flatnonzero(np.diff(heldout.indptr))
        self.settings = settings
        self.inputs = fitted.inputs(rows)
        self.row, self.column = heldout[rows].nonzero()
        self.truth = values_at(fitted.target[rows], self.row, self.column)
        self.exposure = fitted.exposure[rows][self.row, 0]

    def loss(self, weights: Sequence[Tensor]) -> float:
        """Return the mean loss of an entry, up to what no weight can change."""
        output = compiled_forward()(weights, self.inputs).numpy()[self.row, self.column]
        losses = entry_loss(output, self.truth, self.exposure, self.settings)
        return float(np.sum(losses, dtype=np.float64) / max(len(losses), 1))


def entry_loss(output: Floats, target: Floats, exposure: Floats, settings: TrainSettings) -> Floats:
    """Return the loss of every entry, whose derivative is :func:`scinfill.models.network.output_gradient`."""
    if settings.loss == "poisson":
        log_rate = np.minimum(output, np.float32(LARGEST_LOG_RATE))
        return exposure * np.exp(log_rate) - target * log_rate
    weight = np.where(target > 0, np.float32(1), np.float32(settings.zero_weight))
    return weight * (target - output) ** 2 / 2


def draw_heldout(data: FitData, rng: np.random.Generator) -> csr_array:
    """Return a pattern of VALIDATION_SHARE of the entries of VALIDATION_CELLS cells at most, none hidden already.

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
