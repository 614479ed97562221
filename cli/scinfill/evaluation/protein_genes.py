"""Which gene a surface protein is made from, told from their names."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from scinfill.errors import InputError

ALIASES: Mapping[str, str] = {
    "4-1BB": "TNFRSF9",
    "B220": "PTPRC",
    "BCMA": "TNFRSF17",
    "CD3": "CD3E",
    "CD8": "CD8A",
    "CD10": "MME",
    "CD11a": "ITGAL",
    "CD11b": "ITGAM",
    "CD11c": "ITGAX",
    "CD13": "ANPEP",
    "CD15": "FUT4",
    "CD16": "FCGR3A",
    "CD18": "ITGB2",
    "CD20": "MS4A1",
    "CD21": "CR2",
    "CD23": "FCER2",
    "CD25": "IL2RA",
    "CD26": "DPP4",
    "CD29": "ITGB1",
    "CD31": "PECAM1",
    "CD32": "FCGR2A",
    "CD35": "CR1",
    "CD39": "ENTPD1",
    "CD40L": "CD40LG",
    "CD41": "ITGA2B",
    "CD42b": "GP1BA",
    "CD43": "SPN",
    "CD45": "PTPRC",
    "CD45RA": "PTPRC",
    "CD49b": "ITGA2",
    "CD49d": "ITGA4",
    "CD49f": "ITGA6",
    "CD50": "ICAM3",
    "CD54": "ICAM1",
    "CD56": "NCAM1",
    "CD57": "B3GAT1",
    "CD61": "ITGB3",
    "CD62L": "SELL",
    "CD62P": "SELP",
    "CD64": "FCGR1A",
    "CD66b": "CEACAM8",
    "CD71": "TFRC",
    "CD73": "NT5E",
    "CD85j": "LILRB1",
    "CD88": "C5AR1",
    "CD90": "THY1",
    "CD94": "KLRD1",
    "CD95": "FAS",
    "CD103": "ITGAE",
    "CD105": "ENG",
    "CD107a": "LAMP1",
    "CD115": "CSF1R",
    "CD117": "KIT",
    "CD119": "IFNGR1",
    "CD122": "IL2RB",
    "CD123": "IL3RA",
    "CD124": "IL4R",
    "CD126": "IL6R",
    "CD127": "IL7R",
    "CD134": "TNFRSF4",
    "CD137": "TNFRSF9",
    "CD138": "SDC1",
    "CD141": "THBD",
    "CD144": "CDH5",
    "CD146": "MCAM",
    "CD150": "SLAMF1",
    "CD152": "CTLA4",
    "CD154": "CD40LG",
    "CD155": "PVR",
    "CD158e1": "KIR3DL1",
    "CD161": "KLRB1",
    "CD162": "SELPLG",
    "CD169": "SIGLEC1",
    "CD172a": "SIRPA",
    "CD178": "FASLG",
    "CD183": "CXCR3",
    "CD184": "CXCR4",
    "CD185": "CXCR5",
    "CD192": "CCR2",
    "CD194": "CCR4",
    "CD195": "CCR5",
    "CD196": "CCR6",
    "CD197": "CCR7",
    "CD223": "LAG3",
    "CD235a": "GYPA",
    "CD267": "TNFRSF13B",
    "CD268": "TNFRSF13C",
    "CD269": "TNFRSF17",
    "CD270": "TNFRSF14",
    "CD272": "BTLA",
    "CD273": "PDCD1LG2",
    "CD275": "ICOSLG",
    "CD278": "ICOS",
    "CD279": "PDCD1",
    "CD294": "PTGDR2",
    "CD303": "CLEC4C",
    "CD304": "NRP1",
    "CD314": "KLRK1",
    "CD319": "SLAMF7",
    "CD326": "EPCAM",
    "CD335": "NCR1",
    "CD336": "NCR2",
    "CD337": "NCR3",
    "CD357": "TNFRSF18",
    "CD366": "HAVCR2",
    "FceRIa": "FCER1A",
    "GITR": "TNFRSF18",
    "HLA-DR": "HLA-DRA",
    "IgD": "IGHD",
    "IgM": "IGHM",
    "NKG2D": "KLRK1",
    "NKp46": "NCR1",
    "OX40": "TNFRSF4",
    "PD-1": "PDCD1",
    "PD-L1": "CD274",
    "PD-L2": "PDCD1LG2",
    "TIM-3": "HAVCR2",
}
"""Usual names of surface proteins whose gene is called otherwise (HGNC), in one chain where there are several.

Names of isoforms other than CD45RA, such as CD45RO, are not here: the gene tells nothing of them alone.
"""
PREFIX = re.compile(r"(?:anti|adt|prot|protein|human|mouse|rat)(?:[ _.-]+)(?=.)", re.IGNORECASE)
SUFFIX = re.compile(
    r"[ _.-]+(?:total ?seq[ _.-]*[a-d]?|prot|protein|adt|antibody|ab|pab|(?:human|mouse)(?:[ _.-]mouse)?)$",
    re.IGNORECASE,
)
REPEATED = re.compile(r"(?<=.)[.-]\d$")
"""What R (.1) and anndata (-1) append where a gene and a protein have one name."""
IN_BRACKETS = re.compile(r"\s*\((?P<other>[^()]+)\)\s*$")
"""A second name, as in CD197 (CCR7)."""


def find_genes(proteins: Sequence[str], genes: Sequence[str], chosen: Mapping[str, str]) -> dict[str, int]:
    """Return the position of every protein's gene; proteins without one are left out.

    A gene has the name of its protein, whatever the case and what usual suffixes say (``CD4_TotalSeqB``, ``CD4_prot``,
    ``ADT_CD4``, ``CD4.1``), or the name in :data:`ALIASES`.

    Parameters
    ----------
    proteins, genes
        Names, each unique.
    chosen
        Genes by protein, which come before any name.

    Raises
    ------
    InputError
        A protein or gene that was chosen is not there, or several genes differ from a protein's name in case alone.
    """
    find = partial(_find, by_form=_by_form(genes))
    for protein, gene in chosen.items():
        if protein not in proteins:
            raise InputError(
                f"`protein_genes`: there is no protein {protein!r}; proteins present: {name_some(proteins)}"
            )
        if find(gene, protein=protein) is None:
            raise InputError(
                f"`protein_genes`: there is no gene {gene!r} for {protein!r} in the table (genes like "
                f"{name_some(genes, 3)}); keep more genes: `preprocess(n_genes=N)`"
            )
    positions = {}
    for protein in proteins:
        names = [chosen[protein]] if protein in chosen else list(_names(protein))
        found = next((place for name in names if (place := find(name, protein=protein)) is not None), None)
        if found is not None:
            positions[protein] = found
    return positions


def _names(protein: str) -> Iterator[str]:
    """Yield what the gene may be called, the likeliest first."""
    for plain in dict.fromkeys(_plain_names(protein)):
        yield plain
        alias = BY_LETTERS.get(_letters(plain))
        if alias is not None:
            yield alias


def _plain_names(protein: str) -> Iterator[str]:
    """Yield the name with less and less around it."""
    yield protein
    bare = SUFFIX.sub("", PREFIX.sub("", protein, count=1))
    yield bare
    brackets = IN_BRACKETS.search(bare)
    if brackets is not None:
        yield bare[: brackets.start()]
        yield brackets["other"]
    numbered = REPEATED.sub("", bare)
    yield numbered
    yield SUFFIX.sub("", numbered)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


BY_LETTERS = {_letters(name): gene for name, gene in ALIASES.items()}

Forms = tuple[dict[str, int], dict[str, list[int]]]


def _by_form(genes: Sequence[str]) -> Forms:
    """Return positions of genes by name, and by name in small letters."""
    lower = defaultdict(list)
    for position, gene in enumerate(genes):
        lower[gene.lower()].append(position)
    return {gene: position for position, gene in enumerate(genes)}, lower


def _find(name: str, *, protein: str, by_form: Forms) -> int | None:
    """Return the gene of a name: as it is written, or else the only one that differs in case alone."""
    exact, lower = by_form
    if name in exact:
        return exact[name]
    found = lower.get(name.lower(), [])
    if len(found) > 1:
        names = {position: gene for gene, position in exact.items() if position in found}
        raise InputError(
            f"protein {protein!r} may belong to any of the genes {', '.join(map(repr, names.values()))}; "
            f"choose one: `protein_genes='{protein}={names[found[0]]}'`"
        )
    return found[0] if found else None


def name_some(names: Sequence[str], most: int = 12) -> str:
    """Return the first names as a message lists them."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
