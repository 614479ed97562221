import numpy as np
import pytest

from scinfill.numerics.scales import same_total, scale_of
from scinfill.numerics.sparse import canonical

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(RNG.gamma(0.6, 4, 300), size=(60, 300)) * 1.0
COUNTS[:, 0] += 1
SIZES = RNG.lognormal(0, 0.5, (60, 1))
SHARES = COUNTS / COUNTS.sum(axis=1, keepdims=True)
READS = RNG.gamma(0.3, 500, (60, 300))
ALEVIN = COUNTS + np.where(RNG.random(COUNTS.shape) < 0.1, RNG.choice([0.5, 1 / 3, 0.25, 0.7], COUNTS.shape), 0)


TPM = READS / READS.sum(axis=1, keepdims=True) * 1e6
SOUPX = COUNTS * (1 - RNG.beta(1, 9, 300))
CASES = {
    "CPM": (SHARES * 1e6, "same total"),
    "CP10k": (SHARES * 1e4, "same total"),
    "shares": (SHARES, "same total"),
    "TPM": (TPM, "same total"),
    "log CP10k": (np.log1p(SHARES * 1e4), "logged"),
    "log2 CPM": (np.log2(1 + SHARES * 1e6), "logged"),
    "log2 TPM": (np.log2(1 + TPM), "logged"),
    "log of some genes": (np.log1p(COUNTS / SIZES)[:, :200], "logged"),
    "log10": (np.log10(1 + COUNTS / SIZES), "logged"),
    "log2 counts": (np.log2(1 + COUNTS), "logged"),
    "normalised": (COUNTS / SIZES * 10, "normalised"),
    "some genes normalised": (COUNTS[:, :150] / SIZES, "normalised"),
    "SoupX": (SOUPX * 2, "fractional"),
    "alevin": (ALEVIN * np.where(COUNTS > 20, 2.0, 1.0), "fractional"),
    "halves": (COUNTS + 0.5 * (RNG.random(COUNTS.shape) < 0.2) + 40 * (COUNTS > 15), "fractional"),
    "RSEM": (READS, "fractional"),
    "TPM of some genes": ((SHARES / RNG.gamma(2, 1, 300) * 1e6)[:, :150], "fractional but large"),
    "square roots": (np.sqrt(COUNTS), "square roots"),
    "square roots of deep counts": (np.sqrt(COUNTS * 1000), "square roots"),
    "few fractions": (COUNTS + 0.3 * (RNG.random(COUNTS.shape) < 0.01), "fractional"),
    "SoupX of deep counts": (np.rint(COUNTS**4) * (1 - RNG.beta(1, 9, 300)), "fractional"),
    "shallow": (np.minimum(SOUPX, 9), "fractional or logged"),
}


@pytest.mark.parametrize(("values", "scale"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_values_look_like(values, scale, dtype):
    assert scale_of(canonical(values, dtype)) == scale


def test_cells_of_one_total():
    assert same_total(np.array([1e6, 0, 1e6 + 40, 1e6 - 300])) == 1e6
    assert same_total(np.array([1e6, 1e6])) is None
    assert same_total(COUNTS.sum(axis=1)) is None
