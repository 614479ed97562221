"""Batches named by a column: what is kept, what is taken out, and what is said of them."""

import json
from functools import cache
from itertools import combinations

import anndata
import numpy as np
import pytest
from scipy import sparse

import scinfill
from scinfill.errors import DataError, InputError
from scinfill.methods.batches import found_in_one_batch
from scinfill.numerics.batches import Batches

BATCH, LABELS = "protocol", "cell_type"


@cache
def _joined() -> anndata.AnnData:
    """Three cell types, and a copy of them thinned and distorted by gene factors of log-normal spread .5."""
    first = scinfill.simulate(n_cells=180, n_genes=240, n_types=3, depth=3000, seed=4)
    second = first.copy()
    rng = np.random.default_rng(7)
    share = np.minimum(1, 0.5 * rng.lognormal(0, 0.5, first.n_vars))
    second.X = sparse.csr_matrix(rng.binomial(first.X.toarray().astype(int), share))
    second.obs_names = [f"{name}-2" for name in first.obs_names]
    first.obs[BATCH], second.obs[BATCH] = "first", "second"
    for table in (first, second):
        table.layers.clear()
        table.varm.clear()
        table.obsm.clear()
        table.uns.clear()
    whole = anndata.concat([first, second])
    whole.obs = whole.obs[[LABELS, BATCH]]
    return scinfill.mask(scinfill.preprocess(whole, n_genes=None), mode="thin", null_genes=60, seed=1)


def joined():
    """Return the preprocessed table with hidden molecules and null genes, the caller's own."""
    return _joined().copy()


@cache
def _result(effect):
    options = {} if effect is None else {"batch": BATCH, "batch_effect": effect}
    return scinfill.impute_deepmc(joined(), uncertainty=True, **options)


def result(effect):
    """Return the imputed table with batches kept, removed or (None) not told apart."""
    return _result(effect).copy()


def log_means(table, values, genes):
    """Return log2 means of rates, {(label, batch): (n_genes,)}."""
    rates = np.exp2(values)[:, genes] - 1
    keys = table.obs[[LABELS, BATCH]].astype(str).apply(tuple, axis=1).to_numpy()
    return {key: np.log2(rates[[other == key for other in keys]].mean(axis=0) + 0.1) for key in set(keys)}


def between_batches(table, values, genes):
    """Return the root mean squared log2 fold change between batches of one label."""
    means = log_means(table, values, genes)
    labels = {label for label, _ in means}
    return np.sqrt(np.mean([(means[label, "first"] - means[label, "second"]) ** 2 for label in labels]))


def agreement(table, values, genes):
    """Return the mean correlation of the fold changes between labels in one batch and in the other."""
    means = log_means(table, values, genes)
    pairs = combinations(sorted({label for label, _ in means}), 2)
    return np.mean(
        [
            np.corrcoef(*(means[one, batch] - means[other, batch] for batch in ("first", "second")))[0, 1]
            for one, other in pairs
        ]
    )


def real_genes(table):
    return ~table.var["null_gene"].to_numpy(bool)


@pytest.mark.slow
def test_removed_batches_differ_by_a_quarter_of_what_they_did_and_types_as_before():
    table, removed = joined(), result("remove")
    raw, values, genes = table.X.toarray(), removed.layers["imputed"], real_genes(table)
    assert between_batches(table, values, genes) < 0.25 * between_batches(table, raw, genes)
    assert agreement(table, values, genes) >= agreement(table, raw, genes)
    assert between_batches(table, values, ~genes) < between_batches(table, raw, ~genes)


@pytest.mark.slow
def test_molecules_of_every_batch_are_predicted_as_well_as_without_batches():
    table = joined()
    hidden = table.layers["heldout_counts"].toarray()
    size_factor = table.obs["size_factor"].to_numpy()[:, None]

    def deviance(effect):
        expected = (np.exp2(result(effect).layers["imputed"]) - 1) * size_factor / 9
        return (expected - hidden * np.log(expected + 1e-6)).mean(axis=1)

    better = deviance(None) - deviance("keep")
    for batch in ("first", "second"):
        gains = better[(table.obs[BATCH] == batch).to_numpy()]
        assert gains.mean() > -2 * gains.std() / np.sqrt(len(gains))


@pytest.mark.slow
def test_a_gene_without_structure_is_constant_within_batches_and_then_over_all():
    table = joined()
    seen = table.layers["counts"].toarray() > 0
    batch = (table.obs[BATCH] == "first").to_numpy()
    kept, removed = result("keep"), result("remove")
    shut = np.flatnonzero(kept.var["imputation_gate"] == 0)
    assert len(shut) > 20
    differ = 0
    for gene in shut:
        unseen = ~seen[:, gene]
        if unseen.any():
            assert np.ptp(removed.layers["imputed"][unseen, gene]) == 0
        for members in (batch & unseen, ~batch & unseen):
            if members.any():
                assert np.ptp(kept.layers["imputed"][members, gene]) == 0
        differ += len(np.unique(kept.layers["imputed"][unseen, gene])) == 2
    assert differ > 10


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"estimate": "model"}], ids=["shrunk", "model"])
def test_removing_divides_rates_by_what_the_batch_multiplies_them_by(options):
    kept, removed = (
        scinfill.impute_deepmc(joined(), rank=3, batch=BATCH, batch_effect=effect, **options)
        for effect in ("keep", "remove")
    )
    offsets = removed.varm["batch_offsets"]
    names = list(removed.uns["scinfill"]["batches"]["names"])
    position = [names.index(name) for name in removed.obs[BATCH]]
    moved = (np.exp2(kept.layers["imputed"].astype(float)) - 1) * np.exp(-offsets.T[position])
    np.testing.assert_allclose(np.exp2(removed.layers["imputed"]) - 1, moved, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(offsets @ np.bincount(position), 0, atol=1e-2)


@pytest.mark.slow
def test_log2_values_of_reads_are_moved_by_the_offsets():
    kept, removed = (
        scinfill.impute_deepmc(joined(), rank=3, counts_kind="reads", batch=BATCH, batch_effect=effect)
        for effect in ("keep", "remove")
    )
    names = list(removed.uns["scinfill"]["batches"]["names"])
    position = [names.index(name) for name in removed.obs[BATCH]]
    moved = kept.layers["imputed"] - removed.varm["batch_offsets"].T[position]
    positive = (kept.layers["imputed"] > 0) & (removed.layers["imputed"] > 0)
    np.testing.assert_allclose(removed.layers["imputed"][positive], moved[positive], atol=1e-4)


@pytest.mark.slow
def test_the_spread_moves_with_the_values():
    """On a logarithmic scale, where values are large, the distance of truth and estimate does not change."""
    kept, removed = result("keep"), result("remove")
    large = (kept.layers["imputed"] > 5) & (removed.layers["imputed"] > 5)
    assert large.any()
    np.testing.assert_allclose(removed.layers["imputed_sd"][large], kept.layers["imputed_sd"][large], rtol=0.1)


def test_the_record_names_batches_and_penalty():
    table = result("remove")
    record = table.uns["scinfill"]["batches"]
    assert (record["column"], list(record["names"]), record["effect"]) == (BATCH, ["first", "second"], "remove")
    step = json.loads(table.uns["scinfill"]["steps"][-1])
    assert step["parameters"]["batch"] == BATCH
    assert step["metrics"]["batch_ridge"] > 0
    assert table.varm["batch_offsets"].shape == (table.n_vars, 2)


@pytest.mark.slow
def test_what_names_the_batches_does_not_matter():
    table = joined()
    table.obs[BATCH] = table.obs[BATCH].map({"first": 2.0, "second": 1.0})
    again = scinfill.impute_deepmc(table, batch=BATCH, rank=3)
    usual = scinfill.impute_deepmc(joined(), batch=BATCH, rank=3)
    assert list(again.uns["scinfill"]["batches"]["names"]) == ["1", "2"]
    np.testing.assert_allclose(again.layers["imputed"], usual.layers["imputed"], atol=0.3)


@pytest.mark.slow
def test_a_later_imputation_without_batches_leaves_none():
    again = scinfill.impute_deepmc(result("keep"), rank=2)
    assert "batches" not in again.uns["scinfill"]
    assert "batch_offsets" not in again.varm


# --- what is said and refused ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_single_batch_is_warned_of_and_changes_nothing(caplog):
    table = joined()
    table.obs["lane"] = "one"
    values = scinfill.impute_deepmc(table, rank=2, batch="lane", batch_effect="remove").layers["imputed"]
    assert "obs['lane'] names one batch only, 'one': imputed as without `batch`" in caplog.text
    assert values.tobytes() == scinfill.impute_deepmc(joined(), rank=2).layers["imputed"].tobytes()


def test_a_cell_without_a_batch_is_named():
    table = joined()
    table.obs[BATCH] = table.obs[BATCH].astype(object)
    table.obs.iloc[[4, 9], table.obs.columns.get_loc(BATCH)] = None
    with pytest.raises(DataError, match=rf"names no batch of 2 cells, the first '{table.obs_names[4]}'; give them one"):
        scinfill.impute_deepmc(table, batch=BATCH)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": "absent"}, "there is no column 'absent' in obs; columns present"),
        ({"batch_effect": "remove"}, "needs `batch`"),
        ({"batch": BATCH, "batch_effect": "halve"}, "is not known"),
        ({"batch": BATCH, "preset": "paper"}, "knows no batches; leave out `batch`"),
        ({"batch": BATCH, "batch_effect": "remove", "estimate": "detected"}, "use `batch_effect='keep'`"),
        ({"batch": BATCH, "batch_effect": "remove", "keep": "max"}, "`keep` is about values as they were seen"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value),
)
@pytest.mark.parametrize("impute", [scinfill.impute_deepmc, scinfill.impute_auto])
def test_refusals_name_the_remedy(impute, options, words):
    with pytest.raises(InputError, match=words):
        impute(joined(), **options)


def test_a_measurement_is_no_batch():
    table = joined()
    table.obs["age"] = np.linspace(0, 1, table.n_obs)
    with pytest.raises(DataError, match=r"obs\['age'\] is a measurement"):
        scinfill.impute_deepmc(table, batch="age")


@pytest.mark.slow
def test_a_label_of_one_batch_alone_is_warned_of(caplog):
    table = joined()
    scinfill.impute_deepmc(table, rank=2, batch=BATCH)
    assert "alone" not in caplog.text
    kind = table.obs[LABELS].iloc[0]
    table = table[~((table.obs[LABELS] == kind) & (table.obs[BATCH] == "second"))].copy()
    scinfill.impute_deepmc(table, rank=3, batch=BATCH, batch_effect="remove")
    assert f"obs['{LABELS}'] has labels that are found in one batch alone: {kind} (first)" in caplog.text
    assert "groups of similar cells that one batch alone has (first:" in caplog.text


@pytest.mark.slow
def test_a_batch_that_is_a_cell_type_is_warned_of(caplog):
    table = joined()
    scinfill.impute_deepmc(table, rank=2, batch=LABELS)
    table.obs["sample"] = [f"sample of {label}" for label in table.obs[LABELS]]
    scinfill.impute_deepmc(table, rank=2, batch="sample")
    assert f"obs['{LABELS}'] has labels that are found in one batch alone" in caplog.text


def test_chance_alone_does_not_make_a_label_one_of_a_batch():
    batches = Batches(np.array([0] * 95 + [1] * 5), 2)
    labels = np.zeros(100, int)
    labels[:20] = 1
    assert found_in_one_batch(labels, batches) == {}
    labels[95:98] = 2
    assert found_in_one_batch(labels, batches) == {2: 1}


@pytest.mark.slow
def test_offsets_that_do_not_belong_to_the_column_are_named():
    factors = scinfill.impute_deepmc(joined(), rank=2, batch=BATCH, form="factors")
    renamed = factors.copy()
    renamed.obs[BATCH] = "another"
    with pytest.raises(DataError, match="is no batch that was imputed"):
        scinfill.reconstruct(renamed)
    del factors.varm["batch_offsets"]
    with pytest.raises(DataError, match="do not belong together"):
        scinfill.reconstruct(factors)
