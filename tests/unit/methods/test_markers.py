import logging

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import scinfill
from _support import assert_adata_equal, make_counts
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance
from scinfill.schema import MARKERS


def imputed(n_cells=60, **options):
    table = scinfill.preprocess(make_counts(n_cells, seed=4), n_genes=None)
    table.obs["donor"] = pd.Categorical([f"d{number % 3}" for number in np.arange(n_cells) // 2])
    return scinfill.impute_deepmc(table, **({"rank": 2} | options))


@pytest.fixture(scope="module")
def table():
    return imputed(uncertainty=True)


def found(table, **options):
    return scinfill.markers(table, **({"groupby": "cell_type"} | options)).uns[MARKERS]


def genes_of(markers, group):
    return markers[markers["group"] == group].set_index("gene")


def test_p_values_are_of_the_counts_and_fold_changes_of_the_estimate(table):
    of_a = genes_of(found(table), "a").loc[table.var_names]
    ours = (table.obs["cell_type"] == "a").to_numpy()
    counts = table.layers["counts"].toarray() / table.obs["size_factor"].to_numpy()[:, None]
    logs = np.log2(1 + counts).round(6)
    test = stats.mannwhitneyu(logs[ours], logs[~ours], method="asymptotic", use_continuity=False)
    np.testing.assert_allclose(of_a["p"], test.pvalue, atol=1e-12)
    np.testing.assert_allclose(of_a["p_adjusted"], stats.false_discovery_control(of_a["p"]))
    power = np.exp2(table.layers["imputed"], dtype=float) - 1
    for column, values in (("log2fc", power), ("log2fc_counts", counts)):
        ratio = (values[ours].mean(axis=0) + 0.01) / (values[~ours].mean(axis=0) + 0.01)
        np.testing.assert_allclose(of_a[column], np.log2(ratio), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(of_a["seen_in_rest"], (counts[~ours] > 0).mean(axis=0))
    np.testing.assert_allclose(of_a["mean_in_group"], power[ours].mean(axis=0))


def test_what_the_estimate_invents_is_not_supported(table):
    """A difference that only the estimate shows leaves every p-value as it was."""
    invented = table.copy()
    ours = (table.obs["cell_type"] == "a").to_numpy()
    invented.layers["imputed"] = table.layers["imputed"] + 2 * ours[:, None].astype(np.float32)
    before, after = (genes_of(found(one), "a").loc[table.var_names] for one in (table, invented))
    pd.testing.assert_series_equal(before["p_adjusted"], after["p_adjusted"])
    assert (after["log2fc"] > before["log2fc"]).all()
    turned = (before["log2fc_counts"] < 0) & (after["log2fc"] > 0)
    assert turned.any()
    assert not after["supported"][turned].any()
    assert (after["log2fc_high"] - after["log2fc_low"]).mean() > (
        before["log2fc_high"] - before["log2fc_low"]
    ).mean() + 1


def test_supported_come_first_then_the_largest(table):
    for _, rows in found(table).groupby("group"):
        assert (np.diff(rows["supported"].astype(int)) <= 0).all()
        for _, part in rows.groupby("supported"):
            assert (np.diff(part["log2fc"]) <= 0).all()
        assert rows["supported"].any()
        supported = rows[rows["supported"]]
        assert (supported["p_adjusted"] <= 0.05).all()
        assert (np.sign(supported["log2fc"]) == np.sign(supported["log2fc_counts"])).all()
        assert ((rows["log2fc_low"] <= rows["log2fc"]) & (rows["log2fc"] <= rows["log2fc_high"])).all()


def test_all_else_stays_as_it_was(table):
    before = table.copy()
    result = scinfill.markers(table, groupby="cell_type")
    assert_adata_equal(table, before)
    assert_adata_equal(result, before, without=("uns",))
    assert provenance.steps(result)[-1]["parameters"] == {
        "groupby": "cell_type",
        "reference": None,
        "replicate": None,
    }


@pytest.mark.slow
def test_null_genes_are_left_out():
    masked = scinfill.mask(scinfill.preprocess(make_counts(60), n_genes=None), fraction=0, null_genes=9)
    markers = found(scinfill.impute_deepmc(masked, rank=2))
    assert not markers["gene"].str.startswith("null_gene").any()
    assert len(markers) == 2 * (masked.n_vars - 9)


def test_one_group_against_another(table):
    several = table.copy()
    several.obs["kind"] = np.array(["x", "y", "z"])[np.arange(several.n_obs) % 3]
    against = found(several, groupby="kind", reference="y")
    assert list(against["group"].unique()) == ["x", "z"]
    both = several[several.obs["kind"] != "z"].copy()
    alone = genes_of(found(both, groupby="kind"), "x")
    for column in ("p", "log2fc", "statistic", "seen_in_rest"):
        pd.testing.assert_series_equal(genes_of(against, "x").loc[alone.index, column], alone[column])


@pytest.mark.slow
def test_the_factors_are_enough():
    dense, factors = imputed(), imputed(form="factors")
    assert "imputed" not in factors.layers
    pd.testing.assert_frame_equal(found(dense), found(factors), rtol=1e-4)


def test_replicates_are_the_units(table):
    markers = found(table, replicate="donor")
    of_a = genes_of(markers, "a").loc[table.var_names]
    counts, size_factor = table.layers["counts"].toarray(), table.obs["size_factor"].to_numpy()
    units = [
        [((table.obs["donor"] == donor) & (table.obs["cell_type"] == kind)).to_numpy() for donor in ("d0", "d1", "d2")]
        for kind in "ab"
    ]
    depth = np.mean([size_factor[cells].sum() for side in units for cells in side])
    logs = [
        [np.log2(counts[cells].sum(axis=0) / size_factor[cells].sum() + 0.5 / depth) for cells in side]
        for side in units
    ]
    np.testing.assert_allclose(of_a["p"], stats.ttest_rel(*logs).pvalue, rtol=1e-6)
    assert (of_a["p_adjusted"] >= genes_of(found(table), "a").loc[table.var_names, "p_adjusted"]).mean() > 0.9


def test_groups_in_one_replicate_are_left_out_or_refused(table, caplog):
    some = table.copy()
    some.obs["kind"] = np.where(some.obs["donor"] == "d1", "only d1", some.obs["cell_type"].astype(str))
    with caplog.at_level(logging.WARNING):
        markers = found(some, groupby="kind", replicate="donor")
    assert list(markers["group"].unique()) == ["a", "b"]
    assert "fewer than 2 replicates of obs['donor']" in caplog.text
    assert "only d1" in caplog.text
    some.obs["one"] = "d"
    with pytest.raises(DataError, match=r"every group has fewer than 2 replicates of obs\['one'\].*donor.*leave"):
        found(some, replicate="one")


def test_small_groups_and_cells_without_one_are_named(table, caplog):
    some = table.copy()
    kind = some.obs["cell_type"].astype(object).to_numpy()
    kind[:2], kind[2:6] = "rare", None
    some.obs["kind"] = kind
    with caplog.at_level(logging.WARNING):
        markers = found(some, groupby="kind")
    assert list(markers["group"].unique()) == ["a", "b"]
    assert "fewer than 3 cells: rare" in caplog.text
    assert "4 cells have no group" in caplog.text
    with pytest.raises(InputError, match=r"`reference='rare'` has 2 cells; 3 or more"):
        found(some, groupby="kind", reference="rare")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("age", None, r"obs\['age'\] is a measurement .*columns that look like labels: cell_type, donor$"),
        ("number", np.arange(160), "is a measurement .160 different values of whole numbers"),
        ("same", "all", r"obs\['same'\] has one group only, 'all'.*cell_type"),
        ("own", [f"c{number}" for number in range(160)], "of 160 groups none can be compared; each side needs 3 cells"),
        ("nothing", np.nan, "names no group of any cell; columns that look like labels: cell_type, donor"),
    ],
)
def test_columns_that_are_no_groups_are_refused(column, values, words):
    some = scinfill.preprocess(make_counts(160), n_genes=None)
    some.obs["donor"] = np.array(["d1", "d2"])[np.arange(160) // 80]
    if values is not None:
        some.obs[column] = values
    with pytest.raises(DataError, match=words):
        found(some, groupby=column)


def test_names_that_are_not_there_are_refused_with_those_that_are(table):
    with pytest.raises(InputError, match=r"there is no column 'celltype' in obs; columns present: .*cell_type"):
        found(table, groupby="celltype")
    with pytest.raises(InputError, match=r"`reference='c'` is no group of obs\['cell_type'\]: a, b"):
        found(table, reference="c")
    with pytest.raises(InputError, match="there is no column 'patient' in obs"):
        found(table, replicate="patient")


def test_clusters_may_be_numbers(table):
    some = table.copy()
    some.obs["leiden"] = np.arange(some.n_obs) % 12 * 1.0
    assert list(found(some, groupby="leiden")["group"].unique()) == [str(number) for number in range(12)]


def test_without_counts_there_is_no_p_value(table):
    some = table.copy()
    del some.layers["counts"]
    with pytest.raises(DataError, match=r"there is no layers\['counts'\]; run `preprocess\(layer='spliced'\)`, impute"):
        found(some)


@pytest.mark.slow
def test_what_is_no_mean_is_refused(table):
    with pytest.raises(DataError, match=r"estimate detected.*`impute_deepmc\(estimate='shrunk'\)`"):
        found(imputed(estimate="detected"))
    with pytest.raises(DataError, match=r"seen values beside imputed ones.*`impute_deepmc\(keep='none'\)`"):
        found(imputed(keep="observed"))
    for wrong in (np.nan, 500):
        some = table.copy()
        some.layers["imputed"][3, 5] = wrong
        with pytest.raises(DataError, match=r"layers\['imputed'\] holds (nan|500) at cell 'cell3', gene 'gene5'"):
            found(some)


def test_a_table_that_is_not_imputed_says_so(caplog):
    log = scinfill.preprocess(make_counts(60), n_genes=None)
    with caplog.at_level(logging.WARNING):
        markers = found(log)
    assert "no layers['imputed'], so the fold changes are those of the counts" in caplog.text
    assert np.array_equal(markers["log2fc"], markers["log2fc_counts"])


def test_imputed_values_may_stand_in_x(table):
    """As the README's and the tutorial's examples put them there for scanpy."""
    moved = table.copy()
    moved.X = moved.layers["imputed"]
    pd.testing.assert_frame_equal(found(moved), found(table))


def test_a_table_of_another_program_is_read_by_its_own_scale(table):
    foreign = table.copy()
    del foreign.uns["scinfill"], foreign.obs["size_factor"]
    pd.testing.assert_frame_equal(found(foreign), found(table), rtol=0.01, atol=1e-3)
    foreign.X = foreign.X * 2
    with pytest.raises(DataError, match="is not log2"):
        found(foreign)


def test_the_layer_may_be_sparse(table):
    some = table.copy()
    for layer in ("imputed", "imputed_sd"):
        some.layers[layer] = sparse.csr_matrix(some.layers[layer])
    pd.testing.assert_frame_equal(found(some), found(table))


@pytest.mark.slow
def test_scanpy_reads_them(table, tmp_path):
    sc = pytest.importorskip("scanpy")
    result = scinfill.markers(table, groupby="cell_type")
    from scinfill.io import h5ad

    h5ad.write(result, tmp_path / "markers.h5ad")
    read = sc.read_h5ad(tmp_path / "markers.h5ad")
    for group in "ab":
        theirs = sc.get.rank_genes_groups_df(read, group=group)
        ours = result.uns[MARKERS][result.uns[MARKERS]["group"] == group]
        assert list(theirs["names"]) == list(ours["gene"])
        np.testing.assert_allclose(theirs["pvals_adj"], ours["p_adjusted"])
        np.testing.assert_allclose(theirs["logfoldchanges"], ours["log2fc"], rtol=1e-6)


@pytest.mark.slow
def test_groups_may_have_any_name(table, tmp_path):
    from scinfill.io import h5ad

    some = table.copy()
    names = np.array(["CD4/CD8 T", "x, 'y'", "γδ T", "", " "], dtype=object)
    some.obs["kind"] = names[np.arange(some.n_obs) % 5]
    result = scinfill.markers(some, groupby="kind")
    h5ad.write(result, tmp_path / "markers.h5ad")
    read = h5ad.read(tmp_path / "markers.h5ad").uns
    assert set(read["rank_genes_groups"]["names"].dtype.names) == set(names[:3])
    assert set(read[MARKERS]["group"]) == set(names[:3])


def test_earlier_markers_are_replaced_and_those_of_others_named(table, caplog):
    some = table.copy()
    some.uns["rank_genes_groups"] = {"params": {"method": "t-test"}}
    with caplog.at_level(logging.WARNING):
        first = scinfill.markers(some, groupby="cell_type")
    assert "uns['rank_genes_groups'] of the input, not written by scinfill" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        scinfill.markers(first, groupby="cell_type")
    assert "rank_genes_groups" not in caplog.text


@pytest.mark.slow
def test_a_new_imputation_removes_the_markers_of_an_earlier_one(table):
    again = scinfill.impute_deepmc(scinfill.markers(table, groupby="cell_type"), rank=3)
    assert not {MARKERS, "rank_genes_groups"} & again.uns.keys()
    table = table.copy()
    table.uns["rank_genes_groups"] = {"params": {"method": "t-test"}}
    assert "rank_genes_groups" in scinfill.impute_deepmc(table, rank=3).uns


@pytest.mark.slow
def test_the_step_can_be_repeated(table):
    counts = make_counts(60, seed=4)
    counts.obs["donor"] = table.obs["donor"]
    made = scinfill.impute_deepmc(scinfill.preprocess(counts, n_genes=None), rank=2)
    result = scinfill.markers(made, groupby="cell_type", replicate="donor")
    assert scinfill.rerun(result, counts).identical
