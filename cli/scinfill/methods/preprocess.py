"""Counts → the genes worth looking at, on the scale that both methods work on."""

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from numbers import Real
from typing import Any, get_args

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import InputError
from scinfill.methods import barcodes, fractions, matrices, ownership, provenance, validation
from scinfill.methods.antibodies import take_antibodies
from scinfill.methods.features import expression_only
from scinfill.methods.gene_choice import ByDispersion, choose_like
from scinfill.methods.gene_names import find_genes
from scinfill.methods.measured import drop_unmeasured
from scinfill.methods.saved_model import read_model
from scinfill.methods.settings import check_choice, check_range
from scinfill.methods.slots import to_spmatrix, with_genes, with_unique_names
from scinfill.numerics.filtering import cells_with_gene
from scinfill.numerics.normalization import log2_counts
from scinfill.numerics.sparse import canonical, columns_of, row_sums, rows_of, whole_numbers
from scinfill.schema import (
    COUNTS,
    DEPTH_GENES,
    DISPERSION,
    DISPERSION_NORM,
    LOG1P,
    LOG_BASE,
    MEAN,
    N_CELLS,
    PROTEIN,
    SCALE,
    SIZE_FACTOR,
    TOTAL_COUNTS,
    UNS,
    Preset,
)

log = logging.getLogger(__name__)

COMMAND = "preprocess"
CHOOSING = ("min_counts", "min_cells", "n_genes", "keep_genes", "keep_spike_ins", "spike_ins", "preset")
"""Options that choose genes."""
NO_GENES = np.empty(0, dtype=np.intp)


def preprocess(
    adata: AnnData,
    *,
    layer: str | None = None,
    transpose: bool = False,
    min_counts: int = 3,
    min_cells: int = 4,
    n_genes: int | None = 1000,
    min_total_counts: int | None = None,
    round_counts: bool = False,
    keep_spike_ins: bool = False,
    spike_ins: str | None = None,
    preset: Preset = "recommended",
    unique_names: bool = False,
    keep_genes: Sequence[str] = (),
    proteins: bool = False,
    like: AnnData | None = None,
    seed: int = 0,
) -> AnnData:
    """Filter genes, divide by library size, choose the genes that vary most, take log2(x + 1).

    Parameters
    ----------
    adata
        Raw counts, cells × genes; never changed. Where ``var`` has a column ``feature_types`` (or ``feature_type``,
        ``modality``) that tells several kinds of features apart, only gene expression is used.
    layer
        Layer that holds the counts instead of ``X``. ``"raw"`` is ``adata.raw`` with its own genes, unless a layer has
        that name; what the table knows of its cells goes along, what it knows of its genes where they are the same.
    transpose
        The table has genes in rows.
    min_counts, min_cells
        Keep a gene with at least ``min_counts`` counts in at least ``min_cells`` cells. The papers write
        3 cells; their published data needs 4.
    n_genes
        How many of the kept genes to choose by dispersion; None for all. They stay in their order.
    min_total_counts
        Leave out cells with fewer counts over all genes. None keeps every cell, and refuses a matrix of which most
        barcodes are droplets without a cell; 0 keeps every cell even then, with size factors relative to the
        barcodes that are not nearly empty.
    round_counts
        Make whole numbers of counts that were corrected or estimated (SoupX, decontX, RSEM, salmon, alevin): each
        becomes one of the two whole numbers beside it at random, so that its expectation stays what it was.
    keep_spike_ins
        Treat spike-ins as genes.
    spike_ins
        A regular expression found in the names of spike-ins other than the ERCC mix, which is known by its names.
    preset
        ``"paper"`` follows the papers in everything: it keeps spike-ins.
    unique_names
        Append -1, -2, … to names of cells and genes that stand there before, instead of refusing them.
    keep_genes
        Names of genes to keep beside the chosen ones, whatever their dispersion and however few their counts, spike-ins
        too. Size factors and the choice of the other genes are as without them. A gene without any count is left out:
        nothing could be said of it. Names that are not there are said.
    proteins
        Keep the counts of antibodies (CITE-seq), which ``var["feature_types"]`` or its like tells from genes, in
        ``obsm["protein"]``; what is there already stays where the table has none. Never are they among the genes.
    like
        A model that :func:`scinfill.train_model` or an imputer's ``--save-model`` made: take its genes in its order
        and size factors on its scale, from the genes by whose counts the training told a cell's depth. Genes of the
        model that the table lacks stay absent: a zero would be data. Cells do not depend on one another, and one is
        enough. What chooses genes is refused beside it.
    seed
        Random seed of ``round_counts``.

    Returns
    -------
    A new table of the chosen genes, with

    ``X``
        float32 CSR, log2(1 + counts / size_factor).
    ``layers["counts"]``
        CSR integers.
    ``obs["total_counts"]``, ``obs["size_factor"]``
        Library size over the kept genes, and that over its median. An empty cell keeps its row; nothing is
        known of its depth, so its size factor is 1.
    ``var["n_cells"]``, ``var["mean"]``, ``var["dispersion"]``, ``var["dispersion_norm"]``
        Cells with the gene; mean, variance / mean and the score of the choice, before the logarithm. The score is
        missing where a gene took no part in the choice (``keep_genes``).
    ``obsm["protein"]``
        With ``proteins``: a frame of cells × antibodies, counts; hashtags are left out.
    ``uns["log1p"]``
        The base, for scanpy.

    A layer ``counts`` and a column ``size_factor`` of the input's own are replaced, which is said: later steps read
    them. Its other columns stay, and ours stand beside them with ``scinfill_`` before the name.

    Raises
    ------
    InputError
        There is no such layer, or none of ``keep_genes``, or settings that cannot be.
    DataError
        Not counts, an empty table, droplets without cells, names that repeat, genes in rows (told from the names),
        no gene expression, no gene left, or no antibodies where they were asked for.

    Examples
    --------
    >>> import numpy as np, anndata, scinfill
    >>> counts = np.random.default_rng(0).poisson(5, size=(20, 50))
    >>> scinfill.preprocess(anndata.AnnData(counts), n_genes=10).shape
    (20, 10)
    """
    check_choice("preset", preset, get_args(Preset))
    _check_n_genes(n_genes)
    for name, least in (("min_counts", min_counts), ("min_cells", min_cells), ("min_total_counts", min_total_counts)):
        check_range(name, least, lowest=0)
    parameters: dict[str, Any] = {
        "layer": layer,
        "transpose": transpose,
        "min_counts": min_counts,
        "min_cells": min_cells,
        "n_genes": n_genes,
        "min_total_counts": min_total_counts,
        "round_counts": round_counts,
        "keep_spike_ins": keep_spike_ins,
        "spike_ins": spike_ins,
        "preset": preset,
        "unique_names": unique_names,
        "keep_genes": list(keep_genes),
        "proteins": proteins,
        "like": None,
    }
    model = None
    if like is not None:
        _check_chooses_nothing(parameters)
        model = read_model(like)
        parameters["like"] = model.identity
    pattern = _pattern(spike_ins, keep=keep_spike_ins or preset == "paper")
    validation.check_in_memory(adata)
    remedy = partial(matrices.counts_option, adata, layer)
    adata, counts_layer, slot = matrices.source(adata, layer)
    if transpose:
        adata = adata.T
    beside = None
    if proteins:
        beside = take_antibodies(adata, counts_layer, slot=slot, remedy=remedy, round_counts=round_counts, seed=seed)
    adata = drop_unmeasured(expression_only(adata, proteins=proteins))
    if unique_names:
        adata = with_unique_names(adata)
    validation.check_table(adata, transposed=transpose, fewest_cells=2 if model is None else 1)
    wanted = find_genes(keep_genes, adata.var, parameter="keep_genes") if len(keep_genes) else NO_GENES
    values = validation.counts(
        adata, counts_layer, fractions=round_counts, log2_instead=model is None, slot=slot, remedy=remedy
    )
    input_sha256 = provenance.sha256(values)
    counts = fractions.rounded(values, seed) if round_counts else values
    totals = row_sums(counts)
    fractions.say_same_total(totals, slot)
    cells = barcodes.to_keep(totals, min_total_counts)
    if cells is not None:
        counts, totals = rows_of(counts, cells), totals[cells]
    if model is None:
        by_dispersion = ByDispersion(min_counts, min_cells, n_genes, keep_spike_ins or preset == "paper", pattern)
        choice = by_dispersion.choose(adata, counts, totals, wanted)
    else:
        choice = choose_like(adata, counts, model)
    size_factor, chosen = choice.size_factor, choice.genes
    selected = canonical(whole_numbers(columns_of(counts, chosen)))  # a model's order is its own

    _say_replaced(adata, layer)
    result = with_genes(adata, chosen, without=frozenset({COUNTS}), cells=cells)
    result.X = to_spmatrix(log2_counts(selected, size_factor))
    result.layers[COUNTS] = to_spmatrix(selected)
    _put_beside(
        result,
        obs={TOTAL_COUNTS: choice.total_counts},
        var={
            N_CELLS: cells_with_gene(selected),
            MEAN: choice.moments.mean[chosen],
            DISPERSION: choice.moments.dispersion[chosen],
            DISPERSION_NORM: choice.scores.reindex(chosen).to_numpy(),
        },
    )
    result.obs[SIZE_FACTOR] = size_factor
    if beside is not None:
        result.obsm[PROTEIN] = (beside if cells is None else beside.iloc[cells]).set_axis(result.obs_names)
    result.uns[LOG1P] = {"base": LOG_BASE}
    provenance.sign(
        result,
        command=COMMAND,
        parameters=parameters,
        seed=seed,
        input_sha256=input_sha256,
        scale=SCALE,
    )
    result.uns[UNS] = dict(result.uns[UNS]) | {
        DEPTH_GENES: {
            "genes": np.asarray(choice.depth_genes.names.astype(str), dtype=object),
            "mean": choice.depth_genes.mean,
        }
    }
    return result


def _check_chooses_nothing(parameters: Mapping[str, Any]) -> None:
    """Refuse what chooses genes beside a model, whose genes are chosen."""
    defaults = signature(preprocess).parameters
    for name in CHOOSING:
        if parameters[name] != (list(defaults[name].default) if name == "keep_genes" else defaults[name].default):
            raise InputError(f"`{name}` chooses genes, and `like` takes those of the model; leave one of them out")


def _check_n_genes(n_genes: int | None) -> None:
    if n_genes is not None and not (isinstance(n_genes, Real) and n_genes >= 1):  # "all" is what the command line takes
        raise InputError(f"`n_genes` must be 1 or more, or None for all; it is {n_genes!r}")


def _pattern(spike_ins: str | None, *, keep: bool) -> re.Pattern[str] | None:
    """Return the user's pattern, ready for use."""
    if spike_ins is None:
        return None
    if not spike_ins:
        raise InputError("`spike_ins=''` is found in every name; name spike-ins by a pattern such as '^SIRV'")
    if keep:
        raise InputError("`spike_ins` names what to leave out; leave out `keep_spike_ins=True` and `preset='paper'`")
    try:
        return re.compile(spike_ins)
    except re.error as error:
        raise InputError(f"`spike_ins={spike_ins!r}` is no regular expression: {error}") from error


def _say_replaced(adata: AnnData, layer: str | None) -> None:
    """Say what of the input's is replaced because later steps read it; a layer that was read is merely filtered."""
    layers = () if layer == COUNTS else (COUNTS,)
    ownership.say_replaced(adata, {"obs": (SIZE_FACTOR,), "layers": layers}, by=(COMMAND,))


def _put_beside(result: AnnData, **columns: dict[str, NDArray[Any]]) -> None:
    """Add columns to ``obs`` and ``var``, beside those of the user's that have these names."""
    ours = ownership.is_written_by(result, COMMAND)
    renamed = {}
    for slot, values in columns.items():
        frame = getattr(result, slot)
        for plain, column in values.items():
            name = ownership.column_name(frame.columns, plain, ours=ours)
            frame[name] = column
            if name != plain:
                renamed[f"{slot}[{plain!r}]"] = f"{slot}[{name!r}]"
    ownership.say_beside(renamed)
