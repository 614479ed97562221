"""Models in files: written beside the result, applied in streams, refused where they are none."""

import json

import numpy as np
import pytest
from anndata import AnnData

import scinfill
from _support import assert_adata_equal, assert_refused, from_bytes, invoke, make_counts, to_bytes, with_short_training
from scinfill.io import anndata_files, h5ad
from scinfill.schema import SAVED_MODEL

OPTIONS = {"impute-deepmc": ("--rank", "3"), "impute-auto": ("--hidden", "8")}


def cells(*, new: bool) -> AnnData:
    counts = make_counts(150, 40, seed=5)
    return (counts[100:] if new else counts[:100]).copy()


@pytest.fixture(scope="module", params=OPTIONS)
def verb(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory, verb):
    """Return a folder with counts, new counts, an imputed file and its model, made by the verb."""
    folder = tmp_path_factory.mktemp("models")
    cells(new=False).write_h5ad(folder / "counts.h5ad")
    cells(new=True).write_h5ad(folder / "new_counts.h5ad")
    done = invoke("preprocess", folder / "counts.h5ad", "-o", folder / "log.h5ad")
    assert done.exit_code == 0, done.stderr
    with with_short_training():
        made = ("-o", folder / "imputed.h5ad", "--save-model", folder / "model.h5ad")
        done = invoke(verb, folder / "log.h5ad", *OPTIONS[verb], *made)
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_result_is_as_without_the_model(folder, verb):
    with with_short_training():
        done = invoke(verb, folder / "log.h5ad", *OPTIONS[verb])
    assert_adata_equal(from_bytes(done.stdout_bytes), h5ad.read(folder / "imputed.h5ad"))


def test_the_file_and_python_give_the_same(folder, verb):
    done = invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad")
    assert done.exit_code == 0, done.stderr
    function = scinfill.impute_deepmc if verb == "impute-deepmc" else scinfill.impute_auto
    expected = function(cells(new=True), model=h5ad.read(folder / "model.h5ad"))
    assert_adata_equal(from_bytes(done.stdout_bytes), expected)


@pytest.mark.slow
def test_preprocess_like_stands_before_it_in_a_pipe(folder, verb):
    log = invoke("preprocess", "--like", folder / "model.h5ad", folder / "new_counts.h5ad")
    assert log.exit_code == 0, log.stderr
    piped = invoke(verb, "--model", folder / "model.h5ad", stdin=log.stdout_bytes)
    direct = invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad")
    assert_adata_equal(from_bytes(piped.stdout_bytes), from_bytes(direct.stdout_bytes))


@pytest.mark.slow
def test_models_come_in_streams_and_stores(folder, verb, tmp_path):
    model = (folder / "model.h5ad").read_bytes()
    direct = invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad")
    piped = invoke(verb, "--model", "-", folder / "new_counts.h5ad", stdin=model)
    assert piped.stdout_bytes == direct.stdout_bytes
    anndata_files.write(h5ad.read(folder / "model.h5ad"), tmp_path / "model.zarr")
    stored = invoke(verb, "--model", tmp_path / "model.zarr", folder / "new_counts.h5ad")
    assert stored.stdout_bytes == direct.stdout_bytes


@pytest.mark.slow
def test_inspect_tells_a_model_from_a_table_and_by_what_it_was_trained(folder, verb, tmp_path):
    model = h5ad.read(folder / "model.h5ad")
    anndata_files.write(model, tmp_path / "model.zarr")
    for path in (folder / "model.h5ad", tmp_path / "model.zarr"):
        assert scinfill.inspect(path)["model"] == {
            "command": verb,
            "estimate": str(model.uns[SAVED_MODEL]["estimate"]),
            "batch": None,
            "batches": [],
            "batch_effect": "keep",
            "problem": None,
        }
    assert scinfill.inspect(folder / "imputed.h5ad")["model"] is None


@pytest.mark.slow
def test_inspect_says_why_a_model_cannot_be_used(folder, verb):
    """Its genes alone would not tell: they are what was changed. As a stream, too."""
    model = h5ad.read(folder / "model.h5ad")
    model.var_names = [*model.var_names[:-1], "other"]
    told = invoke("inspect", stdin=to_bytes(model))
    assert told.exit_code == 0, told.stderr
    found = json.loads(told.stdout)["model"]
    assert (found["command"], found["batches"]) == (verb, None)
    refused = invoke(verb, "--model", "-", folder / "new_counts.h5ad", stdin=to_bytes(model))
    assert_refused(refused, 3, found["problem"])


@pytest.mark.slow
def test_inspect_tells_the_batches_of_a_model(tmp_path):
    table = cells(new=False)
    table.obs["donor"] = np.where(np.arange(table.n_obs) % 2, "first", "second")
    trained = scinfill.train_model(scinfill.preprocess(table), rank=2, batch="donor", batch_effect="remove")
    h5ad.write(trained.model, tmp_path / "model.h5ad")
    found = scinfill.inspect(tmp_path / "model.h5ad")["model"]
    assert (found["batch"], found["batches"], found["batch_effect"]) == ("donor", ["first", "second"], "remove")


def test_a_checkpoint_has_nothing_to_keep(folder, verb, tmp_path):
    made = ("--model", folder / "model.h5ad", folder / "new_counts.h5ad", "--checkpoint", tmp_path / "states")
    assert_refused(invoke(verb, *made), 2, "leave out --checkpoint")
    assert not (tmp_path / "states").exists()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [("--threads", 1), ("--threads", 3), ("--max-memory", "3G")], ids=str)
def test_neither_threads_nor_memory_change_a_byte(folder, verb, limit):
    usual = invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad")
    limited = invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad", *limit)
    assert limited.exit_code == 0, limited.stderr
    assert limited.stdout_bytes == usual.stdout_bytes


@pytest.mark.slow
def test_rerun_repeats_new_cells_where_the_model_is_named(folder, verb, tmp_path):
    new = tmp_path / "new.h5ad"
    invoke(verb, "--model", folder / "model.h5ad", folder / "new_counts.h5ad", "-o", new)
    again = invoke("rerun", new, "--input", folder / "new_counts.h5ad", "--model", folder / "model.h5ad")
    assert again.exit_code == 0, again.stderr
    assert_refused(invoke("rerun", new, "--input", folder / "new_counts.h5ad"), 2, "saved model", "--model")


def test_one_stream_cannot_be_both(folder, verb):
    assert_refused(invoke(verb, "--model", "-", stdin=b""), 2, "--model", "standard input")


def test_a_model_is_not_saved_where_none_is_trained(folder, verb, tmp_path):
    both = ("--model", folder / "model.h5ad", "--save-model", tmp_path / "again.h5ad")
    assert_refused(invoke(verb, *both, folder / "new_counts.h5ad"), 2, "--model", "--save-model")
    one = ("-o", tmp_path / "one.h5ad", "--save-model", tmp_path / "one.h5ad")
    assert_refused(invoke(verb, folder / "log.h5ad", *one), 2, "--save-model")
    missing = tmp_path / "nowhere" / "model.h5ad"
    assert_refused(invoke(verb, folder / "log.h5ad", "--save-model", missing), 2, "no folder")
    assert list(tmp_path.iterdir()) == []


def test_a_result_replaces_neither_model_nor_input(folder, verb):
    """However the name of the file is written."""
    model, log = folder / "model.h5ad", folder / "log.h5ad"
    before = model.read_bytes(), log.read_bytes()
    roundabout = folder / ".." / folder.name
    for call in ((verb, "--model", model), ("preprocess", "--like", model)):
        assert_refused(invoke(*call, folder / "new_counts.h5ad", "-o", roundabout / "model.h5ad"), 2, "another output")
    assert_refused(invoke(verb, log, "--save-model", roundabout / "log.h5ad"), 2, "--save-model", "input")
    one = ("-o", folder / "one.h5ad", "--save-model", roundabout / "one.h5ad")
    assert_refused(invoke(verb, log, *one), 2, "one file", "--save-model")
    assert not (folder / "one.h5ad").exists()
    assert (model.read_bytes(), log.read_bytes()) == before


def test_a_failing_training_leaves_an_earlier_model(folder, verb, tmp_path):
    earlier, result = tmp_path / "model.h5ad", tmp_path / "out.h5ad"
    earlier.write_bytes(b"earlier")
    asked = ("--estimate", "detected", "--save-model", earlier, "-o", result)
    assert_refused(invoke(verb, folder / "log.h5ad", *asked), 2, "--estimate detected")
    assert earlier.read_bytes() == b"earlier"
    assert not result.exists()


def damaged(content: bytes, how: str) -> bytes:
    if how == "cut":
        return content[: len(content) // 2]
    if how == "text":
        return b"no model\n"
    model = from_bytes(content)
    if how == "a number":
        model.var["model_gain"] = np.roll(model.var["model_gain"].to_numpy(), 1) + np.float32(0.5)
    elif how == "an imputed table":
        return to_bytes(scinfill.preprocess(cells(new=False)))
    elif how == "no record of the model":
        del model.uns["scinfill_model"]
    return to_bytes(model)


@pytest.mark.parametrize("how", ["cut", "text", "a number", "an imputed table", "no record of the model"])
def test_damaged_and_foreign_models_are_refused_in_one_line(folder, verb, tmp_path, how):
    broken, out = tmp_path / "broken.h5ad", tmp_path / "out.h5ad"
    broken.write_bytes(damaged((folder / "model.h5ad").read_bytes(), how))
    out.write_bytes(b"earlier")
    for call in ((verb, "--model", broken), ("preprocess", "--like", broken)):
        assert_refused(invoke(*call, folder / "new_counts.h5ad", "-o", out), 3)
        assert out.read_bytes() == b"earlier"


def test_the_model_is_no_table_to_impute(folder, verb):
    for call in ((verb,), ("evaluate",), ("mask",)):
        assert_refused(invoke(*call, folder / "model.h5ad"), 3, "saved model", "--model FILE")


def test_messages_name_the_options(folder, verb):
    result = invoke(verb, "--model", folder / "model.h5ad", "--no-gate", folder / "new_counts.h5ad")
    assert_refused(result, 2, "--no-gate is chosen in the training", "beside --model")
    result = invoke(verb, "--model", folder / "model.h5ad", folder / "log.h5ad")
    assert_refused(result, 3, "`scinfill preprocess --like MODEL`")


@pytest.mark.slow
def test_a_network_of_a_thousand_genes_takes_less_than_five_megabytes(tmp_path):
    counts = scinfill.simulate(n_cells=260, n_genes=1000, seed=1)
    counts.layers.clear()
    table = scinfill.preprocess(counts, n_genes=None, min_cells=1, min_counts=1)
    with with_short_training():
        model = scinfill.train_model(table, "auto").model
    anndata_files.write_packed(model, tmp_path / "model.h5ad")
    assert model.n_vars > 950
    assert (tmp_path / "model.h5ad").stat().st_size < 5e6
    # And that although the network, which held-out entries make larger than here, is not small.
    weights = model.uns[SAVED_MODEL]["weights"].values()
    assert (tmp_path / "model.h5ad").stat().st_size < sum(weight.nbytes for weight in weights)
    assert_adata_equal(h5ad.read(tmp_path / "model.h5ad"), model)
