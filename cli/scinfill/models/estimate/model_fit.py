"""How well a fixed model knows a cell: how it predicts each half of the genes from the other half.

A cell of a type that the training never saw has counts that no Z explains; genes that took part in finding Z hide that,
genes that did not show it. With half of them left out at a time every gene is asked once, and the two solutions
together cost as much as one with all genes. Only genes with an open gate count: the others are predicted by their mean,
and add noise. The deviance is that of a negative binomial around the gated prediction,
with each gene's dispersion among the training cells (squared loss: squared differences over their variance there), so
that a few variable genes do not drown the others. Its logarithm follows the cell's depth smoothly, by which it is put
on one scale: 0 is a training cell as they are on average, -3 is known three of their standard deviations less well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scinfill.models.batch_effect import BatchEffect
from scinfill.models.estimate.values import GatedModel
from scinfill.models.observations import Observations, padded
from scinfill.models.recipe import FixedModel
from scinfill.models.requirements import SINGLE
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import row_of_entry, row_sums

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLOCK_BYTES = 2 * 2**20
ROWS = (32, 512)
"""Cells that are read together: about BLOCK_BYTES of them, at least and at most."""
FEWEST_OPEN = 20
"""Genes with an open gate below which all genes are asked, and below which the known ones tell nothing."""
LEAST_DISPERSION = 1e-3
LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Reader:
    """A fixed model with its gate: expected values of cells from some of their genes.

    Attributes
    ----------
    fixed
        Which reads cells.
    gated
        Base, gain and scale; its prediction, groups and batches belong to other cells and are not used.
    offsets
        (n_batches, n_genes) β; None without batches.
    """

    fixed: FixedModel
    gated: GatedModel
    offsets: Floats | None = None

    def telling_genes(self) -> Mask:
        """Return genes with an open gate, (n_genes,), whose prediction can be wrong; where they are few, all genes."""
        is_open = self.gated.gain > 0
        return is_open if is_open.sum() >= FEWEST_OPEN else np.ones_like(is_open)

    def expected(self, block: Observations, state: Floats, codes: NDArray[np.intp] | None) -> Floats:
        """Return (n_rows, n_genes) expected counts (Poisson loss) or log2 values (squared)."""
        effect = None
        if self.offsets is not None and codes is not None:
            effect = BatchEffect(np.repeat(codes[:1], len(state)), self.offsets, self.fixed.loss)
        gated = replace(self.gated, prediction=_Known(self.fixed.values(state)), local=None, batches=effect)
        if self.fixed.loss == "squared":
            return replace(gated, rate_scale=None).block(slice(None))
        rate = gated.rate(slice(None))
        rate *= block.molecules()[1][:, None].astype(np.float32)
        return rate


@dataclass(frozen=True)
class _Known:
    """A prediction whose values are there."""

    values: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(n_cells, n_genes)."""
        n_rows, n_genes = self.values.shape
        return n_rows, n_genes

    def block(self, rows: slice) -> Floats:
        """Return a copy: whoever asks changes it."""
        return self.values[rows].copy()


@dataclass(frozen=True)
class FitScale:
    """What a cell's deviance is compared with.

    Attributes
    ----------
    dispersion
        (n_genes,) φ of the variance λ + φλ² among training cells (Poisson loss), or the variance (squared).
    coefficients
        Of 1, depth and its square in the expected logarithm of the mean deviance.
    spread
        Standard deviation of what is left of it among training cells.
    depths
        Least and largest depth of training cells; others are taken for these.
    """

    dispersion: Floats
    coefficients: Doubles
    spread: float
    depths: tuple[float, float]

    def standardise(self, deviance: Doubles, depth: Doubles) -> Doubles:
        """Return (n_cells,) how well cells are known, from mean deviances; not a number where there is none."""
        with np.errstate(invalid="ignore"):
            expected = _powers(np.clip(depth, *self.depths)) @ self.coefficients
            return -(np.log(np.maximum(deviance, 1e-9)) - expected) / self.spread


def halves_of(mean: Floats) -> Mask:
    """Return one half of the genes, (n_genes,): every second in the order of their means."""
    half = np.zeros(len(mean), np.bool_)
    half[np.argsort(mean, kind="stable")[::2]] = True
    return half


def rows_of_block(n_genes: int) -> int:
    """Return how many cells are read together: always as many, so that small systems are solved alike everywhere."""
    return int(np.clip(BLOCK_BYTES // (SINGLE * n_genes), *ROWS))


def cell_blocks(shape: tuple[int, int], codes: NDArray[np.intp] | None) -> list[NDArray[np.intp]]:
    """Return the rows of blocks of cells that are read together, each of one batch."""
    n_rows = rows_of_block(shape[1])
    members = [np.arange(shape[0])] if codes is None else [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return [rows[start : start + n_rows] for rows in members for start in range(0, len(rows), n_rows)]


def deviance_of_block(
    reader: Reader,
    block: Observations,
    known: Mask,
    codes: NDArray[np.intp] | None,
    *,
    half: Mask,
    dispersion: Floats,
) -> tuple[Doubles, list[Floats]]:
    """Return the mean deviance of each cell's genes, (n_rows,), and what was made of it by either half.

    It is not a number where fewer than FEWEST_OPEN genes that tell it are known, unless the model has no more: a mean
    over a few genes lies on another scale than one over all.
    """
    total, telling = np.zeros(block.shape[0]), reader.telling_genes()
    fewest, telling = min(FEWEST_OPEN, int(telling.sum())), telling & known
    states: list[Floats] = []
    for tested in (half, ~half):
        # Where one half led to, the other starts from; where it arrives is its own.
        state = reader.fixed.read(block, known & ~tested, codes, states[-1] if states else None)
        expected = reader.expected(block, state, codes)
        asked = (telling & tested).astype(np.float32)
        deviance = _count_deviance if reader.fixed.loss == "poisson" else _value_deviance
        total += deviance(block, expected, dispersion, asked)
        states.append(state)
    n_telling = int(telling.sum())
    return total / n_telling if n_telling >= max(1, fewest) else np.full(len(total), np.nan), states


def depth_of(data: Observations) -> Doubles:
    """Return (n_cells,) the log of the size factor, or without counts of the total; minus infinity for empty cells."""
    totals = row_sums(data.log_values)
    with np.errstate(divide="ignore"):
        return np.where(totals > 0, np.log(totals if data.size_factor is None else data.size_factor), -np.inf)


def learn_fit_scale(
    reference: Sequence[tuple[Reader, NDArray[np.intp]]], data: Observations, half: Mask, codes: NDArray[np.intp] | None
) -> FitScale:
    """Learn how large the deviance of a known cell is.

    Parameters
    ----------
    reference
        Models with their gate, and the rows of the cells that each reads.
    data
        (n_cells, n_genes) training cells.
    half
        (n_genes,) one half of the genes.
    codes
        (n_cells,) batches; None without.
    """
    everything = np.ones(data.shape[1], np.bool_)
    n_rows, is_counts = rows_of_block(data.shape[1]), reference[0][0].fixed.loss == "poisson"
    blocks = [
        (reader, cells[rows])
        for reader, cells in reference
        for rows in cell_blocks((len(cells), data.shape[1]), None if codes is None else codes[cells])
    ]

    def moments(part: tuple[Reader, NDArray[np.intp]]) -> Doubles:
        reader, rows = part
        block, some = padded(data, rows, n_rows), None if codes is None else codes[rows]
        sums = np.zeros((3, data.shape[1]))
        for tested in (half, ~half):
            expected = reader.expected(block, reader.fixed.read(block, everything & ~tested, some), some)[: len(rows)]
            seen = block.molecules()[0] if is_counts else block.log_values
            truth = seen.toarray()[: len(rows)]
            squares = np.sum((truth - expected) ** 2, axis=0, dtype=np.float64)
            parts = squares, np.sum(expected, axis=0, dtype=np.float64), np.sum(expected**2, axis=0, dtype=np.float64)
            sums += np.stack(parts) * tested
        return sums

    squares, sums, sums_of_squares = sum(map_in_order(moments, blocks), np.zeros((3, data.shape[1])))
    if is_counts:
        dispersion = (squares - sums) / np.maximum(sums_of_squares, 1e-12)
    else:
        dispersion = squares / max(1, sum(len(rows) for _, rows in blocks))
    dispersion = np.maximum(dispersion, LEAST_DISPERSION).astype(np.float32)

    def deviance(part: tuple[Reader, NDArray[np.intp]]) -> Doubles:
        reader, rows = part
        some = None if codes is None else codes[rows]
        found, _ = deviance_of_block(
            reader, padded(data, rows, n_rows), everything, some, half=half, dispersion=dispersion
        )
        return found[: len(rows)]

    found, order = np.concatenate(list(map_in_order(deviance, blocks))), np.concatenate([rows for _, rows in blocks])
    return _fit_scale(dispersion, found, depth_of(data)[order])


def _fit_scale(dispersion: Floats, deviance: Doubles, depth: Doubles) -> FitScale:
    usable = np.isfinite(depth)
    if not usable.any():
        return FitScale(dispersion, np.zeros(3), 1.0, (0.0, 0.0))
    depths, logs = depth[usable], np.log(np.maximum(deviance[usable], 1e-9))
    coefficients, *_ = np.linalg.lstsq(_powers(depths), logs, rcond=None)
    spread = max(float(np.std(logs - _powers(depths) @ coefficients)), LEAST_SPREAD)
    return FitScale(dispersion, coefficients.astype(np.float64), spread, (float(depths.min()), float(depths.max())))


def _powers(depth: Doubles) -> Doubles:
    return np.stack([np.ones_like(depth), depth, depth**2], axis=-1)


def _count_deviance(block: Observations, expected: Floats, dispersion: Floats, asked: Floats) -> Doubles:
    """Sum the negative binomial deviances of every cell: that of a zero everywhere, and the rest where counts are.

    2·[C·log(C/λ) − (C + r)·log((C + r)/(λ + r))] with r = 1/φ; for C = 0 it is 2·r·log(1 + φλ).
    """
    counts, _ = block.molecules()
    size = 1 / dispersion
    log_excess = np.log(1 + expected * dispersion)
    of_zeros = np.sum(log_excess * (2 * size * asked), axis=1, dtype=np.float64)
    row, column, seen = row_of_entry(counts.indptr), counts.indices, counts.data
    rate, r = np.maximum(expected[row, column], np.float32(1e-9)), size[column]
    at_counts = seen * np.log(seen / rate) - (seen + r) * np.log((seen + r) / (rate + r)) - r * log_excess[row, column]
    return of_zeros + np.bincount(row, 2 * at_counts * asked[column], len(expected))


def _value_deviance(block: Observations, expected: Floats, dispersion: Floats, asked: Floats) -> Doubles:
    """Sum the squared differences of every cell over the genes' variances."""
    difference = block.log_values.toarray() - expected
    return np.sum(difference**2 * (asked / dispersion), axis=1, dtype=np.float64)


def guess_from(states: Sequence[Floats]) -> Floats:
    """Return the mean of what either half of the genes makes of cells, from where all genes go on."""
    return np.asarray(sum(states) / np.float32(len(states)), np.float32)
