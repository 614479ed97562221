"""A joined table as several tables again."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from anndata import AnnData

from scinfill.errors import DataError, InputError
from scinfill.methods import provenance, validation
from scinfill.methods.common_slots import COLORS
from scinfill.methods.measured import get_measured
from scinfill.methods.samples import SEPARATOR, has_sample_in_cell_names
from scinfill.methods.slots import of_cells
from scinfill.schema import MEASURED

COMMAND = "split"


def split(adata: AnnData, *, by: str = "sample", only: str | None = None) -> dict[str, AnnData]:
    """Return the cells of each sample as a table of its own; the way back from :func:`scinfill.join`.

    Parameters
    ----------
    adata
        Any table; never changed.
    by
        Column of ``obs`` that names each cell's sample.
    only
        Return this sample alone.

    Returns
    -------
    New tables by the names in the column, in the order of its categories, with everything that ``adata`` holds of
    these cells. Names that :func:`scinfill.join` put behind those of the cells are taken away again, and so are genes
    that the sample did not measure.

    Raises
    ------
    InputError
        There is no such column or no such sample.
    DataError
        Cells without a sample, or numbers with fractions, which name none.

    Examples
    --------
    >>> import scinfill
    >>> table = scinfill.simulate(n_cells=40, n_genes=30, n_types=2)
    >>> sorted(scinfill.split(table, by="cell_type"))
    ['type1', 'type2']
    """
    return dict(pieces(adata, by=by, only=only))


def pieces(adata: AnnData, *, by: str = "sample", only: str | None = None) -> Iterator[tuple[str, AnnData]]:
    """Yield the name and the table of each sample, made when it is asked for; see :func:`split`."""
    validation.check_in_memory(adata)
    samples = _samples(adata, by)
    names = list(samples.cat.categories)
    if only is not None and only not in names:
        raise InputError(f"obs[{by!r}] names no sample {only!r}; there are {validation.list_names(names)}")
    input_sha256 = "" if adata.X is None else provenance.sha256(adata.X)
    for name in names if only is None else [only]:
        piece = _piece(adata, samples, by, name)
        provenance.sign(
            piece, command=COMMAND, parameters={"by": by, "only": name}, seed=None, input_sha256=input_sha256
        )
        yield name, piece


def _samples(adata: AnnData, by: str) -> pd.Series:
    """Return the sample of every cell, as categories in their order, none of them without a cell."""
    column = validation.obs_column(adata, by)
    if column.isna().any():
        first = str(adata.obs_names[column.isna()][0])
        raise DataError(
            f"obs[{by!r}] is missing for {int(column.isna().sum())} cells, the first of them {first!r}; name their "
            f"sample, or leave them out"
        )
    if column.dtype.kind == "f":
        raise DataError(f"obs[{by!r}] holds numbers that may have fractions, which name no sample; name another column")
    given = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.unique())
    there = set(names := column.astype(str))
    return names.astype(pd.CategoricalDtype([name for name in map(str, given) if name in there]))


def _piece(adata: AnnData, samples: pd.Series, by: str, name: str) -> AnnData:
    """Return a new table of one sample."""
    cells = np.flatnonzero(samples == name)
    measured = get_measured(adata)
    genes = np.flatnonzero(measured[name]) if measured is not None and name in measured else None
    piece = of_cells(adata, cells, genes)
    if genes is not None:
        del piece.varm[MEASURED]
    if has_sample_in_cell_names(adata, by):
        piece.obs_names = piece.obs_names.str.removesuffix(SEPARATOR + name)
    _drop_unused_categories(piece)
    return piece


def _drop_unused_categories(adata: AnnData) -> None:
    """Leave out categories without a cell, with their colours; where categories have an order all of them stay."""
    for name in adata.obs:
        column = adata.obs[name]
        if not isinstance(column.dtype, pd.CategoricalDtype) or column.cat.ordered:
            continue
        used = column.cat.categories.isin(column.unique())
        adata.obs[name] = column.cat.remove_unused_categories()
        colors = adata.uns.get(f"{name}{COLORS}")
        if isinstance(colors, np.ndarray) and colors.shape == used.shape:
            adata.uns[f"{name}{COLORS}"] = colors[used]
