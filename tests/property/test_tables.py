"""What must hold for every table: a file gives back what it was given, and verbs leave alone what is not theirs."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

import scinfill
from _support import assert_adata_equal
from scinfill.errors import DataError
from scinfill.io import h5ad
from scinfill.methods.reading import read_observations
from scinfill.schema import MASK_MODES

NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
DTYPES = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "?"])


def column(n_rows):
    """Return values that ``obs`` or ``var`` may hold."""
    return st.one_of(
        st.lists(st.floats(width=32), min_size=n_rows, max_size=n_rows).map(lambda x: np.array(x, dtype=np.float32)),
        st.lists(st.integers(-(2**31), 2**31), min_size=n_rows, max_size=n_rows).map(np.array),
        st.lists(st.booleans(), min_size=n_rows, max_size=n_rows).map(np.array),
        st.lists(NAMES, min_size=n_rows, max_size=n_rows).map(lambda x: np.array(x, dtype=object)),
        st.lists(NAMES, min_size=n_rows, max_size=n_rows).map(pd.Categorical),
        st.lists(st.integers(0, 9) | st.none(), min_size=n_rows, max_size=n_rows).map(
            lambda x: pd.array(x, dtype="Int64")
        ),
    )


@st.composite
def frames(draw, n_rows):
    index = draw(st.lists(NAMES, min_size=n_rows, max_size=n_rows, unique=True))
    columns = draw(st.dictionaries(st.sampled_from(["one", "two words", "drei"]), column(n_rows), max_size=3))
    return pd.DataFrame(columns, index=pd.Index(index, dtype=object))


@st.composite
def tables(draw):
    """Small tables with anything anywhere."""
    n_cells, n_genes = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    form = draw(st.sampled_from([sparse.csr_matrix, sparse.csc_matrix, np.asarray]))
    adata = AnnData(
        form(rng.poisson(1, (n_cells, n_genes)).astype(draw(DTYPES))),
        obs=draw(frames(n_cells)),
        var=draw(frames(n_genes)),
    )
    if draw(st.booleans()):
        adata.layers["other"] = form(rng.random((n_cells, n_genes)))
        adata.obsm["X_pca"] = rng.random((n_cells, 2))
        adata.varm["PCs"] = rng.random((n_genes, 2))
        adata.obsp["graph"] = sparse.csr_matrix(rng.random((n_cells, n_cells)))
        adata.uns["notes"] = {"text": "über", "number": 3, "list": np.arange(3), "nested": {"flag": True}}
    return adata


@given(tables())
def test_a_file_gives_back_what_it_was_given(adata):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.h5ad"
        h5ad.write(adata, path)
        back = h5ad.read(path)
    uns, uns_back = dict(adata.uns), dict(back.uns)
    assert uns.keys() == uns_back.keys()
    assert_adata_equal(adata, back, without=("uns",))


@st.composite
def count_tables(draw):
    n_cells, n_genes = draw(st.integers(5, 20)), draw(st.integers(2, 15))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = rng.negative_binomial(2, 0.3, (n_cells, n_genes))
    empty = draw(st.lists(st.integers(0, n_cells - 1), max_size=2))
    counts[empty] = 0
    return AnnData(
        sparse.csr_matrix(counts),
        obs=pd.DataFrame({"age": rng.random(n_cells)}, index=[f"c{n}" for n in range(n_cells)]),
        var=pd.DataFrame({"length": rng.random(n_genes)}, index=[f"g{n}" for n in range(n_genes)]),
    )


@given(count_tables(), st.integers(1, 15), st.sampled_from(MASK_MODES), st.integers(0, 3), st.floats(0.05, 0.9))
def test_preprocess_and_mask_keep_every_cell_and_their_promises(counts, n_genes, mode, null_genes, fraction):
    before = counts.copy()
    assume((np.sum(counts.X.toarray() >= 3, axis=0) >= 2).any())
    table = scinfill.preprocess(counts, n_genes=n_genes, min_cells=2)
    assert_adata_equal(before, counts)
    assert table.obs_names.equals(counts.obs_names)
    assert list(table.var_names) == [name for name in counts.var_names if name in set(table.var_names)]
    pd.testing.assert_frame_equal(table.obs[["age"]], counts.obs)
    pd.testing.assert_frame_equal(table.var[["length"]], counts.var.loc[table.var_names])
    assert np.isfinite(table.X.data).all()
    assert np.isfinite(table.obs["size_factor"]).all()
    seen = read_observations(table)

    assume(fraction * table.X.nnz >= 1)
    try:
        share = None if mode == "halves" else fraction
        masked = scinfill.mask(table, mode=mode, fraction=share, null_genes=null_genes, seed=3)
    except DataError as error:  # a share of a few values may be none or all of them
        assume("hides" not in str(error))
        raise
    real = masked[:, : table.n_vars]
    assert masked.n_vars == table.n_vars + null_genes
    assert real.var_names.equals(table.var_names)
    again = read_observations(masked)
    np.testing.assert_array_equal(again.size_factor, seen.size_factor)
    if mode in ("thin", "halves"):
        total = real.layers["counts"] + real.layers["heldout_counts"]
        np.testing.assert_array_equal(total.toarray(), table.layers["counts"].toarray())
    else:
        np.testing.assert_array_equal((real.X + real.layers["heldout"]).toarray(), table.X.toarray())
