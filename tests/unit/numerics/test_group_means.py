import numpy as np
import pytest

from scinfill.numerics.group_means import PSEUDOCOUNT, fold_change, group_sums
from scinfill.numerics.sparse import canonical

N_CELLS, N_GENES = 60, 300
CODES = np.arange(N_CELLS) % 3
MEMBERS = canonical(np.eye(3)[CODES])


def world(seed=0, *, error=0.0):
    """Return counts, size factors, the true log2 values, and an estimate with an error that each group shares."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(2, 2, N_GENES) * rng.lognormal(0, 0.5, (3, N_GENES))
    size_factor = rng.lognormal(0, 0.3, N_CELLS)
    counts = rng.poisson(mean[CODES] * size_factor[:, None])
    wrong = mean * 2 ** rng.normal(0, error, mean.shape)
    return canonical(counts.astype(np.float32)), size_factor, mean, np.log2(1 + wrong[CODES])


def sides(sums):
    return sums.side(np.arange(3) == 0), sums.side(np.arange(3) != 0)


def test_sums_are_those_of_the_cells(monkeypatch):
    counts, size_factor, _, values = world()
    spread = np.full(values.shape, 0.1)
    monkeypatch.setattr("scinfill.numerics.scratch.ENTRIES_PER_CHUNK", 100)
    first, rest = sides(group_sums(counts, size_factor, MEMBERS, lambda rows: values[rows], lambda rows: spread[rows]))
    normalised, ours = counts.toarray() / size_factor[:, None], CODES == 0
    np.testing.assert_allclose(first.mean_counts, normalised[ours].mean(axis=0))
    np.testing.assert_allclose(rest.mean, (2**values - 1)[~ours].mean(axis=0))
    np.testing.assert_allclose(rest.share_seen, (normalised > 0)[~ours].mean(axis=0))
    np.testing.assert_allclose(first.posterior, ((np.log(2) * 2**values * 0.1) ** 2)[ours].sum(axis=0))
    assert first.n_cells == 20
    assert (first.variance() >= normalised[ours].var(axis=0, ddof=1) / 20 - 1e-9).all()


def test_fold_changes_are_of_means_on_the_count_scale():
    counts, size_factor, _, values = world()
    change = fold_change(
        *sides(group_sums(counts, size_factor, MEMBERS, lambda rows: values[rows])), np.arange(N_GENES)
    )
    power, ours = 2**values - 1, CODES == 0
    ratio = (power[ours].mean(axis=0) + PSEUDOCOUNT) / (power[~ours].mean(axis=0) + PSEUDOCOUNT)
    np.testing.assert_allclose(change.log2fc, np.log2(ratio))


@pytest.mark.parametrize("error", [0.0, 0.3, 1.0])
def test_intervals_hold_the_truth_however_wrong_the_model_is_for_a_group(error):
    """Their width follows the error that all cells of a group share: no single cell shows it."""
    covered = []
    for seed in range(4):
        counts, size_factor, mean, values = world(seed, error=error)
        sums = group_sums(counts, size_factor, MEMBERS, lambda rows, values=values: values[rows])
        change = fold_change(*sides(sums), np.arange(N_GENES))
        truth = np.log2(mean[0] + PSEUDOCOUNT) - np.log2(mean[1:].mean(axis=0) + PSEUDOCOUNT)
        covered.append(abs(change.log2fc - truth) <= 1.96 * np.sqrt(change.variance + change.disagreement))
    assert np.mean(covered) > 0.92
    if error:
        assert change.disagreement.mean() == pytest.approx(1.4 * error**2, rel=0.6)
    else:
        assert change.disagreement.mean() < 0.01


def test_the_error_of_genes_of_other_expression_does_not_widen_an_interval():
    counts, size_factor, mean, values = world()
    order = np.argsort(mean.min(axis=0))
    weak, strong = order[:90], order[-90:]
    values[np.ix_(CODES == 0, weak)] += np.where(np.arange(90) % 2, 1, -1).astype(values.dtype)
    values = np.maximum(values, 0)
    sums = group_sums(counts, size_factor, MEMBERS, lambda rows: values[rows])
    change = fold_change(*sides(sums), np.arange(N_GENES))
    assert np.median(change.disagreement[strong]) < 0.1
    assert np.median(change.disagreement[weak]) > 0.5


def test_without_an_estimate_the_counts_speak():
    counts, size_factor, _, _ = world()
    change = fold_change(*sides(group_sums(counts, size_factor, MEMBERS, None)), np.arange(N_GENES))
    np.testing.assert_allclose(change.log2fc, change.log2fc_counts)
    assert (change.disagreement == 0).all()


def test_a_gene_that_few_have_gets_a_wide_interval():
    """Twenty cells without a molecule are no proof of absence."""
    counts = canonical(np.zeros((N_CELLS, 1)) + (np.arange(N_CELLS) == 1)[:, None])
    values = np.full((N_CELLS, 1), np.log2(1.02))
    change = fold_change(*sides(group_sums(counts, np.ones(N_CELLS), MEMBERS, lambda rows: values[rows])), np.arange(1))
    assert change.variance[0] > 1
