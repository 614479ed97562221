"""``scinfill preprocess``."""

import os
from typing import Any, get_args

import click

from scinfill.commands._help import Verb
from scinfill.commands._options import (
    check_model_stays,
    counts_options,
    input_argument,
    layer_option,
    model_file_option,
    output_option,
    read_model_file,
    runtime_options,
    seed_option,
)
from scinfill.schema import Preset


class GeneNumber(click.ParamType):
    """A positive number of genes, or ``all`` (None)."""

    name = "N|all"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number, or None for all."""
        text = str(value)
        if text == "all":
            return None
        if not text.isdecimal() or int(text) == 0:
            self.fail(f"{text!r} is neither a positive number nor 'all'", param, ctx)
        return int(text)


def _names_or_file(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the names that a file holds, where there is one, or that were typed."""
    if value is None or ctx.resilient_parsing:
        return ()
    from scinfill.io.name_lists import read_names, split_names

    # os.path answers no where a long list of names is no path at all; a folder may be called like a gene.
    is_file = os.path.exists(value) and not os.path.isdir(value)  # noqa: PTH110, PTH112
    return read_names(value) if is_file else split_names(value)


@click.command(name="preprocess", cls=Verb, own="Cells, genes and counts")
@input_argument
@output_option()
@layer_option("Layer that holds the counts instead of X; raw is the table's raw, unless a layer is called so.")
@counts_options
@click.option("--transpose", is_flag=True, help="The input has genes in rows.")
@click.option(
    "--min-counts",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Keep a gene that has at least this many counts in --min-cells cells.",
)
@click.option(
    "--min-cells",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Minimum number of cells with --min-counts counts. The papers say 3; reproducing their data needs 4.",
)
@click.option(
    "--n-genes",
    type=GeneNumber(),
    default="1000",
    show_default=True,
    help="Number of genes to keep, the most dispersed first; 'all' keeps every one that passes the filter: for markers "
    "and gene sets that the most dispersed leave out. Time and memory grow with the number.",
)
@click.option(
    "--keep-genes",
    metavar="A,B,…|FILE",
    callback=_names_or_file,
    help="Names of genes to keep beside these, whatever their dispersion and however few their counts, or a file with "
    "one a line. Names that are not there are said.",
)
@click.option(
    "--preset",
    type=click.Choice(get_args(Preset)),
    default="recommended",
    show_default=True,
    help="'paper' keeps spike-ins, as the papers do.",
)
@click.option(
    "--min-total-counts",
    metavar="N",
    type=click.IntRange(min=0),
    help="Leave out cells with fewer counts over all genes. Without it, an unfiltered matrix (most barcodes are nearly "
    "empty droplets) is refused; 0 keeps them all.",
)
@click.option(
    "--round",
    "round_counts",
    is_flag=True,
    help="Round fractional counts (SoupX, decontX, RSEM, salmon, alevin, STARsolo EM) up or down at random, so that "
    "means stay as they are.",
)
@click.option("--keep-spike-ins", is_flag=True, help="Treat spike-ins as genes.")
@click.option(
    "--spike-ins",
    metavar="PATTERN",
    help="Regular expression found in the names of other spike-ins, such as '^SIRV'; those of the ERCC mix are known.",
)
@click.option(
    "--proteins",
    is_flag=True,
    help="Keep the counts of antibodies (CITE-seq: Antibody Capture of 10x files, a modality of MuData) in "
    "obsm['protein'], for `evaluate --proteins protein`; refused where there are none.",
)
@model_file_option(
    "--like",
    "File of a saved model (`scinfill impute-deepmc --save-model`): the same genes in the same order, and size factors "
    "on the same scale, for cells that it is to impute. Genes that INPUT lacks stay absent.",
)
@click.option("--unique-names", is_flag=True, help="Tell repeated names apart by -1, -2, ... instead of refusing them.")
@seed_option
@runtime_options
def command(
    source: str,
    target: str,
    *,
    modality: str | None,
    genome: str | None,
    proteins: bool,
    like: str | None,
    **settings: Any,  # noqa: ANN401 - the options above
) -> None:
    """Turn counts into log2 values of the genes that vary most.

    Filters genes, divides by library size, chooses by dispersion, takes log2(x + 1).

    INPUT is one of these, told apart by its content:

    \b
      H5AD file, zarr store    counts in X, in a layer or in raw (--layer)
      MuData file (.h5mu)      the modality that holds RNA (--modality)
      10x .h5 file             any version of Cell Ranger (--genome)
      Matrix Market files      with names of genes and cells beside them, as Cell Ranger, STARsolo,
                               kb-python, alevin-fry and GEO leave them: the folder, Cell Ranger's
                               outs, any one of the files, or what their names begin with
      table of text            names in the first row and column; tabs, commas, semicolons or
                               spaces; notes (#) above; cells in rows (--transpose)

    Text may be plain or gzip. Standard input carries a single file, so no folder, zarr store or Matrix Market files.

    \b
      scinfill preprocess counts.h5ad -o log.h5ad
      scinfill preprocess --n-genes all counts.h5ad -o log.h5ad
      scinfill preprocess --n-genes 5000 --keep-genes FOXP3,IL2RA counts.h5ad -o log.h5ad
      scinfill preprocess cellranger/outs -o log.h5ad
      scinfill preprocess GSM100_s1_matrix.mtx.gz -o log.zarr
      scinfill preprocess --transpose counts.csv.gz | scinfill impute-deepmc -o imputed.h5ad
      scinfill preprocess --round soupx.h5ad -o log.h5ad
      scinfill preprocess --min-total-counts 500 raw_feature_bc_matrix.h5 -o log.h5ad
      scinfill preprocess --like model.h5ad new_counts.h5ad -o new_log.h5ad
      scinfill preprocess --proteins --n-genes 4000 filtered_feature_bc_matrix.h5 -o citeseq.h5ad
    """  # noqa: D301 - Click's mark for a paragraph to leave as it is
    from scinfill.io import anndata_files
    from scinfill.io.sources import read_counts
    from scinfill.methods.preprocess import preprocess

    check_model_stays(like, target)
    counts = read_counts(source, modality=modality, genome=genome, proteins=proteins)
    model = read_model_file(like, source)
    anndata_files.write(preprocess(counts, proteins=proteins, like=model, **settings), target)
