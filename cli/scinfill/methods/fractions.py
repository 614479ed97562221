"""Counts that are no whole numbers, and whole numbers that may be no counts."""

import logging

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.methods.validation import amount
from scinfill.numerics.rounding import is_fractional, rounded_at_random
from scinfill.numerics.scales import same_total, scale_of
from scinfill.numerics.scratch import chunks
from scinfill.numerics.sparse import largest, row_sums

log = logging.getLogger(__name__)


def rounded(values: csr_array, seed: int) -> csr_array:
    """Round fractions of counts, and say how many there were and what became of the total."""
    n_fractions = sum(int(is_fractional(values.data[part]).sum()) for part in chunks(values.nnz))
    whole = rounded_at_random(values, np.random.default_rng(seed))
    if not n_fractions:
        log.info("all counts are whole numbers already: rounding changes nothing")
        return whole
    if scale_of(values) == "fractional but large":
        log.warning(
            "values look normalised (TPM or CPM of which genes were left out): hardly any is near a count or two; if "
            "they are, leave out `round_counts=True`: name the counts as `layer`, or log2(1 + x), by "
            "scanpy.pp.log1p(adata, base=2), goes to the imputers without preprocess"
        )
    before, after = (row_sums(matrix).sum() for matrix in (values, whole))
    log.warning(
        "%.1f %% of the non-zeros are fractions, up to %s: rounded at random to a whole number beside them, "
        "which %s %.2g %% of all %s counts",
        100 * n_fractions / values.nnz,
        amount(largest(values.data)),
        "adds" if after >= before else "takes away",
        100 * abs(after - before) / before,
        amount(before),
    )
    return whole


def say_same_total(totals: NDArray[np.float64], slot: str) -> None:
    """Say so where every cell has the same total, as CPM and TPM have it and counts only where they were made so."""
    total = same_total(totals)
    if total is None:
        return
    is_exact = np.ptp(totals[totals > 0]) == 0
    log.warning(
        "%s has %s total in every cell, %s, and is taken as counts%s; %s CPM or TPM, name the counts as `layer`; where "
        "there are none, log2(1 + x), by scanpy.pp.log1p(adata, base=2), goes to the imputers without preprocess",
        slot,
        "the same" if is_exact else "nearly the same",
        amount(total),
        " drawn to one depth" if is_exact else "",
        "if it is" if is_exact else "if it is what it looks like, rounded",
    )
