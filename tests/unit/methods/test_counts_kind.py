"""Molecules or reads, on real data: as they are, on few cells, on chosen genes, half hidden."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import scinfill
from _support import shared
from scinfill.io import h5ad
from scinfill.methods.counts_kind import classify_counts
from scinfill.numerics.sparse import canonical
from scinfill.schema import MIN_READS_PER_MOLECULE

REAL = {
    "blakeley": "reads",
    "preimplantation_deng": "reads",
    "pbmc3k": "umi",
    "scmix_3lines_celseq2": "umi",
    "tung_partial": "umi",
    "zeisel_subset": "umi",
}


@pytest.fixture(scope="module", params=REAL)
def real(request):
    return h5ad.read(shared(f"{request.param}.h5ad")), REAL[request.param]


def kind_of(counts):
    return classify_counts(canonical(counts, np.float32)).kind


def test_whole_data_sets(real):
    table, kind = real
    assert kind_of(table.X) == kind


@pytest.mark.slow
def test_preprocessed_data_sets(real):
    table, kind = real
    for n_genes in (200, 1000):
        assert kind_of(scinfill.preprocess(table, n_genes=n_genes).layers["counts"]) == kind


@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_cells(real, seed):
    table, kind = real
    some = np.random.default_rng(seed).permutation(table.n_obs)[:30]
    assert kind_of(table.X[np.sort(some)]) == kind


def test_half_of_the_values_hidden(real):
    table, kind = real
    hidden = canonical(table.X, np.float32)
    hidden.data = hidden.data * (np.random.default_rng(0).random(hidden.nnz) < 0.5)
    assert kind_of(hidden) == kind


@pytest.mark.parametrize(
    ("per_molecule", "kind"), [(MIN_READS_PER_MOLECULE, "reads"), (0.999 * MIN_READS_PER_MOLECULE, "umi")]
)
def test_the_border_is_part_of_the_reads(monkeypatch, per_molecule, kind):
    monkeypatch.setattr("scinfill.methods.counts_kind.counts_per_molecule", lambda _: per_molecule)
    assert classify_counts(csr_array((4, 3))) == (kind, per_molecule)


@pytest.mark.parametrize(("per_molecule", "close"), [(1.5, False), (2.9, False), (3, True), (12, True), (13, False)])
def test_close_to_the_border(monkeypatch, per_molecule, close):
    monkeypatch.setattr("scinfill.methods.counts_kind.counts_per_molecule", lambda _: per_molecule)
    assert classify_counts(csr_array((4, 3))).is_close == close


def test_no_count_at_all_is_no_read():
    assert classify_counts(csr_array((4, 3))).kind == "umi"
