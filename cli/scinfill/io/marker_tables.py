"""Tables of markers: as text, or inside the H5AD file that they belong to."""

from pathlib import Path

from anndata import AnnData

from scinfill.io import h5ad
from scinfill.io.streams import write_text
from scinfill.schema import MARKERS


def is_h5ad(target: str | Path) -> bool:
    """Whether a target is an H5AD file, by its name."""
    return Path(target).suffix == ".h5ad"


def write(adata: AnnData, target: str | Path) -> None:
    """Write what :func:`scinfill.markers` returned: as H5AD, or its table alone, with tabs where the name says so."""
    if is_h5ad(target):
        h5ad.write(adata, target)
        return
    table = adata.uns[MARKERS]
    table = table.assign(supported=table["supported"].map({True: "yes", False: "no"}))
    separator = "\t" if Path(target).suffix in (".tsv", ".txt") else ","
    write_text(table.to_csv(index=False, sep=separator, float_format="%.6g"), target)
