"""deepMc as published: Y = M ∘ X, X = Z·D_L ⋯ D_1, linear, without offsets, ridge or zeros.

The papers write genes × cells and X = D_1 ⋯ D_L·Z; this is the transpose. Each block is updated by a
Landweber step B = X + (1/α)·M ∘ (Y − X) and the least-squares solution against B. B is a product of thin
factors plus a sparse matrix, so no cells × genes array exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.observations import Observations
from scinfill.models.requirements import BLOCKS, DOUBLE
from scinfill.numerics.blocks import row_slices
from scinfill.numerics.decomposition import OVERSAMPLING, truncated_svd
from scinfill.resume import resumable

Doubles = NDArray[np.float64]

RELATIVE_CUTOFF = 1e-8
"""With decreasing ranks the products are exactly rank-deficient: a cut-off near machine epsilon diverges."""


@dataclass(frozen=True)
class Chain:
    """X = factors[0] · factors[1] ⋯ factors[-1], that is Z, D_L, …, D_1; (n_cells, r_L) … (r_1, n_genes)."""

    factors: tuple[Doubles, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        return len(self.factors[0]), self.factors[-1].shape[1]

    def block(self, rows: slice) -> NDArray[np.float32]:
        """Return (n_rows, n_genes) log2 values, not clipped."""
        return (self.factors[0][rows] @ _product(self.factors[1:])).astype(np.float32)

    def at(self, pattern: csr_array) -> Doubles:
        """Return X at the stored entries of ``pattern``, in their order."""
        genes = _product(self.factors[1:]).T
        values = np.empty(pattern.nnz)
        for rows in row_slices(*self.shape):
            entries = slice(pattern.indptr[rows.start], pattern.indptr[rows.stop])
            block = self.factors[0][rows] @ genes.T
            row = np.repeat(np.arange(len(block)), np.diff(pattern.indptr[rows.start : rows.stop + 1]))
            values[entries] = block[row, pattern.indices[entries]]
        return values

    def two_factors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return Z, (n_cells, r_L), and (D_L ⋯ D_1)ᵀ, (n_genes, r_L)."""
        return self.factors[0].astype(np.float32), _product(self.factors[1:]).T.astype(np.float32)

    def replace_factor(self, position: int, factor: Doubles) -> "Chain":
        """Return the chain with one factor exchanged."""
        return Chain((*self.factors[:position], factor, *self.factors[position + 1 :]))


@dataclass(frozen=True)
class PaperFactorization:
    """deepMc with 1 to 3 layers.

    Attributes
    ----------
    ranks
        r_1 … r_L, one a layer; their number is the depth. The product has rank min(ranks), so depth changes
        the path of the optimisation, not the model.
    alpha
        At least the largest eigenvalue of MᵀM, which is 1.
    n_iterations
        Sweeps over all blocks; the authors' code does 15. More overfit.
    """

    ranks: Sequence[int]
    alpha: float = 1.1
    n_iterations: int = 15
    loss: Literal["squared"] = "squared"

    def memory_for(self, data: Observations) -> int:
        """Return the bytes of the sparse part of B, and of factors in double precision."""
        thin = 4 * sum(data.shape) * (max(self.ranks) + OVERSAMPLING)
        return (3 * data.log_values.nnz + thin) * DOUBLE + BLOCKS

    def fit(self, data: Observations, *, rng: np.random.Generator, held_out: csr_array | None = None) -> Chain:
        """Fit the non-zeros of ``data``; whatever is held out must be zero there."""
        del held_out  # a zero is not seen, so it takes no part
        start = random_chain(data.shape, self.ranks, rng)

        def sweep(chain: Chain, _number: int) -> Chain:
            # Update D_1, then D_2, …, and Z last; B is majorised anew before each.
            for position in reversed(range(len(chain.factors))):
                updated = Majorised(chain, data.log_values, self.alpha).solve(position)
                if position > 0 and len(self.ranks) > 1:
                    updated = unit_rows(updated)
                chain = chain.replace_factor(position, updated)
            return chain

        chain: Chain = resumable("chain", start, sweep, self.n_iterations, label="deepMc")
        return chain


class Majorised:
    """B = X + (1/α)·M ∘ (Y − X) around a chain, as products only."""

    def __init__(self, chain: Chain, observed: csr_array, alpha: float) -> None:
        self.chain = chain
        step = (observed.data - chain.at(observed)) / alpha
        self.step = csr_array((step, observed.indices, observed.indptr), shape=observed.shape)

    def solve(self, position: int) -> Doubles:
        """Return the factor that minimises ‖B − X‖ with all others fixed.

        Factor D_l between A (before) and C (after) is A⁺·B·C⁺; Z has nothing before it, D_1 nothing after.
        """
        before, after = self.chain.factors[:position], self.chain.factors[position + 1 :]
        if not before:
            return self.times(pseudo_inverse(_product(after)))
        left = pseudo_inverse(_product(before))
        if not after:
            return self.transposed_times(left.T).T
        return left @ self.times(pseudo_inverse(_product(after)))

    def times(self, genes: Doubles) -> Doubles:
        """Return B·G for a thin G, (n_genes, k)."""
        return self.chain.factors[0] @ (_product(self.chain.factors[1:]) @ genes) + self.step @ genes

    def transposed_times(self, cells: Doubles) -> Doubles:
        """Return Bᵀ·C for a thin C, (n_cells, k)."""
        return _product(self.chain.factors[1:]).T @ (self.chain.factors[0].T @ cells) + self.step.T @ cells


def random_chain(shape: tuple[int, int], ranks: Sequence[int], rng: np.random.Generator) -> Chain:
    """Start from successive SVDs of a N(0, 1) matrix: D_1 = left vectors, the rest S·Vᵀ is decomposed again.

    The rest has orthogonal rows already, so every later D is a slice of the identity. The matrix is drawn
    anew, a block of rows at a time, for each product.
    """
    seed = int(rng.integers(2**63))

    def noise(rows: slice) -> NDArray[np.float32]:
        generator = np.random.default_rng([seed, rows.start])
        return generator.standard_normal((rows.stop - rows.start, shape[1]), dtype=np.float32)

    blocks = row_slices(*shape)
    cells, singular, genes = truncated_svd(
        lambda thin: np.concatenate([noise(rows) @ thin for rows in blocks]),
        lambda thin: reduce(np.add, (noise(rows).T @ thin[rows] for rows in blocks)),
        shape,
        ranks[0],
        rng=rng,
        n_iterations=2,
    )
    inner = [np.eye(after, before) for before, after in pairwise(ranks)]
    codes = (cells * singular)[:, : ranks[-1]].astype(np.float64)
    return Chain((codes, *reversed(inner), genes.astype(np.float64)))


def unit_rows(factor: Doubles) -> Doubles:
    """Scale every row of D to length 1 (a column in the papers' orientation); a zero row stays zero."""
    lengths = np.linalg.norm(factor, axis=1, keepdims=True)
    scaled: Doubles = factor / np.where(lengths > 0, lengths, 1)
    return scaled


def pseudo_inverse(matrix: Doubles) -> Doubles:
    """Return the pseudo-inverse with the relative cut-off."""
    return np.asarray(np.linalg.pinv(matrix, rcond=RELATIVE_CUTOFF), dtype=np.float64)


def _product(factors: Sequence[Doubles]) -> Doubles:
    return reduce(np.matmul, factors)
