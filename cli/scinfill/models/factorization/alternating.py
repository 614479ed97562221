"""deepMc's default model: X ≈ μ + Z·D, fitted by alternating half-steps over row blocks of cells.

Both losses share this loop. A loss turns the entries of a block of cells into one small system a cell
(for Z) and one a gene (for μ and D): Newton's step for the Poisson loss, the exact least-squares
solution for the squared loss. Each round reads the data once, a block of cells at a time.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from scinfill.models.factorization.arrays import Array, Arrays
from scinfill.models.factorization.least_squares import AnyFloats, Floats, solve_packed
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.decomposition import principal_components
from scinfill.numerics.parallel import map_in_order
from scinfill.resume import resumable

DAMPING_CELLS = 2_000
"""A gene's step is damped by its effect on about this many cells."""
START_ITERATIONS = 2
"""Iterations for the principal components that a fit starts from; its rounds refine the subspace."""


@dataclass(frozen=True)
class Factors:
    """X ≈ μ + Z·D on the model's scale (log rate, or log2 value).

    Attributes
    ----------
    offset
        (n_genes,) μ.
    cells
        (n_cells, rank) Z.
    genes
        (n_genes, rank) Dᵀ.
    """

    offset: Floats
    cells: Floats
    genes: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return len(self.cells), len(self.offset)

    def block(self, rows: slice) -> Floats:
        """Return (n_rows, n_genes) predicted values."""
        return self.cells[rows] @ self.genes.T + self.offset


@dataclass(frozen=True)
class System:
    """One k × k system a row: packed curvature (n, k(k+1)/2) and gradient (n, k) at the current values."""

    curvature: Array
    gradient: Array


class BlockLoss(Protocol):
    """A loss over the entries of cells × genes, as systems for either side."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        ...

    @property
    def largest_step(self) -> float:
        """Largest change of a predicted value in one half-step; infinite where the step is exact."""
        ...

    @property
    def arrays(self) -> Arrays:
        """Array library in which the systems are computed and solved."""
        ...

    def cell_system(self, rows: slice, factors: Factors) -> System:
        """Systems for Z of some cells; the design is D, (n_genes, rank)."""
        ...

    def gene_system(self, rows: slice, factors: Factors) -> System:
        """Contribution of some cells to the systems for [μ, D]; the design is [1, Z]."""
        ...


def start(log_values: csr_array, *, rank: int, rng: np.random.Generator) -> Factors:
    """Begin from the leading principal components of the cells; the genes follow in the first half-step.

    ``rank`` may exceed what the matrix has: the surplus components start at zero and stay there.
    """
    n_cells, n_genes = log_values.shape
    available = min(rank, n_cells, n_genes)
    cells = np.zeros((n_cells, rank), dtype=np.float32)
    scores, _, _ = principal_components(log_values, available, rng=rng, n_iterations=START_ITERATIONS)
    scale = np.sqrt(np.mean(scores[:, 0] ** 2))
    if scale > 0:
        cells[:, :available] = scores / scale
    return Factors(np.zeros(n_genes, np.float32), cells, np.zeros((n_genes, rank), np.float32))


def alternate(loss: BlockLoss, factors: Factors, *, ridge: float, n_rounds: int, label: str) -> Factors:
    """Improve μ, D and Z in turn: ``n_rounds`` rounds over all of them, and Z once more after the last.

    The first round updates only genes when D is zero.
    """

    def step(factors: Factors, number: int) -> Factors:
        if number < n_rounds:
            return _round(loss, factors, ridge=ridge)
        return _last_half_round(loss, factors, ridge=ridge)

    return resumable("factors", factors, step, n_rounds + 1, label=label)


def _round(loss: BlockLoss, factors: Factors, *, ridge: float) -> Factors:
    """Update Z block by block, summing the systems of the genes on the way; then update μ and D."""
    factors = replace(factors, cells=factors.cells.copy())
    genes_are_known = bool(factors.genes.any())

    def visit(rows: slice) -> System:
        # Update Z of these cells, and form their part of the systems for μ and D around it.
        if genes_are_known:
            _move_cells(loss, rows, factors, ridge=ridge)
        return loss.gene_system(rows, factors)

    n_genes, n_columns = len(factors.offset), factors.cells.shape[1] + 1
    total = System(np.zeros((n_genes, n_columns * (n_columns + 1) // 2)), np.zeros((n_genes, n_columns)))
    # Add up the systems of all blocks, in their order, so that the sum does not depend on the threads.
    for part in map_in_order(visit, _blocks(loss)):
        np.add(total.curvature, part.curvature, out=total.curvature)
        np.add(total.gradient, part.gradient, out=total.gradient)
    # Update μ and D.
    offset, genes = _gene_step(factors, total, ridge=ridge, largest=loss.largest_step)
    return Factors(offset, factors.cells, genes)


def _last_half_round(loss: BlockLoss, factors: Factors, *, ridge: float) -> Factors:
    """Update Z alone."""
    factors = replace(factors, cells=factors.cells.copy())
    for _ in map_in_order(lambda rows: _move_cells(loss, rows, factors, ridge=ridge), _blocks(loss)):
        pass
    return factors


def _blocks(loss: BlockLoss) -> list[slice]:
    return row_slices(*loss.shape, block_bytes=loss.arrays.block_bytes)


def _move_cells(loss: BlockLoss, rows: slice, factors: Factors, *, ridge: float) -> None:
    """Take one step with some rows of ``factors.cells``, in place."""
    penalty = np.full(factors.cells.shape[1], ridge, dtype=np.float32)
    system = loss.cell_system(rows, factors)
    current = factors.cells[rows]
    # Solve (H + ρI)·step = g − ρ·z for every cell.
    step = np.asarray(loss.arrays.solve(system.curvature, system.gradient - penalty * current, penalty))
    factors.cells[rows] = current + _damp(step, factors.genes, loss.largest_step)


def _gene_step(factors: Factors, system: System, *, ridge: float, largest: float) -> tuple[Floats, Floats]:
    """One step for [μ, D]; the offset carries no ridge."""
    current = np.column_stack([factors.offset, factors.genes]).astype(np.float64)
    penalty = np.full(current.shape[1], ridge)
    penalty[0] = 0.0
    # Solve (H + ρI)·step = g − ρ·[μ, d] for every gene; μ has no ρ.
    step = solve_packed(system.curvature, system.gradient - penalty * current, penalty)
    # Shorten steps that would move the rate of some cell too far; a sample of cells tells.
    sample = factors.cells[:: max(1, len(factors.cells) // DAMPING_CELLS)]
    moved = current + _damp(step, design_with_offset(sample), largest)
    moved = moved.astype(np.float32)
    return np.ascontiguousarray(moved[:, 0]), np.ascontiguousarray(moved[:, 1:])


def _damp(step: AnyFloats, design: Floats, largest: float) -> AnyFloats:
    """Shorten each row of ``step`` so that no predicted value, step · designᵀ, moves by more than ``largest``."""
    if np.isinf(largest):
        return step
    reach = np.linalg.norm(step, axis=1) * np.linalg.norm(design, axis=1).max()  # at most: Cauchy and Schwarz
    far = reach > largest
    reach[far] = np.abs(step[far] @ design.T).max(axis=1)
    return step * np.minimum(1.0, largest / np.maximum(reach, 1e-12))[:, None].astype(step.dtype)


def design_with_offset(cells: Floats) -> Floats:
    """Return [1, Z]."""
    return np.column_stack([np.ones(len(cells), dtype=cells.dtype), cells])
