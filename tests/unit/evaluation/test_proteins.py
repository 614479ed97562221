from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scinfill
from _proteins import antibodies, unrelated
from _worlds import LABELS, imputed
from scinfill.errors import DataError, InputError
from scinfill.evaluation import proteins
from scinfill.evaluation.inputs import Measured
from scinfill.evaluation.numerics import intervals

SCORES = ("protein_correlation", "protein_correlation_within", "protein_r2", "protein_r2_labels")


@pytest.fixture(autouse=True, scope="module")
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 30)
        patch.setattr(proteins, "FEWEST_CELLS", 60)
        yield


@cache
def _world():
    world = scinfill.simulate(n_cells=400, n_genes=80, n_types=3, depth=600, de_share=0.5, seed=3)
    return scinfill.preprocess(world, n_genes=None)


def world():
    return _world().copy()


def genes():
    """Return genes that differ between cell types."""
    truth = np.asarray(_world().layers["truth"])
    return list(_world().var_names[np.argsort(-truth.std(axis=0))[:8]])


def with_proteins():
    table = world()
    table.obsm["protein"] = antibodies(table, genes())
    return table


def evaluated(table, **options):
    return scinfill.evaluate(table, labels=LABELS, n_starts=1, **({"proteins": "protein"} | options))


def values(document, name):
    return {metric: score["value"] for metric, score in document["estimates"][name]["scores"].items()}


def details(document, key="protein_genes", name="raw"):
    return document["estimates"][name]["details"][key]


@pytest.fixture(scope="module")
def document():
    table = with_proteins()
    return evaluated(imputed(table, table.layers["truth"]))


def test_the_true_rates_are_found_by_their_proteins(document):
    raw, truth = values(document, "raw"), values(document, "made-up")
    assert truth["protein_correlation"] > raw["protein_correlation"] + 0.1
    assert truth["protein_correlation"] > 0.9
    assert truth["protein_r2"] > 0.6


@pytest.mark.slow
def test_proteins_that_have_nothing_to_do_with_the_rna_show_no_gain():
    table = world()
    table.obsm["protein"] = unrelated(table, genes())
    document = evaluated(imputed(table, table.layers["truth"]))
    for name in ("raw", "svd-10", "made-up"):
        found = values(document, name)
        for metric in SCORES:
            assert abs(found[metric]) < 0.1, (name, metric)


def test_what_labels_explain_is_all_that_is_left_when_cells_are_permuted_within_them(document):
    """Truth is the mean of the label: within labels nothing is left, and the control says so."""
    found = values(document, "made-up")
    assert found["protein_r2_labels"] == pytest.approx(found["protein_r2"], abs=0.01)
    assert abs(found["protein_correlation_within"]) < 0.1


@pytest.mark.slow
def test_differences_within_labels_are_beyond_the_control():
    table = world()
    state = np.random.default_rng(0).gamma(1.5, 1, size=(table.n_obs, len(genes())))
    table.obsm["protein"] = pd.DataFrame(
        np.random.default_rng(1).poisson(20 * state), index=table.obs_names, columns=genes()
    )
    estimate = table.layers["truth"].copy()
    estimate[:, table.var_names.get_indexer(genes())] = np.log2(1 + state)
    document = evaluated(imputed(table, estimate))
    found = values(document, "made-up")
    assert found["protein_r2"] > 0.7
    assert abs(found["protein_r2_labels"]) < 0.1
    assert found["protein_correlation_within"] == pytest.approx(found["protein_correlation"], abs=0.05)


@pytest.mark.slow
def test_the_order_of_cells_does_not_matter(document):
    table = with_proteins()
    order = np.random.default_rng(5).permutation(table.n_obs)
    shuffled = imputed(table, table.layers["truth"])[order].copy()
    again = evaluated(shuffled)
    for name in ("raw", "made-up"):
        first, second = values(document, name), values(again, name)
        for metric in SCORES[:2]:
            assert first[metric] == pytest.approx(second[metric], abs=1e-6)
        assert first["protein_r2"] == pytest.approx(second["protein_r2"], abs=0.05)


def test_correlations_are_those_of_numpy(document):
    table = with_proteins()
    logs = np.log1p(table.obsm["protein"].to_numpy())
    ratios = logs - logs.mean(axis=1, keepdims=True)
    estimate = table.X.toarray()
    codes = table.obs[LABELS].cat.codes.to_numpy()
    large = [code for code, n in enumerate(np.bincount(codes)) if n >= proteins.FEWEST_CELLS]
    for column, row in enumerate(details(document)["proteins"]):
        gene = estimate[:, table.var_names.get_loc(row["gene"])]
        assert row["protein"] == f"{row['gene']}_TotalSeqB"
        assert row["correlation"] == pytest.approx(np.corrcoef(gene, ratios[:, column])[0, 1], abs=1e-6)
        with np.errstate(invalid="ignore"):  # a gene that a label lacks has the correlation 0
            within = [
                np.nan_to_num(np.corrcoef(gene[codes == code], ratios[codes == code, column])[0, 1]) for code in large
            ]
        weights = [(codes == code).sum() for code in large]
        assert row["within"] == pytest.approx(np.average(within, weights=weights), abs=1e-6)


def test_scores_have_an_n_an_interval_and_a_difference(document):
    for name in ("raw", "gene-mean", "svd-10", "made-up"):
        for metric in SCORES:
            score = document["estimates"][name]["scores"][metric]
            assert (score["n"], score["of"]) == (8, "proteins")
            assert score["interval"][0] <= score["value"] <= score["interval"][1]
    assert "interval" in document["differences"]["made-up"]["raw"]["protein_correlation"]


@pytest.mark.slow
def test_small_labels_have_no_correlation_of_their_own(monkeypatch):
    monkeypatch.setattr(proteins, "FEWEST_CELLS", 10_000)
    record = evaluated(with_proteins())["estimates"]["raw"]
    assert "no label has 10000 cells" in record["skipped"]["protein_correlation_within"]
    assert "protein_correlation" in record["scores"]


def test_without_labels_the_control_is_left_out_with_its_reason():
    record = scinfill.evaluate(with_proteins(), proteins="protein", n_starts=1)["estimates"]["raw"]
    assert {"protein_correlation", "protein_r2"} <= record["scores"].keys()
    assert "scinfill evaluate --labels" in record["skipped"]["protein_r2_labels"]


def test_without_proteins_the_scores_are_left_out_with_the_option():
    record = scinfill.evaluate(world(), n_starts=1)["estimates"]["raw"]
    assert all("scinfill evaluate --proteins KEY" in record["skipped"][metric] for metric in SCORES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["array", "sparse", "float", "nullable", "frame"])
def test_every_form_of_counts_is_read(document, kind):
    table = world()
    counts = antibodies(table, genes())
    forms = {
        "array": counts.to_numpy(),
        "sparse": sparse.csr_matrix(counts.to_numpy()),
        "float": counts.astype(np.float32),
        "nullable": counts.astype("Int64"),
    }
    pairs = {str(number + 1): gene for number, gene in enumerate(genes())}
    if kind == "frame":
        found = evaluated(table, proteins=counts.sample(frac=1, random_state=1))
    else:
        table.obsm["protein"] = forms[kind]
        found = evaluated(table, protein_genes=pairs if kind in ("array", "sparse") else None)
    assert values(found, "raw")["protein_correlation"] == pytest.approx(values(document, "raw")["protein_correlation"])


@pytest.mark.slow
def test_cells_without_proteins_are_left_out():
    table = world()
    counts = antibodies(table, genes())
    counts.iloc[:50] = 0
    first = evaluated(table, proteins=counts)
    second = evaluated(table, proteins=counts.iloc[50:])
    assert details(first) == details(second)
    assert details(first)["n_cells"] == table.n_obs - 50


@pytest.mark.slow
def test_proteins_without_a_gene_are_said_and_still_explained():
    table = world()
    counts = antibodies(table, genes()).rename(columns={f"{genes()[0]}_TotalSeqB": "IgG1"})
    counts["never seen"] = 0
    record = evaluated(table, proteins=counts)["estimates"]["raw"]
    assert any("1 of 8 proteins have no gene by name in this table: IgG1" in note for note in record["notes"])
    assert record["scores"]["protein_correlation"]["n"] == 7
    assert record["scores"]["protein_r2"]["n"] == 8


@pytest.mark.slow
def test_no_gene_by_name_skips_the_correlation_alone():
    table = world()
    counts = antibodies(table, genes()).set_axis([f"p{number}" for number in range(8)], axis=1)
    record = evaluated(table, proteins=counts)["estimates"]["raw"]
    assert "--protein-genes protein=gene" in record["skipped"]["protein_correlation"]
    assert "protein_r2" in record["scores"]


def test_the_table_of_genes_says_how_each_follows_its_protein(document):
    from scinfill.evaluation.case import Settings
    from scinfill.evaluation.evaluate import run

    table = with_proteins()
    found = run([(None, table)], Settings(n_starts=1), measured=Measured(proteins="protein")).gene_table
    raw = found[found["estimate"] == "raw"].set_index("gene")["protein_correlation"].dropna()
    assert set(raw.index) == set(genes())
    for row in details(document)["proteins"]:
        assert raw[row["gene"]] == pytest.approx(row["correlation"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda counts: counts - 1, DataError, "which is no count|negative"),
        (np.log1p, DataError, "which is no count; give the counts of the antibodies"),
        (lambda counts: counts.where(counts > 3), DataError, "which is no count"),
        (lambda counts: counts.astype(str) + "x", DataError, "not numbers"),
        (lambda counts: counts.set_axis([f"other{n}" for n in range(len(counts))]), DataError, "the same names"),
        (lambda counts: counts.iloc[:, :1], DataError, "2 proteins with counts are needed"),
        (lambda counts: counts.iloc[:, [0, 0, 1]], DataError, "more than once"),
        (lambda counts: counts.iloc[[0, 0, 1]], DataError, "more than once"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        evaluated(world(), proteins=change(antibodies(world(), genes())))


def test_a_key_that_is_not_there_is_refused():
    table = with_proteins()
    with pytest.raises(InputError, match=r"no obsm\['adt'\]; keys present: protein; `preprocess\(proteins=True\)`"):
        evaluated(table, proteins="adt")
    with pytest.raises(InputError, match="say where their counts are with `proteins`"):
        scinfill.evaluate(table, protein_genes={"a": "b"})
