"""Blind training: what counts is never what was read, and held-out entries say how far to go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.batches import Batch, FitData, Floats, Tensor, epoch
from scinfill.models.gate import LARGEST_LOG_RATE
from scinfill.models.network import ADAM_MEMORY, Pace, Weights, compiled_forward, compiled_step
from scinfill.models.observations import pattern_of, values_at
from scinfill.models.recipe import Loss
from scinfill.progress import track
from scinfill.resume import State, resumable

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
    adam, course = Adam(tf, start, settings, data.shape[0]), Course(start)
    point = resumable("train")
    if kept := point.recall(under_way(adam, course, rng.bit_generator.state), finished(course, rng), rng=rng):
        course = Course.of(kept)
        if kept.finished:
            return Trained(course.best, course.losses)
        adam.restore(kept)
    else:
        course.losses = [check.loss(adam.weights)]
    steps_each = -(-data.shape[0] // settings.batch_cells)
    epochs_each = -(-CHECK_STEPS // steps_each)
    n_looks = settings.most_steps // (epochs_each * steps_each)
    for number in track(range(n_looks * epochs_each), "train"):
        if number < course.epochs:
            continue
        before = rng.bit_generator.state
        batches = epoch(fitted, batch_cells=settings.batch_cells, hide=settings.hide, rng=rng, first=course.batches)
        for batch in batches:
            adam.step(batch)
            course.batches += 1
            if point.due():
                point.keep(under_way(adam, course, before))
        course.epochs, course.batches = number + 1, 0
        if course.epochs % epochs_each == 0 and not course.goes_on(adam, check.loss(adam.weights)):
            break
    point.keep(finished(course, rng))
    return Trained(course.best, course.losses)


@dataclass
class Course:
    """How far a training has come.

    Attributes
    ----------
    best
        The weights at the lowest held-out loss.
    losses
        Held-out loss at the start and at every look.
    stale, slowdowns
        Looks since the lowest loss or the last slowdown, and slowdowns so far.
    epochs, batches
        Whole epochs done, and batches of the one under way.
    """

    best: Weights
    losses: list[float] = field(default_factory=lambda: [np.inf])
    stale: int = 0
    slowdowns: int = 0
    epochs: int = 0
    batches: int = 0

    def goes_on(self, adam: "Adam", loss: float) -> bool:
        """Take notice of a look, and say whether training goes on."""
        self.losses.append(loss)
        if loss == min(self.losses):
            self.best, self.stale = adam.current(), 0
            return True
        self.stale += 1
        if self.stale < PATIENCE:
            return True
        if self.slowdowns == SLOWDOWNS:
            return False
        adam.go_back(self.best, SLOWDOWN)
        self.slowdowns, self.stale = self.slowdowns + 1, 0
        return True

    @classmethod
    def of(cls, kept: State) -> "Course":
        """Return the course that a state was taken from."""
        best = tuple(array for name, array in kept.arrays.items() if name.startswith("best-"))
        return cls(best, **kept.facts["course"])

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Return arrays and facts."""
        facts = {name: value for name, value in vars(self).items() if name != "best"}
        return numbered("best", self.best), {"course": facts}


def under_way(adam: "Adam", course: Course, before: Mapping[str, Any]) -> State:
    """Return what training needs to go on; ``before`` is the generator's state at the start of the epoch."""
    arrays, facts = course.state()
    moved, pace = adam.state()
    return State(arrays | moved, facts | pace, before)


def finished(course: Course, rng: np.random.Generator) -> State:
    """Return what is needed of a training that is over."""
    return State(*course.state(), rng.bit_generator.state, finished=True)


def numbered(name: str, arrays: Sequence[Floats]) -> dict[str, Floats]:
    """Give arrays names."""
    return {f"{name}-{number}": array for number, array in enumerate(arrays)}


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

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Return copies of weights and moments, and how far they have moved."""
        arrays = {name: variable.numpy() for name, variable in self._variables().items()}
        return arrays, {"steps": self._n_steps, "learning_rate": self._learning_rate}

    def restore(self, kept: State) -> None:
        """Take up a state."""
        for name, variable in self._variables().items():
            variable.assign(kept.arrays[name])
        self._n_steps, self._learning_rate = kept.facts["steps"], kept.facts["learning_rate"]

    def _variables(self) -> dict[str, Tensor]:
        first, second = self._moments
        return numbered("weight", self.weights) | numbered("first-moment", first) | numbered("second-moment", second)

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
