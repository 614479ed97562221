"""Saved models: what new cells get depends on the model and on themselves alone."""

from dataclasses import replace
from functools import cache

import anndata
import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

import scinfill
from _support import assert_adata_equal, from_bytes, make_counts, to_bytes
from scinfill.errors import DataError, InputError
from scinfill.methods import provenance, saved_model
from scinfill.methods.knowledge import knowledge_of
from scinfill.methods.train import Trained
from scinfill.reporting.steps import step_in_words
from scinfill.schema import SAVED_MODEL

pytestmark = pytest.mark.usefixtures("short_training", "few_resamples", "plain_figures")

KINDS = {
    "deepmc": ("deepmc", {"rank": 3, "counts_kind": "umi"}),
    "deepmc of reads": ("deepmc", {"rank": 3, "counts_kind": "reads"}),
    "deepmc, weights of the squared loss": ("deepmc", {"rank": 3, "loss": "squared", "counts_kind": "umi"}),
    "deepmc in batches": ("deepmc", {"rank": 3, "counts_kind": "umi", "batch": "sample"}),
    "deepmc without batches": (
        "deepmc",
        {"rank": 3, "counts_kind": "umi", "batch": "sample", "batch_effect": "remove"},
    ),
    "auto": ("auto", {"hidden_units": 8, "counts_kind": "umi"}),
    "auto in batches": ("auto", {"hidden_units": 8, "counts_kind": "umi", "batch": "sample"}),
}


@cache
def _world() -> AnnData:
    """Return counts of which the first 200 cells are the training's, and the others of the same types."""
    counts = scinfill.simulate(n_cells=520, n_genes=90, n_types=3, seed=4)
    counts.obs["sample"] = np.where(np.arange(counts.n_obs) % 3, "first", "second")
    counts.layers.clear()
    return counts


def training() -> AnnData:
    return _world()[:200].copy()


def newcomers() -> AnnData:
    """Return 300 new cells, of batches that the training knows, and one empty cell among them."""
    new = _world()[200:500].copy()
    new.X = sparse.csr_matrix(new.X)
    emptied = new.X.toarray()
    emptied[4] = 0
    new.X = sparse.csr_matrix(emptied)
    return new


@cache
def _trained(kind: str) -> Trained:
    method, options = KINDS[kind]
    return scinfill.train_model(scinfill.preprocess(training(), n_genes=60), method, **options)


@cache
def _whole(kind: str) -> AnnData:
    return apply(kind, newcomers())


def apply(kind: str, cells: AnnData, **options) -> AnnData:
    function = scinfill.impute_deepmc if KINDS[kind][0] == "deepmc" else scinfill.impute_auto
    return function(cells, model=_trained(kind).model, **options)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def assert_same_cells(some: AnnData, whole: AnnData) -> None:
    """Compare every byte of what cells got with what they got among others."""
    expected = whole[some.obs_names]
    for name in some.layers:
        one, other = (
            np.asarray(m.todense()) if sparse.issparse(m) else m for m in (some.layers[name], expected.layers[name])
        )
        np.testing.assert_array_equal(one, other, err_msg=name)
    for name in some.obsm:
        np.testing.assert_array_equal(some.obsm[name], expected.obsm[name], err_msg=name)
    for name in expected.obs.columns.intersection(["size_factor", "model_fit"]):
        np.testing.assert_array_equal(some.obs[name], expected.obs[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("rows", ["one", "seven", "shuffled", "twice the size"])
def test_a_cell_gets_the_same_bytes_whatever_stands_beside_it(kind, rows):
    new = newcomers()
    if rows == "twice the size":
        others = _world()[:200].copy()
        others.obs_names = [f"other{number}" for number in range(200)]
        mixed = apply(kind, anndata.concat([others, new], merge="same"))
        assert_same_cells(mixed[new.obs_names].copy(), _whole(kind))
        return
    order = {
        "one": np.array([17]),
        "seven": np.arange(1, 8),
        "shuffled": np.random.default_rng(3).permutation(new.n_obs),
    }[rows]
    assert_same_cells(apply(kind, new[order].copy()), _whole(kind))


def test_uncertainty_of_a_cell_is_its_own_too():
    whole = apply("deepmc", newcomers(), uncertainty=True)
    assert (whole.layers["imputed_sd"] > 0).any()
    assert_same_cells(apply("deepmc", newcomers()[10:13].copy(), uncertainty=True), whole)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_matrix.toarray])
def test_any_form_of_the_counts_gives_the_same(form):
    new = newcomers()
    new.X = form(new.X)
    assert_same_cells(apply("deepmc", new), _whole("deepmc"))


@pytest.mark.slow
def test_training_cells_get_nearly_what_the_training_gave_them(kind):
    imputed = _trained(kind).imputed
    again = apply(kind, training())
    difference = again.layers["imputed"] - imputed.layers["imputed"]
    spread = imputed.layers["imputed"].std()
    assert np.sqrt(np.mean(difference**2)) < 0.05 * spread
    assert list(again.var_names) == list(imputed.var_names)
    np.testing.assert_allclose(again.obs["size_factor"], imputed.obs["size_factor"], rtol=1e-6)


def test_the_model_holds_no_cells_and_survives_a_file(kind):
    model = _trained(kind).model
    assert model.n_obs == 0
    read = from_bytes(to_bytes(model))
    method = scinfill.impute_deepmc if KINDS[kind][0] == "deepmc" else scinfill.impute_auto
    assert_same_cells(method(newcomers(), model=read), _whole(kind))


def test_the_same_training_gives_the_same_model():
    method, options = KINDS["deepmc"]
    again = scinfill.train_model(scinfill.preprocess(training(), n_genes=60), method, **options)
    assert_adata_equal(again.model, _trained("deepmc").model)


def test_keeping_the_model_changes_nothing_of_the_imputation():
    _, options = KINDS["deepmc"]
    alone = scinfill.impute_deepmc(scinfill.preprocess(training(), n_genes=60), **options)
    assert_adata_equal(alone, _trained("deepmc").imputed)


def test_counts_and_what_preprocess_like_makes_of_them_give_the_same(kind):
    prepared = scinfill.preprocess(newcomers(), like=_trained(kind).model)
    assert_same_cells(apply(kind, prepared), _whole(kind))


def test_preprocess_like_has_the_genes_in_order_and_the_scale():
    imputed, model = _trained("deepmc")
    same = scinfill.preprocess(training()[:, ::-1].copy(), like=model)
    assert list(same.var_names) == list(model.var_names)
    np.testing.assert_allclose(same.X.toarray(), imputed.X.toarray(), rtol=1e-5)
    again = scinfill.preprocess(training(), like=scinfill.train_model(same, rank=3, counts_kind="umi").model)
    np.testing.assert_allclose(again.obs["size_factor"], imputed.obs["size_factor"], rtol=1e-6)


def test_depth_comes_from_what_is_comparable():
    """Half of the genes, or more of them, tell the same depth: totals alone would say half, or twice as much."""
    new, model = newcomers(), _trained("deepmc").model
    whole = scinfill.preprocess(new, like=model).obs["size_factor"]
    half = scinfill.preprocess(new[:, ::2].copy(), like=model).obs["size_factor"]
    assert 0.8 < np.median(half / whole) < 1.25
    foreign = make_counts(new.n_obs, 40)
    foreign.var_names, foreign.obs_names = [f"other{n}" for n in range(40)], new.obs_names
    more = AnnData(
        sparse.hstack([new.X, foreign.X], format="csr"), obs=new.obs, var=anndata.concat([new, foreign], axis=1).var
    )
    np.testing.assert_array_equal(scinfill.preprocess(more, like=model).obs["size_factor"], whole)


def test_absent_genes_take_no_part_and_are_predicted(kind, caplog):
    model = _trained(kind).model
    absent = list(model.var_names[::4])
    caplog.set_level("INFO")
    less = newcomers()[:, [name for name in newcomers().var_names if name not in absent]].copy()
    result = apply(kind, less)
    assert f"{len(absent)} of the model's {model.n_vars} genes are absent" in caplog.text
    assert list(result.var_names) == list(model.var_names)
    assert list(result.var_names[~result.varm["measured"].iloc[:, 0]]) == absent
    assert np.isfinite(result[:, absent].layers["imputed"]).all()
    if result.uns["scinfill"]["estimate"] == "shrunk":
        assert (result.var.loc[absent, "observed_weight"] == 0).all()
    # Whatever stood in an absent gene changes nothing.
    assert_same_cells(apply(kind, less[:9].copy()), result)


@pytest.mark.slow
def test_absent_genes_are_predicted_nearly_as_well_as_seen_ones():
    counts = scinfill.simulate(n_cells=500, n_genes=400, n_types=3, seed=7)
    counts.layers.clear()
    table = scinfill.preprocess(counts[:250].copy(), n_genes=150)
    model = scinfill.train_model(table, rank=5, counts_kind="umi").model
    new = counts[250:].copy()
    whole = scinfill.impute_deepmc(new, model=model)
    varies = (whole.var["imputation_gate"] > 0.5).to_numpy() & (whole.layers["imputed"].std(axis=0) > 0.3)
    absent = list(model.var_names[varies][::4])
    assert len(absent) > 5
    lacking = scinfill.impute_deepmc(new[:, ~new.var_names.isin(absent)].copy(), model=model)
    pairs = zip(lacking[:, absent].layers["imputed"].T, whole[:, absent].layers["imputed"].T, strict=True)
    assert np.median([np.corrcoef(one, other)[0, 1] for one, other in pairs]) > 0.7


def test_zeros_are_not_the_same_as_absence():
    model = _trained("deepmc").model
    absent = list(model.var_names[::4])
    zeroed = newcomers()
    dense = zeroed.X.toarray()
    dense[:, zeroed.var_names.isin(absent)] = 0
    zeroed.X = sparse.csr_matrix(dense)
    lacking = newcomers()[:, ~newcomers().var_names.isin(absent)].copy()
    difference = apply("deepmc", zeroed).layers["imputed"] - apply("deepmc", lacking).layers["imputed"]
    assert np.abs(difference).max() > 0.1


def test_unknown_genes_are_left_out_and_said(caplog):
    caplog.set_level("INFO")
    apply("deepmc", newcomers())
    n_unknown = newcomers().n_vars - _trained("deepmc").model.n_vars
    assert f"{n_unknown} genes that the model does not know" in caplog.text


@pytest.mark.slow
def test_cells_of_an_unknown_type_are_told():
    counts = scinfill.simulate(n_cells=500, n_genes=400, n_types=3, seed=7)
    counts.layers.clear()
    types = counts.obs["cell_type"].astype(str)
    unknown = (types == types.unique()[0]).to_numpy()
    known = np.flatnonzero(~unknown)
    model = scinfill.train_model(scinfill.preprocess(counts[known[::2]].copy()), rank=5).model
    fit = scinfill.impute_deepmc(counts, model=model).obs["model_fit"].to_numpy()
    others = fit[known[1::2]]
    assert np.mean(fit[unknown][:, None] < others) > 0.95
    assert abs(np.median(others)) < 0.7
    assert 0.5 < np.std(others) < 2


def test_an_empty_cell_is_predicted_by_the_average_and_has_no_fit():
    result = _whole("deepmc")
    assert np.isnan(result.obs["model_fit"].iloc[4])
    assert (result.obsm["X_deepmc"][4] == 0).all()
    assert np.isfinite(result.layers["imputed"]).all()


def test_factors_rebuild_the_values():
    factors = apply("deepmc", newcomers(), form="factors")
    assert "imputed" not in factors.layers
    np.testing.assert_array_equal(scinfill.reconstruct(factors).layers["imputed"], _whole("deepmc").layers["imputed"])
    lacking = newcomers()[:, 5:].copy()
    np.testing.assert_array_equal(
        scinfill.reconstruct(apply("deepmc", lacking, form="factors")).layers["imputed"],
        apply("deepmc", lacking).layers["imputed"],
    )


def test_seen_values_are_kept_where_asked():
    result = apply("deepmc", newcomers(), keep="observed")
    seen = result.X.toarray() > 0
    np.testing.assert_array_equal(result.layers["imputed"][seen], result.X.toarray()[seen])


@pytest.mark.slow
@pytest.mark.parametrize("batches", ["deepmc in batches", "auto in batches"])
def test_batches_are_known_by_name(batches, caplog):
    new = newcomers()
    apart = apply(batches, new)
    assert apart.varm["batch_offsets"].shape == (apart.n_vars, 2)
    swapped = new.copy()
    swapped.obs["sample"] = np.where(new.obs["sample"] == "first", "second", "first")
    assert np.abs(apply(batches, swapped).layers["imputed"] - apart.layers["imputed"]).max() > 0
    stranger = new.copy()
    stranger.obs["sample"] = "third"
    unknown = apply(batches, stranger)
    assert "the model knows no batch 'third'" in caplog.text
    del stranger.obs["sample"]
    unnamed = apply(batches, stranger)
    assert "obs has no column 'sample'" in caplog.text
    np.testing.assert_allclose(unknown.layers["imputed"], unnamed.layers["imputed"], atol=1e-5)
    renamed = new.copy()
    renamed.obs["donor"] = renamed.obs.pop("sample")
    np.testing.assert_array_equal(apply(batches, renamed, batch="donor").layers["imputed"], apart.layers["imputed"])


@pytest.mark.slow
def test_a_batch_removed_in_training_stays_removed():
    result = _whole("deepmc without batches")
    assert result.uns["scinfill"]["batches"]["effect"] == "remove"
    with pytest.raises(InputError, match="average batch"):
        apply("deepmc without batches", newcomers(), keep="observed")


def test_the_record_can_be_repeated_with_the_model_alone():
    result, model = _whole("deepmc"), _trained("deepmc").model
    assert scinfill.rerun(result, newcomers(), model=model).identical
    with pytest.raises(InputError, match=r"needs the saved model of SHA-256 .* name it as `model`"):
        scinfill.rerun(result, newcomers())
    with pytest.raises(DataError, match="is another"):
        scinfill.rerun(result, newcomers(), model=_trained("deepmc of reads").model)


def test_the_first_training_is_repeated_without_any_model():
    imputed = _trained("deepmc").imputed
    assert scinfill.rerun(imputed, training()).identical


@pytest.mark.slow
def test_a_model_trained_on_values_alone_takes_values_alone():
    table = scinfill.preprocess(training(), n_genes=60)
    values = scinfill.preprocess(newcomers(), like=_trained("deepmc").model)
    for each in (table, values):
        del each.layers["counts"], each.obs["size_factor"], each.uns["scinfill"]
    model = scinfill.train_model(table, rank=3).model
    result = scinfill.impute_deepmc(values, model=model)
    assert result.uns["scinfill"]["estimate"] == "model"
    assert_same_cells(scinfill.impute_deepmc(values[3:9].copy(), model=model), result)
    with pytest.raises(DataError, match="log2 values without counts"):
        scinfill.preprocess(newcomers(), like=model)


REFUSED = {
    "estimate='detected'": ({"estimate": "detected"}, "values of the cells that it was fitted to"),
    "preset": ({"preset": "paper"}, "has no gate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_model_can_be_kept_of_is_refused(name):
    options, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        scinfill.train_model(scinfill.preprocess(training(), n_genes=60), **options)


@pytest.mark.parametrize(
    "options", [{"rank": 3}, {"estimate": "model"}, {"gate": False}, {"ridge": 2.0}, {"counts_kind": "umi"}]
)
def test_options_of_a_training_are_refused_beside_a_model(options):
    with pytest.raises(InputError, match=f"`{next(iter(options))}=.*` is chosen in the training"):
        apply("deepmc", newcomers(), **options)


@pytest.mark.parametrize("options", [{"n_genes": 5}, {"keep_genes": ["gene1"]}, {"min_cells": 1}, {"preset": "paper"}])
def test_what_chooses_genes_is_refused_beside_like(options):
    with pytest.raises(InputError, match="takes those of the model"):
        scinfill.preprocess(newcomers(), like=_trained("deepmc").model, **options)


def test_models_of_the_other_method_are_refused():
    with pytest.raises(InputError, match="trained by impute-deepmc; apply it by `scinfill impute-deepmc`"):
        scinfill.impute_auto(newcomers(), model=_trained("deepmc").model)


def test_uncertainty_needs_a_model_that_knows_it():
    with pytest.raises(InputError, match="trained for model"):
        apply("deepmc of reads", newcomers(), uncertainty=True)


def test_batches_need_a_model_that_knows_them():
    with pytest.raises(InputError, match="trained without batches"):
        apply("deepmc", newcomers(), batch="sample")


def test_a_table_on_a_scale_of_its_own_is_refused():
    with pytest.raises(DataError, match=r"preprocessed on its own.*preprocess\(like='MODEL'\)"):
        apply("deepmc", scinfill.preprocess(newcomers(), n_genes=60))


def test_no_gene_in_common_is_refused_with_the_column_that_has_them():
    new = newcomers()
    new.var["symbol"] = new.var_names
    new.var_names = [f"ENSG{number:011d}" for number in range(new.n_vars)]
    with pytest.raises(DataError, match=r"no gene of the model is in the table.*var\['symbol'\] has the model's names"):
        apply("deepmc", new)


@pytest.mark.parametrize("wrong", ["model.h5ad", 3, ("imputed", "model")])
def test_what_is_no_table_is_no_model(wrong):
    for read in (
        lambda: scinfill.impute_deepmc(newcomers(), model=wrong),
        lambda: scinfill.preprocess(newcomers(), like=wrong),
    ):
        with pytest.raises(InputError, match=rf"a saved model is a table.*read_h5ad.*received {type(wrong).__name__}"):
            read()


def test_an_option_of_the_other_method_is_refused_in_the_words_of_the_function():
    with pytest.raises(TypeError, match=r"^train_model\(\) of method 'deepmc' got an unexpected .*'hidden_units'"):
        scinfill.train_model(training(), hidden_units=8)


@pytest.mark.parametrize(
    ("rename", "advice"),
    [
        (str.upper, "upper and lower case, as those of mouse and human genes do: is it the same species?"),
        (lambda name: f"ENSG{name}", "symbols or identifiers, of the same species"),
    ],
)
def test_other_names_are_refused_with_what_may_be_the_matter(rename, advice):
    new = newcomers()
    new.var_names = [rename(name) for name in new.var_names]
    with pytest.raises(DataError, match="no gene of the model is in the table") as refused:
        apply("deepmc", new)
    assert advice in str(refused.value)


def test_logged_values_are_sent_back_for_counts_and_nowhere_else():
    """The imputers read log2 values, but not beside a model that was trained on counts."""
    new = newcomers()
    new.X = new.X.log1p()
    for read in (lambda: apply("deepmc", new), lambda: scinfill.preprocess(new, like=_trained("deepmc").model)):
        with pytest.raises(DataError, match="look already logged") as refused:
            read()
        assert "without preprocess" not in str(refused.value)
    with pytest.raises(DataError, match="without preprocess"):
        scinfill.preprocess(new)


def changed(model: AnnData, how: str) -> AnnData:
    model = model.copy()
    own = dict(model.uns[SAVED_MODEL])
    if how == "a number":
        model.var["model_gain"] = model.var["model_gain"].to_numpy() * 1.01
    elif how == "a column":
        del model.var["model_base"]
    elif how == "the factors":
        model.varm["deepmc"] = model.varm["deepmc"][:, :-1]
    elif how == "a name":
        model.var_names = ["other", *model.var_names[1:]]
    elif how == "the loss":
        own["loss"] = "squared"
    elif how == "the hash":
        own["sha256"] = "0" * 64
    model.uns[SAVED_MODEL] = own
    return model


@pytest.mark.parametrize("how", ["a number", "a column", "the factors", "a name", "the loss", "the hash"])
def test_a_changed_model_is_refused(how):
    with pytest.raises(DataError, match="changed or damaged"):
        scinfill.impute_deepmc(newcomers(), model=changed(_trained("deepmc").model, how))


@pytest.mark.slow
def test_a_model_of_the_first_layout_is_read(monkeypatch):
    method, options = KINDS["deepmc"]
    with monkeypatch.context() as earlier:
        earlier.setattr(saved_model, "FORMAT", 1)
        first = scinfill.train_model(scinfill.preprocess(training(), n_genes=60), method, **options).model
    assert first.uns[SAVED_MODEL]["format"] == 1
    now = apply("deepmc", newcomers())
    np.testing.assert_array_equal(
        scinfill.impute_deepmc(newcomers(), model=first).layers["imputed"], now.layers["imputed"]
    )


def test_a_later_layout_and_other_tables_are_refused():
    model = _trained("deepmc").model.copy()
    model.uns[SAVED_MODEL] = dict(model.uns[SAVED_MODEL]) | {"format": 99}
    with pytest.raises(DataError, match="layout is number 99"):
        scinfill.impute_deepmc(newcomers(), model=model)
    with pytest.raises(DataError, match="is no saved model"):
        scinfill.impute_deepmc(newcomers(), model=_trained("deepmc").imputed)
    with pytest.raises(DataError, match="is a saved model and has no cells"):
        scinfill.impute_deepmc(_trained("deepmc").model)


# --- genes that the new cells lack, in later steps -------------------------------------------------------------------


def some_genes(cells: AnnData, *, without: int) -> AnnData:
    """Return cells without one in so many of the model's genes."""
    return cells[:, ~cells.var_names.isin(_trained("deepmc").model.var_names[::without])].copy()


def test_an_imputed_table_is_read_again_as_the_first_time(kind):
    first = apply(kind, some_genes(newcomers(), without=4))
    assert not first.varm["measured"].to_numpy().all()
    assert_same_cells(apply(kind, first), first)


@pytest.mark.parametrize("genes", ["common", "all"])
def test_joined_tables_like_one_model_are_on_its_scale(genes):
    model, new = _trained("deepmc").model, newcomers()
    parts = {"a": new[:50].copy(), "b": some_genes(new[50:100].copy(), without=4)}
    joined = scinfill.join(
        {name: scinfill.preprocess(part, like=model) for name, part in parts.items()}, batch="part", genes=genes
    )
    together = scinfill.impute_deepmc(joined, model=model)
    apart = scinfill.impute_deepmc(parts["b"], model=model)
    np.testing.assert_array_equal(together[apart.obs_names].layers["imputed"], apart.layers["imputed"])


def test_a_table_like_another_model_is_refused():
    other = scinfill.train_model(scinfill.preprocess(training(), n_genes=60), rank=2, counts_kind="umi").model
    with pytest.raises(DataError, match="preprocessed like another model"):
        apply("deepmc", scinfill.preprocess(newcomers(), like=other))


def test_join_keeps_that_genes_were_not_measured():
    new = newcomers()
    parts = {"a": apply("deepmc", new[:50].copy()), "b": apply("deepmc", some_genes(new[50:100].copy(), without=4))}
    joined = scinfill.join(parts, batch="part", genes="all")
    np.testing.assert_array_equal(joined.varm["measured"]["b"], parts["b"].varm["measured"]["new cells"])
    assert joined.varm["measured"]["a"].all()


def test_factors_that_do_not_hold_for_all_cells_are_not_joined():
    new = newcomers()
    halves = {"a": new[:50].copy(), "b": some_genes(new[50:100].copy(), without=4)}
    joined = scinfill.join(
        {name: apply("deepmc", part, form="factors") for name, part in halves.items()}, batch="part", genes="all"
    )
    with pytest.raises(DataError, match="holds no factors"):
        scinfill.reconstruct(joined)


@pytest.mark.slow
def test_factors_of_batches_are_joined_only_where_batches_agree():
    new = newcomers()
    other = new[50:100].copy()
    other.obs["sample"] = "third"
    with_unknown = {"a": apply("deepmc in batches", new[:50].copy(), form="factors")}
    with_unknown["b"] = apply("deepmc in batches", other, form="factors")
    with pytest.raises(DataError, match="holds no factors"):
        scinfill.reconstruct(scinfill.join(with_unknown, batch="part"))
    with_unknown["b"] = apply("deepmc in batches", new[50:100].copy(), form="factors")
    joined = scinfill.reconstruct(scinfill.join(with_unknown, batch="part"))
    expected = apply("deepmc in batches", new[:100].copy())
    np.testing.assert_allclose(joined.layers["imputed"], expected.layers["imputed"], atol=1e-4)


@pytest.mark.slow
def test_markers_and_scores_are_of_measured_genes_alone():
    found = apply("deepmc", some_genes(newcomers(), without=4))
    measured = found[:, found.varm["measured"].to_numpy().all(axis=1)].copy()
    of_all = scinfill.markers(found, groupby="cell_type").uns["scinfill_markers"]
    assert of_all.equals(scinfill.markers(measured, groupby="cell_type").uns["scinfill_markers"])
    assert scinfill.evaluate(found, labels="cell_type") == scinfill.evaluate(measured, labels="cell_type")
    scinfill.report(found)


# --- what cannot be told is not told ---------------------------------------------------------------------------------


def test_a_few_genes_do_not_tell_whether_a_cell_is_known(caplog):
    model = _trained("deepmc").model
    few = newcomers()[:, model.var_names[:10]].copy()
    found = apply("deepmc", few)
    assert found.obs["model_fit"].isna().all()
    assert "too few of the genes that tell" in caplog.text


def test_genes_in_another_spelling_are_warned_of(caplog):
    new = newcomers()
    new.var_names = [name.upper() if number % 2 else name for number, name in enumerate(new.var_names)]
    apply("deepmc", new)
    assert "in another spelling, such as 'G" in caplog.text


@pytest.mark.parametrize(("factor", "word"), [(0.02, "shallower"), (50, "deeper")])
def test_cells_beyond_every_training_cell_in_depth_are_warned_of(factor, word, caplog):
    new = newcomers()
    scaled = new.X.toarray() * factor
    new.X = sparse.csr_matrix(np.random.default_rng(0).poisson(scaled) if factor < 1 else scaled)
    apply("deepmc", new)
    assert f"cells are {word} than every training cell" in caplog.text


def test_cells_like_the_training_are_not_warned_of(caplog):
    apply("deepmc", training())
    assert "than every training cell" not in caplog.text
    assert "another spelling" not in caplog.text


@pytest.mark.parametrize("mode", ["thin", "halves"])
def test_thinned_cells_are_on_the_scale_of_the_model(mode):
    """To a model that stays as it is, a cell with half of its molecules is half as deep, not of another type."""
    model = _trained("deepmc").model
    whole = scinfill.preprocess(newcomers(), like=model)
    masked = scinfill.mask(whole, mode=mode, fraction=0.5)
    np.testing.assert_allclose(masked.obs["size_factor"], whole.obs["size_factor"] / 2)
    of_masked, of_whole = apply("deepmc", masked), apply("deepmc", whole)
    rates = [np.exp2(table.layers["imputed"]) - 1 for table in (of_masked, of_whole)]
    assert rates[0].mean() == pytest.approx(rates[1].mean(), rel=0.05)
    kept = masked.obs["size_factor"].to_numpy()[:, None] * rates[0]
    assert kept.sum() == pytest.approx(masked.layers["heldout_counts"].sum(), rel=0.05)
    assert of_masked.obs["model_fit"].median() > -1


def test_results_say_that_nothing_was_trained():
    """Of scores and of one file alike; what `preprocess` would have chosen of a training's genes is not told of."""
    imputed, trained = _whole("deepmc"), _trained("deepmc")
    identity = str(trained.model.uns[SAVED_MODEL]["sha256"])
    record = scinfill.evaluate({"new": imputed})["estimates"]["new"]
    of_model = f"the values of new are those of the saved model {identity[:12]}; nothing was trained on these cells; "
    assert record["notes"][0].startswith(of_model)
    assert record["saved_model"] == {
        "model": identity,
        "n_cells": 300,
        "n_told": 299,
        "n_badly_known": int((imputed.obs["model_fit"] < -3).sum()),
        "n_genes_absent": 0,
    }
    assert "--null-genes" not in record["skipped"]["null_pairs"]  # they would be left out as unknown
    fitted = scinfill.evaluate(trained.imputed)["estimates"]["deepmc"]["notes"]
    assert not any("saved model" in note for note in fitted)
    like, by = (step_in_words(step) for step in provenance.steps(imputed)[-2:])
    assert f"genes and size factors are those of the saved model {identity[:12]}" in like
    assert "most dispersed" not in like
    assert f"as trained in the saved model {identity[:12]}" in by


@pytest.mark.slow
def test_a_page_about_cells_that_the_model_does_not_know_says_so():
    """And how many of its genes they lacked, which are left out of all else there."""
    strange = some_genes(newcomers(), without=4)
    strange.X = np.random.default_rng(1).permuted(strange.X.toarray(), axis=1)
    answers = {one.question: one for one in scinfill.report(apply("deepmc", strange)).sentences}
    said = answers["Does the saved model know these cells?"]
    assert said.answer == "no"
    assert "of 299 cells are known to it worse than nearly all of its training cells" in said.text
    assert "15 genes of the model were not in the data" in said.text
    assert "held-out entries of its training support" in answers["For how many genes is there a model?"].text
    assert said.question not in [one.question for one in scinfill.report(_trained("deepmc").imputed).sentences]


def test_a_cell_by_itself_has_a_fit_and_no_scores():
    """What needs several cells says where to find more, and what is known of one; genes are not in rows."""
    one = apply("deepmc", newcomers()[17:18].copy())
    assert np.isfinite(one.obs["model_fit"]).all()
    for ask in (lambda table: scinfill.evaluate({"one": table}), scinfill.report, scinfill.mask):
        with pytest.raises(DataError, match=r"one cell only; .*`scinfill join`.*obs\['model_fit'\] says") as refused:
            ask(one)
        assert "transpose" not in str(refused.value)
    with pytest.raises(DataError, match="are genes in rows"):
        scinfill.preprocess(newcomers()[17:18].copy())


def test_joined_after_the_model_imputed_them_cells_are_still_those_of_the_model():
    """By reports, and where values are rebuilt from factors; genes that one of the tables lacked are told of all."""
    new = newcomers()
    lacking = some_genes(new[150:].copy(), without=4)
    parts = {"a": apply("deepmc", new[:150].copy()), "b": apply("deepmc", lacking)}
    joined = scinfill.join(parts, batch="run")
    known = knowledge_of(joined)
    assert known == replace(knowledge_of(parts["b"]), n_cells=300, n_told=299, n_badly_known=known.n_badly_known)
    assert known.n_badly_known == sum(knowledge_of(part).n_badly_known for part in parts.values())
    assert known.n_genes_absent == 15
    questions = [one.question for one in scinfill.report(joined).sentences]
    assert "Does the saved model know these cells?" in questions
    halves = {"a": new[:150].copy(), "b": new[150:].copy()}
    factors = scinfill.join({name: apply("deepmc", half, form="factors") for name, half in halves.items()}, batch="run")
    np.testing.assert_array_equal(scinfill.reconstruct(factors).layers["imputed"], _whole("deepmc").layers["imputed"])


def test_values_of_two_models_are_not_joined(caplog):
    new = newcomers()
    parts = {"a": apply("deepmc", new[:150].copy()), "b": apply("auto", new[150:].copy())}
    joined = scinfill.join(parts, batch="run")
    assert "imputed" not in joined.layers
    assert "'imputed' of layers left out: by different methods or saved models; join first" in caplog.text
    assert knowledge_of(joined) is None
