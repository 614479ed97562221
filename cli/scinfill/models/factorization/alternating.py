"""deepMc's default model: X ≈ μ + Z·D, fitted by alternating half-steps over row blocks of cells.

Both losses share this loop. A loss turns the entries of a block of cells into one small system a cell
(for Z) and one a gene (for μ and D): Newton's step for the Poisson loss, the exact least-squares
solution for the squared loss. Each round reads the data once, a block of cells at a time.

With batches X ≈ μ + β_b(c) + Z·D. A block holds cells of one batch, so that the losses see μ + β_b as the offset; the
genes' systems for [μ, D] and all β are then one arrow-shaped system, solved by eliminating β.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.factorization.arrays import Array, Arrays
from scinfill.models.factorization.least_squares import AnyFloats, Floats, column_pairs, solve_packed
from scinfill.numerics.batches import Batches
from scinfill.numerics.blocks import FEWEST_ROWS, row_slices
from scinfill.numerics.decomposition import principal_components, principal_components_within
from scinfill.numerics.parallel import map_in_order
from scinfill.resume import resumable

Rows = slice | NDArray[np.intp]

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
    batches
        (n_batches, n_genes) β while a fit with batches is under way; ``block`` leaves it out.
    gene_weights
        (n_genes,) what each gene counts where Z is solved, for a loss that has such weights; None: all the same.
    """

    offset: Floats
    cells: Floats
    genes: Floats
    batches: Floats | None = None
    gene_weights: Floats | None = None

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
    def batches(self) -> Batches | None:
        """The batch of every cell, where batches have offsets."""
        ...

    @property
    def largest_step(self) -> float:
        """Largest change of a predicted value in one half-step; infinite where the step is exact."""
        ...

    @property
    def arrays(self) -> Arrays:
        """Array library in which the systems are computed and solved."""
        ...

    def cell_system(self, rows: Rows, factors: Factors) -> System:
        """Systems for Z of some cells; the design is D, (n_genes, rank)."""
        ...

    def gene_system(self, rows: Rows, factors: Factors) -> System:
        """Contribution of some cells to the systems for [μ, D]; the design is [1, Z]."""
        ...


def start(log_values: csr_array, *, rank: int, rng: np.random.Generator, batches: Batches | None = None) -> Factors:
    """Begin from the leading principal components of the cells; the genes follow in the first half-step.

    ``rank`` may exceed what the matrix has: the surplus components start at zero and stay there. With batches the
    components are those within batches.
    """
    n_cells, n_genes = log_values.shape
    available = min(rank, n_cells, n_genes)
    cells = np.zeros((n_cells, rank), dtype=np.float32)
    if batches is None:
        scores, _, _ = principal_components(log_values, available, rng=rng, n_iterations=START_ITERATIONS)
    else:
        scores = principal_components_within(log_values, batches, available, rng=rng, n_iterations=START_ITERATIONS)
    scale = np.sqrt(np.mean(scores[:, 0] ** 2))
    if scale > 0:
        cells[:, :available] = scores / scale
    return Factors(np.zeros(n_genes, np.float32), cells, np.zeros((n_genes, rank), np.float32))


@dataclass(frozen=True)
class Penalty:
    """Ridges: on Z and D, and on the offsets of batches."""

    factors: float
    batches: float = 0.0


def alternate(loss: BlockLoss, factors: Factors, *, ridge: float | Penalty, n_rounds: int, label: str) -> Factors:
    """Improve μ, D and Z in turn: ``n_rounds`` rounds over all of them, and Z once more after the last.

    The first round updates only genes when D is zero.
    """
    penalty = ridge if isinstance(ridge, Penalty) else Penalty(ridge)

    def step(factors: Factors, number: int) -> Factors:
        if number < n_rounds:
            return _round(loss, factors, penalty)
        return _last_half_round(loss, factors, ridge=penalty.factors)

    return resumable("factors", factors, step, n_rounds + 1, label=label)


def _round(loss: BlockLoss, factors: Factors, penalty: Penalty) -> Factors:
    """Update Z block by block, summing the systems of the genes on the way; then update μ and D."""
    factors = replace(factors, cells=factors.cells.copy())
    genes_are_known = bool(factors.genes.any())

    def visit(block: Block) -> System:
        # Update Z of these cells, and form their part of the systems for μ and D around it.
        if genes_are_known:
            _move_cells(loss, block, factors, ridge=penalty.factors)
        return loss.gene_system(block.rows, _in_batch(factors, block.batch))

    n_genes, n_columns = len(factors.offset), factors.cells.shape[1] + 1
    total = System(np.zeros((n_genes, n_columns * (n_columns + 1) // 2)), np.zeros((n_genes, n_columns)))
    # Add up the systems of all blocks, in their order, so that the sum does not depend on the threads.
    n_batches = 0 if factors.batches is None else len(factors.batches)
    arms = System(np.zeros((n_batches, n_genes, n_columns)), np.zeros((n_batches, n_genes)))
    blocks = _blocks(loss)
    for block, part in zip(blocks, map_in_order(visit, blocks), strict=True):
        np.add(total.curvature, part.curvature, out=total.curvature)
        np.add(total.gradient, part.gradient, out=total.gradient)
        if block.batch is not None:
            # The design of β_b is that of μ, in the cells of the batch alone.
            arms.curvature[block.batch] += np.asarray(part.curvature)[:, _first_column(n_columns)]
            arms.gradient[block.batch] += np.asarray(part.gradient)[:, 0]
    # Update μ, D and β.
    factors = _gene_step(factors, total, arms, penalty, largest=loss.largest_step)
    return factors if loss.batches is None else _share_out(factors, loss.batches, penalty)


def _last_half_round(loss: BlockLoss, factors: Factors, *, ridge: float) -> Factors:
    """Update Z alone."""
    factors = replace(factors, cells=factors.cells.copy())
    for _ in map_in_order(lambda block: _move_cells(loss, block, factors, ridge=ridge), _blocks(loss)):
        pass
    return factors


@dataclass(frozen=True)
class Block:
    """Some cells to look at together; where batches have offsets, of one batch."""

    rows: Rows
    batch: int | None = None


def _blocks(loss: BlockLoss) -> list[Block]:
    n_cells, n_genes = loss.shape
    slices = row_slices(n_cells, n_genes, block_bytes=loss.arrays.block_bytes, fewest_rows=FEWEST_ROWS)
    if loss.batches is None:
        return [Block(rows) for rows in slices]
    members = [loss.batches.rows(batch) for batch in range(loss.batches.n_batches)]
    return [
        Block(rows[start : start + slices[0].stop], batch)
        for batch, rows in enumerate(members)
        for start in range(0, len(rows), slices[0].stop)
    ]


def _in_batch(factors: Factors, batch: int | None) -> Factors:
    """Return the factors with the offsets of a batch; Z is shared."""
    if batch is None or factors.batches is None:
        return factors
    return replace(factors, offset=factors.offset + factors.batches[batch])


def _move_cells(loss: BlockLoss, block: Block, factors: Factors, *, ridge: float) -> None:
    """Take one step with some rows of ``factors.cells``, in place."""
    rows = block.rows
    penalty = np.full(factors.cells.shape[1], ridge, dtype=np.float32)
    system = loss.cell_system(rows, _in_batch(factors, block.batch))
    current = factors.cells[rows]
    # Solve (H + ρI)·step = g − ρ·z for every cell.
    step = np.asarray(loss.arrays.solve(system.curvature, system.gradient - penalty * current, penalty))
    factors.cells[rows] = current + _damp(step, factors.genes, loss.largest_step)


def _gene_step(factors: Factors, system: System, arms: System, ridge: Penalty, *, largest: float) -> Factors:
    """One step for [μ, D], and for the β of all batches; μ carries no ridge.

    ``arms`` hold what ties every β_b to [μ, D] (n_batches, n_genes, k), its first column being the curvature of β_b
    itself, and the gradient of β_b (n_batches, n_genes).
    """
    current = np.column_stack([factors.offset, factors.genes]).astype(np.float64)
    penalty = np.full(current.shape[1], ridge.factors)
    penalty[0] = 0.0
    curvature, gradient = system.curvature, system.gradient - penalty * current
    if factors.batches is not None:
        # Eliminate β: H − Σ_b h_b·h_bᵀ/(h_b0 + ρ_β), and the gradient likewise (Schur complement).
        pull = arms.gradient - ridge.batches * factors.batches
        stiffness = arms.curvature[:, :, 0] + ridge.batches + 1e-12
        first, second = column_pairs(current.shape[1])
        for arm, batch_pull, batch_stiffness in zip(arms.curvature, pull, stiffness, strict=True):
            curvature -= arm[:, first] * arm[:, second] / batch_stiffness[:, None]
            gradient = gradient - arm * (batch_pull / batch_stiffness)[:, None]
    # Solve (H + ρI)·step = g − ρ·[μ, d] for every gene; μ has no ρ.
    step = solve_packed(curvature, gradient, penalty)
    # Shorten steps that would move the rate of some cell too far; a sample of cells tells.
    sample = factors.cells[:: max(1, len(factors.cells) // DAMPING_CELLS)]
    if factors.batches is None:
        moved, batches = current + _damp(step, design_with_offset(sample), largest), None
    else:
        batch_step = (pull - np.einsum("bgk,gk->bg", arms.curvature, step)) / stiffness
        design = design_with_offset(sample)
        shortened = _damp(step, design, largest)
        share = np.linalg.norm(shortened, axis=1) / np.maximum(np.linalg.norm(step, axis=1), 1e-300)
        share = np.minimum(share, largest / np.maximum(np.abs(batch_step).max(axis=0), 1e-12))
        moved, batches = current + share[:, None] * step, (factors.batches + share * batch_step).astype(np.float32)
    offset, genes = (np.ascontiguousarray(part, dtype=np.float32) for part in (moved[:, 0], moved[:, 1:]))
    return replace(factors, offset=offset, genes=genes, batches=batches)


def _share_out(factors: Factors, batches: Batches, ridge: Penalty) -> Factors:
    """Move what Z and β could both explain to where the ridges want it: z_c + s_b and β_b − s_b·D predict the same.

    The cells of a batch have other means of Z where they are of other types, and the alternating steps alone would
    take very many rounds to find that out. s_b is the exact minimum of both penalties:
    (n_b·ρ·I + ρ_β·DᵀD)·s_b = ρ_β·Dᵀβ_b − ρ·Σ_c z_c.
    """
    if factors.batches is None:
        return factors
    genes, offsets = factors.genes.astype(np.float64), factors.batches.astype(np.float64)
    sums = np.stack([batches.totals(column) for column in factors.cells.T], axis=1)
    gram, pull = ridge.batches * genes.T @ genes, ridge.batches * offsets @ genes - ridge.factors * sums
    stiffness = gram + ridge.factors * batches.sizes[:, None, None] * np.eye(len(gram)) + 1e-9 * np.eye(len(gram))
    shift = np.linalg.solve(stiffness, pull[:, :, None])[:, :, 0]
    shift[batches.sizes == 0] = 0
    factors.cells[:] += shift.astype(np.float32)[batches.codes]
    return replace(factors, batches=(offsets - shift @ genes.T).astype(np.float32))


def _first_column(n_columns: int) -> NDArray[np.intp]:
    """Return where packed matrices keep their first column."""
    numbers = np.arange(n_columns)
    return numbers * (numbers + 1) // 2


def _damp(step: AnyFloats, design: Floats, largest: float) -> AnyFloats:
    """Shorten each row of ``step`` so that no predicted value, step · designᵀ, moves by more than ``largest``."""
    if np.isinf(largest):
        return step
    reach = np.linalg.norm(step, axis=1) * np.linalg.norm(design, axis=1).max()  # at most: Cauchy and Schwarz
    far = np.flatnonzero(reach > largest)
    # Block by block: every move of every gene in all cells of a sample would be the largest array of a fit.
    for rows in row_slices(len(far), len(design)):
        reach[far[rows]] = np.abs(step[far[rows]] @ design.T).max(axis=1)
    return step * np.minimum(1.0, largest / np.maximum(reach, 1e-12))[:, None].astype(step.dtype)


def design_with_offset(cells: Floats) -> Floats:
    """Return [1, Z]."""
    return np.column_stack([np.ones(len(cells), dtype=cells.dtype), cells])
