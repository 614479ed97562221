"""``scinfill evaluate``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scinfill.commands._failures import LOG_JSON
from scinfill.commands._help import Verb
from scinfill.commands._named import NamedFile, Names, ProteinGenes, named_by_file, stem
from scinfill.commands._options import layer_option, output_option, runtime_options, seed_option
from scinfill.errors import InputError, ThresholdError
from scinfill.io.streams import STDIO, check_writable

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

log = logging.getLogger(__name__)


@click.command(name="evaluate", cls=Verb, own="Evaluation")
@click.argument("sources", metavar="[[NAME=]INPUT]...", nargs=-1, type=NamedFile())
@output_option(binary=False, help="JSON file to write; - is standard output.")
@click.option("--labels", metavar="COLUMN", help="Column of obs with the true label of every cell.")
@click.option(
    "--batch",
    metavar="COLUMN",
    help="Column of obs with each cell's batch: do batches mix within labels, and do labels still differ within them? "
    "Needs --labels.",
)
@layer_option("Layer to score, on the log2 scale of X.  [default: imputed]")
@click.option("--bulk", metavar="FILE", help="Bulk counts, genes x libraries; library names start with their label.")
@click.option(
    "--de-truth",
    "de_truths",
    metavar="[A_vs_B=]FILE",
    type=NamedFile(),
    multiple=True,
    help="Genes known to differ between labels A and B: columns gene and is_de. Repeatable.",
)
@click.option(
    "--proteins",
    metavar="KEY|TABLE",
    help="Counts of surface proteins (CITE-seq): a key of obsm, such as `preprocess --proteins` writes, or a file of "
    "text, cells x proteins or the other way. They are compared with their genes and with the leading components.",
)
@click.option(
    "--protein-genes",
    type=ProteinGenes(),
    metavar="PROTEIN=GENE,...",
    help="Genes of proteins whose names do not tell, such as CD45RO=PTPRC.",
)
@click.option(
    "--gradient",
    metavar="COLUMN",
    help="Column of obs with a known gradient, such as the dose of a cell line in mixtures.",
)
@click.option(
    "--gradient-genes",
    type=Names(),
    metavar="GENE,...",
    help="Genes known to follow it.  [default: those that do in the counts of half of the cells]",
)
@click.option(
    "--starts",
    "n_starts",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="k-means starts; the spread over them is reported.",
)
@click.option(
    "--max-cells",
    type=click.IntRange(min=10),
    default=5000,
    show_default=True,
    help="Structure, DE and guard look at a random sample of at most this many cells.",
)
@click.option(
    "--correlation",
    type=click.Choice(["pearson", "spearman"]),
    default="pearson",
    show_default=True,
    help="Correlation of cells, for the separability of cell types (CTS).",
)
@click.option(
    "--zero-threshold",
    type=click.FloatRange(min=0),
    help="Values at or below count as zero.  [default: 0.585, half a normalised count]",
)
@click.option("--cv-label", metavar="LABEL", help="Label whose variation is shown.  [default: the largest]")
@click.option("--openproblems", is_flag=True, help="Also the Open Problems denoising numbers, as coded there.")
@click.option(
    "--show-genes",
    metavar="GENE[,GENE]...",
    multiple=True,
    help="Genes that `scinfill report` shows before and after; markers: three of each label. Repeatable.",
)
@click.option(
    "--fail-if-worse-than",
    "thresholds",
    metavar="REFERENCE:METRIC[:TOLERANCE]",
    multiple=True,
    help="Exit with 1 if an input scores worse than raw, gene-mean, svd-10 or another input. Repeatable.",
)
@click.option("--table", "gene_table", metavar="FILE", type=click.Path(), help="Also write scores of genes as CSV.")
@click.option("--title", metavar="TEXT", help="Name of the data in reports.  [default: the first file's name]")
@seed_option
@runtime_options
def command(
    sources: tuple[tuple[str | None, str], ...],
    target: str,
    *,
    layer: str | None,
    bulk: str | None,
    de_truths: tuple[tuple[str | None, str], ...],
    proteins: str | None,
    protein_genes: dict[str, str] | None,
    thresholds: tuple[str, ...],
    gene_table: str | None,
    title: str | None,
    show_genes: tuple[str, ...],
    **settings: Any,  # noqa: ANN401 - the options above
) -> None:
    """Score imputed files beside raw, gene mean and SVD.

    What is scored depends on what INPUT holds: values or molecules hidden by `scinfill mask`, null genes, labels
    (--labels), bulk data (--bulk, --de-truth), surface proteins (--proteins), a known gradient (--gradient). What
    cannot be scored is left out with its reason. Several inputs of the same cells and genes are compared in one call;
    those of one name that differ in what was hidden are replicates.

    \b
      scinfill evaluate imputed.h5ad --labels cell_type -o scores.json
      scinfill evaluate deepmc=a.h5ad auto=b.h5ad --labels cell_type --fail-if-worse-than raw:ari -o scores.json
      scinfill evaluate deepmc=mask1.h5ad deepmc=mask2.h5ad svd=mask1svd.h5ad svd=mask2svd.h5ad -o recovery.json
      scinfill evaluate imputed.h5ad --labels cell_type --show-genes CD3D,MS4A1 | scinfill report -o genes.html
      scinfill mask --mode thin log.h5ad | scinfill impute-deepmc | scinfill evaluate > scores.json
      scinfill mask log.h5ad --mode halves | scinfill impute-deepmc | scinfill evaluate --labels cell_type > halves.json
      scinfill evaluate imputed.h5ad --labels cell_type --batch sample -o scores.json
      scinfill evaluate citeseq.h5ad --proteins protein --protein-genes CD45RO=PTPRC -o scores.json
      scinfill evaluate mixtures.h5ad --gradient dose -o scores.json
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.evaluation.case import Settings
    from scinfill.evaluation.comparison import Threshold
    from scinfill.evaluation.evaluate import run
    from scinfill.evaluation.inputs import Measured
    from scinfill.io import anndata_files, scores
    from scinfill.io import bulk as bulk_tables
    from scinfill.io.streams import write_text

    if gene_table is not None:
        check_writable(gene_table, binary=False)
    rules = [Threshold.parse(threshold) for threshold in thresholds]
    files = named_by_file(sources or [(None, STDIO)])
    tables = [(name, anndata_files.read(path, to_write=False)) for name, path in files]
    evaluation = run(
        tables,
        Settings(
            show_genes=_split(show_genes), **{name: value for name, value in settings.items() if value is not None}
        ),
        layer=layer,
        measured=Measured(
            bulk=None if bulk is None else bulk_tables.read_counts(bulk),
            de_truths={name or stem(path): bulk_tables.read_truth(path) for name, path in de_truths},
            proteins=None if proteins is None else _proteins(proteins, [adata for _, adata in tables]),
            protein_genes=protein_genes,
        ),
        thresholds=rules,
        title=title or (stem(files[0][1]) if files[0][1] != STDIO else None),
    )
    scores.write(evaluation.document, target)
    if gene_table is not None:
        write_text(evaluation.gene_table.to_csv(index=False), gene_table)
    if log.isEnabledFor(logging.INFO) and not click.get_current_context().meta.get(LOG_JSON):
        from scinfill.commands._summary import show

        show(evaluation.document)
    _judge(evaluation.failed_thresholds, len(evaluation.document["thresholds"]))


def _split(show_genes: tuple[str, ...]) -> tuple[str, ...] | None:
    return tuple(filter(None, (name.strip() for names in show_genes for name in names.split(",")))) or None


def _proteins(name: str, tables: "list[AnnData]") -> "str | pd.DataFrame":
    """Return a key of obsm as it is, or the table of that name."""
    is_key, is_file = any(name in adata.obsm for adata in tables), Path(name).is_file()
    if is_key and is_file:
        raise InputError(f"`proteins={name!r}` is a key of obsm and a file as well; for the file write ./{name}")
    if is_key:
        return name
    if not is_file:
        from scinfill.methods.validation import list_names

        raise InputError(
            f"`proteins={name!r}` is neither a file nor a key of obsm (keys present: {list_names(tables[0].obsm)}); "
            f"`preprocess(proteins=True)` keeps the antibodies of a file in obsm['protein']"
        )
    from scinfill.io import protein_tables

    return protein_tables.read(name, tables[0].obs_names)


def _judge(failed: list[str], n_thresholds: int) -> None:
    """End with the line of the threshold that failed; several have a line each before the last one counts them."""
    if len(failed) == 1:
        raise ThresholdError(failed[0])
    for message in failed:
        log.error(message)
    if failed:
        raise ThresholdError(f"{len(failed)} of {n_thresholds} comparisons failed")
