"""Antibodies among the features of a table (CITE-seq): counts of surface proteins that go beside the genes."""

import logging
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from scinfill import memory
from scinfill.errors import DataError
from scinfill.methods import fractions, ownership, validation
from scinfill.methods.features import KIND_COLUMNS, describe_kinds, mark_antibodies
from scinfill.methods.validation import Remedy
from scinfill.numerics.feature_kinds import is_hashtag
from scinfill.numerics.sparse import whole_numbers
from scinfill.schema import PROTEIN

log = logging.getLogger(__name__)

BYTES_PER_COUNT = 8
NUMBERED = re.compile(r"-\d+$")


def take_antibodies(
    adata: AnnData, layer: str | None, *, slot: str, remedy: Remedy, round_counts: bool, seed: int
) -> pd.DataFrame | None:
    """Return the counts of the antibodies among a table's features, cells × proteins.

    Antibodies that tell samples apart (hashtags) are left out, which is said. None where the table has no antibody but
    holds ``obsm["protein"]`` already, which stays.

    Parameters
    ----------
    adata, layer
        The table, and the layer instead of ``X``; never changed.
    slot, remedy
        What messages call the matrix, and how they end.
    round_counts, seed
        Make whole numbers of fractions of counts.

    Raises
    ------
    DataError
        There is no antibody, or their values are no counts.
    """
    features = np.flatnonzero(mark_antibodies(adata.var))
    names = adata.var_names[features].astype(str)
    are_hashtags = np.array([is_hashtag(name) for name in names], dtype=bool)
    if are_hashtags.any():
        log.warning("%d hashtags are left out (such as %s)", are_hashtags.sum(), names[are_hashtags][0])
        features, names = features[~are_hashtags], names[~are_hashtags]
    if not features.size:
        if PROTEIN in adata.obsm:
            return None
        raise DataError(
            f"there are no antibodies to keep ({_what_there_is(adata.var)}); leave out `proteins=True`, or give "
            f"a table of their counts to `evaluate(proteins=TABLE)`"
        )
    ownership.say_replaced(adata, {"obsm": (PROTEIN,)}, by=("preprocess",))
    memory.require(BYTES_PER_COUNT * adata.n_obs * features.size, f"the counts of {features.size} antibodies")
    matrix = validation.matrix_of(adata, layer)
    alone = AnnData(
        matrix[:, features],
        obs=pd.DataFrame(index=adata.obs_names),
        var=pd.DataFrame(index=names),
    )
    values = validation.counts(alone, None, fractions=round_counts, slot=slot, remedy=remedy)
    counts = whole_numbers(fractions.rounded(values, seed) if round_counts else values)
    log.info("%d antibodies go to obsm[%r]", features.size, PROTEIN)
    return pd.DataFrame(counts.toarray(), columns=_own_names(names, adata.var_names, features))


def _what_there_is(var: pd.DataFrame) -> str:
    return describe_kinds(var) or f"no column of var, such as {KIND_COLUMNS[0]}, says what features are"


def _own_names(names: Sequence[str], features: pd.Index, positions: NDArray[np.intp]) -> list[str]:
    """Return names without the -1 that told an antibody from the gene of the same name."""
    genes = set(features.delete(positions).astype(str))
    plain = [NUMBERED.sub("", name) if NUMBERED.sub("", name) in genes else name for name in names]
    return plain if len(set(plain)) == len(plain) else list(names)
