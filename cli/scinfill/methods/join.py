"""Several tables as one, cell under cell."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, get_args

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from scinfill.errors import DataError, InputError, ScinfillError
from scinfill.methods import matrices, provenance, validation
from scinfill.methods.common_genes import choose_genes, find_measured, say_not_measured
from scinfill.methods.common_slots import Tables, merge_cells, merge_genes, say_left_out
from scinfill.methods.one_scale import Sample, check_one_scale
from scinfill.methods.samples import samples_of_cells, unique_cell_names
from scinfill.methods.slots import to_spmatrix, with_unique_names
from scinfill.numerics.stacking import stack_rows
from scinfill.numerics.survey import survey
from scinfill.schema import (
    BATCH_OFFSETS,
    BATCHES,
    CELL_FACTORS,
    CELL_GROUPS,
    GENE_FACTORS,
    GROUP_FACTORS,
    IMPUTED,
    IMPUTED_SD,
    MEASURED,
    MODEL,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    UNS,
    CountsKind,
    JoinedGenes,
)

log = logging.getLogger(__name__)

COMMAND = "join"
COLUMNS_OF_FACTORS = (MODEL_OFFSET, MODEL_BASE, MODEL_GAIN, MODEL_SCALE, OBSERVED_WEIGHT)
"""Of ``var``: what values are rebuilt from beside factors."""


def join(
    tables: Mapping[str, AnnData],
    *,
    batch: str = "sample",
    genes: JoinedGenes = "common",
    layer: str | None = None,
    transpose: bool = False,
    unique_names: bool = False,
    counts_kind: CountsKind | None = None,
) -> AnnData:
    """Return the cells of several tables as one table; :func:`scinfill.split` takes it apart again.

    Join raw counts, preprocess them together and impute them together: what is chosen and measured for each table
    apart (genes, size factors, imputed values) is not on one scale.

    Parameters
    ----------
    tables
        By the names of the samples; never changed.
    batch
        Column of ``obs`` that receives the name of each cell's sample. Where tables have it already, as those have that
        were joined before, their own values stay, if no two tables share any.
    genes
        ``"common"``: those that all tables have. ``"all"``: those that any has; where a sample did not measure a gene
        there is a zero, and ``varm["measured"]`` says so. By this :func:`scinfill.preprocess` leaves out genes that
        were not measured everywhere, and :func:`scinfill.split` gives each sample its own genes back.
    layer
        Layer that holds the counts instead of ``X`` in every table; ``"raw"`` is ``adata.raw`` with its own genes. It
        becomes ``X``.
    transpose
        The tables have genes in rows.
    unique_names
        Append -1, -2, … to names of cells and genes that stand there before in a table, instead of refusing them.
    counts_kind
        What the counts of all tables are: molecules (``"umi"``) or ``"reads"``; None to tell it from each.

    Returns
    -------
    A new table, its cells in the order of the tables, its genes in that of the first. Where two tables have a cell of
    one name, the name of the sample is put behind that of every cell. It holds

    ``X``, ``layers``
        what all tables have; sparse where one is sparse.
    ``obs``
        all columns, with missing values where a table has none; one that is a number here and a word there is text.
    ``var``, ``varm``, ``uns``
        what all tables say alike.
    ``obsm``
        what all tables have in one width.

    What is left out, ``obsp``, ``varp`` and ``raw`` always, is said.

    Raises
    ------
    InputError
        No table, settings that cannot be, or a column ``batch`` that does not tell the tables apart.
    DataError
        Values of different scales, molecules beside reads, no gene in common, names that repeat, genes in rows, or one
        cell in two tables.

    Examples
    --------
    >>> import scinfill
    >>> tables = {name: scinfill.simulate(n_cells=20, n_genes=30, seed=seed) for seed, name in enumerate("ab")}
    >>> joined = scinfill.join(tables, batch="donor")
    >>> joined.obs["donor"].value_counts().to_dict()
    {'a': 20, 'b': 20}
    """
    _check(tables, batch, genes, counts_kind)
    found = {
        str(name): _read(str(name), adata, layer, transpose=transpose, unique_names=unique_names)
        for name, adata in tables.items()
    }
    check_one_scale(list(found.values()), counts_kind)
    inputs = {name: sample.adata for name, sample in found.items()}
    shared = _shared_steps(list(inputs.values()))
    of_cells = samples_of_cells(inputs, batch, joined_before=any(_is_join(step, batch) for step in shared))
    names, with_sample = unique_cell_names(inputs, of_cells, batch)
    kept = choose_genes(inputs, genes)
    columns = {name: adata.var_names.get_indexer(kept) for name, adata in inputs.items()}
    with_batch = {name: adata.obs.assign(**{batch: of_cells[name]}) for name, adata in inputs.items()}
    result = _assemble(inputs, with_batch, names, kept)
    if layer != matrices.RAW and any(adata.raw is not None for adata in inputs.values()):
        log.warning("raw is left out: it has genes of its own, which `layer='raw'` joins")
    result.obs[batch] = pd.Categorical(
        np.concatenate([values.to_numpy() for values in of_cells.values()]),
        categories=list(dict.fromkeys(value for values in of_cells.values() for value in values.cat.categories)),
    )
    result.X = _to_table_form(stack_rows([(_x(sample, layer), columns[name]) for name, sample in found.items()]))
    for key in _common_layers(inputs, layer):
        parts = [(adata.layers[key], columns[name]) for name, adata in inputs.items()]
        result.layers[key] = _to_table_form(stack_rows(parts))
    measured = find_measured(inputs, of_cells, kept)
    if not measured.to_numpy().all():
        say_not_measured(measured)
        result.varm[MEASURED] = measured
    _sign(
        result,
        found,
        shared,
        with_sample=with_sample,
        parameters={
            "batch": batch,
            "genes": genes,
            "layer": layer,
            "transpose": transpose,
            "unique_names": unique_names,
            "counts_kind": counts_kind,
        },
    )
    log.info("%d cells x %d genes of %d tables", result.n_obs, result.n_vars, len(found))
    return result


def _check(tables: Mapping[str, AnnData], batch: str, genes: str, counts_kind: str | None) -> None:
    if not tables:
        raise InputError("there is no table to join")
    if not batch:
        raise InputError("`batch=''` is no name of a column")
    if genes not in get_args(JoinedGenes):
        raise InputError(f"`genes={genes!r}` is not known; use {' or '.join(get_args(JoinedGenes))}")
    if counts_kind not in (None, *get_args(CountsKind)):
        raise InputError(f"`counts_kind={counts_kind!r}` is not known; use {' or '.join(get_args(CountsKind))}")


def _read(name: str, adata: AnnData, layer: str | None, *, transpose: bool, unique_names: bool) -> Sample:
    """Return one table with its values, after checking it by itself."""
    try:
        validation.check_in_memory(adata)
        remedy = partial(matrices.counts_option, adata, layer)
        adata, values_layer, slot = matrices.source(adata, layer)
        if transpose:
            adata = adata.T
        if adata.n_obs == 0 or adata.n_vars == 0:
            raise DataError(f"the table is empty: {adata.n_obs} cells x {adata.n_vars} genes; leave it out")
        if unique_names:
            adata = with_unique_names(adata)
        validation.check_names(adata, transposed=transpose)
        return Sample(name, adata, validation.nonnegative(adata, values_layer, slot=slot, remedy=remedy), slot)
    except ScinfillError as error:
        # These options of preprocess are also options of join, which comes before it.
        raise type(error)(f"{name!r}: {str(error).replace('`preprocess(', f'`{COMMAND}(')}") from error


def _x(sample: Sample, layer: str | None) -> Any:  # noqa: ANN401 - dense or any sparse format
    return validation.matrix_of(sample.adata, None if sample.slot == "raw.X" else layer)


def _to_table_form(matrix: Any) -> Any:  # noqa: ANN401 - an array or CSR
    return to_spmatrix(matrix) if sparse.issparse(matrix) else matrix


# --- the table ------------------------------------------------------------------------------------------------------


def _assemble(
    tables: Tables, frames: Mapping[str, pd.DataFrame], names: Mapping[str, pd.Index], genes: pd.Index
) -> AnnData:
    """Return the joined table without its matrices."""
    cells = merge_cells(tables, frames, names)
    var, varm = merge_genes(tables, genes)
    if GENE_FACTORS in varm and not _is_one_model(tables, var, varm):
        del varm[GENE_FACTORS]
        log.warning(
            "factors are left out, since not all that belongs to them is the same in all tables: run `scinfill "
            "reconstruct` on each before joining"
        )
    if any(GENE_FACTORS in adata.varm for adata in tables.values()) and GENE_FACTORS not in varm:
        for key in (CELL_FACTORS, CELL_GROUPS):  # of several fits, so that no factors of genes belong to them
            cells.obsm.pop(key, None)
    for slot in ("obsp", "varp"):
        keys = dict.fromkeys(key for adata in tables.values() for key in getattr(adata, slot))
        say_left_out(slot, list(keys), "what it says holds within a table")
    return AnnData(obs=cells.obs, var=var, obsm=dict(cells.obsm), varm=varm, uns=dict(cells.uns))


def _is_one_model(tables: Tables, var: pd.DataFrame, varm: Mapping[str, Any]) -> bool:
    """Whether all that values are rebuilt from beside factors stands in the joined table, or in none of the tables."""
    for adata in tables.values():
        columns = [name for name in COLUMNS_OF_FACTORS if name in adata.var]
        matrices_of_genes = [name for name in (BATCH_OFFSETS, GROUP_FACTORS) if name in adata.varm]
        if not (set(columns) <= set(var) and set(matrices_of_genes) <= set(varm)):
            return False
    first, *others = [provenance.record(adata).get(BATCHES, {}) for adata in tables.values()]
    return all(_is_same(first, other) for other in others)


def _common_layers(tables: Tables, layer: str | None) -> list[str]:
    """Return the layers that all tables have, holding counts in all or in none; the others are said."""
    keys = [key for key in dict.fromkeys(key for adata in tables.values() for key in adata.layers) if key != layer]
    in_all = [key for key in keys if all(key in adata.layers for adata in tables.values())]
    say_left_out("layers", [key for key in keys if key not in in_all], "not in all tables")
    mixed = [key for key in in_all if len({_holds_counts(adata.layers[key]) for adata in tables.values()} - {None}) > 1]
    say_left_out("layers", mixed, "counts in some tables, other values in others")
    apart = [key for key in in_all if key in (IMPUTED, IMPUTED_SD) and not _are_imputed_alike(tables)]
    say_left_out("layers", apart, "by different methods or saved models; join first, and impute then")
    return [key for key in in_all if key not in (*mixed, *apart)]


def _are_imputed_alike(tables: Tables) -> bool:
    """Whether one method, or one saved model, made the imputed values of all tables, as far as they say."""
    found = [provenance.last_imputation(adata) for adata in tables.values()]
    by = {(step["command"], step["parameters"].get("model")) for step in found if step is not None}
    return len(by) <= 1


def _holds_counts(matrix: Any) -> bool | None:  # noqa: ANN401 - dense or any sparse format
    """Whether a layer holds counts; None where it holds nothing but zeros and ones."""
    found = survey(matrix.data if sparse.issparse(matrix) else matrix)
    return None if found.values.startswith("nothing but") else found.counts


# --- the record -----------------------------------------------------------------------------------------------------


def _shared_steps(tables: Sequence[AnnData]) -> list[dict[str, Any]]:
    """Return the first steps that all tables have in common: those of one table that was split."""
    records = [provenance.steps(adata) for adata in tables]
    n_shared = 0
    for steps in zip(*records, strict=False):
        if any(step != steps[0] for step in steps):
            break
        n_shared += 1
    return records[0][:n_shared]


def _is_join(step: Mapping[str, Any], batch: str) -> bool:
    return step["command"] == COMMAND and step["parameters"].get("batch") == batch


def _sign(
    result: AnnData,
    found: Mapping[str, Sample],
    shared: list[dict[str, Any]],
    *,
    with_sample: bool,
    parameters: dict[str, Any],
) -> None:
    """Record the steps that all tables share, then this one with what it read and what had been done to that."""
    records = [provenance.record(sample.adata) for sample in found.values()]
    alike = {
        key: deepcopy(value)
        for key, value in records[0].items()
        if key != provenance.STEPS_KEY and all(key in record and _is_same(record[key], value) for record in records)
    }
    if GENE_FACTORS not in result.varm:
        alike.pop(MODEL, None)
    result.uns[UNS] = alike | {provenance.STEPS_KEY: provenance.to_array(shared)}
    hashes = {name: provenance.sha256(sample.values) for name, sample in found.items()}
    _say_same_values(hashes)
    inputs = [
        {"name": name, "sha256": hashes[name], "steps": provenance.steps(sample.adata)[len(shared) :]}
        for name, sample in found.items()
    ]
    provenance.sign(
        result,
        command=COMMAND,
        parameters=parameters,
        seed=None,
        input_sha256=inputs,
        metrics={"sample_in_cell_names": with_sample},
    )


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever a record holds
    """Whether two parts of records say the same; those of a model hold arrays, such as the names of its batches."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    return not isinstance(one, Mapping) and not isinstance(other, Mapping) and np.array_equal(one, other)


def _say_same_values(hashes: Mapping[str, str]) -> None:
    """Say where two tables hold the same values: one sample under two names counts twice."""
    seen: dict[str, str] = {}
    for name, found in hashes.items():
        other = seen.setdefault(found, name)
        if other != name:
            log.warning("%r and %r hold the same values: is that one sample twice?", other, name)
