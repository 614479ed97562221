import gzip

import pytest

from scinfill.errors import DataError, InputError
from scinfill.io import bulk

COUNTS = "gene\tA_rep1\tB_rep1\nG1\t5\t0\nG2\t7\t3\n"
TRUTH = "gene,is_de,padj\nG1,1,.001\nG2,0,.9\nG3,,\n"


@pytest.fixture
def written(tmp_path):
    def write(text: str, name: str = "table.tsv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


@pytest.mark.parametrize("name", ["table.tsv", "table.tsv.gz"])
def test_counts_of_genes_in_libraries(written, name):
    counts = bulk.read_counts(written(COUNTS, name))
    assert counts.loc["G2"].tolist() == [7, 3]
    assert list(counts.columns) == ["A_rep1", "B_rep1"]


def test_truth_keeps_genes_that_bulk_cannot_tell_as_missing(written):
    truth = bulk.read_truth(written(TRUTH))
    assert truth.dropna().to_dict() == {"G1": 1, "G2": 0}
    assert truth.isna().tolist() == [False, False, True]


def test_truth_in_words(written):
    assert bulk.read_truth(written("gene\tis_de\nG1\tTRUE\nG2\tFalse\n")).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\tA\nG1\tmany\n", "'G1', library 'A' holds 'many', not a count"),
        ("gene\tA\nG1\t-1\n", "not a count"),
        ("gene\tA\nG1\t\n", "not a count"),
        ("gene\tA\nG1\t1\nG1\t2\n", "names gene 'G1' more than once"),
        ("gene\nG1\n", "one per library"),
        ("", "not a table of text"),
    ],
)
def test_wrong_counts_are_named(written, text, message):
    with pytest.raises(DataError, match=message):
        bulk.read_counts(written(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\tdifferent\nG1\t1\n", "no column 'is_de'; columns present: gene, different"),
        ("gene\tis_de\nG1\t2\n", "gene 'G1' holds '2' in 'is_de'"),
        ("gene\tis_de\nG1\tyes\n", "gene 'G1' holds 'yes' in 'is_de'"),
    ],
)
def test_wrong_truth_is_named(written, text, message):
    with pytest.raises(DataError, match=message):
        bulk.read_truth(written(text))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        bulk.read_counts(tmp_path / "nowhere.tsv")
