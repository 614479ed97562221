import gzip

import h5py
import numpy as np
import pytest
from scipy import sparse
from scipy.io import mmwrite

import scinfill
from scinfill.errors import DataError, InputError, ResourceError
from scinfill.io.sources import read_counts

VALUES = np.array([[1, 0, 2], [0, 3, 0]])
"""Cells × genes; 10x keeps genes × cells."""
IDS, SYMBOLS, BARCODES = ["ENSG1", "ENSG2", "ENSG3"], ["A", "B", "A"], ["AAA-1", "CCC-1"]


def write_h5(path, *, old=False, types=("Gene Expression",) * 3):
    with h5py.File(path, "w") as file:
        group = file.create_group("GRCh38" if old else "matrix")
        matrix = sparse.csc_matrix(VALUES.T)
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        group["shape"] = np.array(matrix.shape)
        group["barcodes"] = np.array(BARCODES, dtype="S")
        if old:
            group["genes"], group["gene_names"] = np.array(IDS, dtype="S"), np.array(SYMBOLS, dtype="S")
        else:
            features = group.create_group("features")
            features["id"], features["name"] = np.array(IDS, dtype="S"), np.array(SYMBOLS, dtype="S")
            features["feature_type"] = np.array(types, dtype="S")


def write_folder(folder, *, packed=False, old=False, types=("Gene Expression",) * 3):
    folder.mkdir(exist_ok=True)
    mmwrite(folder / "matrix.mtx", sparse.coo_matrix(VALUES.T))
    rows = zip(IDS, SYMBOLS, types, strict=True)
    features = "".join("\t".join(row[:2] if old else row) + "\n" for row in rows)
    (folder / ("genes.tsv" if old else "features.tsv")).write_text(features)
    (folder / "barcodes.tsv").write_text("\n".join(BARCODES) + "\n")
    if packed:
        for path in list(folder.iterdir()):
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


def check(adata):
    assert adata.obs_names.tolist() == BARCODES
    assert adata.var_names.tolist() == ["A", "B", "A-1"]
    assert adata.var["gene_ids"].tolist() == IDS
    np.testing.assert_array_equal(adata.X.toarray(), VALUES)


@pytest.mark.parametrize("old", [False, True], ids=["Cell Ranger 3", "Cell Ranger 2"])
def test_h5(tmp_path, old):
    write_h5(tmp_path / "raw.h5", old=old)
    check(read_counts(tmp_path / "raw.h5"))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("old", [False, True], ids=["Cell Ranger 3", "Cell Ranger 2"])
def test_folder(tmp_path, packed, old):
    write_folder(tmp_path / "mtx", packed=packed, old=old)
    check(read_counts(tmp_path / "mtx"))


@pytest.mark.parametrize("write", [write_h5, write_folder])
def test_antibodies_are_left_out_and_said_so(tmp_path, caplog, write):
    write(tmp_path / "raw", types=("Gene Expression", "Antibody Capture", "Gene Expression"))
    adata = scinfill.preprocess(read_counts(tmp_path / "raw"), min_counts=1, min_cells=1)
    assert adata.var["gene_ids"].tolist() == ["ENSG1", "ENSG3"]
    assert "1 features that are not Gene Expression are left out" in caplog.text


@pytest.mark.parametrize("write", [write_h5, write_folder])
def test_antibodies_are_kept_beside_the_genes_on_request(tmp_path, write):
    """The antibody has the name of a gene, as CD4 has."""
    write(tmp_path / "raw", types=("Gene Expression", "Gene Expression", "Antibody Capture"))
    adata = scinfill.preprocess(read_counts(tmp_path / "raw"), min_counts=1, min_cells=1, proteins=True)
    assert adata.var["gene_ids"].tolist() == ["ENSG1", "ENSG2"]
    assert list(adata.obsm["protein"]) == ["A"]
    np.testing.assert_array_equal(adata.obsm["protein"]["A"], VALUES[:, 2])


def test_antibodies_belong_to_no_genome(tmp_path):
    write_h5(tmp_path / "raw.h5", types=("Gene Expression", "Gene Expression", "Antibody Capture"))
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        file["matrix/features/genome"] = np.array(["GRCh38", "mm10", ""], dtype="S")
    adata = read_counts(tmp_path / "raw.h5", genome="GRCh38")
    assert adata.var["gene_ids"].tolist() == ["ENSG1", "ENSG3"]


def test_repeated_symbols_are_said(tmp_path, caplog):
    write_folder(tmp_path / "mtx")
    read_counts(tmp_path / "mtx")
    assert "1 gene symbols" in caplog.text


def write_two_genomes(path):
    """Write what Cell Ranger 2 makes of a mixture of two species: a matrix for each."""
    write_h5(path, old=True)
    with h5py.File(path, "a") as file:
        file.copy("GRCh38", "mm10")
        file["mm10/data"][:] = file["mm10/data"][:] * 10


def test_one_genome_of_two(tmp_path):
    write_two_genomes(tmp_path / "raw.h5")
    adata = read_counts(tmp_path / "raw.h5", genome="mm10")
    np.testing.assert_array_equal(adata.X.toarray(), VALUES * 10)
    assert set(adata.var["genome"]) == {"mm10"}


@pytest.mark.parametrize("genome", [None, "hg19"])
def test_two_genomes_are_refused_with_their_names(tmp_path, genome):
    write_two_genomes(tmp_path / "raw.h5")
    with pytest.raises(InputError, match=r"name one with `genome`: GRCh38, mm10"):
        read_counts(tmp_path / "raw.h5", genome=genome)


def test_columns_of_features_are_kept(tmp_path):
    write_h5(tmp_path / "raw.h5")
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        features = file["matrix/features"]
        features["genome"] = np.array(["GRCh38", "GRCh38", "mm10"], dtype="S")
        features["interval"] = np.array(["chr1:1-9", "chr1:20-30", "chr2:1-2"], dtype="S")
        features["_all_tag_keys"] = np.array(["genome", "interval", "other"], dtype="S")
        features["target_sets/panel"] = np.arange(3)
    var = read_counts(tmp_path / "raw.h5").var
    assert list(var) == ["gene_ids", "feature_types", "genome", "interval"]
    assert var["interval"].tolist() == ["chr1:1-9", "chr1:20-30", "chr2:1-2"]


def test_genomes_in_a_column_are_said_and_one_can_be_taken(tmp_path, caplog):
    write_h5(tmp_path / "raw.h5")
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        file["matrix/features/genome"] = np.array(["GRCh38", "mm10", "GRCh38"], dtype="S")
    assert read_counts(tmp_path / "raw.h5").n_vars == 3
    assert "2 genomes are read (GRCh38, mm10); `genome` takes one" in caplog.text
    assert read_counts(tmp_path / "raw.h5", genome="GRCh38").var["gene_ids"].tolist() == ["ENSG1", "ENSG3"]


def test_a_genome_of_a_file_that_names_none(tmp_path):
    write_h5(tmp_path / "raw.h5")
    with pytest.raises(InputError, match="does not say which genes are of the genome 'mm10'"):
        read_counts(tmp_path / "raw.h5", genome="mm10")


@pytest.mark.parametrize("part", ["data", "indices", "indptr", "barcodes", "features/name"])
def test_a_damaged_h5_is_refused(tmp_path, part):
    write_h5(tmp_path / "raw.h5")
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        values = file["matrix"][part][:-1]
        del file["matrix"][part]
        file["matrix"][part] = values
    with pytest.raises(DataError, match=r"raw\.h5"):
        read_counts(tmp_path / "raw.h5")


@pytest.mark.parametrize("name", ["matrix.mtx", "features.tsv", "barcodes.tsv"])
def test_a_folder_without_one_of_its_files(tmp_path, name):
    write_folder(tmp_path / "mtx")
    (tmp_path / "mtx" / name).unlink()
    with pytest.raises(InputError, match=f"it has no {name}"):
        read_counts(tmp_path / "mtx")


def test_files_that_do_not_fit_together(tmp_path):
    write_folder(tmp_path / "mtx")
    (tmp_path / "mtx" / "barcodes.tsv").write_text("AAA-1\n")
    with pytest.raises(DataError, match=r"3 x 2, but 3 features \(features.tsv\) and 1 barcodes"):
        read_counts(tmp_path / "mtx")


@pytest.mark.parametrize(
    "text",
    [
        "not a matrix",
        "",
        "%%MatrixMarket matrix coordinate integer general\n3 2 3\n1 1 1\n",
        "%%MatrixMarket matrix coordinate integer general\n3 2 1\n9 9 1\n",
    ],
    ids=["text", "empty", "cut", "outside"],
)
def test_a_damaged_matrix_market_file(tmp_path, text):
    write_folder(tmp_path / "mtx")
    (tmp_path / "mtx" / "matrix.mtx").write_text(text)
    with pytest.raises(DataError, match="not a usable Matrix Market file"):
        read_counts(tmp_path / "mtx")


def test_a_matrix_that_claims_too_much_is_refused_before_it_is_read(tmp_path):
    write_folder(tmp_path / "mtx")
    claim = "%%MatrixMarket matrix coordinate integer general\n3 2 1000000000000\n1 1 1\n"
    (tmp_path / "mtx" / "matrix.mtx").write_text(claim)
    with pytest.raises(ResourceError, match=r"21\.8 TiB"):
        read_counts(tmp_path / "mtx")
