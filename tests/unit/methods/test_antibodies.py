"""Antibodies of CITE-seq go beside the genes, never among them."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scinfill
from _support import assert_refused, dense, from_bytes, invoke, make_counts, make_droplets, to_bytes
from scinfill.errors import DataError
from scinfill.numerics.feature_kinds import is_hashtag, is_of_proteins

N_GENES = 30
ANTIBODIES = ("CD3_TotalSeqB", "CD4", "gene1-1", "IgG1")


def with_antibodies(kind="Antibody Capture", *, column="feature_types", names=ANTIBODIES, seed=2):
    """Return a table whose last features are antibodies, with more counts than any gene."""
    genes = make_counts(40, N_GENES)
    counts = np.random.default_rng(seed).poisson(90, size=(40, len(names)))
    adata = make_counts(40, N_GENES + len(names))
    adata.X = sparse.csr_matrix(np.hstack([genes.X.toarray(), counts]))
    adata.var_names = [*genes.var_names, *names]
    adata.var[column] = ["Gene Expression"] * N_GENES + [kind] * len(names)
    return adata, counts


@pytest.mark.parametrize("kind", ["Antibody Capture", "ADT", "prot", "protein", "surface"])
@pytest.mark.parametrize("column", ["feature_types", "modality"])
def test_antibodies_stand_beside_the_genes_and_never_among_them(caplog, kind, column):
    adata, counts = with_antibodies(kind, column=column)
    table = scinfill.preprocess(adata, n_genes=None, proteins=True)
    without = scinfill.preprocess(adata, n_genes=None)
    frame = table.obsm["protein"]
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["CD3_TotalSeqB", "CD4", "gene1", "IgG1"]
    assert frame.index.equals(table.obs_names)
    np.testing.assert_array_equal(frame.to_numpy(), counts)
    assert table.var_names.equals(without.var_names)
    np.testing.assert_array_equal(dense(table.X), dense(without.X))
    assert "protein" not in without.obsm
    assert caplog.text.count("are left out") == 1


def test_all_but_genes_and_antibodies_is_left_out_and_said(caplog):
    adata, _ = with_antibodies()
    adata.var["feature_types"] = adata.var["feature_types"].where(adata.var_names != "IgG1", "CRISPR Guide Capture")
    table = scinfill.preprocess(adata, n_genes=None, proteins=True)
    assert table.obsm["protein"].shape[1] == 3
    assert "1 features that are not Gene Expression are left out (var['feature_types']: 1 CRISPR" in caplog.text


def test_hashtags_are_no_proteins(caplog):
    adata, _ = with_antibodies(names=("CD3", "Hashtag1_TotalSeqB", "HTO-2"))
    assert list(scinfill.preprocess(adata, proteins=True).obsm["protein"]) == ["CD3"]
    assert "2 hashtags are left out (such as Hashtag1_TotalSeqB)" in caplog.text


@pytest.mark.parametrize("name", ["HTO_1", "hashtag 3", "Hashtag10_TotalSeqC", "CMO301", "SampleTag01_hs", "HTO-A"])
def test_names_of_hashtags(name):
    assert is_hashtag(name)


@pytest.mark.parametrize("name", ["CD3", "CD4_TotalSeqB", "IgG1", "HLA-DR", "PD-1", "CD45RA", "HTR2A"])
def test_names_of_proteins(name):
    assert not is_hashtag(name)


@pytest.mark.parametrize(
    "kind", ["Peaks", "CRISPR Guide Capture", "Multiplexing Capture", "HTO", "gene", "protein_coding"]
)
def test_kinds_that_are_no_antibodies(kind):
    assert not is_of_proteins(kind)


def test_cells_that_are_left_out_take_their_antibodies_along():
    adata = make_droplets()
    counts = np.arange(adata.n_obs * 3).reshape(-1, 3)
    joined = make_droplets()[:, : adata.n_vars - 3].copy()
    joined.obsp.clear()
    wide = sparse.hstack([joined.X, sparse.csr_matrix(counts)], format="csr")
    names = [*joined.var_names, "CD3", "CD4", "CD8"]
    kinds = ["Gene Expression"] * joined.n_vars + ["Antibody Capture"] * 3
    both = type(adata)(wide, obs=joined.obs, var=pd.DataFrame({"feature_types": kinds}, index=names))
    table = scinfill.preprocess(both, proteins=True, min_total_counts=20, n_genes=None)
    assert table.n_obs < adata.n_obs
    expected = pd.DataFrame(counts, index=adata.obs_names).loc[table.obs_names]
    np.testing.assert_array_equal(table.obsm["protein"].to_numpy(), expected.to_numpy())


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_counts_in_a_layer_and_names_that_repeat():
    adata, counts = with_antibodies()
    adata.layers["raw_counts"] = adata.X.copy()
    adata.X = adata.X * 0.37
    adata.obs_names = ["cell"] * adata.n_obs
    adata.obsm["place"] = pd.DataFrame({"x": np.arange(40)}, index=adata.obs_names)
    table = scinfill.preprocess(adata, layer="raw_counts", unique_names=True, proteins=True)
    np.testing.assert_array_equal(table.obsm["protein"].to_numpy(), counts)
    assert table.obsm["protein"].index.is_unique
    assert table.obsm["place"].index.equals(table.obs_names)


def test_fractions_are_rounded_as_those_of_genes_are_or_refused():
    adata, counts = with_antibodies()
    adata.X = adata.X.astype(np.float64)
    adata.X.data[:] = adata.X.data - 0.25
    with pytest.raises(DataError, match="counts are whole numbers"):
        scinfill.preprocess(adata, proteins=True)
    rounded = scinfill.preprocess(adata, proteins=True, round_counts=True).obsm["protein"].to_numpy()
    assert set(np.unique(counts - rounded)) <= {0, 1}


def test_none_where_some_were_asked_for_are_refused_with_what_there_is():
    with pytest.raises(
        DataError, match=r"no antibodies to keep \(no column of var, such as feature_types.*proteins=True"
    ):
        scinfill.preprocess(make_counts(), proteins=True)
    peaks, _ = with_antibodies("Peaks")
    content = to_bytes(peaks)
    result = invoke("preprocess", "--proteins", stdin=content)
    assert_refused(result, 3, "var['feature_types'] holds 30 Gene Expression, 4 Peaks); leave out --proteins, or give")


def test_what_stands_in_obsm_already_stays_where_the_table_has_no_antibodies():
    adata = make_counts()
    adata.obsm["protein"] = pd.DataFrame({"CD3": np.arange(40)}, index=adata.obs_names)
    table = scinfill.preprocess(adata, proteins=True)
    pd.testing.assert_frame_equal(table.obsm["protein"], adata.obsm["protein"])


def test_what_stands_in_obsm_is_not_replaced_in_silence(caplog):
    adata, counts = with_antibodies()
    adata.obsm["protein"] = np.zeros((40, 1))
    table = scinfill.preprocess(adata, proteins=True)
    np.testing.assert_array_equal(table.obsm["protein"].to_numpy(), counts)
    assert "obsm['protein'] of the input, not written by scinfill, is replaced" in caplog.text


@pytest.mark.slow
def test_antibodies_go_through_the_chain_and_are_repeated(tmp_path):
    adata, counts = with_antibodies()
    source, log, imputed = (tmp_path / name for name in ("counts.h5ad", "log.h5ad", "imputed.h5ad"))
    source.write_bytes(to_bytes(adata))
    assert invoke("preprocess", source, "--proteins", "--n-genes", "all", "-q", "-o", log).exit_code == 0
    assert invoke("impute-baseline", log, "-q", "-o", imputed).exit_code == 0
    table = from_bytes(imputed.read_bytes())
    np.testing.assert_array_equal(table.obsm["protein"].to_numpy(), counts)
    again = invoke("rerun", imputed, "--input", source)
    assert again.exit_code == 0, again.stderr
    assert "identical" in again.stderr
    scores = invoke("evaluate", imputed, "--proteins", "protein", "--protein-genes", "CD4=gene1", "--starts", 1, "-q")
    assert '"protein_correlation"' in scores.stdout
