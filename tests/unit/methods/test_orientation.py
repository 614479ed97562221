import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scinfill
from _support import assert_refused, invoke, shared
from scinfill.errors import DataError
from scinfill.methods.orientation import check_orientation

N = 60
HUMAN = [
    "GAPDH",
    "ACTB",
    "MT-ND1",
    "MT-CO2",
    "RPL3",
    "RPS27A",
    "ZNF264",
    "SLC25A6",
    "TMEM14B",
    "CCDC88A",
    "FAM133B",
    "LINC00115",
    "HLA-DRB1",
    "NDUFA4",
    "PSMB8",
    "EIF4A1",
    "TP53",
    "CD3E",
    "AAMP",
    "ABCA1",
    "GNAI3",
    "PLXNB2",
    "SAMD11",
    "NOC2L",
    "KLHL17",
    "AGRN",
    "SDF4",
    "UBE2J2",
    "ACAP3",
    "PUSL1",
    "CPSF3L",
    "DVL1",
    "MXRA8",
    "AURKAIP1",
]
FLY = [
    "CG1234",
    "CG31973",
    "CR40469",
    "lncRNA:CR40469",
    "asRNA:CR45117",
    "mt:CoI",
    "mt:ND1",
    "RpL3",
    "RpS27A",
    "Act5C",
    "alphaTub84B",
    "Gapdh1",
    "Cyp6a2",
    "Hsp83",
    "Dscam1",
    "repo",
    "elav",
    "sog",
    "dpp",
    "vkg",
    "brm",
    "osa",
    "Hr38",
    "Eip74EF",
    "ND-75",
    "Vha55",
    "Vha68-2",
    "Cpr47Ea",
]
WORM = [
    "F35G12.2",
    "C01F6.8",
    "Y48G1C.12",
    "ZK1128.5",
    "B0001.1",
    "K07A1.8",
    "2L52.1",
    "AC3.10",
    "T07C4.4a",
    "act-4",
    "unc-54",
    "rpl-3",
    "let-7",
    "daf-16",
    "col-19",
    "vit-2",
    "aap-1",
    "pat-10",
    "nspd-2",
]
YEAST = [
    "ACT1",
    "TDH3",
    "RPL4A",
    "RPS28B",
    "ADH1",
    "PGK1",
    "ENO2",
    "CDC19",
    "TEF1",
    "HSP82",
    "SSA1",
    "URA3",
    "LEU2",
    "HIS3",
    "TRP1",
    "GAL4",
    "PDC1",
    "CYC1",
    "SEC61",
    "VMA2",
    "MFA1",
    "PHO5",
    "YRA1",
]
MOUSE = [name.capitalize() for name in HUMAN] + ["mt-Nd1", "H2-K1", "2010107E04Rik", "Gm10922"]


def numbered(form, n=N):
    return [form.format(number) for number in range(n)]


def barcodes(form="{}-1", n=N, length=16):
    rng = np.random.default_rng(0)
    return [form.format("".join(rng.choice(list("ACGT"), length))) for _ in range(n)]


GENES = {
    "Ensembl": numbered("ENSG{:011d}"),
    "Ensembl, version": numbered("ENSG{:011d}.5"),
    "Ensembl and symbol": numbered("ENSG{:011d}_ABC"),
    "Ensembl, genome": numbered("GRCh38_ENSG{:011d}"),
    "Ensembl, mouse": numbered("ENSMUSG{:011d}"),
    "Ensembl, zebrafish": numbered("ENSDARG{:011d}"),
    "FlyBase": numbered("FBgn{:07d}"),
    "WormBase": numbered("WBGene{:08d}"),
    "Arabidopsis": numbered("AT1G{:05d}"),
    "yeast": numbered("YAL{:03d}W"),
    "CEL-Seq": numbered("Abc{}__chr6"),
    "symbol and Ensembl": numbered("ABC1|ENSG{:011d}"),
    "malaria": numbered("PF3D7_{:07d}"),
    "maize": numbered("Zm00001d{:06d}"),
    "soybean": numbered("Glyma.01G{:06d}"),
    "rice": numbered("LOC_Os01g{:05d}"),
    "tomato": numbered("Solyc01g{:06d}.2"),
    "probes": numbered("{}_at", 100)[10:],
    "UCSC": numbered("uc{:03d}abc.1"),
    "fly symbols": FLY,
    "worm symbols": WORM,
    "yeast symbols": YEAST,
    "genome and hyphen": [f"GRCh38-{name}" for name in HUMAN],
    "species": [f"human_{name}" for name in HUMAN] + [f"mouse_{name}" for name in MOUSE],
    "human symbols": HUMAN,
    "mouse symbols": MOUSE,
    "R": [name.replace("-", ".") for name in HUMAN],
    "two genomes": [f"GRCh38_{name}" for name in HUMAN] + [f"mm10___{name}" for name in MOUSE],
    "few markers": ["GAPDH", "ACTB", "CD3E"],
    "numbered": numbered("Gene{}"),
}
CELLS = {
    "10x": barcodes(),
    "10x, old": barcodes("{}", length=14),
    "prefix": barcodes("sample1_{}-1"),
    "suffix": barcodes("{}-1-tumour"),
    "R": barcodes("X{}.1"),
    "velocyto": barcodes("run1:{}x"),
    "drop-seq": barcodes("{}", length=12),
    "two rounds": [f"{one}_{two}" for one, two in zip(*[iter(barcodes("{}", 2 * N, 8))] * 2, strict=True)],
    "numbered": numbered("Cell{}"),
}
ANYTHING = {
    "numbers": numbered("{}"),
    "species": [f"{species}_{n}" for species in ("human", "mouse") for n in range(30)],
    "plates, wells and replicates": [
        f"B{plate:02d}{row}{n}.1" for plate in range(5) for row in "ABC" for n in range(4)
    ],
    "strains": numbered("CG{}", 1060)[1000:],
    "treatments": [f"{word}-{n}" for word in ("act", "col", "unc", "ctrl", "rep") for n in range(12)],
    "wells": [f"{row}{column}" for row in "ABCDE" for column in range(1, 13)],
    "plates": [f"SLC{plate}A{well}" for plate in range(5) for well in range(12)],
    "donors": numbered("NA19098.r1.A{:02d}"),
    "Fluidigm": numbered("1772071015_C{:02d}"),
    "stages": numbered("late2cell_6_{}"),
    "types": [f"{kind}_{n}" for kind in ("CD4 T", "CD8 T", "NK", "B", "HSC") for n in range(12)],
}


@pytest.mark.parametrize("cells", [*CELLS, *ANYTHING])
@pytest.mark.parametrize("genes", GENES)
def test_genes_in_rows_are_found_by_name_and_the_right_way_round_is_taken(genes, cells):
    genes, cells = pd.Index(GENES[genes]), pd.Index((CELLS | ANYTHING)[cells])
    check_orientation(cells, genes, transposed=False)
    with pytest.raises(DataError, match=r"genes are in rows; use .*transpose=True"):
        check_orientation(genes, cells, transposed=False)


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("genes", ANYTHING)
def test_cells_alone_are_evidence_enough(genes, cells):
    genes, cells = pd.Index(ANYTHING[genes]), pd.Index(CELLS[cells])
    check_orientation(cells, genes, transposed=False)
    with pytest.raises(DataError, match=r"genes are named like cells .*transpose=True"):
        check_orientation(genes, cells, transposed=False)


@pytest.mark.parametrize("cells", ANYTHING)
@pytest.mark.parametrize("genes", ANYTHING)
def test_names_that_say_nothing_are_accepted_both_ways(genes, cells):
    check_orientation(pd.Index(ANYTHING[genes]), pd.Index(ANYTHING[cells]), transposed=False)


def test_one_kind_on_both_axes_is_no_evidence():
    """Pools of cells are called after the gene that was knocked out; a matrix of distances has cells twice."""
    for names in ({**GENES, **CELLS}).values():
        check_orientation(pd.Index(names), pd.Index(names), transposed=False)
    check_orientation(pd.Index(HUMAN), pd.Index(GENES["Ensembl"]), transposed=False)


def test_few_names_among_many_are_no_evidence():
    odd = [*numbered("sample{}", 200), "GAPDH", "ENSG00000000003", "AAACCTGAGAAACCAT-1"]
    check_orientation(pd.Index(odd), pd.Index(numbered("feature{}")), transposed=False)
    check_orientation(pd.Index(numbered("feature{}")), pd.Index(odd), transposed=False)


@pytest.mark.parametrize(
    "name",
    ["blakeley", "pbmc3k", "preimplantation_deng", "scmix_3lines_celseq2", "tung_partial", "zeisel_subset"],
)
def test_real_names(name):
    adata = anndata.read_h5ad(shared(f"{name}.h5ad"), backed="r")
    check_orientation(adata.obs_names, adata.var_names, transposed=False)
    with pytest.raises(DataError, match="transpose=True"):
        check_orientation(adata.var_names, adata.obs_names, transposed=False)


def as_table(cells, genes):
    rng = np.random.default_rng(0)
    values = rng.poisson(5, (len(cells), len(genes)))
    return AnnData(values, obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=genes))


@pytest.mark.parametrize("form", ["h5ad", "csv", "tsv"])
def test_every_format_is_refused_until_it_is_turned(tmp_path, form):
    adata = as_table(GENES["Ensembl"], CELLS["10x"])
    path = tmp_path / f"in.{form}"
    if form == "h5ad":
        adata.write_h5ad(path)
    else:
        adata.to_df().to_csv(path, sep={"csv": ",", "tsv": "\t"}[form])
    assert_refused(
        invoke("preprocess", path), 3, "named like genes ('ENSG00000000000'", "genes are in rows", "--transpose"
    )
    assert invoke("preprocess", "--transpose", path, "-o", tmp_path / "out.h5ad").exit_code == 0


def test_turned_without_need(tmp_path):
    as_table(CELLS["10x"], HUMAN).write_h5ad(tmp_path / "in.h5ad")
    assert_refused(invoke("preprocess", "--transpose", tmp_path / "in.h5ad"), 3, "leave out --transpose")


def test_python_callers_are_told_as_well():
    with pytest.raises(DataError, match="genes are in rows"):
        scinfill.preprocess(as_table(HUMAN, CELLS["10x"]))
    table = scinfill.preprocess(as_table(CELLS["10x"], HUMAN), n_genes=None)
    with pytest.raises(DataError, match="genes are in rows"):
        scinfill.mask(table.T)
