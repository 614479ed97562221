import json

import numpy as np
import pandas as pd
import pytest

import scinfill
from _worlds import LABELS, imputed, label_means, masked
from scinfill.errors import DataError, InputError
from scinfill.evaluation.case import Settings
from scinfill.evaluation.comparison import Threshold
from scinfill.evaluation.evaluate import run
from scinfill.evaluation.scorecard import BATCHES, OPEN_PROBLEMS

pytestmark = pytest.mark.usefixtures("few_resamples")

QUICK = {"labels": LABELS, "n_starts": 2}


def scores(document, name):
    return {metric: score["value"] for metric, score in document["estimates"][name]["scores"].items()}


@pytest.fixture(scope="module")
def everything(few_resamples):
    """Hidden zeros and non-zeros, null genes, bulk and truth from the simulation: all but molecules."""
    table = masked("entries", null_genes=15)
    return scinfill.evaluate(imputed(table, label_means(table)), **QUICK)


def test_baselines_always_stand_beside(everything):
    assert list(everything["estimates"]) == ["raw", "gene-mean", "svd-10", "made-up"]
    assert everything["estimates"]["made-up"]["beside"] == {
        "raw": "raw",
        "gene-mean": "gene-mean",
        "svd-10": "svd-10",
    }


def test_every_metric_is_there_or_has_a_reason(everything):
    only_if_asked = {metric for experiment in (*BATCHES, OPEN_PROBLEMS) for metric in experiment.metrics}
    wanted = set(everything["metrics"]) - only_if_asked
    for record in everything["estimates"].values():
        assert set(record["scores"]) | set(record["skipped"]) == wanted
        assert not set(record["scores"]) & set(record["skipped"])
        assert all(reason for reason in record["skipped"].values())


def test_every_number_has_its_n_and_is_finite(everything):
    json.dumps(everything, allow_nan=False)
    for record in everything["estimates"].values():
        for score in record["scores"].values():
            assert score["n"] >= 1
            assert score["of"]
            low, high = score.get("interval", (score["value"], score["value"]))
            assert low <= high


def test_simulated_truth_is_used(everything):
    found = scores(everything, "made-up")
    assert {"de_auc", "truth_rmse", "zero_retention", "cts"} <= set(found)
    assert found["truth_rmse"] < scores(everything, "raw")["truth_rmse"]


def test_invented_signal_is_told_from_raw(everything):
    assert scores(everything, "made-up")["null_de"] > 0.8
    assert scores(everything, "raw")["null_de"] < 0.2


@pytest.mark.slow
def test_perfect_recovery_has_no_error_and_raw_loses_all():
    table = masked("entries")
    truth = table.X.toarray() + table.layers["heldout"].toarray()
    document = scinfill.evaluate(imputed(table, truth), **QUICK)
    perfect = scores(document, "made-up")
    assert perfect["rmse"] == perfect["mae"] == perfect["nmse"] == perfect["false_fill"] == 0
    assert scores(document, "raw")["nmse"] == pytest.approx(1)


@pytest.mark.slow
def test_recovery_is_the_error_at_hidden_nonzeros():
    table = masked()
    estimate = label_means(table)
    hidden = table.layers["heldout"].tocoo()
    document = scinfill.evaluate(imputed(table, estimate), **QUICK)
    found = scores(document, "made-up")
    at_hidden = estimate[hidden.row, hidden.col]
    error = at_hidden.astype(np.float64) - hidden.data
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert found["mae"] == pytest.approx(np.mean(np.abs(error)), rel=1e-6)
    assert found["nmse"] == pytest.approx(np.linalg.norm(error) / np.linalg.norm(hidden.data), rel=1e-6)
    assert found["nmse_squared"] == pytest.approx(found["nmse"] ** 2)
    deciles = document["estimates"]["made-up"]["details"]["recovery_by_decile"]
    assert sum(row["n"] for row in deciles) == hidden.nnz
    assert document["estimates"]["made-up"]["scores"]["rmse"]["n"] == hidden.nnz


@pytest.mark.parametrize(("estimate", "warned"), [("shrunk", True), ("model", True), ("detected", False)])
def test_recovery_of_another_estimate_than_detected_is_said(estimate, warned):
    table = masked()
    record = scinfill.evaluate(imputed(table, label_means(table), estimate=estimate))["estimates"]["made-up"]
    assert record["estimate"] == estimate
    assert any("the estimate 'detected' for this" in note for note in record["notes"]) == warned


@pytest.mark.slow
def test_null_genes_enter_nothing_but_the_guard():
    table = masked("entries", null_genes=15)
    null = table.var["null_gene"].to_numpy()
    plain, wild = (label_means(table) for _ in range(2))
    wild[:, null] = np.random.default_rng(0).normal(50, 10, size=wild[:, null].shape)
    documents = [scinfill.evaluate(imputed(table, values), **QUICK) for values in (plain, wild)]
    first, second = (scores(document, "made-up") for document in documents)
    guard = {"null_pairs", "null_de", "null_de_any_label"}
    assert {name for name in first if first[name] != second[name]} <= guard
    assert documents[0]["data"][0]["n_genes"] == (~null).sum()
    assert documents[0]["data"][0]["n_null_genes"] == 15


@pytest.mark.slow
def test_table_without_imputed_layer_is_scored_as_raw_only():
    document = scinfill.evaluate(masked(), **QUICK)
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10"]
    assert document["differences"] == {}


@pytest.mark.slow
def test_input_is_not_changed():
    table = masked("thin", null_genes=5)
    table = imputed(table, label_means(table))
    before = table.copy()
    scinfill.evaluate(table, **QUICK)
    assert (before.X != table.X).nnz == 0
    assert list(before.obs) == list(table.obs)
    np.testing.assert_array_equal(before.layers["imputed"], table.layers["imputed"])


@pytest.mark.slow
def test_sparse_layer_scores_as_the_dense_one():
    from scipy.sparse import csr_matrix

    table = imputed(masked(), masked().X.toarray())
    sparse = table.copy()
    sparse.layers["imputed"] = csr_matrix(sparse.layers["imputed"])
    assert scores(scinfill.evaluate(table, **QUICK), "made-up") == scores(scinfill.evaluate(sparse, **QUICK), "made-up")


@pytest.mark.slow
def test_same_seed_same_document():
    table = imputed(masked("thin"), label_means(masked("thin")))
    assert scinfill.evaluate(table, **QUICK) == scinfill.evaluate(table, **QUICK)


@pytest.mark.slow
def test_molecules_are_scored_at_the_depth_that_was_held_out():
    table = masked("thin")
    estimate = label_means(table)
    record = scores(scinfill.evaluate(imputed(table, estimate), **QUICK), "made-up")
    mu = (np.exp2(estimate.astype(np.float32)) - 1) * table.obs["size_factor"].to_numpy()[:, None] * 0.2 / 0.8
    heldout = table.layers["heldout_counts"].toarray()
    assert record["poisson"] == pytest.approx((mu - heldout * np.log(mu + 1e-6)).mean(), rel=1e-5)


@pytest.mark.slow
def test_true_means_predict_molecules_better_than_zeros_and_raw():
    table = masked("thin")
    document = scinfill.evaluate(
        {"truth": imputed(table, table.layers["truth"]), "zeros": imputed(table, np.zeros(table.shape))}, **QUICK
    )
    losses = {name: scores(document, name)["poisson"] for name in document["estimates"]}
    assert min(losses, key=losses.get) == "truth"
    assert max(losses, key=losses.get) == "zeros"


def test_open_problems_numbers_are_named_as_theirs():
    table = masked("thin")
    tables = {"truth": imputed(table, table.layers["truth"]), "zeros": imputed(table, np.zeros(table.shape))}
    without, with_them = (scinfill.evaluate(tables, openproblems=flag) for flag in (False, True))
    assert not any("openproblems" in name for name in without["estimates"]["truth"]["scores"])
    truth, zeros = scores(with_them, "truth"), scores(with_them, "zeros")
    assert zeros["openproblems_poisson_asis_scaled"] > truth["openproblems_poisson_asis_scaled"]
    assert truth["poisson"] < zeros["poisson"]
    assert scores(with_them, "raw")["openproblems_mse_scaled"] == pytest.approx(0, abs=0.02)


def test_intervals_of_a_shrunk_estimate_are_tested():
    """Weights and model of the world that made the molecules: its intervals hold what they promise."""
    rng = np.random.default_rng(0)
    table = masked("thin")
    n_genes = table.n_vars
    sizes = table.obs["size_factor"].to_numpy()[:, None]
    rate, weights = rng.gamma(2, 3, size=n_genes), rng.uniform(0, 0.8, size=n_genes)
    weights[:3] = 0
    shape = np.where(weights > 0, rate * (1 - weights) / np.maximum(weights, 1e-9), 1e9)
    total = rng.poisson(rng.gamma(shape, rate / shape, size=table.shape) * sizes / 0.8)
    held = rng.binomial(total, 0.2)
    from scipy.sparse import csr_matrix

    table.layers["counts"], table.layers["heldout_counts"] = csr_matrix(total - held), csr_matrix(held)
    table.X = csr_matrix(np.log2(1 + (total - held) / sizes).astype(np.float32))
    table.var["observed_weight"] = weights
    shrunk = imputed(table, np.log2(1 + (1 - weights) * rate + weights * (total - held) / sizes), estimate="shrunk")
    assert "imputed_sd" in scinfill.evaluate(shrunk)["estimates"]["made-up"]["skipped"]["coverage_90"]
    shrunk.layers["imputed_sd"] = np.ones(table.shape, dtype=np.float32)
    record = scinfill.evaluate(shrunk)["estimates"]["made-up"]
    for level in (50, 90, 99):
        assert record["scores"][f"coverage_{level}"]["value"] == pytest.approx(level / 100, abs=0.02)
    assert record["scores"]["coverage_90_top_decile"]["value"] == pytest.approx(0.9, abs=0.035)
    assert sum(record["details"]["calibration"]["pit"]) == pytest.approx(1)


def test_structure_looks_at_a_sample_and_says_so():
    table = masked()
    data = scinfill.evaluate(table, labels=LABELS, n_starts=2, max_cells=60)["data"][0]
    assert data["n_cells_for_structure"] == 60
    assert "random sample" in data["cells_for_structure"]


@pytest.mark.slow
def test_k_means_shows_every_start():
    record = scinfill.evaluate(masked(), labels=LABELS, n_starts=3, seed=4)["estimates"]["raw"]["scores"]["ari"]
    assert len(record["values"]) == record["n"] == 3
    assert record["value"] == pytest.approx(np.mean(record["values"]))
    assert record["sd"] == pytest.approx(np.std(record["values"], ddof=1))


def test_what_an_imputation_did_is_told_without_null_genes():
    table = masked("entries", null_genes=15)
    estimate = imputed(table, label_means(table))
    n_real = table.n_vars - 15
    estimate.var["imputation_gate"] = np.where(estimate.var["null_gene"], 0.0, np.arange(table.n_vars) % 2)
    estimate.var["observed_weight"] = np.where(estimate.var["null_gene"], 0.0, 0.25)
    records = scinfill.evaluate(estimate, n_starts=2)["estimates"]
    assert records["made-up"]["effect"] == {
        "n_genes": n_real,
        "genes_gated_shut": (n_real + 1) // 2,
        "mean_observed_weight": 0.25,
    }
    assert records["raw"]["effect"] is None


@pytest.mark.parametrize("wrong", ["text", np.nan])
def test_gates_that_are_no_numbers_say_nothing(wrong):
    estimate = imputed(masked(), label_means(masked()))
    estimate.var["imputation_gate"] = wrong
    effect = scinfill.evaluate(estimate, n_starts=2)["estimates"]["made-up"]["effect"]
    assert effect == {"n_genes": estimate.n_vars, "genes_gated_shut": None, "mean_observed_weight": None}


# Several inputs


def test_inputs_of_one_table_share_their_baselines():
    table = masked()
    document = scinfill.evaluate({"a": imputed(table, label_means(table)), "b": imputed(table, table.X.toarray())})
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10", "a", "b"]
    assert scores(document, "b")["rmse"] == scores(document, "raw")["rmse"]


@pytest.mark.parametrize(("factor", "kind"), [(1, "umi"), (50, "reads")])
def test_held_out_reads_are_called_no_test(factor, kind):
    world = scinfill.simulate(n_cells=60, n_genes=80, seed=0)
    world.X = world.X * factor
    document = scinfill.evaluate(scinfill.mask(scinfill.preprocess(world), mode="thin", fraction=0.1))
    assert document["data"][0]["counts"] == kind
    assert any("look like reads" in note for note in document["estimates"]["raw"]["notes"]) == (kind == "reads")


def test_raw_may_be_named_and_an_imputed_layer_is_not_raw(caplog):
    table = masked()
    estimate = imputed(table, label_means(table))
    document = scinfill.evaluate({"raw": table, "mine": estimate})
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10", "mine"]
    assert document["estimates"]["raw"]["kind"] == "baseline"
    assert caplog.text == ""
    document = scinfill.evaluate({"raw": estimate, "mine": estimate})
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10", "raw (input)", "mine"]
    assert scores(document, "raw (input)") == scores(document, "mine")


def test_input_of_another_mask_stands_beside_its_own_raw():
    one, other = masked(), masked(seed=9)
    document = scinfill.evaluate({"one": imputed(one, label_means(one)), "other": imputed(other, label_means(other))})
    assert document["estimates"]["other"]["beside"]["raw"] == "raw of other"
    assert document["estimates"]["one"]["beside"]["raw"] == "raw"
    assert len(document["data"]) == 2


@pytest.mark.slow
def test_genes_in_another_order_are_the_same_genes():
    table = imputed(masked(), label_means(masked()))
    turned = table[::-1, ::-1].copy()
    document = scinfill.evaluate({"a": table, "b": turned}, **QUICK)
    assert scores(document, "a") == scores(document, "b")


@pytest.mark.parametrize("axis", ["gene", "cell"])
def test_different_genes_or_cells_are_refused_by_name(axis):
    table = imputed(masked(), label_means(masked()))
    part = table[:, 1:].copy() if axis == "gene" else table[1:].copy()
    missing = str(table.var_names[0] if axis == "gene" else table.obs_names[0])
    with pytest.raises(DataError, match=f"differ in 1 {axis}s, such as '{missing}'"):
        scinfill.evaluate({"a": table, "b": part})


def test_replicates_share_a_series():
    table = imputed(masked(), label_means(masked()))
    document = run([("mine", table), ("mine", table)], Settings()).document
    assert [document["estimates"][name]["series"] for name in ("mine", "mine (2)")] == ["mine", "mine"]


def test_an_input_never_takes_the_name_of_a_baseline(caplog):
    caplog.set_level("INFO")
    estimate = imputed(masked(), label_means(masked()))
    document = run([("svd-10", estimate), ("svd-10", estimate)], Settings()).document
    assert list(document["estimates"]) == ["raw", "gene-mean", "svd-10", "svd-10 (input)", "svd-10 (input) (2)"]
    assert {document["estimates"][name]["series"] for name in list(document["estimates"])[3:]} == {"svd-10 (input)"}
    assert "'svd-10' is scored beside every input; this one stands as 'svd-10 (input)'" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gene-mean", "als", "nuclear-norm", "svd"])
def test_our_baselines_are_scored_without_a_name(method):
    """And one name is one matrix: the gene mean as an input scores as the gene mean beside it."""
    document = scinfill.evaluate(scinfill.impute_baseline(masked("thin"), method=method), **QUICK)
    *_, name = document["estimates"]
    assert name == ("gene-mean (input)" if method == "gene-mean" else method)
    assert document["estimates"][name]["kind"] == "input"
    if method == "gene-mean":
        assert scores(document, name) == scores(document, "gene-mean")


@pytest.mark.slow
def test_null_genes_alone_are_scored_by_the_guard():
    table = scinfill.preprocess(scinfill.simulate(n_cells=150, n_genes=60, n_types=2, depth=300, seed=3), n_genes=None)
    guarded = scinfill.mask(table, fraction=0, null_genes=20)
    document = scinfill.evaluate(imputed(guarded, label_means(guarded)), **QUICK)
    [data] = document["data"]
    assert (data["mask"], data["n_null_genes"]) == (None, 20)
    found, missing = scores(document, "made-up"), document["estimates"]["made-up"]["skipped"]
    assert {"null_pairs", "null_de", "ari"} <= found.keys()
    assert {"rmse", "false_fill", "poisson"} <= missing.keys()


# Differences and thresholds


@pytest.mark.slow
def test_difference_to_itself_is_zero():
    table = masked("thin")
    document = scinfill.evaluate(imputed(table, table.X.toarray()), **QUICK)
    for record in document["differences"]["made-up"]["raw"].values():
        assert record["value"] == pytest.approx(0, abs=1e-12)
        assert record.get("interval", [0, 0]) == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.slow
def test_difference_has_the_sign_of_score_minus_reference():
    table = masked()
    document = scinfill.evaluate(imputed(table, label_means(table)), **QUICK)
    found = document["differences"]["made-up"]["raw"]["rmse"]
    assert found["value"] == pytest.approx(scores(document, "made-up")["rmse"] - scores(document, "raw")["rmse"])
    assert found["interval"][0] <= found["value"] <= found["interval"][1] < 0


def gated(rule, *, values=None):
    table = masked()
    values = label_means(table) if values is None else values(table)
    evaluation = run(
        [("mine", imputed(table, values))], Settings(labels=LABELS, n_starts=3), thresholds=[Threshold.parse(rule)]
    )
    return evaluation.document["thresholds"][0], evaluation.failed_thresholds


@pytest.mark.slow
def test_gate_passes_what_is_better():
    threshold, failed = gated("raw:rmse")
    assert threshold["passed"]
    assert not failed


def zeros(table):
    return np.zeros(table.shape)


def noise(table):
    return np.random.default_rng(0).normal(size=table.shape)


@pytest.mark.slow
def test_gate_says_which_number_failed_by_how_much_and_whether_within_the_spread():
    threshold, failed = gated("raw:ari", values=noise)
    assert not threshold["passed"]
    assert failed == [threshold["message"]]
    for words in ("raw:ari: ari of mine is", "worse than raw", "the spread over k-means starts (SD"):
        assert words in threshold["message"]
    threshold, _ = gated("gene-mean:rmse", values=zeros)
    assert "beyond the spread over hidden non-zeros (95 % interval" in threshold["message"]


@pytest.mark.slow
def test_tolerance_lets_a_small_loss_pass():
    loss = -gated("raw:silhouette", values=noise)[0]["difference"]["value"]
    assert loss > 0
    assert not gated(f"raw:silhouette:{loss * 0.9}", values=noise)[0]["passed"]
    assert gated(f"raw:silhouette:{loss * 1.1}", values=noise)[0]["passed"]


@pytest.mark.slow
def test_gate_on_a_number_that_is_missing_fails_with_a_word():
    threshold, _ = gated("raw:poisson")
    assert not threshold["passed"]
    assert "mine has no poisson to compare: needs held-out molecules" in threshold["message"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("raw", "REFERENCE:METRIC"),
        ("raw:unknown", "metrics are rmse"),
        ("raw:log2_cv", "metrics are rmse"),
        (":ari", "REFERENCE:METRIC"),
        ("raw:ari:much", "tolerance must be a number, received 'much'"),
        ("raw:ari:-1", "zero or more"),
    ],
)
def test_wrong_rules_are_refused(rule, message):
    with pytest.raises(InputError, match=message):
        Threshold.parse(rule)


def test_gate_on_an_unknown_reference_is_refused():
    with pytest.raises(InputError, match=r"no 'magic' here; references are gene-mean, mine, raw, svd-10"):
        gated("magic:ari")


def test_gate_without_anything_to_judge_is_refused():
    with pytest.raises(InputError, match="nothing to judge"):
        run([(None, masked())], Settings(labels=LABELS), thresholds=[Threshold.parse("raw:ari")])


# Bulk and truth from files


@pytest.mark.slow
def test_named_truth_is_scored_and_one_that_does_not_fit_is_named():
    table = masked()
    truth = table.var["is_de_type1_vs_type2"].astype("Float64")
    table.var = table.var.drop(columns=[name for name in table.var if name.startswith("is_de")])
    document = scinfill.evaluate(
        table, de_truths={"mine_type1_vs_type2": truth, "typeX_vs_type1": truth}, labels=LABELS, n_starts=2
    )
    [curve] = document["estimates"]["raw"]["details"]["roc"]
    assert curve["contrast"] == "mine_type1_vs_type2"
    assert curve["n_differential"] + curve["n_other"] == document["estimates"]["raw"]["scores"]["de_auc"]["n"]
    assert any("typeX_vs_type1" in note for note in document["estimates"]["raw"]["notes"])


def test_truth_without_matching_genes_says_so():
    table = masked()
    table.var = table.var.drop(columns=[name for name in table.var if name.startswith("is_de")])
    truth = pd.Series([1, 0], index=["ENSG1", "ENSG2"])
    record = scinfill.evaluate(table, de_truths={"type1_vs_type2": truth}, labels=LABELS, n_starts=2)["estimates"][
        "raw"
    ]
    assert "none of its 2 genes is in the table" in record["skipped"]["de_auc"]
    assert "'ENSG1'" in record["skipped"]["de_auc"]


@pytest.mark.slow
def test_bulk_without_matching_libraries_says_so():
    bulk = pd.DataFrame({"other_rep1": 1.0}, index=masked().var_names)
    record = scinfill.evaluate(masked(), bulk=bulk, labels=LABELS, n_starts=2)["estimates"]["raw"]
    assert "no library's name starts with a label" in record["skipped"]["zero_retention"]


@pytest.mark.slow
def test_true_zeros_stay_zeros_in_raw_and_not_in_the_gene_mean():
    document = scinfill.evaluate(masked(), **QUICK)
    assert scores(document, "raw")["zero_retention"] == pytest.approx(1)
    assert scores(document, "gene-mean")["zero_retention"] < 0.5


# Wrong input


def test_nan_in_the_layer_is_named():
    values = label_means(masked())
    values[3, 5] = np.nan
    table = imputed(masked(), values)
    where = f"cell '{table.obs_names[3]}', gene '{table.var_names[5]}'"
    with pytest.raises(DataError, match=rf"layers\['imputed'\] holds NaN or infinite values, the first at {where}"):
        assert scinfill.evaluate(table)["data"][0]["counts"] == "reads"


def test_unknown_label_column_lists_those_there_are():
    with pytest.raises(InputError, match="columns present: batch, cell_type"):
        scinfill.evaluate(masked(), labels="kind")


def test_unknown_layer_lists_those_there_are():
    with pytest.raises(InputError, match="no layer 'magic'"):
        scinfill.evaluate(masked(), layer="magic")


def test_without_labels_only_what_needs_them_is_missing():
    record = scinfill.evaluate(masked())["estimates"]["raw"]
    assert "rmse" in record["scores"]
    assert "--labels" in record["skipped"]["ari"]


def test_one_label_leaves_out_what_compares_labels():
    table = masked()
    table.obs["one"] = "same"
    record = scinfill.evaluate(table, labels="one", n_starts=2)["estimates"]["raw"]
    for metric in ("ari", "silhouette", "cts"):
        assert "at least two labels" in record["skipped"][metric]
    assert "rmse" in record["scores"]


@pytest.mark.slow
def test_label_of_one_cell_leaves_the_others_comparable():
    table = masked()
    table.obs["odd"] = table.obs[LABELS].astype(str)
    table.obs.iloc[0, table.obs.columns.get_loc("odd")] = "alone"
    document = scinfill.evaluate(table, labels="odd", n_starts=2)
    assert document["data"][0]["labels"]["alone"] == 1
    pairs = document["estimates"]["raw"]["details"]["cts_pairs"]
    assert len(pairs) == 3
    assert all("alone" not in (pair["first"], pair["second"]) for pair in pairs)


@pytest.mark.slow
def test_cells_without_a_label_are_left_out():
    table = masked()
    table.obs["part"] = table.obs[LABELS].astype(object)
    table.obs.iloc[:50, table.obs.columns.get_loc("part")] = None
    data = scinfill.evaluate(table, labels="part", n_starts=2)["data"][0]
    assert data["n_unlabelled"] == 50
    assert data["n_cells_for_structure"] == 100


@pytest.mark.slow
def test_constant_estimate_is_left_out_with_reasons_and_never_nan():
    document = scinfill.evaluate(imputed(masked(null_genes=5), np.ones((150, 65))), **QUICK)
    json.dumps(document, allow_nan=False)
    record = document["estimates"]["made-up"]
    assert "all cells are the same" in record["skipped"]["ari"]
    assert "all cells are the same" in record["skipped"]["silhouette"]
    assert "varies over genes" in record["skipped"]["cts"]
    assert record["scores"]["null_pairs"]["value"] == 0


def test_only_null_genes_is_refused():
    table = masked(null_genes=5)
    with pytest.raises(DataError, match="every gene is a null gene"):
        scinfill.evaluate(table[:, table.var["null_gene"]].copy())


@pytest.mark.slow
def test_gene_table_has_a_row_for_every_gene_and_estimate():
    table = masked("entries", null_genes=15)
    found = run([(None, imputed(table, label_means(table)))], Settings(labels=LABELS, n_starts=2)).gene_table
    assert len(found) == 4 * table.n_vars
    null = found["null_gene"]
    assert found.loc[null, "rmse"].isna().all()
    assert found.loc[null, "null_called_de"].isin([0, 1]).all()
    assert found.loc[~null, "null_called_de"].isna().all()
    assert {"mean", "rmse", "cv", "size_leak", "n_hidden"} <= set(found)


def test_table_without_the_layer_is_told_of(caplog):
    scinfill.evaluate(masked(), labels=LABELS, n_starts=1)
    assert "has no layers['imputed']: it is scored as raw only" in caplog.text


def test_merged_layer_is_told_from_a_mean():
    means = label_means(masked("thin"))
    merged = imputed(masked("thin"), means)
    step = json.loads(merged.uns["scinfill"]["steps"][-1])
    step["parameters"]["keep"] = "observed"
    merged.uns["scinfill"]["steps"][-1] = json.dumps(step)
    taken_over = scinfill.adopt(merged, means, method="another", scale="log2")
    for table, name, is_merged in ((merged, "made-up", True), (taken_over, "another", False)):
        notes = scinfill.evaluate(table)["estimates"][name]["notes"]
        assert any("it is no mean" in note for note in notes) == is_merged


def test_a_table_that_nothing_can_be_scored_on_is_told_of(caplog):
    table = scinfill.preprocess(scinfill.simulate(n_cells=60, n_genes=50, seed=0))
    del table.layers["truth"]
    assert not scores(scinfill.evaluate(table), "raw")
    assert "nothing was scored: hide something before imputing (`scinfill mask`) or name `labels`" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_starts": 0}, "`n_starts` must be 1 or more; received 0"),
        ({"max_cells": 1}, "max_cells"),
        ({"correlation": "kendall"}, "pearson or spearman; received 'kendall'"),
        ({"zero_threshold": -1.0}, "zero_threshold"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        scinfill.evaluate(masked(), **settings)


@pytest.mark.slow
def test_spearman_is_another_separability():
    pearson, spearman = (
        scores(scinfill.evaluate(masked(), correlation=kind, **QUICK), "raw")["cts"] for kind in ("pearson", "spearman")
    )
    assert pearson != spearman


@pytest.mark.slow
def test_variation_is_shown_for_the_label_asked_for():
    record = scinfill.evaluate(masked(), cv_label="type3", **QUICK)["estimates"]["raw"]
    assert record["details"]["log2_cv"]["label"] == "type3"
    record = scinfill.evaluate(masked(), cv_label="type9", **QUICK)["estimates"]["raw"]
    assert "labels: type1, type2, type3" in record["skipped"]["log2_cv"]


def test_truth_of_thinned_molecules_is_what_was_kept():
    table = masked("thin")
    kept = np.log2(1 + 0.8 * (np.exp2(table.layers["truth"]) - 1))
    assert scores(scinfill.evaluate(imputed(table, kept)), "made-up")["truth_rmse"] == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("estimate", ["shrunk", "detected"])
def test_factors_score_as_the_layer_they_make(estimate):
    dense, factors = (
        scinfill.impute_deepmc(masked(), rank=3, estimate=estimate, form=form) for form in ("dense", "factors")
    )
    assert "imputed" not in factors.layers
    of_dense, of_factors = (scores(scinfill.evaluate(table, **QUICK), "deepmc") for table in (dense, factors))
    assert of_factors == pytest.approx(of_dense, rel=1e-4, abs=1e-4)


def test_a_close_call_between_molecules_and_reads_is_said(table, caplog, monkeypatch):
    monkeypatch.setattr("scinfill.methods.counts_kind.counts_per_molecule", lambda _: 7.0)
    table.layers["imputed"] = table.X.copy()
    assert scinfill.evaluate(table)["data"][0]["counts"] == "reads"
    assert "taken for reads, which decides whether held-out molecules are scored; 7 counts" in caplog.text
