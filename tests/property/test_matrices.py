"""What must hold for every matrix: the forms are one, and what is taken apart comes together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from scinfill.methods.provenance import sha256
from scinfill.numerics.filtering import cells_with_gene, seen_genes
from scinfill.numerics.masking import hide_entries, hide_nonzeros, sample_positions, split, thin
from scinfill.numerics.normalization import library_sizes, log2_counts, normalize, size_factors, solve_size_factors
from scinfill.numerics.nullgenes import draw_null_genes
from scinfill.numerics.selection import dispersion_scores, gene_moments, top_genes
from scinfill.numerics.sparse import canonical

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
COUNTS = SHAPES.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(0, 50) | st.just(0)))
FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


def generator(seed):
    return np.random.default_rng(seed)


@given(COUNTS)
def test_all_forms_are_one(values):
    forms = [sparse.csr_matrix(values), sparse.csc_array(values), sparse.coo_matrix(values), np.asfortranarray(values)]
    expected = canonical(values, np.float64)
    for form in forms:
        matrix = canonical(form, np.float64)
        np.testing.assert_array_equal(matrix.toarray(), values)
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(matrix, part), getattr(expected, part))
        assert sha256(form) == sha256(values)


@given(COUNTS, st.data())
def test_duplicates_are_summed(values, data):
    rows, columns = values.nonzero()
    first = np.array([data.draw(st.integers(0, int(count))) for count in values[rows, columns]], dtype=np.int64)
    both = np.concatenate([first, values[rows, columns] - first])
    twice = sparse.coo_array((both, (np.tile(rows, 2), np.tile(columns, 2))), shape=values.shape)
    np.testing.assert_array_equal(canonical(twice, np.float64).toarray(), values)


@given(COUNTS)
def test_normalised_cells_have_equal_totals(values):
    counts = canonical(values, np.float64)
    totals = library_sizes(counts, np.ones(values.shape[1]))
    after = normalize(counts, size_factors(totals)).sum(axis=1)[totals > 0]
    if len(after):
        np.testing.assert_allclose(after, np.median(totals[totals > 0]))


@given(COUNTS, SEEDS)
def test_the_logarithm_and_its_size_factors_can_be_undone(values, seed):
    counts, factors = canonical(values, np.float64), generator(seed).lognormal(size=len(values))
    logarithms = log2_counts(counts, factors)
    seen = values.sum(axis=1) > 0
    np.testing.assert_allclose(solve_size_factors(logarithms, counts)[seen], factors[seen], rtol=1e-4)
    back = np.expm1(logarithms.toarray().astype(np.float64) * np.log(2)) * factors[:, np.newaxis]
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-4)


@given(COUNTS, st.integers(1, 10), st.integers(1, 5))
def test_stricter_filters_keep_fewer_genes(values, min_counts, min_cells):
    counts = canonical(values, np.float64)
    kept = seen_genes(counts, min_counts=min_counts, min_cells=min_cells)
    np.testing.assert_array_equal(kept, (values >= min_counts).sum(axis=0) >= min_cells)
    assert not (seen_genes(counts, min_counts=min_counts + 1, min_cells=min_cells) & ~kept).any()
    assert (cells_with_gene(counts) == (values > 0).sum(axis=0)).all()


@given(COUNTS.filter(lambda values: len(values) > 1), SEEDS)
def test_scores_are_finite_and_do_not_depend_on_the_order_of_cells(values, seed):
    order = generator(seed).permutation(len(values))
    factors = generator(seed).lognormal(size=len(values))
    scores = dispersion_scores(gene_moments(canonical(values, np.float64), factors))
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    moments = gene_moments(canonical(values[order], np.float64), factors[order])
    np.testing.assert_allclose(moments.dispersion, gene_moments(canonical(values), factors).dispersion, rtol=1e-9)
    assert sorted(top_genes(scores, values.shape[1])) == list(range(values.shape[1]))


@given(st.integers(1, 2000), st.floats(0, 1), SEEDS)
def test_samples_are_sets_of_the_size_asked_for(total, share, seed):
    size = int(share * total)
    positions = sample_positions(total, size, generator(seed))
    assert len(positions) == len(set(positions.tolist())) == size
    assert size == 0 or 0 <= positions[0] <= positions[-1] < total


@given(COUNTS, FRACTIONS, SEEDS, st.booleans())
def test_what_is_hidden_and_what_stays_make_the_whole(values, fraction, seed, zeros_too):
    matrix = canonical(values, np.float32)
    rng = generator(seed)
    held_out = hide_entries(values.shape, fraction, rng) if zeros_too else hide_nonzeros(matrix, fraction, rng)
    kept, truth = split(matrix, held_out)
    where = held_out.toarray()
    assert where.sum() == held_out.nnz == truth.nnz
    np.testing.assert_array_equal((kept + truth).toarray(), values)
    assert not kept.toarray()[where].any()
    assert not truth.toarray()[~where].any()
    assert kept.has_canonical_format


@given(COUNTS, FRACTIONS, SEEDS)
def test_no_molecule_is_lost_by_thinning(values, fraction, seed):
    counts = canonical(values, np.float32)
    kept, taken = thin(counts, fraction, generator(seed))
    np.testing.assert_array_equal((kept + taken).toarray(), values)
    for part in (kept, taken):
        assert (part.data > 0).all()
        np.testing.assert_array_equal(part.data, np.floor(part.data))


@given(COUNTS.filter(lambda values: values.any()), st.integers(1, 5), SEEDS)
def test_null_genes_are_counts_and_leave_empty_cells_empty(values, n_null, seed):
    counts = canonical(values, np.float32)
    factors = size_factors(library_sizes(counts, np.ones(values.shape[1])))
    drawn = draw_null_genes(counts, factors, n_null, generator(seed))
    assert drawn.shape == (len(values), n_null)
    assert (drawn.data >= 0).all()
    assert not drawn.toarray()[values.sum(axis=1) == 0].any()
