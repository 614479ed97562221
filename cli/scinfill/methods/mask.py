"""Hide values that are known and keep the truth beside them; append genes with nothing to find."""

import logging
from numbers import Real

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.counts_kind import CountsClass, classify_counts
from scinfill.methods.ownership import OWN_PREFIX
from scinfill.methods.reading import read_observations
from scinfill.methods.settings import check_choice, check_range
from scinfill.methods.slots import append_genes, to_spmatrix, with_genes
from scinfill.models.observations import Observations
from scinfill.numerics.filtering import cells_with_gene
from scinfill.numerics.masking import hide_entries, hide_nonzeros, split, thin
from scinfill.numerics.normalization import log2_counts
from scinfill.numerics.nullgenes import draw_null_genes
from scinfill.numerics.sparse import beside, whole_numbers
from scinfill.schema import (
    COUNTS,
    HELDOUT,
    HELDOUT_COUNTS,
    MASK_MODES,
    MIN_READS_PER_MOLECULE,
    N_CELLS,
    NULL_GENE,
    SIZE_FACTOR,
    MaskMode,
)

log = logging.getLogger(__name__)

FRACTION = 0.1
HALF = 0.5
Layers = dict[str | None, csr_array]
"""Matrices by the layer they go to; None is ``X``."""


def mask(
    adata: AnnData,
    *,
    mode: MaskMode = "nonzero",
    fraction: float | None = None,
    seed: int = 0,
    null_genes: int = 0,
    layer: str | None = None,
) -> AnnData:
    """Hide known values from every imputer that comes after, and keep the truth in the file.

    Parameters
    ----------
    adata
        log2(1 + x) values, with counts in ``layers["counts"]`` for thinning and null genes; never changed.
    mode
        ``"nonzero"`` hides values that were seen, as the papers do; ``"entries"`` hides any, zeros too;
        ``"thin"`` takes single molecules out; ``"halves"`` splits the molecules of every cell in two at random,
        so that the half nobody touched can be asked what imputing the other one made up.
    fraction
        Share of the non-zeros, entries or molecules to hide, 0 or more and below 1; .1 unless given, and always .5 for
        ``"halves"``. 0 hides nothing: for null genes alone.
    seed
        Random seed. The same seed hides the same real values with and without null genes.
    null_genes
        How many to append: negative-binomial draws with a real gene's mean and dispersion and each cell's
        library size. They are hidden or thinned like real ones.
    layer
        Layer that holds the values instead of ``X``, and receives them back.

    Returns
    -------
    A new table with

    ``X`` (or the layer), ``layers["counts"]``
        Hidden positions are zero. Thinning: the kept molecules, and their logarithm by the size factor.
    ``layers["heldout"]``
        CSR truth at hidden positions, zeros stored; not for thinning, nor where nothing is hidden.
    ``layers["heldout_counts"]``
        CSR molecules that thinning took: with ``"halves"`` the untouched half.
    ``var["null_gene"]``
        With ``null_genes``: whether a gene was drawn.
    ``obs["size_factor"]``
        Added where it was missing and could be solved from the counts. After ``preprocess(like=model)`` thinning
        multiplies it by the share of molecules that is kept: to a saved model, depth means what it did in training.

    Raises
    ------
    InputError
        An unknown mode or layer, a fraction outside 0 to 1, or nothing to do.
    DataError
        Another scale, a table that is masked already, no counts where they are needed, or nothing to hide.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> masked = scinfill.mask(table, mode="thin", fraction=0.1, null_genes=5)
    >>> masked.n_vars - table.n_vars
    5
    """
    if fraction is None:
        fraction = HALF if mode == "halves" else FRACTION
    _check(adata, mode, fraction, null_genes)
    seen = read_observations(adata, layer=layer)
    masking, drawing, masking_null = np.random.default_rng(seed).spawn(3)
    thinned = fraction > 0 and mode in ("thin", "halves")
    depth = 1 - fraction if thinned and provenance.scales_of(provenance.steps(adata)) - {None} else 1.0
    layers = _hide(seen, mode, fraction, masking, layer, depth=depth)
    if fraction:
        _check_hidden(layers, seen, fraction, layer)
    result = with_genes(adata, np.arange(adata.n_vars), without=frozenset(filter(None, layers)))
    if layer is not None:
        result.X = adata.X.copy()
    if null_genes:
        counts, size_factor = _molecules(seen, "null genes need")
        drawn = draw_null_genes(counts, size_factor, null_genes, drawing).astype(np.float32)
        null = Observations(log2_counts(drawn, size_factor), drawn, size_factor)
        hidden = _hide(null, mode, fraction, masking_null, layer, depth=depth)
        for key, columns in hidden.items():
            layers[key] = beside(layers[key], columns)
        result.var[NULL_GENE] = adata.var.get(NULL_GENE, False)
        result = append_genes(result, _null_var(adata, drawn))
    while layers:  # one at a time, so that no matrix stands twice in memory
        _put(result, *layers.popitem())
    if seen.size_factor is not None and (depth < 1 or SIZE_FACTOR not in result.obs):
        result.obs[SIZE_FACTOR] = seen.size_factor * depth
    provenance.sign(
        result,
        command="mask",
        parameters={"mode": mode, "fraction": fraction, "null_genes": null_genes, "layer": layer},
        seed=seed,
        input_sha256=provenance.sha256(seen.log_values),
    )
    return result


def _check(adata: AnnData, mode: str, fraction: float, null_genes: int) -> None:
    check_choice("mode", mode, MASK_MODES)
    if not (isinstance(fraction, Real) and 0 <= fraction < 1):
        raise InputError(f"`fraction` must be 0 or more and below 1; it is {fraction!r}")
    if mode == "halves" and fraction not in (0, HALF):
        raise InputError(
            f"`fraction` of `mode='halves'` must be {HALF}, or 0 for null genes alone; it is {fraction}; "
            "`mode='thin'` takes another share of the molecules"
        )
    check_range("null_genes", null_genes, lowest=0)
    if fraction == 0 and null_genes == 0:
        raise InputError("`fraction=0` hides nothing; give a larger one, or append genes with `null_genes`")
    for key in (HELDOUT, HELDOUT_COUNTS):
        if key in adata.layers:
            raise DataError(
                f"the table is masked already (layers[{key!r}]); mask the table it was made from, or rename "
                f"that layer if another program wrote it"
            )


def _hide(
    seen: Observations, mode: MaskMode, fraction: float, rng: np.random.Generator, layer: str | None, *, depth: float
) -> Layers:
    """Return the matrices that masking changes or makes; size factors are multiplied by ``depth``."""
    if fraction == 0:
        return {layer: seen.log_values} | ({} if seen.counts is None else {COUNTS: seen.counts})
    if mode in ("thin", "halves"):
        return _thin(seen, fraction, rng, layer, depth=depth)
    values = seen.log_values
    hidden = hide_nonzeros(values, fraction, rng) if mode == "nonzero" else hide_entries(seen.shape, fraction, rng)
    kept, truth = split(values, hidden)
    layers: Layers = {layer: kept, HELDOUT: truth}
    if seen.counts is not None:
        layers[COUNTS] = split(seen.counts, hidden)[0]
    return layers


def _check_hidden(layers: Layers, seen: Observations, fraction: float, layer: str | None) -> None:
    hidden, kept = layers[HELDOUT if HELDOUT in layers else HELDOUT_COUNTS], layers[layer]
    for part, fault, remedy in ((hidden, "none", "larger"), (kept, "all", "smaller")):
        if part.nnz == 0:
            raise DataError(
                f"a share of {fraction} hides {fault} of {seen.log_values.nnz} non-zeros; use a {remedy} fraction"
            )
    if HELDOUT_COUNTS in layers and seen.counts is not None:
        _say_reads(classify_counts(seen.counts))


def _say_reads(look: CountsClass) -> None:
    """Say so where copies of one molecule may fall on both sides."""
    if look.kind == "reads":
        log.warning("these look like reads, not molecules: copies of one molecule on both sides make the test too easy")
    elif look.is_close:
        log.warning(
            "these look like molecules, but %.3g counts for each molecule that the zeros imply is close to reads (%g "
            "or more); if they are reads, copies of one molecule on both sides make the test too easy",
            look.counts_per_molecule,
            MIN_READS_PER_MOLECULE,
        )


def _thin(seen: Observations, fraction: float, rng: np.random.Generator, layer: str | None, *, depth: float) -> Layers:
    counts, size_factor = _molecules(seen, "thinning needs")
    kept, taken = thin(counts, fraction, rng)
    return {layer: log2_counts(kept, size_factor * depth), COUNTS: kept, HELDOUT_COUNTS: taken}


def _molecules(seen: Observations, who_needs: str) -> tuple[csr_array, NDArray[np.float64]]:
    if seen.counts is None or seen.size_factor is None:
        raise DataError(f"{who_needs} raw counts in layers[{COUNTS!r}], which is absent; run `scinfill preprocess`")
    return seen.counts, seen.size_factor


def _put(result: AnnData, key: str | None, matrix: csr_array) -> None:
    if key in (COUNTS, HELDOUT_COUNTS):
        matrix = whole_numbers(matrix)
    if key is None:
        result.X = to_spmatrix(matrix)
    else:
        result.layers[key] = to_spmatrix(matrix)


def _null_var(adata: AnnData, drawn: csr_array) -> pd.DataFrame:
    """Return the rows of ``var`` for null genes: unique names, the flag, and how many cells have the gene."""
    taken = set(adata.var_names)
    numbers = (f"null_gene_{number:04d}" for number in range(1, drawn.shape[1] + len(taken) + 1))
    free = [name for name in numbers if name not in taken][: drawn.shape[1]]
    var = pd.DataFrame({NULL_GENE: True}, index=free)
    for column in {N_CELLS, OWN_PREFIX + N_CELLS} & set(adata.var.columns):
        var[column] = cells_with_gene(drawn)
    return var
