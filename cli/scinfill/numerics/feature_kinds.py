"""The words by which files call gene expression, and what is measured beside it."""

import re

EXPRESSION = re.compile(
    r"(?:gene|rna|mrna|transcript)?expression|gex|(?:m|sc|sn)?rna(?:seq)?|transcriptom(?:e|es|ics|ic)|sctranscriptomics"
)
"""What the expression of genes is called, in small letters and without signs between them."""
OTHER = re.compile(
    r"peaks|peak|(?:sc|sn)?atac(?:seq|peaks)?|(?:chromatin|open)?accessibility|(?:open)?chromatin|fragments?|dna|"
    r"antibodycapture|antigencapture|antibody|antibodies|adts?|htos?|hashtags?|hashing|cellhashing|lmo|epitopes?|"
    r"prot|proteins?|proteom(?:e|ics)|cite|citeseq|surface(?:proteins?|markers?|antigens?|proteome)?|totalseq|"
    r"crisprguidecapture|crispr|guides?|sgrnas?|grnas?|multiplexingcapture|custom|vdj|vdjt|vdjb|tcr|bcr|airr|"
    r"motifs?|methylation|methylome|metabolites?|metabolomics|lipids?|lipidomics"
)
"""What features that are no genes are called. Other words, such as ``protein_coding``, are kinds of genes."""
ANTIBODIES = re.compile(
    r"antibodycapture|antibody|antibodies|adts?|prot|proteins?|proteom(?:e|ics)|cite|citeseq|"
    r"surface(?:proteins?|markers?|antigens?|proteome)?|totalseq|epitopes?"
)
"""What antibodies that count surface proteins are called; hashtags count cells' origins."""
HASHTAG = re.compile(
    r"(?:hash|hashtag|hto|cmo|lmo|cellhashing|samplehashing|sampletag)[a-z]?[0-9]*(?:totalseq.*|hs|mm)?"
)
"""Names of antibodies that tell samples apart, in small letters and without signs."""
OF_GENES = re.compile(
    r"genes?|.*(?:coding|gene|rna|transcript|sense).*|tec|ribozyme|artifact|nonsensemediateddecay|nonstopdecay|"
    r"retainedintron|ercc|spikeins?|endogenous"
)
"""Kinds of genes, as annotations of genomes call them."""


def is_expression(name: str) -> bool:
    """Whether a name is one of those for the expression of genes, in any case and with any signs between words."""
    return EXPRESSION.fullmatch(_plain(name)) is not None


def is_other(name: str) -> bool:
    """Whether a name is one of those for something beside genes: peaks, antibodies, guides, ..."""
    return OTHER.fullmatch(_plain(name)) is not None


def is_of_proteins(name: str) -> bool:
    """Whether a name is one of those for antibodies against surface proteins."""
    return ANTIBODIES.fullmatch(_plain(name)) is not None


def is_hashtag(feature: str) -> bool:
    """Whether an antibody of that name tells samples apart, as in cell hashing: it says nothing of a cell's state."""
    return HASHTAG.fullmatch(_plain(feature)) is not None


def is_of_genes(name: str) -> bool:
    """Whether a name says what kind of gene something is, such as ``protein_coding``."""
    return OF_GENES.fullmatch(_plain(name)) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
