"""Whether counts are molecules (UMI) or reads: what thinning can test, and which estimate suits."""

from typing import NamedTuple

from scipy.sparse import csr_array

from scinfill.numerics.duplicates import counts_per_molecule
from scinfill.schema import MIN_READS_PER_MOLECULE, CountsKind

CLOSE = 2
"""By such a factor the figure moves where few cells are left of a data set, or where they differ much more."""


class CountsClass(NamedTuple):
    """Kind of the counts, and the figure that it was decided by."""

    kind: CountsKind
    counts_per_molecule: float

    @property
    def is_close(self) -> bool:
        """Whether the figure is within a factor of two of the border, so that the user had better decide."""
        return MIN_READS_PER_MOLECULE / CLOSE <= self.counts_per_molecule <= MIN_READS_PER_MOLECULE * CLOSE


def classify_counts(counts: csr_array) -> CountsClass:
    """Tell molecules from reads by how many counts stand for one molecule; without any count they are molecules.

    Parameters
    ----------
    counts
        (n_cells, n_genes), canonical CSR.
    """
    per_molecule = counts_per_molecule(counts)
    return CountsClass("reads" if per_molecule >= MIN_READS_PER_MOLECULE else "umi", per_molecule)
