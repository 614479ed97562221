"""What `auto` comes to mean, what cannot be, and what is done with seen values."""

import logging

import numpy as np
import pytest
from anndata import AnnData

import scinfill
from _models import Given, low_rank_world, observations
from scinfill.errors import InputError
from scinfill.methods.autoimpute import impute_auto
from scinfill.methods.baselines import impute_baseline
from scinfill.methods.deepmc import DeepMc, impute_deepmc
from scinfill.methods.imputer import Decision, decide, with_seen_values
from scinfill.models.observations import Observations
from scinfill.numerics.duplicates import counts_per_molecule

UMI = low_rank_world(20, 15).data
READS = observations(UMI.counts.toarray() * 100)
VALUES = Observations(UMI.log_values)


@pytest.mark.parametrize(
    ("data", "settings", "decision"),
    [
        (UMI, {}, Decision("shrunk", "poisson")),
        (UMI, {"estimate": "shrunk"}, Decision("shrunk", "poisson")),
        (UMI, {"estimate": "model"}, Decision("model", "poisson")),
        (UMI, {"estimate": "detected"}, Decision("detected", "squared")),
        (UMI, {"loss": "squared"}, Decision("shrunk", "squared")),
        (UMI, {"loss": "squared", "estimate": "model"}, Decision("model", "squared")),
        (UMI, {"counts_kind": "reads"}, Decision("model", "squared")),
        (UMI, {"counts_kind": "reads", "loss": "poisson"}, Decision("model", "poisson")),
        (READS, {}, Decision("model", "squared")),
        (READS, {"estimate": "shrunk"}, Decision("shrunk", "squared")),
        (READS, {"loss": "poisson"}, Decision("model", "poisson")),
        (READS, {"counts_kind": "umi"}, Decision("shrunk", "poisson")),
        (READS, {"estimate": "detected"}, Decision("detected", "squared")),
        (VALUES, {}, Decision("model", "squared")),
        (VALUES, {"counts_kind": "umi"}, Decision("model", "squared")),
        (VALUES, {"estimate": "detected"}, Decision("detected", "squared")),
    ],
    ids=str,
)
def test_decisions(data, settings, decision):
    assert decide(DeepMc(**settings), data) == decision


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (VALUES, {"estimate": "shrunk"}, r"`estimate='shrunk'` needs counts, and there is no layers\['counts'\]; use"),
        (VALUES, {"loss": "poisson"}, "`loss='poisson'` needs counts"),
        (VALUES, {"loss": "poisson", "estimate": "model"}, "`loss='poisson'` needs counts"),
        (UMI, {"estimate": "detected", "loss": "poisson"}, "`estimate='detected'` is a squared-loss fit"),
        (UMI, {"estimate": "detected", "uncertainty": True}, "for `estimate='shrunk'`, not for detected"),
        (UMI, {"estimate": "model", "uncertainty": True}, "for `estimate='shrunk'`, not for model"),
        (READS, {"uncertainty": True}, "for `estimate='shrunk'`, not for model"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused(data, settings, message):
    with pytest.raises(InputError, match=message):
        decide(DeepMc(**settings), data)


@pytest.mark.parametrize(("data", "kind"), [(UMI, "molecules"), (READS, "reads")], ids=["umi", "reads"])
def test_what_counts_look_like_is_said_with_the_figure(caplog, data, kind):
    caplog.set_level(logging.INFO)
    decide(DeepMc(), data)
    figure = counts_per_molecule(data.counts)
    assert f"counts look like {kind}" in caplog.text
    assert f"{figure:.3g} counts for each molecule that the zeros imply; reads have 6 or more" in caplog.text
    assert "`counts_kind` overrules" in caplog.text


@pytest.mark.parametrize("figure", [4.0, 8.0])
def test_a_figure_close_to_the_border_is_a_warning(caplog, monkeypatch, figure):
    monkeypatch.setattr("scinfill.methods.counts_kind.counts_per_molecule", lambda _: figure)
    decide(DeepMc(), READS)
    assert "so it is close, and other cells or genes" in caplog.text
    assert "`counts_kind` overrules" in caplog.text


@pytest.mark.parametrize("rank", [0, (0,), -1])
def test_ranks_below_one_are_refused_by_the_rule(table, rank):
    with pytest.raises(InputError, match="`rank` must be 1 or more; it is"):
        scinfill.impute_deepmc(table, rank=rank)


@pytest.mark.parametrize(
    "options", [{"rank": 999}, {"estimate": "detected", "uncertainty": True}, {"loss": "poisson", "zero_weight": 0.5}]
)
def test_settings_are_refused_before_anything_is_said_of_what_will_be_replaced(table, caplog, options):
    table.layers["imputed"] = table.X.copy()
    with pytest.raises(InputError):
        scinfill.impute_deepmc(table, **options)
    assert "replaced" not in caplog.text


def test_what_the_user_says_is_not_explained_to_him(caplog):
    caplog.set_level(logging.INFO)
    decide(DeepMc(counts_kind="umi"), READS)
    assert caplog.text == ""


# --- an imputation that does nothing is said -----------------------------------------------------------------------


def warned(caplog, counts, **options):
    caplog.clear()
    table = scinfill.preprocess(AnnData(counts.astype(np.int32)), n_genes=None, min_cells=1)
    result = scinfill.impute_deepmc(table, rank=2, **options)
    return result, [record.message for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Transforming to str index")
def test_an_output_that_is_the_input_is_said(caplog):
    copies = low_rank_world(80, 30, seed=3).data.counts.toarray() * 40
    result, warnings = warned(caplog, copies, counts_kind="umi")
    assert result.var["observed_weight"].mean() >= 0.9
    assert any(text.startswith("the output is nearly the input: the mean weight of what was seen") for text in warnings)
    assert not any("nearly the input" in text for text in warned(caplog, copies)[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Transforming to str index")
def test_a_gate_that_stays_shut_is_said_without_null_genes(caplog):
    noise = np.random.default_rng(4).poisson(3.0, (120, 40))
    result, warnings = warned(caplog, noise)
    n_shut = int((result.var["imputation_gate"] == 0).sum())
    assert n_shut >= 36
    assert any(text.startswith(f"{n_shut} of 40 genes show no structure that held-out") for text in warnings)
    structured = low_rank_world(120, 40, mean=8.0).data.counts.toarray()
    assert warned(caplog, structured, counts_kind="umi")[1] == []


# --- combinations of options that a method knows --------------------------------------------------------------------

PAPER = {"preset": "paper"}


@pytest.mark.parametrize(
    ("impute", "options", "message"),
    [
        (impute_deepmc, {"depth": 2}, "`depth`, `alpha` and `n_iterations` belong to `preset='paper'`"),
        (impute_deepmc, {"alpha": 1.5}, "belong to `preset='paper'`"),
        (impute_deepmc, {"n_iterations": 5}, "belong to `preset='paper'`"),
        (impute_deepmc, {"rank": (5, 3)}, "`rank=\\[5, 3\\]` names 2 layers; they belong to `preset='paper'`"),
        (impute_deepmc, {"rank": (31,)}, "`rank=31` does not fit 40 cells x 26 genes; at most 26"),
        (impute_deepmc, {"estimate": "detected", "rank": (31,)}, "`rank=31` does not fit 40 cells x 26 genes"),
        (impute_deepmc, {"rank": (0,)}, "`rank` must be 1 or more; it is 0"),
        (impute_deepmc, {"ridge": "large"}, "`ridge` must be 0 or more; it is 'large'"),
        (impute_deepmc, {"zero_weight": 0.1}, "`zero_weight` .* squared"),
        (impute_deepmc, PAPER | {"zero_weight": 0.1}, "neither zero weight nor ridge"),
        (impute_deepmc, PAPER | {"ridge": 1.0}, "neither zero weight nor ridge"),
        (impute_deepmc, PAPER | {"depth": 2, "rank": (5,)}, "`depth=2` needs as many ranks; `rank` names 1"),
        (impute_deepmc, PAPER | {"depth": 1, "rank": (5, 3)}, "`depth=1` needs as many ranks; `rank` names 2"),
        (impute_deepmc, PAPER | {"rank": (3, 5)}, "`rank=\\[3, 5\\]` must not grow from layer to layer"),
        (impute_deepmc, PAPER | {"rank": (31, 5)}, "`rank=31` does not fit 40 cells x 26 genes; at most 26"),
        (impute_deepmc, PAPER | {"rank": (9, 8, 7, 6)}, "`rank=\\[9, 8, 7, 6\\]` names 4 layers; at most 3"),
        (impute_deepmc, PAPER | {"estimate": "shrunk"}, "`preset='paper'` has one estimate"),
        (impute_deepmc, PAPER | {"estimate": "model"}, "`preset='paper'` has one estimate"),
        (impute_deepmc, PAPER | {"loss": "poisson"}, "`preset='paper'` has one estimate"),
        (impute_deepmc, PAPER | {"uncertainty": True}, "`preset='paper'` has one estimate"),
        (impute_deepmc, PAPER | {"form": "factors"} | {"keep": "observed"}, "`keep` is about the dense layer"),
        (impute_deepmc, {"uncertainty": True, "form": "factors"}, "`uncertainty` is about the dense layer"),
        (impute_deepmc, {"openproblems": True, "form": "factors"}, "`openproblems` is about the dense layer"),
        (impute_deepmc, {"form": "sparse"}, "`form='sparse'` is not known; it is one of dense, factors"),
        (impute_deepmc, PAPER | {"depth": 4}, "`depth` must be from 1 to 3; it is 4"),
        (impute_deepmc, PAPER | {"alpha": 0.9}, "`alpha` must be 1 or more; it is 0.9"),
        (impute_deepmc, PAPER | {"n_iterations": 0}, "`n_iterations` must be 1 or more"),
        (impute_deepmc, {"zero_weight": 1.5}, "`zero_weight` must be from 0 to 1; it is 1.5"),
        (impute_deepmc, {"ridge": -1.0}, "`ridge` must be 0 or more"),
        (impute_deepmc, {"ridge": float("nan")}, "`ridge` must be 0 or more; it is nan"),
        (
            impute_deepmc,
            {"preset": "papers"},
            "`preset='papers'` is not known; it is one of recommended, paper",
        ),
        (
            impute_deepmc,
            {"estimate": "best"},
            "`estimate='best'` is not known; it is one of auto, shrunk, model",
        ),
        (impute_deepmc, {"loss": "mse"}, "`loss='mse'` is not known; it is one of auto, poisson, squared"),
        (
            impute_deepmc,
            {"counts_kind": "tpm"},
            "`counts_kind='tpm'` is not known; it is one of auto, umi, reads",
        ),
        (impute_deepmc, {"keep": "seen"}, "`keep='seen'` is not known; it is one of none, observed, max"),
        (impute_deepmc, {"seed": -1}, "`seed` must be 0 or more; it is -1"),
        (impute_auto, {"regularisation": 2.0}, "`regularisation` belong"),
        (impute_auto, {"learning_rate": 0.1, "iterations": 3}, "`learning_rate`, `iterations` belong"),
        (impute_auto, {"threshold": 0.1}, "`threshold` belong"),
        (impute_auto, {"zero_weight": 0.1}, "`zero_weight` .* squared"),
        (impute_auto, {"preset": "papers"}, "`preset='papers'` is not known"),
        (impute_auto, {"hidden_units": (8, 0)}, "`hidden_units` must be 1 or more; it is 0"),
        (impute_auto, PAPER | {"iterations": 0}, "`iterations` must be 1 or more"),
        (impute_auto, PAPER | {"hidden_units": (8, 4)}, "`preset='paper'` has one hidden layer"),
        (impute_auto, PAPER | {"zero_weight": 0.1}, "no zero weight"),
        (impute_auto, PAPER | {"estimate": "shrunk"}, "`preset='paper'` has one estimate"),
        (impute_auto, PAPER | {"uncertainty": True}, "`preset='paper'` has one estimate"),
        (impute_baseline, {"method": "mean"}, "`method='mean'` is not known; it is one of gene-mean, als"),
        (impute_baseline, {"method": "gene-mean", "rank": 3}, "`rank` has no meaning for `method='gene-mean'`"),
        (impute_baseline, {"method": "magic", "rank": 3}, "`rank` has no meaning for `method='magic'`"),
        (impute_baseline, {"method": "svd", "rank": 31}, "`rank=31` does not fit 40 cells x 26 genes"),
        (impute_baseline, {"method": "als", "rank": 0}, "`rank` must be 1 or more; it is 0"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value) if isinstance(value, dict) else ""),
)
def test_options_that_contradict_each_other_are_refused(table, impute, options, message):
    with pytest.raises(InputError, match=message):
        impute(table, **options)


# --- seen values ----------------------------------------------------------------------------------------------------


def kept_values(keep, values):
    return with_seen_values(Given(values), UMI, keep)(slice(0, 20))


def test_keep_none_is_the_estimate():
    values = np.full(UMI.shape, 0.5, np.float32)
    np.testing.assert_array_equal(kept_values("none", values), values)


def test_keep_observed_leaves_seen_values_exactly():
    values = np.full(UMI.shape, 0.5, np.float32)
    seen = UMI.log_values.toarray()
    np.testing.assert_array_equal(kept_values("observed", values), np.where(seen > 0, seen, values))


def test_keep_max_lets_no_value_fall():
    values = np.full(UMI.shape, 1.5, np.float32)
    np.testing.assert_array_equal(kept_values("max", values), np.maximum(UMI.log_values.toarray(), values))


@pytest.mark.parametrize("keep", ["observed", "max"])
def test_blocks_keep_their_own_rows(keep):
    values = np.zeros(UMI.shape, np.float32)
    block = with_seen_values(Given(values), UMI, keep)(slice(5, 9))
    np.testing.assert_array_equal(block, UMI.log_values.toarray()[5:9])
