"""Unfiltered droplets are refused with the way; cells by their total."""

import re

import anndata
import numpy as np
import pytest
from scipy import sparse

import scinfill
from _support import assert_adata_equal, make_counts, make_droplets
from scinfill.errors import DataError, InputError


def test_an_unfiltered_matrix_is_refused_with_figures_and_remedies():
    message = (
        r"unfiltered: 389 of its 440 barcodes have at most \d counts \(median of all: 1\).*emptyDrops.*keeps 40, 0"
    )
    with pytest.raises(DataError, match=message):
        scinfill.preprocess(make_droplets())


def test_barcodes_with_few_counts_can_be_left_out():
    """Every slot loses the same cells."""
    droplets = make_droplets()
    table = scinfill.preprocess(droplets, min_total_counts=20)
    cells = droplets[droplets.obs_names.str.startswith("cell")].copy()
    assert table.obs_names.tolist() == cells.obs_names.tolist()
    assert_adata_equal(scinfill.preprocess(cells), table, without=("uns/scinfill",))
    np.testing.assert_array_equal(table.raw.X.toarray(), cells.raw.X.toarray())
    assert scinfill.rerun(table, droplets).identical


def test_empty_droplets_that_are_kept_do_not_set_the_scale(caplog):
    droplets = make_droplets()
    table = scinfill.preprocess(droplets, min_total_counts=0)
    assert table.n_obs == droplets.n_obs
    cells = table.obs_names.str.startswith("cell")
    assert np.median(table.obs["size_factor"][cells]) == pytest.approx(1)
    assert "389 of 440 barcodes are nearly empty; size factors are relative to the median of the 40" in caplog.text


def test_droplets_with_much_soup_are_said_with_figures_and_remedies(caplog):
    """Too much of it to be sure: small cells may have as many counts."""
    cells, rng = make_counts(40, 300), np.random.default_rng(0)
    cells.X, soup = cells.X * 3, make_counts(160, 300)
    soup.X = sparse.csr_matrix(rng.poisson(0.37, soup.shape))
    table = scinfill.preprocess(anndata.concat([soup, cells], index_unique="-"))
    assert table.n_obs == 200
    (said,) = [record.message for record in caplog.records if "may be unfiltered" in record.message]
    assert re.search(
        r"160 of its 200 barcodes have a median of 1\d\d counts.*min_total_counts=\d+`, which keeps 40", said
    )


def test_a_few_deep_barcodes_among_shallow_cells_are_outliers(caplog):
    counts = make_counts(300)
    shallow = np.random.default_rng(0).binomial(counts.X.toarray(), 0.1)
    shallow[:2] += 500
    counts.X = sparse.csr_matrix(shallow)
    assert scinfill.preprocess(counts).n_obs == 300
    assert "unfiltered" not in caplog.text


def test_filtered_cells_are_all_kept_and_their_scale_is_as_before(counts, caplog):
    counts.X.data[: counts.X.indptr[15]] = 0
    table = scinfill.preprocess(counts)
    assert table.n_obs == counts.n_obs
    totals = table.obs["total_counts"]
    np.testing.assert_allclose(table.obs["size_factor"][15:], totals[15:] / np.median(totals[15:]))
    assert "empty" not in caplog.text


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (10**9, DataError, r"0 of 40 cells have 1000000000 counts .*the largest total is .*lower `min_total_counts`"),
        (-1, InputError, "`min_total_counts` must be 0 or more"),
    ],
)
def test_totals_that_cannot_be(n, error, message):
    with pytest.raises(error, match=message):
        scinfill.preprocess(make_counts(), min_total_counts=n)
