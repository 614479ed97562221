"""Whether genes stand where cells should, told from the names alone: a table's shape says nothing about it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from scinfill.errors import DataError

LOOKED_AT = 10_000
"""Names of an axis that are looked at, at most, evenly spaced: enough to tell, and quick for a million cells."""
MOSTLY = 0.5
"""Share of the names that must be of one kind before it counts as the kind of the axis."""
LEAST_FAMILIES = 3
"""Families below which symbols are none: wells of a plate 'SLC1' are called SLC1A1, SLC1A2, ..."""
CLEAR_FAMILIES = 5
"""Families of symbols that mark an axis of genes: no scheme of naming cells hits so many by chance."""
RECOGNISABLE = 0.02
"""Least share of symbols of these families: a fifth of all human and mouse genes belongs to one."""

GENE_IDENTIFIER = re.compile(
    r"""
    (?:[^|\s]+\|)?(?:[A-Za-z0-9]+[-_]+)*?         # a symbol or genome before it: TP53|ENSG..., GRCh38_ENSG...
    (?:
        ENS[A-Z]{0,6}G\d{11}                      # Ensembl: human, mouse, rat, zebrafish, ...
      | FBgn\d{7} | WBGene\d{8} | ZDB-GENE-\d+-\d+ | MGI:\d+ | RGD:?\d+ | HGNC:\d+ | SGD:S\d{9}
      | AT[1-5CM]G\d{5} | Os\d{2}[gt]\d{7} | LOC_Os\d{2}g\d{5}  # Arabidopsis, rice
      | Zm\d{5}[a-z]{1,2}\d{6} | GRMZM\d[A-Z]\d{6}           # maize
      | Glyma\.\d{2}G\d{6} | Solyc\d{2}g\d{6}              # soybean, tomato
      | PF3D7_(?:\d{7}|API\d+|MIT\d+) | PBANKA_(?:\d{7}|API\d+|MIT\d+) | TG(?:ME|GT)\d+_\d{6}  # Plasmodium, Toxoplasma
      | Y[A-P][LR]\d{3}[WC](?:-[A-Z])?            # yeast
      | [NX][MR]_\d{6,}                           # RefSeq
      | uc\d{3}[a-z]{3}                           # UCSC
      | \d{2,}_(?:[a-z]_)?at                      # Affymetrix
      | \S+__chr(?:\d+[LR]?|[IVX]+|[XYMW]|MT|Un)  # CEL-Seq
      | (?i:gene)[ ._-]?\d+                       # simulators and tutorials
    )
    (?:\.\d+)?(?:[ _|:;].*)?                      # a version, a symbol behind it
    """,
    re.VERBOSE,
)
SYMBOL_FAMILIES = {
    "ribosomal": r"M?RP[LS]\d+[ABXYL]?\d?",
    "mitochondrial": r"MT-(?:ND\d|ND4L|CO\d|ATP\d|CYB|RNR\d|T[A-Z]\d?)",
    "zinc finger": r"(?:ZNF|ZFP|ZBTB|ZSCAN)\d+[A-Z]?",
    "solute carrier": r"SLC\d+A\d+(?:-AS\d|OS)?",
    "transmembrane": r"(?:TMEM|TSPAN|TMED)\d+[A-Z]?(?:-AS\d)?",
    "coiled coil": r"CCDC\d+[A-Z]?",
    "family with similarity": r"FAM\d+[A-Z]\d*",
    "non-coding": r"(?:LINC\d{5}|MIR\d+(?:HG|-\d+)|SNOR[AD]\d+[A-Z]?|SNHG\d+)",
    "clone": r"(?:A[CDFLP]\d{6}\.\d+|(?:RP\d+|CT[ABCD])-\d+[A-Z]\d+\.\d+)",
    "locus": r"(?:LOC\d{6,}|KIAA\d{4}|GM\d{3,5}|\d{7}[A-Z]\d{2}RIK|C\d+ORF\d+)",
    "histocompatibility": r"(?:HLA-(?:[A-G]|D[A-Z]{1,2}\d?)|H2-[A-Z]{1,2}\d?)",
    "histone": r"(?:HIST\d|H[1-4]C|H2[AB]C)[A-Z0-9]+",
    "respiration": r"(?:NDUF[ABCSV]\d+|COX\d[A-C]\d?|UQCR[A-Z0-9]+|ATP\d[A-Z]\d?)",
    "proteasome": r"PSM[A-F]\d+",
    "translation": r"(?:EIF\d[A-Z0-9]+|EEF\d[A-Z]\d*)",
    "kinesin and keratin": r"(?:KIF\d+[A-C]?|KRT\d+)",
    "collagen and laminin": r"(?:COL\d+A\d+|LAM[ABC]\d)",
    "ubiquitin": r"(?:UBE2[A-Z]\d?|USP\d+|TRIM\d+)",
    "dead box": r"(?:DDX|DHX)\d+[A-Z]?",
    "dnaj": r"DNAJ[ABC]\d+",
    "olfactory": r"(?:OR\d+[A-Z]\d+|OLFR\d+)",
    # fruit fly
    "fly: computed gene": r"C[GR]\d{4,5}",
    "fly: mitochondrial": r"mt:\w+(?:-\w+)*",
    "fly: RNA": r"(?:lnc|as|sno|sn|t|hp|sis|sca|pre-r)RNA:\S+",
    "fly: receptor": r"(?:[IG]R|OBP|OR)\d+[A-F][A-C]?",
    "fly: nuclear receptor": r"(?:HR|EIP)\d+[A-Z]*",
    "fly: cytochrome": r"CYP\d+[A-Z]\d+",
    "fly: cuticle": r"(?:CPR|TSP|ACP|LCP)\d+[A-F][A-Z]?\d?",
    "fly: respiration": r"(?:ND-[A-Z0-9]+|UQCR-\w+|VHA\d+-\d+)",
    "fly: cytoskeleton": r"(?:ACT(?:5C|42A|57B|79B|87E|88F)|(?:ALPHA|BETA|GAMMA)TUB\d+[A-F][A-Z]?)",
    # worm
    "worm: clone": r"(?:[BCDEFHKMRTWY]\d{2,4}[A-Z]\d{1,2}[A-Z]{0,2}|[BCEKMRTZ][A-Z]?\d{3,4}|[ACZ][A-Z]\d{1,4}"
    r"|\dL\d+)\.\d{1,2}[A-Z]?",
    "worm: ribosomal": r"rp[ls]-\d+",
    "worm: movement": r"(?:unc|mec|twk|egl)-\d+",
    "worm: lineage": r"(?:let|lin|glp|mex|ceh|hlh|nhr)-\d+",
    "worm: body": r"(?:col|dpy|rol|act|myo|mlc|vit|fat)-\d+",
    "worm: ageing and defence": r"(?:daf|clec|lys|ugt|gst|sod|hsp|cyp)-\d+\S*",
    # yeast
    "yeast: glycolysis": r"(?:TDH|ADH|ENO|PDC|PFK|TPI|FBA|HXT|HXK|GAL)\d{1,2}",
    "yeast: biosynthesis": r"(?:HIS|LEU|TRP|URA|LYS|ARG|MET|ADE)\d{1,2}",
    "yeast: secretion": r"(?:SEC|VPS|VMA|COG|ERG)\d{1,2}",
    "yeast: cell cycle": r"(?:CDC|CLN|CLB|SWI|SNF)\d{1,2}",
    "yeast: stress": r"(?:HSP|SSA|SSB|SSC|CTT|TPS)\d{1,3}",
    "yeast: growth": r"(?:TEF|TIF|YEF|EFT|ACT|TUB|CYC|PMA)\d[AB]?",
    "yeast: chromatin": r"(?:SIR|RAD|RSC|SPT|HT[AB]|HH[TF])\d{1,2}",
}
ANY_FAMILY = re.compile("|".join(f"({pattern})" for pattern in SYMBOL_FAMILIES.values()), re.IGNORECASE)
"""All families at once: the number of the group that matched is that of the family."""
HOUSEKEEPING = re.compile(
    r"GAPDH|ACTB|ACTG1|B2M|MALAT1|NEAT1|XIST|TMSB4X|TMSB10|TPT1|FTH1|FTL|UBC|UBB|UBA52|FAU|PTMA|HPRT|"
    r"HPRT1|TBP|PPIA|PPIB|SDHA|TFRC|GUSB|PGK1|ALDOA|ENO1|LDHA|LDHB|PKM|TUBA1A|TUBA1B|TUBB|VIM|HSP90AA1|"
    r"HSP90AB1|HSPA8|HSPD1|NPM1|NCL|SOD1|CALM1|CALR|CANX|CFL1|PFN1|MYL6|S100A4|S100A6|LGALS1|CST3|CD74|"
    r"JUN|JUNB|FOS|EGR1|MYC|TP53|MKI67|TOP2A|PCNA|HMGB1|HMGB2|STMN1|H2AFZ|H2AZ1|SRSF3|NACA|RACK1|GNB2L1|"
    r"SERF2|OAZ1|YWHAZ|APOE|COL1A1|ALB|GFAP|SOX2|OCT4|POU5F1|NANOG|PTPRC|EPCAM|MS4A1|CD3D|CD3E|NKG7|GNLY|"
    r"LYZ|PPBP|FCER1A|GATA1|GATA2|GATA3",
    re.IGNORECASE,
)

GENOME = re.compile(r"(?:(?:GRC[a-z]|hg|mm|rn|dm|BDGP|mRatBN)[\d.]+|(?i:human|mouse|rat))[_-]+")
"""What Cell Ranger, Seurat and others put before a symbol where there are several genomes."""
SEPARATED = re.compile(r"^(MT|HLA|H2)\.", re.IGNORECASE)
"""R writes a dot for a hyphen."""

BARCODE = re.compile(r"[ACGTN]{12,}|(?<![A-Za-z])[ACGTN]{6,}(?:[-_.+][ACGTN]{6,})+(?![A-Za-z])", re.IGNORECASE)
"""A run of bases, whatever stands before and behind it: AAACCTGAGAAACCAT-1, s1_AAACCTGAGAAACCAT.1, GATTACA_GATTACA."""
CELL_WORD = re.compile(r"cell[ ._-]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class _Axis:
    """Kind of the names along one axis.

    Attributes
    ----------
    genes, cells
        Names that only genes, or only cells, have, if they are most of the axis or clearly mark it; otherwise none.
    some_genes
        Whether any number of names looks like genes.
    """

    genes: Sequence[str]
    cells: Sequence[str]
    some_genes: bool


def check_orientation(cells: pd.Index, genes: pd.Index, *, transposed: bool) -> None:
    """Refuse a table with genes in rows, where its names leave no doubt.

    Names that could be anything, such as numbers, are no evidence, and neither are names of genes on both axes
    (cells may be called after the gene that was knocked out in them).

    Parameters
    ----------
    cells, genes
        Names as the table has them now.
    transposed
        Whether ``transpose`` has brought them there.

    Raises
    ------
    DataError
        The names of cells are those of genes, or those of genes are barcodes.
    """
    rows, columns = _axis(cells), _axis(genes)
    if rows.genes and not columns.some_genes:
        found = f"cells are named like genes ({_examples(rows.genes)})"
    elif columns.cells and not rows.cells:
        found = f"genes are named like cells ({_examples(columns.cells)})"
    else:
        return
    if transposed:
        raise DataError(f"{found}: cells were in rows already; leave out `transpose=True`")
    raise DataError(f"{found}: genes are in rows; use `preprocess(transpose=True)`")


def _axis(names: pd.Index) -> _Axis:
    step = max(1, -(-len(names) // LOOKED_AT))
    looked_at = [str(name) for name in names[::step]]
    identifiers = [name for name in looked_at if GENE_IDENTIFIER.fullmatch(name)]
    family_of = {name: family for name in looked_at if (family := _family(name)) is not None}
    n_families = len(set(family_of.values()))
    symbols = list(family_of) if n_families >= LEAST_FAMILIES else []
    enough = MOSTLY * len(looked_at)
    clearly = n_families >= CLEAR_FAMILIES and len(symbols) >= RECOGNISABLE * len(looked_at)
    cells = [name for name in looked_at if BARCODE.search(name) or CELL_WORD.fullmatch(name)]
    genes = identifiers + symbols
    return _Axis(
        genes=genes if len(genes) >= enough or clearly else [],
        cells=cells if len(cells) >= enough else [],
        some_genes=clearly or len(genes) >= RECOGNISABLE * len(looked_at) > 0,
    )


def _family(name: str) -> str | int | None:
    """Return what stands for the family of a gene symbol, a housekeeping gene being one of its own, or None."""
    symbol = SEPARATED.sub(r"\1-", GENOME.sub("", name))
    if HOUSEKEEPING.fullmatch(symbol):
        return symbol.upper()
    found = ANY_FAMILY.fullmatch(symbol)
    return None if found is None else found.lastindex


def _examples(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in list(names)[:3])
