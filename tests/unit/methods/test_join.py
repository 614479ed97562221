"""Samples become one table, which says where everything comes from, and come apart again as they were."""

import inspect
import json
import logging
from itertools import pairwise, product

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

import scinfill
from _support import assert_adata_equal, dense, make_counts
from scinfill.errors import DataError, InputError
from scinfill.io import h5ad
from scinfill.methods import provenance
from scinfill.methods.differences import differences
from scinfill.numerics import scratch

NEVER_JOINED = ("obsp", "varp")


def make_samples(*sizes: int, n_genes: int = 30) -> dict[str, AnnData]:
    """Return samples a, b, … of other cells and the same genes; what holds within a table is left out."""
    samples = {}
    for seed, size in enumerate(sizes):
        adata = make_counts(size, n_genes, seed=seed)
        del adata.obsp["near"], adata.varp["alike"], adata.varm["loadings"]
        samples["abcdef"[seed]] = adata
    return samples


def sorted_cells(adata: AnnData) -> AnnData:
    """Return the table with its cells and genes in the order of their names, and categories in theirs."""
    ordered = adata[sorted(adata.obs_names), sorted(adata.var_names)].copy()
    for column in ordered.obs.select_dtypes("category"):
        ordered.obs[column] = ordered.obs[column].astype(str).astype("category")
    return ordered


def assert_same_content(first: AnnData, second: AnnData) -> None:
    """Compare all but the order of cells and genes, and the record of how they came together."""
    one, other = (sorted_cells(adata) for adata in (first, second))
    for adata in (one, other):
        adata.uns.pop("scinfill", None)
    assert differences(one, other) == []


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["cell_type", "batch"])
def test_the_pieces_of_a_table_joined_are_the_table(counts, column):
    for slot, key in (("obsp", "near"), ("varp", "alike")):
        del getattr(counts, slot)[key]
    counts.obs["batch"] = pd.Categorical(np.arange(counts.n_obs) % 3)
    counts.obs["stage"] = pd.Categorical(np.where(np.arange(counts.n_obs) % 2, "late", "early"), ["early", "late"])
    counts.obs["passed"] = np.arange(counts.n_obs) % 5 > 0
    joined = scinfill.join(scinfill.split(counts, by=column), batch=column)
    counts.obs[column] = counts.obs[column].astype(str)  # samples have names
    assert_same_content(joined, counts)


@pytest.mark.parametrize("genes", ["common", "all"])
def test_samples_come_apart_as_they_were(genes):
    """Names of cells and genes, values, labels; also genes that only one sample measured."""
    samples = make_samples(20, 25, 15)
    if genes == "all":
        samples["b"] = samples["b"][:, 3:].copy()
        samples["c"] = samples["c"][:, [*range(20), 25]].copy()
    apart = scinfill.split(scinfill.join(samples, batch="donor", genes=genes), by="donor")
    assert list(apart) == list(samples)
    for name, sample in samples.items():
        assert set(apart[name].obs.pop("donor")) == {name}
        assert_adata_equal(apart[name], sample, without=("uns/scinfill", "var"))
        pd.testing.assert_frame_equal(apart[name].var, sample.var)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_samples_of_any_genes_come_apart_as_they_were(data):
    """And whatever the form of the matrices, the values of the joined table are those of its parts."""
    names = [f"g{number}" for number in range(6)]
    samples = {}
    for sample in data.draw(st.permutations("xyz").map(lambda order: order[: data.draw(st.integers(1, 3))])):
        genes = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        n_cells = data.draw(st.integers(1, 4))
        values = data.draw(
            st.lists(
                st.lists(st.integers(0, 3), min_size=len(genes), max_size=len(genes)),
                min_size=n_cells,
                max_size=n_cells,
            )
        )
        values = np.array(values, dtype=np.float32)
        values[0, 0] = 2
        form = data.draw(st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_matrix]))
        samples[sample] = AnnData(
            form(values), obs=pd.DataFrame(index=[f"c{n}" for n in range(n_cells)]), var=pd.DataFrame(index=genes)
        )
    joined = scinfill.join(samples, genes="all", counts_kind="umi")
    assert set(joined.var_names) == {gene for adata in samples.values() for gene in adata.var_names}
    for name, piece in scinfill.split(joined).items():
        frame = samples[name].to_df()
        assert list(piece.obs_names) == list(frame.index)
        assert set(piece.var_names) == set(frame.columns)
        pd.testing.assert_frame_equal(piece.to_df()[frame.columns], frame)
    union = pd.concat([adata.to_df().fillna(0) for adata in samples.values()]).fillna(0)
    np.testing.assert_array_equal(dense(joined.X), union[joined.var_names].to_numpy())


@pytest.mark.slow
def test_joining_again_is_joining_at_once(caplog):
    """Whatever was joined first, the content is the same, names of cells too."""
    samples = make_samples(20, 25, 15)
    samples["b"] = samples["b"][:, ::-1].copy()
    samples["c"] = samples["c"][:, 5:].copy()
    for genes in ("common", "all"):
        at_once = scinfill.join(samples, genes=genes)
        a, b, c = ({name: samples[name]} for name in "abc")
        left = scinfill.join({"ab": scinfill.join(a | b, genes=genes)} | c, genes=genes)
        right = scinfill.join(a | {"bc": scinfill.join(b | c, genes=genes)}, genes=genes)
        assert_same_content(at_once, left)
        assert_same_content(at_once, right)


def test_names_are_told_apart_whatever_was_joined_first():
    """The first two have no name in common; the third has one of each."""
    samples = make_samples(10, 10, 20)
    samples["b"].obs_names = [f"cell{number + 10}" for number in range(10)]
    together = scinfill.join({name: samples[name] for name in "ab"})
    assert set(together.obs_names) == {*samples["a"].obs_names, *samples["b"].obs_names}
    assert_same_content(scinfill.join({"ab": together, "c": samples["c"]}), scinfill.join(samples))


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_every_form_gives_the_same_values(form):
    samples = make_samples(20, 25)
    expected = scinfill.join(samples)
    samples["b"].X = form(samples["b"].X.toarray())
    joined = scinfill.join(samples)
    np.testing.assert_array_equal(dense(joined.X), dense(expected.X))
    assert provenance.steps(joined) == provenance.steps(expected)
    assert isinstance(joined.X, sparse.csr_matrix)


def test_arrays_stay_an_array():
    samples = make_samples(20, 25)
    for adata in samples.values():
        adata.X = adata.X.toarray()
    assert isinstance(scinfill.join(samples).X, np.ndarray)


def test_the_order_of_genes_means_nothing():
    samples = make_samples(20, 25)
    expected = scinfill.join(samples)
    samples["b"] = samples["b"][:, np.random.default_rng(0).permutation(30)].copy()
    assert differences(scinfill.join(samples), expected) == []


def test_the_same_as_anndata_where_it_has_an_answer():
    samples = make_samples(20, 25, 15)
    samples["c"] = samples["c"][:, 4:].copy()
    theirs = anndata.concat(samples, label="sample", merge="same", uns_merge="same", index_unique="-")
    ours = scinfill.join(samples)
    del ours.uns["scinfill"]
    assert_adata_equal(ours, theirs)


def test_arrays_in_files_give_the_same_table(monkeypatch):
    samples = make_samples(20, 25)
    samples["b"].layers["smooth"] = samples["b"].X.toarray() / 2
    samples["a"].layers["smooth"] = samples["a"].X.toarray() / 2
    expected = scinfill.join(samples)
    monkeypatch.setattr(scratch, "LARGE_SHARE", 2**60)
    assert differences(scinfill.join(samples), expected) == []


def test_stored_zeros_stay():
    """A hidden zero is a stored zero: without it the truth would be another."""
    table = scinfill.preprocess(make_counts(40), n_genes=None)
    masked = scinfill.mask(table, mode="entries", fraction=0.3)
    truth = masked.layers["heldout"]
    assert (truth.data == 0).any()
    joined = scinfill.join(scinfill.split(masked, by="cell_type"), batch="cell_type")
    again = joined[masked.obs_names, masked.var_names].layers["heldout"]
    assert again.nnz == truth.nnz
    np.testing.assert_array_equal(dense(again), dense(truth))


def test_the_inputs_never_change_and_share_nothing():
    samples = make_samples(20, 25)
    before = {name: adata.copy() for name, adata in samples.items()}
    for tables in (samples, {"a": samples["a"]}):
        joined = scinfill.join(tables)
        joined.X.data[:] = -1
        joined.layers["spliced"].data[:] = -1
        joined.obs["age"] = 0.0
        joined.obsm["X_place"][:] = 0
        joined.uns["source"]["made"] = "there"
        joined.var["length"] = 0
        for piece in scinfill.split(joined).values():
            piece.X.data[:] = -2
            piece.obsm["X_place"][:] = 5
            piece.uns["source"]["made"] = "nowhere"
        assert (joined.X.data == -1).all()
        assert joined.uns["source"]["made"] == "there"
    for name, adata in before.items():
        assert_adata_equal(adata, samples[name])


@pytest.mark.slow
def test_what_was_imputed_by_batches_comes_together_again():
    samples = make_samples(40, 40)
    imputed = scinfill.impute_deepmc(scinfill.preprocess(scinfill.join(samples)), batch="sample", rank=2)
    pieces = scinfill.split(imputed)
    together = scinfill.join(pieces)
    assert_same_content(together, imputed)
    batches = together.uns["scinfill"]["batches"]
    np.testing.assert_array_equal(batches["names"], ["a", "b"])
    assert batches is not pieces["a"].uns["scinfill"]["batches"]
    pieces["b"].uns["scinfill"]["batches"]["names"] = np.array(["b", "c"])
    assert "batches" not in scinfill.join(pieces).uns["scinfill"]


# --- what stands beside the values ----------------------------------------------------------------------------------


def test_columns_of_some_samples_and_of_several_kinds(caplog):
    samples = make_samples(4, 4)
    a, b = samples.values()
    a.obs["passed"] = True
    a.obs["n"] = 3
    b.obs["donor"] = ["x", "y", "x", "y"]
    b.obs["age"] = ["old", "young", "old", "old"]
    with caplog.at_level(logging.INFO, logger="scinfill"):
        obs = scinfill.join(samples).obs
    assert list(obs) == ["cell_type", "age", "passed", "n", "sample", "donor"]
    assert obs["passed"].tolist()[:4] == [True] * 4
    assert obs["passed"].isna().sum() == obs["n"].isna().sum() == obs["donor"].isna().sum() == 4
    assert obs["age"].tolist() == [*map(str, a.obs["age"]), *b.obs["age"]]
    assert "obs['age'] holds numbers in 'a', text in 'b': kept as text" in caplog.text
    assert "'passed', 'n', 'donor'" in caplog.text


@pytest.mark.slow
def test_every_kind_of_column_can_be_written(tmp_path):
    """Mixed, missing and all missing ones, as they come out of joining."""
    samples = make_samples(4, 4)
    a, b = samples.values()
    kinds = {
        "text": ["x", "y", "x", None],
        "numbers": [1.5, np.nan, 2, 3],
        "whole": np.arange(4),
        "passed": [True, False, True, True],
        "level": pd.Categorical(["low", "high", "low", None], ["low", "high"], ordered=True),
        "nothing": [np.nan] * 4,
        "day": pd.Series(["a", "b", "c", None], dtype="string").to_numpy(),
    }
    for one, values in kinds.items():
        a.obs[one] = values
    for (one, values), (other, others) in product(kinds.items(), repeat=2):
        a.obs[f"{one} {other}"], b.obs[f"{one} {other}"] = values, others
    joined = scinfill.join(samples)
    h5ad.write(joined, tmp_path / "joined.h5ad")
    back = h5ad.read(tmp_path / "joined.h5ad").obs
    assert list(back) == list(joined.obs)
    for one in kinds:
        assert back[one].isna().to_numpy()[4:].all()
    for (one, values), (other, others) in product(kinds.items(), repeat=2):
        gaps = [bool(gap) for column in (values, others) for gap in pd.isna(pd.Series(column))]
        assert back[f"{one} {other}"].isna().tolist() == gaps, (one, other)
    assert back["level level"].cat.ordered


@pytest.mark.parametrize(
    ("one", "other", "together", "colours"),
    [
        (["b", "a"], ["b", "a"], ["b", "a"], True),
        (["b", "a"], ["b", "a", "c"], ["b", "a", "c"], False),
        (["b", "a"], ["a", "b"], ["b", "a"], False),
    ],
)
def test_categories_keep_their_order_and_their_colours(one, other, together, colours):
    """A colour belongs to the place of its category."""
    samples = make_samples(4, 4)
    for adata, categories in zip(samples.values(), (one, other), strict=True):
        adata.obs["cell_type"] = adata.obs["cell_type"].cat.set_categories(categories)
        adata.uns["cell_type_colors"] = np.array(["#222222", "#111111"])
    joined = scinfill.join(samples)
    assert joined.obs["cell_type"].cat.categories.tolist() == together
    assert joined.obs["cell_type"].tolist() == ["a", "b"] * 4
    assert ("cell_type_colors" in joined.uns) == colours


def test_what_samples_do_not_share_is_said(caplog):
    samples = make_samples(20, 25)
    a, b = samples.values()
    a.layers["mine"] = a.X.copy()
    b.layers["spliced"] = b.X.toarray() / 3
    b.obsm["X_place"] = np.zeros((25, 3))
    b.var["length"] = b.var["length"] + 1
    a.var["only"] = 1
    b.uns["source"] = {"made": "elsewhere"}
    a.raw = a
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        joined = scinfill.join(samples)
    assert (list(joined.layers), list(joined.obsm), list(joined.var), joined.raw) == ([], [], ["symbol"], None)
    assert set(joined.uns) == {"scinfill"}
    for said in (
        "'mine' of layers left out: not in all tables",
        "'spliced' of layers left out: counts in some tables, other values in others",
        "'X_place' of obsm left out",
        "'length', 'only' of var left out",
        "raw is left out",
    ):
        assert said in caplog.text


def test_a_column_that_parts_genes_from_peaks_stays():
    """Otherwise peaks of one sample would be taken for genes."""
    samples = make_samples(20, 25)
    samples["a"].var["feature_types"] = ["Gene Expression"] * 25 + ["Peaks"] * 5
    samples["b"] = samples["b"][:, :25].copy()
    joined = scinfill.join(samples, genes="all")
    assert joined.var["feature_types"].tolist() == samples["a"].var["feature_types"].tolist()
    assert set(scinfill.preprocess(joined, n_genes=None).var_names) <= set(samples["b"].var_names)


# --- genes that not every sample measured ---------------------------------------------------------------------------


def test_genes_in_common_are_counted(caplog):
    samples = make_samples(20, 25)
    samples["b"] = samples["b"][:, :10].copy()
    with caplog.at_level(logging.INFO, logger="scinfill"):
        joined = scinfill.join(samples)
    assert joined.var_names.tolist() == samples["b"].var_names.tolist()
    assert ("WARNING", "10 of 30 genes of 'a' are in all tables") in [(r.levelname, r.message) for r in caplog.records]


def test_zeros_that_are_no_data_are_never_imputed(caplog):
    samples = make_samples(40, 40)
    samples["b"] = samples["b"][:, 5:].copy()
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        joined = scinfill.join(samples, genes="all")
    assert "5 of 30 genes were not measured in every sample" in caplog.text
    measured = joined.varm["measured"]
    assert measured["a"].all()
    np.testing.assert_array_equal(measured["b"], joined.var_names.isin(samples["b"].var_names))
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        table = scinfill.preprocess(joined, n_genes=None)
    assert "5 genes (such as 'gene0') that not every sample measured are left out" in caplog.text
    assert_adata_equal(table, scinfill.preprocess(scinfill.join(samples), n_genes=None), without=("uns/scinfill",))
    pieces = scinfill.split(table)
    logs = scinfill.join({"a": pieces["a"], "b": pieces["b"][:, 3:].copy()}, genes="all")
    for impute in (scinfill.impute_deepmc, scinfill.impute_baseline, scinfill.mask):
        with pytest.raises(DataError, match=r"not every sample measured 3 genes.*`join\(genes='common'\)`"):
            impute(logs)


def test_no_gene_in_common_names_the_column_that_helps():
    samples = make_samples(20, 25)
    b = samples["b"]
    b.var["gene_symbol"] = b.var_names
    b.var_names = [f"ENSG{number:011d}" for number in range(b.n_vars)]
    with pytest.raises(DataError, match=r"no gene is in all 2 tables.*adata\.var_names = adata\.var\['gene_symbol'\]"):
        scinfill.join(samples)


# --- samples --------------------------------------------------------------------------------------------------------


def test_samples_of_the_users_own_stay(caplog):
    samples = make_samples(4, 4)
    samples["a"].obs["sample"] = ["s2", "s1", "s2", "s1"]
    with caplog.at_level(logging.INFO, logger="scinfill"):
        joined = scinfill.join(samples)
    assert joined.obs["sample"].tolist() == ["s2", "s1", "s2", "s1", "b", "b", "b", "b"]
    assert joined.obs_names[0] == "cell0-s2"
    assert "obs['sample'] is there already, and stays as it is, in 1 of 2 tables" in caplog.text


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("s1", "s1", r"calls cells of 'a' and of 'b' 's1', so it does not tell the tables apart; name another column"),
        ("b", None, r"calls cells of 'a' and of 'b' 'b'"),
        ([None, "x", "x", "x"], "s2", r"of 'a' is there already, with 1 values missing"),
    ],
)
def test_a_column_that_does_not_tell_samples_apart(a, b, message):
    samples = make_samples(4, 4)
    samples["a"].obs["sample"] = a
    if b is not None:
        samples["b"].obs["sample"] = b
    with pytest.raises(InputError, match=message):
        scinfill.join(samples)
    assert set(scinfill.join(samples, batch="file").obs["file"]) == {"a", "b"}


def test_one_sample_under_two_names_is_said(counts, caplog):
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        scinfill.join({"one": counts, "two": counts, "other": make_counts(20, seed=1)})
    assert caplog.text.count("hold the same values") == 1
    assert "'one' and 'two' hold the same values: is that one sample twice?" in caplog.text


def test_one_cell_in_two_tables(counts):
    pieces = scinfill.split(scinfill.join({"x": counts}), by="sample")
    with pytest.raises(DataError, match=r"cell 'cell0-x' is in 'one' and in 'two' \(40 such cells\), in one sample"):
        scinfill.join({"one": pieces["x"], "two": pieces["x"]})


# --- scales ---------------------------------------------------------------------------------------------------------


def logged(adata: AnnData, total: float, base: float) -> AnnData:
    adata = adata.copy()
    values = adata.X.toarray().astype(float)
    adata.layers["counts"] = adata.X
    adata.X = np.log1p(values / values.sum(axis=1, keepdims=True) * total) / np.log(base)
    adata.uns["log1p"] = {"base": base}
    return adata


def reads(adata: AnnData) -> AnnData:
    adata = adata.copy()
    adata.X = sparse.csr_matrix(adata.X.toarray() * np.random.default_rng(0).poisson(300, size=adata.shape))
    return adata


def shallow(seed: int) -> AnnData:
    """Return molecules with many zeros, by which they are told from reads."""
    adata = scinfill.simulate(n_cells=60, n_genes=80, depth=60, seed=seed)
    adata.obs_names = [f"{seed}-{name}" for name in adata.obs_names]
    return adata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda b: logged(b, 1e4, 2),
            r"X of 'a' holds values that are counts, X of 'b' values that look already logged",
        ),
        (lambda b: logged(b, 1e4, 2), r"make the counts of 'b' its X: adata.X = adata.layers\['counts'\].copy\(\)"),
        (
            lambda b: AnnData(b.X.toarray() * 0.37, b.obs, b.var),
            r"only values of one scale can be joined; give the counts",
        ),
        (lambda b: AnnData(-b.X.toarray(), b.obs, b.var), r"^'b': X holds \d+ negative values"),
        (lambda b: b[:0].copy(), r"^'b': the table is empty: 0 cells"),
        (lambda b: b[:, [0, 0, 1]].copy(), r"^'b': gene names must be unique.*`join\(unique_names=True\)`"),
        (lambda b: b.T.copy(), r"^'b': cells are named like genes.*use `join\(transpose=True\)`"),
    ],
)
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_what_is_no_counts_beside_counts(change, message):
    samples = make_samples(20, 25)
    samples["b"] = change(samples["b"])
    with pytest.raises(DataError, match=message):
        scinfill.join(samples)


@pytest.mark.parametrize(
    ("total", "base", "message"),
    [(1e4, np.e, r"'a' is on a logarithm of base 2, 'b' of base 2\.718"), (1e6, 2, r"total 10,000, of 'b' 1,000,000")],
)
def test_logarithms_of_other_scales(total, base, message):
    a, b = make_samples(20, 25).values()
    with pytest.raises(DataError, match=message):
        scinfill.join({"a": logged(a, 1e4, 2), "b": logged(b, total, base)})
    joined = scinfill.join({"a": logged(a, 1e4, 2), "b": logged(b, total, base)}, layer="counts")
    np.testing.assert_array_equal(dense(joined.X), np.vstack([dense(a.X), dense(b.X)]))
    assert "counts" not in joined.layers
    assert scinfill.join({"a": logged(a, 1e4, 2), "b": logged(b, 1e4, 2)}).uns["log1p"] == {"base": 2}


def test_what_was_preprocessed_apart_is_on_two_scales():
    logs = {name: scinfill.preprocess(adata, n_genes=None) for name, adata in make_samples(20, 25).items()}
    with pytest.raises(DataError, match=r"'a' and 'b' were preprocessed apart.*join the counts that were preprocessed"):
        scinfill.join(logs)


def test_counts_in_raw():
    samples = make_samples(20, 25)
    expected = scinfill.join(samples)
    for adata in samples.values():
        adata.raw = adata
        adata.X = adata.X.toarray() - 1.5
    joined = scinfill.join(samples, layer="raw")
    np.testing.assert_array_equal(dense(joined.X), dense(expected.X))
    assert scinfill.rerun(joined, list(samples.values())).identical


def test_molecules_beside_reads(caplog):
    samples = {"a": shallow(0), "b": reads(shallow(1))}
    with pytest.raises(DataError, match=r"molecules \(UMI\) and reads are not joined.*'a' molecules.*'b' reads"):
        scinfill.join(samples)
    assert scinfill.join(samples, counts_kind="reads").n_obs == 120
    assert scinfill.join({"a": shallow(0), "c": shallow(2)}).n_obs == 120


# --- the record -----------------------------------------------------------------------------------------------------


def test_the_record_names_each_input_with_its_hash_and_its_steps():
    samples = {"b": scinfill.simulate(n_cells=20, n_genes=30, seed=1), "a": scinfill.simulate(n_cells=20, n_genes=30)}
    (step,) = provenance.steps(scinfill.join(samples))
    assert step["command"] == "join"
    assert [given["name"] for given in step["input_sha256"]] == ["b", "a"]
    for recorded, adata in zip(step["input_sha256"], samples.values(), strict=True):
        assert recorded["sha256"] == provenance.sha256(adata.X)
        assert recorded["steps"] == provenance.steps(adata)


@pytest.mark.slow
def test_joined_samples_are_repeated():
    samples = make_samples(20, 25)
    log = scinfill.preprocess(scinfill.join(samples, batch="donor"), n_genes=20)
    inputs = list(samples.values())
    assert scinfill.rerun(log, inputs).identical
    assert scinfill.rerun(log, scinfill.join(samples, batch="donor")).identical
    piece = scinfill.split(log, by="donor")["b"]
    again = scinfill.rerun(piece, inputs)
    assert (again.identical, again.n_steps) == (True, 3)
    together = scinfill.join(scinfill.split(log, by="donor"), batch="donor")
    assert scinfill.rerun(together, list(scinfill.split(log, by="donor").values())).identical


def test_what_is_recorded_is_what_the_functions_take():
    samples = make_samples(20, 25)
    joined = scinfill.join(samples)
    for function, table, argument in (
        (scinfill.join, joined, "tables"),
        (scinfill.split, scinfill.split(joined)["a"], "adata"),
    ):
        taken = inspect.signature(function).parameters.keys() - {argument}
        assert provenance.steps(table)[-1]["parameters"].keys() == taken


@pytest.mark.parametrize(
    "inputs",
    [
        [1],
        [{}],
        [{"name": "a", "sha256": "x", "steps": 3}],
        [{"name": "a", "sha256": "x", "steps": [3]}],
        [{"name": "a", "sha256": "x"}],
    ],
)
def test_a_record_of_inputs_that_is_none(inputs):
    joined = scinfill.join(make_samples(20))
    (step,) = provenance.steps(joined)
    joined.uns["scinfill"]["steps"] = np.array([json.dumps(step | {"input_sha256": inputs})], dtype=object)
    with pytest.raises(DataError, match="an input of step 1 has no name, hash or steps"):
        scinfill.rerun(joined, make_samples(20)["a"])


def test_other_inputs_than_those_that_were_joined(caplog):
    samples = make_samples(20, 25)
    a, b = samples.values()
    joined = scinfill.join(samples)
    with caplog.at_level(logging.WARNING, logger="scinfill"):
        assert not scinfill.rerun(joined, [b, a]).identical
    assert caplog.text.count("the input is not the recorded one") == 2
    for inputs, error, message in (
        (None, InputError, "the record starts with join"),
        (a, InputError, "it joined 'a', 'b': name each of these as `counts`"),
        ([a, b, a], InputError, "the record joins 'a', 'b': name these as `counts`, in this order; 3 are given"),
        ([a, scinfill.join({"b": b})], DataError, "made by other steps than the record's"),
    ):
        with pytest.raises(error, match=message):
            scinfill.rerun(joined, inputs)
    with pytest.raises(InputError, match="the record joins no tables"):
        scinfill.rerun(scinfill.preprocess(a), [a, b])


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genes": "most"}, r"`genes='most'` is not known"),
        ({"batch": ""}, r"`batch=''` is no name"),
        ({"counts_kind": "tpm"}, r"`counts_kind='tpm'` is not known"),
        ({"layer": "absent"}, r"^'a': there is no layer 'absent'"),
    ],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        scinfill.join(make_samples(4, 4), **options)


def test_nothing_to_join():
    with pytest.raises(InputError, match="there is no table to join"):
        scinfill.join({})


def test_the_cells_stand_in_the_order_of_the_tables():
    samples = make_samples(5, 6, 7)
    order = [*reversed(samples)]
    joined = scinfill.join({name: samples[name] for name in order})
    assert joined.obs["sample"].cat.categories.tolist() == order
    changes = sum(one != other for one, other in pairwise(joined.obs["sample"]))
    assert changes == 2
