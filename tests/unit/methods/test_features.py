"""Peaks, antibodies and guides beside genes: only genes are worked on, in every format."""

import numpy as np
import pytest
from scipy import sparse

import scinfill
from _support import assert_refused, dense, from_bytes, invoke, make_counts, to_bytes
from scinfill.errors import DataError
from scinfill.methods.features import KIND_COLUMNS, LOOSE_COLUMNS, expression_only

N_GENES, N_OTHERS = 30, 10


def with_kinds(gene, other, *, column="feature_types"):
    """Return a table whose last features are of another kind, with more counts than any gene."""
    adata = make_counts(40, N_GENES + N_OTHERS)
    values = adata.X.toarray()
    values[:, N_GENES:] = 90 + np.random.default_rng(1).integers(0, 9, (40, N_OTHERS))
    adata.X = sparse.csr_matrix(values)
    adata.var[column] = [gene] * N_GENES + [other] * N_OTHERS
    return adata


@pytest.mark.parametrize("column", KIND_COLUMNS)
@pytest.mark.parametrize(
    ("gene", "other"),
    [
        ("Gene Expression", "Peaks"),
        ("Gene Expression", "Antibody Capture"),
        ("Gene Expression", "Something New"),
        ("GEX", "ATAC"),
        ("rna", "prot"),
        ("RNA", "adt"),
        ("protein_coding", "Peaks"),
        ("gene", "chromatin"),
        ("expression", "accessibility"),
        ("transcriptome", "surface"),
    ],
)
def test_genes_alone_are_used_and_it_is_said(caplog, column, gene, other):
    adata = with_kinds(gene, other, column=column)
    result = scinfill.preprocess(adata, n_genes=None)
    expected = scinfill.preprocess(adata[:, :N_GENES].copy(), n_genes=None)
    np.testing.assert_array_equal(dense(result.X), dense(expected.X))
    assert result.var_names.equals(expected.var_names)
    assert f"{N_OTHERS} features that are not Gene Expression are left out (var['{column}']: 10 {other})" in caplog.text


@pytest.mark.parametrize("kinds", [("Gene Expression",) * 2, ("protein_coding", "lncRNA"), ("gene", "pseudogene")])
def test_kinds_of_genes_are_all_kept(caplog, kinds):
    adata = with_kinds(*kinds)
    assert expression_only(adata) is adata
    assert caplog.text == ""


@pytest.mark.parametrize("first", ["gene", "Gene Expression", "protein_coding"])
def test_a_later_column_tells_what_the_first_does_not(caplog, first):
    adata = with_kinds("RNA", "ATAC", column="modality")
    adata.var["feature_types"] = first
    assert expression_only(adata).var_names.equals(adata.var_names[:N_GENES])
    assert "var['modality']: 10 ATAC" in caplog.text


@pytest.mark.parametrize("column", LOOSE_COLUMNS)
def test_columns_that_may_say_other_things_count_where_their_words_are_known(caplog, column):
    assert expression_only(with_kinds("RNA", "Protein", column=column)).n_vars == N_GENES
    caplog.clear()
    biotypes = with_kinds("protein", "decoy", column=column)
    assert expression_only(biotypes) is biotypes
    assert f"var['{column}'] holds several kinds that are not known (30 protein, 10 decoy)" in caplog.text
    caplog.clear()
    numbered = with_kinds(1, 2, column=column)
    assert expression_only(numbered) is numbered
    assert caplog.text == ""


def test_several_kinds_of_which_none_is_known_are_said(caplog):
    adata = with_kinds("alpha", "beta")
    assert expression_only(adata) is adata
    assert "var['feature_types'] holds several kinds that are not known (30 alpha, 10 beta)" in caplog.text


def test_other_values_than_counts_do_not_matter_where_they_are_left_out():
    adata = with_kinds("Gene Expression", "Antibody Capture")
    values = adata.X.toarray().astype(float)
    values[:, N_GENES:] = -0.5
    adata.X = values
    assert scinfill.preprocess(adata, n_genes=None).n_vars <= N_GENES


def test_names_that_repeat_between_kinds_are_no_fault():
    adata = with_kinds("Gene Expression", "Antibody Capture")
    adata.var_names = [f"CD{number % N_GENES}x" for number in range(adata.n_vars)]
    assert scinfill.preprocess(adata).var_names.is_unique


@pytest.mark.parametrize("kind", ["Peaks", "Antibody Capture", "ATAC"])
def test_no_gene_at_all_is_refused_with_what_is_there(tmp_path, kind):
    with_kinds(kind, "Custom").write_h5ad(tmp_path / "in.h5ad")
    assert_refused(invoke("preprocess", tmp_path / "in.h5ad"), 3, "no feature is Gene Expression", f"30 {kind}")


def test_every_slot_follows(tmp_path):
    adata = with_kinds("Gene Expression", "Peaks")
    result = from_bytes(invoke("preprocess", "--n-genes", "all", stdin=to_bytes(adata)).stdout_bytes)
    assert result.varm["loadings"].shape[0] == result.layers["spliced"].shape[1] == result.n_vars <= N_GENES


@pytest.mark.parametrize("verb", ["mask", "impute-baseline"])
def test_a_table_whose_shape_must_stay_is_refused(table, verb):
    table.var["feature_types"] = ["Gene Expression"] * (table.n_vars - 1) + ["Peaks"]
    assert_refused(invoke(verb, stdin=to_bytes(table)), 3, "1 Peaks", "isin(['Gene Expression'])")


def test_turned_tables_say_it_in_the_rows():
    adata = with_kinds("Gene Expression", "Peaks")
    assert scinfill.preprocess(adata.T, transpose=True, n_genes=None).n_vars <= N_GENES


def test_no_features_of_any_kind():
    with pytest.raises(DataError, match="empty"):
        scinfill.preprocess(with_kinds("Gene Expression", "Peaks")[:, :0].copy())
