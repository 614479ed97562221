"""How well a fixed model knows a cell: how it predicts each half of the genes from the other half.

A cell of a type that the training never saw has counts that no Z explains; genes that took part in finding Z hide that,
genes that did not show it. With half of them left out at a time every gene is asked once, and the two solutions
together cost as much as one with all genes. Only genes with an open gate count: the others are predicted by their mean,
and add noise. The deviance is that of a negative binomial around the gated prediction,
with each gene's dispersion among the training cells (squared loss: squared differences over their variance there), so
that a few variable genes do not drown the others. Its logarithm follows the cell's depth smoothly, by which it is put
on one scale: 0 is a training cell as they are on average, -3 is known three of their standard deviations less well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.batch_effect import BatchEffect
from scinfill.models.cell_blocks import cell_blocks, rows_of_block
from scinfill.models.estimate.values import GatedModel
from scinfill.models.observations import Observations, padded
from scinfill.models.recipe import CellReader, FixedModel
from scinfill.numerics.parallel import map_in_order
from scinfill.numerics.sparse import row_of_entry, row_sums

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_OPEN = 20
"""Genes with an open gate below which all genes are asked, and below which the known ones tell nothing."""
LEAST_DISPERSION = 1e-3
LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class GatedReader:
    """A fixed model with its gate, which reads blocks of cells by some genes.

    Attributes
    ----------
    fixed
        The model.
    gated
        Base, gain and scale; its prediction, groups and batches belong to other cells and are not used.
    offsets
        (n_batches, n_genes) β; None without batches.
    known, half
        (n_genes,) genes that are read, and one half of the genes.
    """

    fixed: FixedModel
    gated: GatedModel
    offsets: Floats | None
    known: Mask
    half: Mask

    @cached_property
    def cells(self) -> CellReader:
        """Read cells by the model."""
        return self.fixed.reader(self.known, self.half)

    def telling_genes(self) -> Mask:
        """Return genes with an open gate, (n_genes,), whose prediction can be wrong; where they are few, all genes."""
        is_open = self.gated.gain > 0
        return is_open if is_open.sum() >= FEWEST_OPEN else np.ones_like(is_open)

    def expectation(self, genes: Mask) -> "Expectation":
        """Return what tells the expected values of some genes, (n_genes,)."""
        columns = np.flatnonzero(genes)
        scale = self.gated.rate_scale
        gated = replace(
            self.gated,
            base=self.gated.base[columns],
            gain=self.gated.gain[columns],
            rate_scale=None if scale is None else scale[columns],
            local=None,
            batches=None,
        )
        offsets = None if self.offsets is None else self.offsets[:, columns]
        return Expectation(columns, self.cells.predictor(columns), gated, offsets)


@dataclass(frozen=True)
class Expectation:
    """What a gated model expects of some genes in cells that were read.

    Attributes
    ----------
    columns
        (n_columns,) the genes.
    predict
        From what was made of cells to the model's values of these genes, (n_rows, n_columns).
    gated
        Base, gain and scale of these genes.
    offsets
        (n_batches, n_columns) β; None without batches.
    """

    columns: NDArray[np.intp]
    predict: Callable[[Any], Floats]
    gated: GatedModel
    offsets: Floats | None

    def of(self, state: Any, block: Observations, codes: NDArray[np.intp] | None) -> Floats:  # noqa: ANN401 - the model's
        """Return (n_rows, n_columns) expected counts (Poisson loss) or log2 values (squared)."""
        values, effect, loss = self.predict(state), None, self.gated.loss
        if self.offsets is not None and codes is not None:
            effect = BatchEffect(np.repeat(codes[:1], len(values)), self.offsets, loss)
        gated = replace(self.gated, prediction=_Known(values), batches=effect)
        if loss == "squared":
            return replace(gated, rate_scale=None).block(slice(None))
        rate = gated.rate(slice(None))
        rate *= block.molecules()[1][:, None].astype(np.float32)
        return rate

    def seen(self, matrix: csr_array) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """Return row, column among these genes, and value of the stored entries of a block that are of these genes."""
        place = np.full(matrix.shape[1], -1)
        place[self.columns] = np.arange(len(self.columns))
        column = place[matrix.indices]
        kept = np.flatnonzero(column >= 0)
        return row_of_entry(matrix.indptr)[kept], column[kept], matrix.data[kept]


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
        """Return the values themselves: whoever asks changes them, once."""
        return self.values[rows]


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


class HalfDeviance:
    """The mean deviance of cells' genes, each half predicted from the other.

    Parameters
    ----------
    reader
        The model.
    dispersion
        (n_genes,) as in :class:`FitScale`.
    """

    def __init__(self, reader: GatedReader, dispersion: Floats) -> None:
        telling = reader.telling_genes()
        fewest, telling = min(FEWEST_OPEN, int(telling.sum())), telling & reader.known
        # What is read of one half is asked of the other.
        self.asked = [reader.expectation(telling & tested) for tested in (~reader.half, reader.half)]
        self.dispersion = dispersion
        self.n_telling = int(telling.sum()) if telling.sum() >= max(1, fewest) else 0
        self.deviance = _count_deviance if reader.fixed.loss == "poisson" else _value_deviance

    def of(self, halves: tuple[Any, Any], block: Observations, codes: NDArray[np.intp] | None) -> Doubles:
        """Return (n_rows,) mean deviances of cells of which either half of the genes made ``halves``.

        They are not a number where fewer than FEWEST_OPEN genes that tell it are known, unless the model has no more:
        a mean over a few genes lies on another scale than one over all.
        """
        if not self.n_telling:
            return np.full(block.shape[0], np.nan)
        parts = zip(self.asked, halves, strict=True)
        total = sum(
            self.deviance(block, asked, asked.of(state, block, codes), self.dispersion) for asked, state in parts
        )
        return np.asarray(total / self.n_telling, np.float64)


def depth_of(data: Observations) -> Doubles:
    """Return (n_cells,) the log of the size factor, or without counts of the total; minus infinity for empty cells."""
    totals = row_sums(data.log_values)
    with np.errstate(divide="ignore"):
        return np.where(totals > 0, np.log(totals if data.size_factor is None else data.size_factor), -np.inf)


def learn_fit_scale(
    reference: Sequence[tuple[GatedReader, NDArray[np.intp]]], data: Observations, codes: NDArray[np.intp] | None
) -> FitScale:
    """Learn how large the deviance of a known cell is.

    Parameters
    ----------
    reference
        Models with their gate that read all genes, and the rows of the cells that each reads.
    data
        (n_cells, n_genes) training cells.
    codes
        (n_cells,) batches; None without.
    """
    n_genes, is_counts = data.shape[1], reference[0][0].fixed.loss == "poisson"
    n_rows = rows_of_block(n_genes)
    blocks = [
        (number, cells[rows])
        for number, (_, cells) in enumerate(reference)
        for rows in cell_blocks((len(cells), n_genes), None if codes is None else codes[cells])
    ]

    def read(part: tuple[int, NDArray[np.intp]]) -> tuple[Observations, NDArray[np.intp] | None, tuple[Any, Any]]:
        number, rows = part
        block, some = padded(data, rows, n_rows), None if codes is None else codes[rows]
        return block, some, reference[number][0].cells.halves(block, some)

    everything = [[reader.expectation(tested) for tested in (~reader.half, reader.half)] for reader, _ in reference]

    def moments(part: tuple[int, NDArray[np.intp]]) -> Doubles:
        block, some, halves = read(part)
        sums, n_cells = np.zeros((3, n_genes)), len(part[1])
        truth = (block.molecules()[0] if is_counts else block.log_values).toarray()[:n_cells]
        for asked, state in zip(everything[part[0]], halves, strict=True):
            expected = asked.of(state, block, some)[:n_cells]
            squares = np.sum((truth[:, asked.columns] - expected) ** 2, axis=0, dtype=np.float64)
            sums[:, asked.columns] = (
                squares,
                np.sum(expected, axis=0, dtype=np.float64),
                np.sum(expected**2, axis=0, dtype=np.float64),
            )
        return sums

    squares, sums, sums_of_squares = sum(map_in_order(moments, blocks), np.zeros((3, n_genes)))
    if is_counts:
        dispersion = (squares - sums) / np.maximum(sums_of_squares, 1e-12)
    else:
        dispersion = squares / max(1, sum(len(rows) for _, rows in blocks))
    dispersion = np.maximum(dispersion, LEAST_DISPERSION).astype(np.float32)
    deviances = [HalfDeviance(reader, dispersion) for reader, _ in reference]

    def deviance(part: tuple[int, NDArray[np.intp]]) -> Doubles:
        block, some, halves = read(part)
        return deviances[part[0]].of(halves, block, some)[: len(part[1])]

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


def _count_deviance(block: Observations, asked: Expectation, expected: Floats, dispersion: Floats) -> Doubles:
    """Sum the negative binomial deviances of every cell: that of a zero everywhere, and the rest where counts are.

    2·[C·log(C/λ) − (C + r)·log((C + r)/(λ + r))] with r = 1/φ; for C = 0 it is 2·r·log(1 + φλ).
    """
    size = 1 / dispersion[asked.columns]
    row, column, seen = asked.seen(block.molecules()[0])
    rate, r = np.maximum(expected[row, column], np.float32(1e-9)), size[column]
    log_excess = np.multiply(expected, dispersion[asked.columns], out=expected)
    log_excess += 1
    np.log(log_excess, out=log_excess)
    at_counts = seen * np.log(seen / rate) - (seen + r) * np.log((seen + r) / (rate + r)) - r * log_excess[row, column]
    log_excess *= 2 * size
    return np.sum(log_excess, axis=1, dtype=np.float64) + np.bincount(row, 2 * at_counts, len(expected))


def _value_deviance(block: Observations, asked: Expectation, expected: Floats, dispersion: Floats) -> Doubles:
    """Sum the squared differences of every cell over the genes' variances."""
    difference = block.log_values.toarray()[:, asked.columns] - expected
    return np.sum(difference**2 / dispersion[asked.columns], axis=1, dtype=np.float64)
