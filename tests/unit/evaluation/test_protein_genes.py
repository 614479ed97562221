import pytest

from scinfill.errors import InputError
from scinfill.evaluation.protein_genes import ALIASES, find_genes

GENES = (
    *("CD4", "CD8A", "CD3E", "CD14", "PTPRC", "FCGR3A", "NCAM1", "ITGAX", "MME", "MS4A1", "IL7R", "IL2RA", "PDCD1"),
    *("TIGIT", "FUT4", "HLA-DRA", "CCR5", "CCR7", "CD19", "CD34", "SIGLEC10"),
)


@pytest.mark.parametrize(
    ("protein", "gene"),
    [
        *[("CD3", "CD3E"), ("CD4", "CD4"), ("CD8", "CD8A"), ("CD8a", "CD8A"), ("CD45", "PTPRC"), ("CD45RA", "PTPRC")],
        *[("CD16", "FCGR3A"), ("CD14", "CD14"), ("CD19", "CD19"), ("CD34", "CD34"), ("CD56", "NCAM1")],
        *[("CD11c", "ITGAX"), ("CD10", "MME"), ("CCR5", "CCR5"), ("CCR7", "CCR7"), ("CD197", "CCR7")],
        *[("CD20", "MS4A1"), ("CD127", "IL7R"), ("CD25", "IL2RA"), ("PD-1", "PDCD1"), ("TIGIT", "TIGIT")],
        *[("CD15", "FUT4"), ("HLA-DR", "HLA-DRA"), ("HLA.DR", "HLA-DRA"), ("PD1", "PDCD1"), ("cd4", "CD4")],
        *[("CD4_TotalSeqB", "CD4"), ("CD3_TotalSeqC", "CD3E"), ("CD4_prot", "CD4"), ("ADT_CD4", "CD4")],
        *[("CD4.1", "CD4"), ("CD4-1", "CD4"), ("CD3-ADT", "CD3E"), ("prot_CD19", "CD19"), ("anti-CD3", "CD3E")],
        *[("CD4 antibody", "CD4"), ("CD197 (CCR7)", "CCR7"), ("PD-1_TotalSeqB", "PDCD1"), ("CD8a_TotalSeqB.1", "CD8A")],
        *[("ADT-CD45RA", "PTPRC"), ("Siglec10", "SIGLEC10"), ("CD279 (PD-1)", "PDCD1")],
    ],
)
def test_names_that_a_gene_goes_by(protein, gene):
    assert find_genes([protein], GENES, {}) == {protein: GENES.index(gene)}


@pytest.mark.parametrize("protein", ["CD45RO", "IgG1", "mouse IgG2a isotype", "CD400", "HTO_1", "", "1"])
def test_what_no_gene_is_named_like_has_none(protein):
    assert find_genes([protein], GENES, {}) == {}


def test_genes_of_mice_have_the_case_of_theirs():
    assert find_genes(["CD3", "CD4"], ["Cd4", "Cd3e"], {}) == {"CD3": 1, "CD4": 0}


def test_a_choice_comes_before_the_name_and_adds():
    assert find_genes(["CD3", "CD45RO"], [*GENES, "CD3D"], {"CD45RO": "PTPRC", "CD3": "cd3d"}) == {
        "CD3": len(GENES),
        "CD45RO": GENES.index("PTPRC"),
    }


def test_genes_that_differ_in_case_alone_are_told_apart_by_the_case_or_the_user():
    genes = ["CD4", "Cd4"]
    assert find_genes(["CD4"], genes, {}) == {"CD4": 0}
    with pytest.raises(
        InputError, match=r"'cd4' may belong to any of the genes 'CD4', 'Cd4'; choose one: `protein_gen"
    ):
        find_genes(["cd4"], genes, {})
    assert find_genes(["cd4"], genes, {"cd4": "Cd4"}) == {"cd4": 1}


def test_choices_that_are_not_there_are_refused_with_what_is():
    with pytest.raises(InputError, match="there is no protein 'CD5'; proteins present: CD3, CD4"):
        find_genes(["CD3", "CD4"], GENES, {"CD5": "CD4"})
    with pytest.raises(InputError, match=r"no gene 'CD3Z' for 'CD3' in the table \(genes like CD4, CD8A, CD3E, ...\)"):
        find_genes(["CD3"], GENES, {"CD3": "CD3Z"})


def test_no_alias_says_what_the_name_says_already():
    assert all(name.upper() != gene for name, gene in ALIASES.items())
