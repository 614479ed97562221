"""What `auto` comes to mean, what cannot be, and what is done with seen values."""

import logging

import numpy as np
import pytest

from _models import Given, low_rank_world, observations
from scinfill.errors import InputError
from scinfill.methods.autoimpute import autoimpute_imputation
from scinfill.methods.baselines import baseline_imputation
from scinfill.methods.deepmc import deepmc_imputation
from scinfill.methods.imputer import Decision, ImputeSettings, decide, kept
from scinfill.models.observations import Observations

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
    assert decide(ImputeSettings(**settings), data) == decision


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
        decide(ImputeSettings(**settings), data)


@pytest.mark.parametrize(("median", "kind"), [(19, "molecules"), (20, "reads")])
def test_the_border_between_molecules_and_reads(caplog, median, kind):
    caplog.set_level(logging.INFO)
    data = observations(np.full((4, 3), float(median)))
    decision = decide(ImputeSettings(), data)
    assert decision.loss == ("poisson" if kind == "molecules" else "squared")
    assert kind in caplog.text
    assert f"median non-zero count {median}" in caplog.text
    assert "--counts umi|reads overrules" in caplog.text


def test_what_the_user_says_is_not_explained_to_him(caplog):
    caplog.set_level(logging.INFO)
    decide(ImputeSettings(counts_kind="umi"), READS)
    assert caplog.text == ""


# --- combinations of options that a method knows --------------------------------------------------------------------

PAPER = {"preset": "paper"}


@pytest.mark.parametrize(
    ("impute", "settings", "options", "message"),
    [
        (deepmc_imputation, {}, {"depth": 2}, "`depth`, `alpha` and `n_iterations` belong to `preset='paper'`"),
        (deepmc_imputation, {}, {"alpha": 1.5}, "belong to `preset='paper'`"),
        (deepmc_imputation, {}, {"n_iterations": 5}, "belong to `preset='paper'`"),
        (deepmc_imputation, {}, {"rank": (5, 3)}, "`rank=\\[5, 3\\]` names 2 layers; they belong to `preset='paper'`"),
        (deepmc_imputation, {}, {"rank": (31,)}, "`rank=31` does not fit 40 cells x 26 genes; at most 26"),
        (deepmc_imputation, {"estimate": "detected"}, {"rank": (31,)}, "`rank=31` does not fit 40 cells x 26 genes"),
        (deepmc_imputation, {}, {"rank": (0,)}, "`rank=0` does not fit"),
        (deepmc_imputation, {}, {"zero_weight": 0.1}, "`zero_weight` .* squared"),
        (deepmc_imputation, {}, PAPER | {"zero_weight": 0.1}, "neither zero weight nor ridge"),
        (deepmc_imputation, {}, PAPER | {"ridge": 1.0}, "neither zero weight nor ridge"),
        (deepmc_imputation, {}, PAPER | {"depth": 2, "rank": (5,)}, "`depth=2` needs as many ranks; `rank` names 1"),
        (deepmc_imputation, {}, PAPER | {"depth": 1, "rank": (5, 3)}, "`depth=1` needs as many ranks; `rank` names 2"),
        (deepmc_imputation, {}, PAPER | {"rank": (3, 5)}, "`rank=\\[3, 5\\]` must not grow from layer to layer"),
        (deepmc_imputation, {}, PAPER | {"rank": (31, 5)}, "`rank=31` does not fit 40 cells x 26 genes; at most 26"),
        (deepmc_imputation, {}, PAPER | {"rank": (9, 8, 7, 6)}, "`rank=\\[9, 8, 7, 6\\]` names 4 layers; at most 3"),
        (deepmc_imputation, {"estimate": "shrunk"}, PAPER, "`preset='paper'` has one estimate"),
        (deepmc_imputation, {"estimate": "model"}, PAPER, "`preset='paper'` has one estimate"),
        (deepmc_imputation, {"loss": "poisson"}, PAPER, "`preset='paper'` has one estimate"),
        (deepmc_imputation, {"uncertainty": True}, PAPER, "`preset='paper'` has one estimate"),
        (deepmc_imputation, {"keep": "observed"}, PAPER | {"form": "factors"}, "`keep` is about the dense layer"),
        (deepmc_imputation, {"uncertainty": True}, {"form": "factors"}, "`uncertainty` is about the dense layer"),
        (deepmc_imputation, {"openproblems": True}, {"form": "factors"}, "`openproblems` is about the dense layer"),
        (deepmc_imputation, {}, {"form": "sparse"}, "`form='sparse'` is not known; it is one of dense, factors"),
        (deepmc_imputation, {}, PAPER | {"depth": 4}, "`depth` must be from 1 to 3; it is 4"),
        (deepmc_imputation, {}, PAPER | {"alpha": 0.9}, "`alpha` must be 1 or more; it is 0.9"),
        (deepmc_imputation, {}, PAPER | {"n_iterations": 0}, "`n_iterations` must be 1 or more"),
        (deepmc_imputation, {}, {"zero_weight": 1.5}, "`zero_weight` must be from 0 to 1; it is 1.5"),
        (deepmc_imputation, {}, {"ridge": -1.0}, "`ridge` must be 0 or more"),
        (deepmc_imputation, {}, {"ridge": float("nan")}, "`ridge` must be 0 or more; it is nan"),
        (
            deepmc_imputation,
            {},
            {"preset": "papers"},
            "`preset='papers'` is not known; it is one of recommended, paper",
        ),
        (
            deepmc_imputation,
            {"estimate": "best"},
            {},
            "`estimate='best'` is not known; it is one of auto, shrunk, model",
        ),
        (deepmc_imputation, {"loss": "mse"}, {}, "`loss='mse'` is not known; it is one of auto, poisson, squared"),
        (
            deepmc_imputation,
            {"counts_kind": "tpm"},
            {},
            "`counts_kind='tpm'` is not known; it is one of auto, umi, reads",
        ),
        (deepmc_imputation, {"keep": "seen"}, {}, "`keep='seen'` is not known; it is one of none, observed, max"),
        (deepmc_imputation, {"seed": -1}, {}, "`seed` must be 0 or more; it is -1"),
        (autoimpute_imputation, {}, {"regularisation": 2.0}, "`regularisation` belong"),
        (autoimpute_imputation, {}, {"learning_rate": 0.1, "iterations": 3}, "`learning_rate`, `iterations` belong"),
        (autoimpute_imputation, {}, {"threshold": 0.1}, "`threshold` belong"),
        (autoimpute_imputation, {}, {"zero_weight": 0.1}, "`zero_weight` .* squared"),
        (autoimpute_imputation, {}, {"preset": "papers"}, "`preset='papers'` is not known"),
        (autoimpute_imputation, {}, {"hidden_units": (8, 0)}, "`hidden_units` must be 1 or more; it is 0"),
        (autoimpute_imputation, {}, PAPER | {"iterations": 0}, "`iterations` must be 1 or more"),
        (autoimpute_imputation, {}, PAPER | {"hidden_units": (8, 4)}, "`preset='paper'` has one hidden layer"),
        (autoimpute_imputation, {}, PAPER | {"zero_weight": 0.1}, "no zero weight"),
        (autoimpute_imputation, {"estimate": "shrunk"}, PAPER, "`preset='paper'` has one estimate"),
        (autoimpute_imputation, {"uncertainty": True}, PAPER, "`preset='paper'` has one estimate"),
        (baseline_imputation, {}, {"method": "mean"}, "`method='mean'` is not known; it is one of gene-mean, als"),
        (baseline_imputation, {}, {"method": "gene-mean", "rank": 3}, "`rank` has no meaning for `method='gene-mean'`"),
        (baseline_imputation, {}, {"method": "magic", "rank": 3}, "`rank` has no meaning for `method='magic'`"),
        (baseline_imputation, {}, {"method": "svd", "rank": 31}, "`rank=31` does not fit 40 cells x 26 genes"),
        (baseline_imputation, {}, {"method": "als", "rank": 0}, "`rank=0` does not fit"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value) if isinstance(value, dict) else ""),
)
def test_options_that_contradict_each_other_are_refused(table, impute, settings, options, message):
    with pytest.raises(InputError, match=message):
        impute(table, ImputeSettings(**settings), **options)


# --- seen values ----------------------------------------------------------------------------------------------------


def kept_values(keep, values):
    return kept(Given(values), UMI, keep)(slice(0, 20))


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
    block = kept(Given(values), UMI, keep)(slice(5, 9))
    np.testing.assert_array_equal(block, UMI.log_values.toarray()[5:9])
