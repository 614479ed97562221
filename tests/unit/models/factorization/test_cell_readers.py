"""Z of new cells: the minimum of their loss, wherever the steps start and whatever of the genes is known."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from scinfill.models.factorization.cell_readers import SETTLED, PoissonReader
from scinfill.models.factorization.new_cells import FixedFactors
from scinfill.models.observations import Observations

N_CELLS, N_GENES, RANK, RIDGE = 60, 120, 3, 5.0


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def fixed(rng) -> FixedFactors:
    genes = rng.normal(0, 0.7, (N_GENES, RANK)).astype(np.float32)
    return FixedFactors("poisson", rng.normal(-1, 1, N_GENES).astype(np.float32), genes, RIDGE)


@pytest.fixture
def data(rng, fixed) -> Observations:
    """Return cells of the model, an empty one among them."""
    size_factor = rng.lognormal(0, 0.5, N_CELLS)
    rates = np.exp(rng.normal(0, 0.8, (N_CELLS, RANK)) @ fixed.genes.T + fixed.offset) * size_factor[:, None]
    counts = rng.poisson(rates).astype(np.float32)
    counts[7] = 0
    size_factor[7] = 1
    values = np.log2(1 + counts / size_factor[:, None]).astype(np.float32)
    return Observations(csr_array(values), csr_array(counts), size_factor)


@pytest.fixture
def half() -> np.ndarray:
    return np.arange(N_GENES) % 2 == 0


def penalised_loss(fixed: FixedFactors, data: Observations, cells: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the loss of every cell over the known genes, in double precision."""
    counts, size_factor = data.molecules()
    log_rates = cells.astype(float) @ fixed.genes.T + fixed.offset + np.log(size_factor)[:, None]
    losses = np.exp(log_rates) - counts.toarray() * log_rates
    return losses[:, known].sum(axis=1) + 0.5 * RIDGE * np.sum(cells.astype(float) ** 2, axis=1)


def solve_fully(fixed: FixedFactors, data: Observations, known: np.ndarray) -> np.ndarray:
    """Return the minimum by many short Newton steps in double precision, cell by cell."""
    counts, size_factor = data.molecules()
    genes, offset = fixed.genes[known].astype(float), fixed.offset[known].astype(float)
    seen, cells = counts.toarray()[:, known], np.zeros((N_CELLS, RANK))
    for row in range(N_CELLS):
        for _ in range(100):
            rate = size_factor[row] * np.exp(genes @ cells[row] + offset)
            curvature = genes.T @ (rate[:, None] * genes) + RIDGE * np.eye(RANK)
            step = np.linalg.solve(curvature, genes.T @ (seen[row] - rate) - RIDGE * cells[row])
            cells[row] += step / max(1, np.abs(genes @ step).max(initial=0))
    return cells


def solve(fixed: FixedFactors, data: Observations, known: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, ...]:
    reader = fixed.reader(known, half)
    one, other = reader.halves(data, None)
    return one.cells, other.cells, reader.whole(data, None, (one, other))


@pytest.mark.parametrize("which", ["all genes", "some genes", "few genes", "one half", "a single gene"])
@pytest.mark.parametrize("guessed", [False, True])
def test_cells_come_near_the_minimum_of_their_loss(fixed, data, half, which, guessed):
    known = {
        "all genes": np.ones(N_GENES, np.bool_),
        "some genes": np.arange(N_GENES) % 5 > 0,
        "few genes": np.arange(N_GENES) % 12 < 2,
        "one half": half,
        "a single gene": np.arange(N_GENES) == 3,
    }[which]
    model = fixed.with_starts(data, half) if guessed else fixed
    for cells, genes in zip(solve(model, data, known, half), (known & half, known & ~half, known), strict=True):
        gap = penalised_loss(fixed, data, cells, genes) - penalised_loss(
            fixed, data, solve_fully(fixed, data, genes), genes
        )
        gap[7] = 0
        assert gap.min() > -1e-3
        assert gap.max() < SETTLED / 5
        assert np.median(gap) < 0.01
        assert (cells[7] == 0).all()


def test_a_guess_is_near_and_saves_steps(fixed, data, half, monkeypatch):
    everything, steps = np.ones(N_GENES, np.bool_), []
    move = PoissonReader._move
    monkeypatch.setattr(PoissonReader, "_move", lambda *given: (steps.append(len(given[2])), move(*given))[1])

    def count(model: FixedFactors) -> int:
        steps.clear()
        solve(model, data, everything, half)
        return sum(steps)

    guessed = fixed.with_starts(data, half)
    assert count(guessed) < 0.8 * count(fixed)
    reader = guessed.reader(everything, half)
    for guess, state in zip(reader.guess(data), reader.halves(data, None), strict=True):
        assert np.corrcoef(guess[:, 0], state.cells[:, 0])[0, 1] > 0.8
