"""Any imputed value on demand from the factors in a file, so that the dense layer need not be kept."""

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from scinfill.errors import DataError, InputError
from scinfill.methods.observations import observed
from scinfill.methods.validation import listed
from scinfill.models.detected import Detected
from scinfill.models.estimates import Estimate, GatedModel, Shrunk
from scinfill.models.factorization import Factors
from scinfill.models.learning import AsIs
from scinfill.schema import (
    CELL_FACTORS,
    CURVE,
    GENE_FACTORS,
    IMPUTED,
    MODEL,
    MODEL_BASE,
    MODEL_GAIN,
    MODEL_OFFSET,
    MODEL_SCALE,
    OBSERVED_WEIGHT,
    UNS,
)


def reconstruct(adata: AnnData, *, genes: Sequence[str] = (), cells: Sequence[str] = ()) -> AnnData:
    """Compute ``layers["imputed"]`` for some genes and cells from what ``impute_deepmc`` left in the file.

    Parameters
    ----------
    adata
        Written by ``impute-deepmc``, with or without ``--output factors``; never changed.
    genes, cells
        Names, in the order wanted; none means all.

    Returns
    -------
    A new table of these genes and cells with the values that the dense layer would hold (``--keep none``).

    Raises
    ------
    InputError
        A name that is not there.
    DataError
        The file holds no factors.
    """
    kind = adata.uns.get(UNS, {}).get(MODEL)
    if kind is None or CELL_FACTORS not in adata.obsm or GENE_FACTORS not in adata.varm:
        raise DataError("the file holds no factors; run `scinfill impute-deepmc` on it first")
    chosen_cells = _positions("cell", adata.obs_names.get_indexer(list(cells)), cells) if cells else slice(None)
    chosen_genes = _positions("gene", adata.var_names.get_indexer(list(genes)), genes) if genes else slice(None)
    part = adata[chosen_cells, chosen_genes].copy()
    part.layers[IMPUTED] = estimate_of(part, kind).block(slice(None))
    return part


def estimate_of(adata: AnnData, kind: str) -> Estimate:
    """Return the estimate whose pieces the table holds."""

    def column(name: str) -> np.ndarray:
        if name not in adata.var:
            raise DataError(f"var[{name!r}] is missing, so values cannot be rebuilt; impute again")
        return adata.var[name].to_numpy(np.float32)

    factors = Factors(column(MODEL_OFFSET), adata.obsm[CELL_FACTORS], adata.varm[GENE_FACTORS])
    if kind == "as-is":
        return AsIs(factors)
    if kind == "detected":
        curve = np.asarray(adata.uns[CURVE], np.float32)
        return Detected([factors], [1.0], curve[:, 0], curve[:, 1], heldout_error=float("nan"), recipes={})
    if kind not in ("poisson", "squared"):
        raise DataError(f"uns[{UNS!r}][{MODEL!r}] is {kind!r}, which no version of impute-deepmc writes")
    scale = column(MODEL_SCALE) if MODEL_SCALE in adata.var else None
    base, gain = column(MODEL_BASE), column(MODEL_GAIN)
    model = GatedModel(factors, "poisson" if kind == "poisson" else "squared", base, gain, scale)
    if OBSERVED_WEIGHT not in adata.var:
        return model
    return Shrunk(model, observed(adata), column(OBSERVED_WEIGHT))


def _positions(what: str, found: np.ndarray, names: Sequence[str]) -> np.ndarray:
    missing = [name for name, position in zip(names, found, strict=True) if position < 0]
    if missing:
        raise InputError(
            f"there is no {what} {listed(missing[:5])} ({len(missing)} of {len(names)} names are not there)"
        )
    return found
