"""Solve Z of new cells against fixed μ and D, a block of cells at a time: by either half of the genes, then by all.

No cell's bytes depend on the cells beside it. Products are exact, each cell stops by itself, and the cells that still
move are gathered in groups of LANES, so that what works on several cells at once does the same for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.factorization.alternating import Factors
from scinfill.models.factorization.arrays import HOST
from scinfill.models.factorization.least_squares import column_pairs, solve_packed
from scinfill.models.factorization.poisson import LARGEST_STEP
from scinfill.models.factorization.squared import SquaredLoss, packed_product
from scinfill.models.observations import Observations
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.exact import Doubles, exact_product, multiply_rounded, round_columns

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Codes = NDArray[np.intp] | None
Rows = NDArray[np.intp]

MAX_STEPS = 30
"""Of Newton; with a first guess cells like those of the training need one to three."""
SETTLED = 0.5
"""A cell stays where it is once a step gained less of its penalised log likelihood: the next would gain a hundredth."""
LEAST_KNOWN = 0.5
"""Share of a half's structure (Σ|d_g|²) in known genes, below which what they say is too little to start from."""
RATE_BYTES = 2 * 2**20
"""Of expected counts that are there at a time, in double precision: they shall stay in the cache."""
LANES = 16
"""Cells that move are filled up to a multiple of this."""


@dataclass(frozen=True)
class SolvedCells:
    """Cells as some of the genes see them.

    Attributes
    ----------
    cells
        (n_rows, rank) Z.
    curvature
        (n_rows, rank·(rank + 1)/2) packed DᵀΛD of these genes, a step before Z settled.
    """

    cells: Floats
    curvature: Floats


class PoissonReader:
    """Damped Newton steps of the Poisson loss; see :class:`scinfill.models.recipe.CellReader`.

    Parameters
    ----------
    offset, genes, ridge, batches
        As in :class:`scinfill.models.factorization.new_cells.FixedFactors`.
    known, half
        (n_genes,) genes that are read, and one half of the genes.
    starts
        (2, rank + 2, rank) for either half; see :meth:`guess`. None: Z starts at zero.
    """

    def __init__(
        self,
        offset: Floats,
        genes: Floats,
        ridge: float,
        batches: Floats | None,
        *,
        known: Mask,
        half: Mask,
        starts: Floats | None,
    ) -> None:
        self.offset, self.genes, self.ridge, self.batches = offset, genes, np.float32(ridge), batches
        columns = [np.flatnonzero(known & half), np.flatnonzero(known & ~half)]
        self.columns = np.concatenate(columns)
        self.parts = slice(0, len(columns[0])), slice(len(columns[0]), len(self.columns))
        read = genes[self.columns]
        # [pairs of D, D]: what rates are multiplied by for the curvature and the gradient.
        self.n_pairs = len(column_pairs(self.rank)[0])
        self.weights = round_columns(np.concatenate([HOST.pair_products(read), read], axis=1))
        self.longest = float(np.linalg.norm(genes, axis=1).max(initial=0))
        self.halves_apart = np.zeros((len(genes), 2 * self.rank), np.float32)
        self.share = np.ones(2, np.float32)
        for number, (part, there) in enumerate(zip((half, ~half), columns, strict=True)):
            self.halves_apart[there, number * self.rank : (number + 1) * self.rank] = genes[there]
            # Of fewer genes than those that the guess was learned from, each says more.
            of_half = np.sum(genes[part] ** 2)
            self.share[number] = np.sum(genes[there] ** 2) / of_half if of_half else 1
        self.starts = None if (self.share < LEAST_KNOWN).any() else starts

    @property
    def rank(self) -> int:
        """Columns of Z."""
        return self.genes.shape[1]

    def halves(self, block: Observations, codes: Codes) -> tuple[SolvedCells, SolvedCells]:
        """Return what either half of the known genes makes of cells; those without counts stay at 0."""
        pulls, log_exposure, design = self._pulls(block), _log_exposure(block), self._design(codes)
        moving = np.flatnonzero(np.diff(block.log_values.indptr))
        one, other = (
            self._newton(cells, moving, pull, log_exposure, design[:, part], self.weights[part])
            for cells, pull, part in zip(self.guess(block), pulls, self.parts, strict=True)
        )
        return one, other

    def whole(self, block: Observations, codes: Codes, halves: tuple[SolvedCells, SolvedCells]) -> Floats:
        """Return Z by all known genes, (n_rows, rank).

        Around what either half made of a cell its loss is nearly quadratic, so where both together lead to is known:
        (H₁ + H₂ + ρI)·z = (H₁ + ρI)·z₁ + (H₂ + ρI)·z₂. A step with that curvature settles most cells.
        """
        log_exposure, design = _log_exposure(block), self._design(codes)
        pull = np.add(*self._pulls(block))
        penalty = np.full(self.rank, self.ridge)
        curvature = halves[0].curvature + halves[1].curvature
        meant = [packed_product(HOST, half.curvature, half.cells) + self.ridge * half.cells for half in halves]
        cells = solve_packed(curvature, meant[0] + meant[1], penalty)
        moving = np.flatnonzero(np.diff(block.log_values.indptr))
        cells[np.diff(block.log_values.indptr) == 0] = 0
        some = _filled(moving)
        weighted = self._expected(cells[some], log_exposure[some], design, self.weights[:, self.n_pairs :])
        residual = pull[some] - weighted - self.ridge * cells[some]
        moving = self._move(cells, moving, solve_packed(curvature[some], residual, penalty), residual)
        return self._newton(cells, moving, pull, log_exposure, design, self.weights).cells

    def guess(self, block: Observations) -> tuple[Floats, Floats]:
        """Return a first guess of Z by either half, a linear map of [X·D, log s, 1] over its genes; 0 if empty."""
        one, other = np.zeros((2, block.shape[0], self.rank), np.float32)
        if self.starts is not None:
            features, moving = self.features(block), np.diff(block.log_values.indptr) > 0
            one[moving] = exact_product(features[0], self.starts[0])[moving]
            other[moving] = exact_product(features[1], self.starts[1])[moving]
        return one, other

    def features(self, block: Observations) -> tuple[Floats, Floats]:
        """Return [X·D, log s, 1] over the genes of either half, (n_rows, rank + 2)."""
        scores, log_exposure = block.log_values @ self.halves_apart, _log_exposure(block)
        one, other = (
            np.column_stack([scores[:, part] / share, log_exposure, np.ones_like(log_exposure)])
            for part, share in zip(self._both, self.share, strict=True)
        )
        return one, other

    def predictor(self, columns: NDArray[np.intp]) -> Callable[[SolvedCells], Floats]:
        """Return the function from solved cells to μ + Z·D of some genes."""
        design, offset = round_columns(self.genes[columns].T), self.offset[columns]

        def predict(state: SolvedCells) -> Floats:
            values = multiply_rounded(state.cells, design)
            values += offset
            return values

        return predict

    @property
    def _both(self) -> tuple[slice, slice]:
        return slice(0, self.rank), slice(self.rank, 2 * self.rank)

    def _pulls(self, block: Observations) -> tuple[Floats, Floats]:
        """Return C·D of either half, (n_rows, rank)."""
        products = block.molecules()[0] @ self.halves_apart
        one, other = (np.ascontiguousarray(products[:, part]) for part in self._both)
        return one, other

    def _design(self, codes: Codes) -> Doubles:
        """Return [D, 1, μ]ᵀ of the genes that are read, (rank + 2, n_known), rounded: with [Z, log s, 1] log rates."""
        offset = self.offset if self.batches is None or codes is None else self.offset + self.batches[codes[0]]
        read = self.genes[self.columns]
        return round_columns(np.column_stack([read, np.ones(len(read), np.float32), offset[self.columns]]).T)

    def _expected(self, cells: Floats, log_exposure: Floats, design: Doubles, weights: Doubles) -> Floats:
        """Return Λ·weights, (n_rows, n_weights), with expected counts Λ of which a few rows are there at a time."""
        sums = np.empty(
            (weights.shape[1], len(cells)), np.float32
        ).T  # columns in one piece each, as systems are solved
        left = np.column_stack([cells, log_exposure, np.ones_like(log_exposure)])
        for rows in row_slices(len(cells), 2 * design.shape[1], block_bytes=RATE_BYTES):
            rate = multiply_rounded(left[rows], design)
            if rate.max(initial=0) > LARGEST_LOG_RATE:
                np.minimum(rate, np.float32(LARGEST_LOG_RATE), out=rate)
            sums[rows] = multiply_rounded(np.exp(rate, out=rate), weights, by_columns=True)
        return sums

    def _newton(  # noqa: PLR0917 - all are arrays of one step
        self, cells: Floats, moving: Rows, pull: Floats, log_exposure: Floats, design: Doubles, weights: Doubles
    ) -> SolvedCells:
        """Move some rows of ``cells`` until each has settled."""
        curvature = np.zeros((len(cells), self.n_pairs), np.float32)
        penalty = np.full(self.rank, self.ridge)
        for _ in range(MAX_STEPS):
            if not len(moving):
                break
            some = _filled(moving)
            weighted = self._expected(cells[some], log_exposure[some], design, weights)
            # Solve (H + ρI)·step = DᵀC − Dᵀλ − ρ·z for every cell.
            residual = pull[some] - weighted[:, self.n_pairs :] - self.ridge * cells[some]
            step = solve_packed(weighted[:, : self.n_pairs], residual, penalty)
            curvature[moving] = weighted[: len(moving), : self.n_pairs]
            moving = self._move(cells, moving, step, residual)
        return SolvedCells(cells, curvature)

    def _move(self, cells: Floats, moving: Rows, step: Floats, residual: Floats) -> Rows:
        """Take a step of each of some rows of ``cells``, in place, and return the rows that are to go on."""
        gain = 0.5 * np.sum(step * residual, axis=1)
        bound = np.sqrt(np.sum(step**2, axis=1)) * np.float32(self.longest)  # Cauchy and Schwarz
        gain, bound, step = (part[: len(moving)] for part in (gain, bound, step))
        # Shorten steps that go too far for Newton's quadratic; whether a cell's does is its own affair.
        far = np.flatnonzero(bound > LARGEST_STEP)
        share = np.ones(len(step), np.float32)
        if len(far):
            reach = np.abs(exact_product(step[far], self.genes.T)).max(axis=1, initial=0)
            share[far] = np.minimum(1, np.float32(LARGEST_STEP) / np.maximum(reach, np.float32(1e-12)))
        cells[moving] += step * share[:, None]
        return moving[(gain > SETTLED) | (share < 1)]


@dataclass(frozen=True)
class SquaredReader:
    """The exact solution of the squared loss; see :class:`scinfill.models.recipe.CellReader`.

    Attributes
    ----------
    offset, genes, ridge, zero_weight, gene_weights, batches
        As in :class:`scinfill.models.factorization.new_cells.FixedFactors`.
    known, half
        (n_genes,) genes that are read, and one half of the genes.
    """

    offset: Floats
    genes: Floats
    ridge: float
    zero_weight: float
    gene_weights: Floats | None
    batches: Floats | None
    known: Mask
    half: Mask

    def halves(self, block: Observations, codes: Codes) -> tuple[Floats, Floats]:
        """Return Z by either half of the known genes; cells without counts stay at 0."""
        return self._solve(block, codes, self.known & self.half), self._solve(block, codes, self.known & ~self.half)

    def whole(self, block: Observations, codes: Codes, halves: tuple[Floats, Floats]) -> Floats:
        """Return Z by all known genes, (n_rows, rank)."""
        del halves
        return self._solve(block, codes, self.known)

    def predictor(self, columns: NDArray[np.intp]) -> Callable[[Floats], Floats]:
        """Return the function from Z to μ + Z·D of some genes."""
        design, offset = round_columns(self.genes[columns].T), self.offset[columns]
        return lambda cells: multiply_rounded(cells, design) + offset

    def _solve(self, block: Observations, codes: Codes, read: Mask) -> Floats:
        offset = self.offset if self.batches is None or codes is None else self.offset + self.batches[codes[0]]
        columns = np.flatnonzero(read)
        if len(columns) < len(read):
            block = block.genes(columns)
        rank = self.genes.shape[1]
        weights = None if self.gene_weights is None else self.gene_weights[columns]
        start = np.zeros((block.shape[0], rank), np.float32)
        factors = Factors(offset[columns], start, self.genes[columns], gene_weights=weights)
        system = SquaredLoss(block, self.zero_weight).cell_system(slice(None), factors)
        cells = solve_packed(system.curvature, system.gradient, np.full(rank, np.float32(self.ridge)))
        cells[np.diff(block.log_values.indptr) == 0] = 0
        return np.asarray(cells, np.float32)


def _filled(rows: Rows) -> Rows:
    """Return rows, the last of them repeated up to a multiple of LANES; none stay none."""
    return np.pad(rows, (0, -len(rows) % LANES), mode="edge") if len(rows) else rows


def _log_exposure(block: Observations) -> Floats:
    """Return the logarithm of size factors, (n_rows,)."""
    return np.log(block.molecules()[1]).astype(np.float32)
