"""Count the memory that a fit takes beside the data; each recipe adds up its own, so that no fit starts in vain.

The figures count what grows with cells, genes and settings. Those of the two defaults were compared with the peak of
real runs; the others follow from the arrays that the code makes.
"""

from scinfill.models.observations import Observations
from scinfill.models.sampling import FEWEST_FOLDS, LEARNING_CELLS, MOST_FOLDS
from scinfill.numerics.blocks import BLOCK_BYTES
from scinfill.numerics.decomposition import OVERSAMPLING
from scinfill.numerics.parallel import IN_FLIGHT

MARGIN = 1.15
"""The peak of real runs lay up to a tenth above what is counted."""
SINGLE, DOUBLE = 4, 8
"""Bytes of a number."""
TENSORFLOW = 450 * 2**20
"""What TensorFlow takes once it is loaded."""
BLOCKS = 2 * IN_FLIGHT * BLOCK_BYTES
ENTRY = SINGLE + SINGLE
"""Value and position of a stored entry."""
MOMENTS = 7
"""Sums that a gate within batches takes of each gene in each batch."""
SAMPLE_COPIES = 4
"""Copies of the cells of all folds: what is kept of the molecules, what was taken, both values of what is visible."""
HIDDEN = 0.2 * (SINGLE + 1)
"""Bytes of the pattern of hidden entries for each of all entries."""


def sample_bytes(data: Observations, n_cells: int) -> int:
    """Return the bytes of the copies of a sample of cells, of which all folds are kept until the gate is known."""
    total, n_genes = data.shape
    sampled = min(n_cells, total)
    of_folds = min(MOST_FOLDS * sampled, max(FEWEST_FOLDS * sampled, LEARNING_CELLS))
    if sampled >= LEARNING_CELLS:
        of_folds = sampled
    return int(of_folds * (SAMPLE_COPIES * data.log_values.nnz / total * ENTRY + HIDDEN * n_genes))


def batch_bytes(data: Observations) -> int:
    """Return the bytes of tables of batches × genes, those of the gate's moments for each block in flight above all."""
    n_batches = 0 if data.batches is None else data.batches.n_batches
    return (IN_FLIGHT + 1) * MOMENTS * n_batches * data.shape[1] * DOUBLE


def low_rank_bytes(data: Observations, rank: int, *, sparse_copies: int) -> int:
    """Return the bytes of a decomposition in products alone, and of copies of the sparse matrix."""
    return 4 * sum(data.shape) * (rank + OVERSAMPLING) * SINGLE + sparse_copies * data.log_values.nnz * ENTRY + BLOCKS
