"""Take in what another program imputed, as a layer that ``evaluate`` scores like one of ours."""

from typing import Literal

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.methods.earlier import say_replaced, without_earlier_imputation
from scinfill.methods.reading import read_observations
from scinfill.methods.validation import where
from scinfill.numerics.sparse import canonical, position
from scinfill.schema import COUNTS, IMPUTED, SCALE

ForeignScale = Literal["log2", "counts"]


def adopt(adata: AnnData, matrix: csr_array | NDArray[np.floating], *, method: str, scale: ForeignScale) -> AnnData:
    """Return the table with a foreign result as ``layers["imputed"]``.

    Parameters
    ----------
    adata
        What the other program was given; never changed.
    matrix
        (n_cells, n_genes), the other program's values.
    method
        Its name, for the record.
    scale
        ``log2``: as ``X``. ``counts``: expected counts at the cell's own depth, brought to the scale of ``X`` by
        its size factor.

    Raises
    ------
    InputError
        Counts cannot be brought to the scale of ``X``: the table has none to know the size factors from.
    DataError
        Another shape, or values that are negative or not finite.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.preprocess(scinfill.simulate(n_cells=50, n_genes=40))
    >>> smoothed = table.X.toarray() / 2 + table.X.toarray().mean(axis=0) / 2
    >>> scinfill.adopt(table, smoothed, method="half-way", scale="log2").uns["scinfill"]["scale"]
    'log2(1 + counts / size_factor)'
    """
    data = read_observations(adata)
    say_replaced(adata)
    values = _checked(adata, matrix)
    if scale == "counts":
        if data.size_factor is None:
            raise InputError(f"`scale='counts'` needs layers[{COUNTS!r}] for the size factors; use `scale='log2'`")
        values = np.log2(1 + values / data.size_factor[:, None])
    result = without_earlier_imputation(adata)
    result.layers[IMPUTED] = values.astype(np.float32)
    provenance.sign(
        result,
        command="adopt",
        parameters={"method": method, "scale": scale},
        seed=None,
        input_sha256=provenance.sha256(data.log_values),
        scale=SCALE,
    )
    return result


def _checked(adata: AnnData, matrix: csr_array | NDArray[np.floating]) -> NDArray[np.float64]:
    if matrix.shape != adata.shape:
        raise DataError(f"the matrix is {matrix.shape}, but there are {adata.n_obs} cells x {adata.n_vars} genes")
    values = canonical(matrix, np.float64)
    wrong = ~np.isfinite(values.data) | (values.data < 0)
    if wrong.any():
        first = where(adata, *position(values, int(wrong.argmax())))
        raise DataError(f"the matrix holds {int(wrong.sum())} negative or not finite values, the first at {first}")
    return values.toarray()
