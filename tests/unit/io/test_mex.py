"""Matrices with names in files beside them, as every program calls them."""

import gzip

import numpy as np
import pytest
from scipy import sparse

from scinfill.errors import DataError, InputError
from scinfill.io.sources import inventory, read_counts

VALUES = np.array([[1, 0, 2], [0, 3, 0]])
"""Cells × genes."""
GENES, CELLS = ["g1", "g2", "g3"], ["AAA-1", "CCC-1"]


def market(values, field="integer"):
    """Return a Matrix Market file; STARsolo calls real numbers float."""
    entries = sparse.coo_array(values)
    lines = [
        f"{row + 1} {column + 1} {value}" for row, column, value in zip(*entries.coords, entries.data, strict=True)
    ]
    return "\n".join([f"%%MatrixMarket matrix coordinate {field} general", "%", *_size(entries), *lines, ""])


def _size(entries):
    return [" ".join(map(str, (*entries.shape, entries.nnz)))]


def write(folder, names, values, *, packed=False, field="integer"):
    """Write matrix, features and barcodes under the names given."""
    folder.mkdir(parents=True, exist_ok=True)
    content = market(values, field), "\n".join(GENES) + "\n", "\n".join(CELLS) + "\n"
    for name, text in zip(names, content, strict=True):
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())


def tenx(prefix=""):
    return f"{prefix}matrix.mtx", f"{prefix}features.tsv", f"{prefix}barcodes.tsv"


KB = "cells_x_genes.mtx", "cells_x_genes.genes.txt", "cells_x_genes.barcodes.txt"


def check(adata, factor=1):
    assert adata.obs_names.tolist() == CELLS
    assert adata.var["gene_ids"].tolist() == GENES
    np.testing.assert_array_equal(adata.X.toarray(), VALUES * factor)


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (tenx(), VALUES.T),
        (tenx("GSM100_s1_"), VALUES.T),
        (tenx("GSM100.s1."), VALUES.T),
        (("GSM1_matrix.mtx", "GSM1_genes.tsv", "GSM1_barcodes.tsv"), VALUES.T),
        (("GSM1_counts.mtx", "GSM1_genes.txt", "GSM1_cells.txt"), VALUES.T),
        (("matrix_GSM1.mtx", "genes_GSM1.tsv", "barcodes_GSM1.tsv"), VALUES.T),
        (("matrix.s1-a.mtx", "features.s1-a.tsv", "barcodes.s1-a.tsv"), VALUES.T),
        (("UniqueAndMult-EM.mtx", "features.tsv", "barcodes.tsv"), VALUES.T),
        (KB, VALUES),
        (("cells_x_genes.mature.mtx", *KB[1:]), VALUES),
        (("spliced.mtx", "spliced.genes.txt", "spliced.barcodes.txt"), VALUES),
        (("quants_mat.mtx", "quants_mat_cols.txt", "quants_mat_rows.txt"), VALUES),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_the_folder_or_any_of_its_files_names_the_matrix(tmp_path, names, values, packed):
    folder = tmp_path / "sample"
    write(folder, names, values, packed=packed)
    for source in (folder, *sorted(folder.iterdir())):
        check(read_counts(source))
    assert inventory(folder)[0]["cells"] == 2


@pytest.mark.parametrize("prefix", ["GSM100", "GSM100_s1", "GSM100_s1_"])
def test_what_the_names_begin_with(tmp_path, prefix):
    write(tmp_path, tenx("GSM100_s1_"), VALUES.T)
    write(tmp_path, tenx("GSM200_s1_"), VALUES.T * 2)
    check(read_counts(tmp_path / prefix))
    check(read_counts(tmp_path / "GSM200_s1_barcodes.tsv"), 2)


def test_a_prefix_of_several_names_and_a_folder_of_several_are_refused_with_their_names(tmp_path):
    write(tmp_path, tenx("GSM1_"), VALUES.T)
    write(tmp_path, tenx("GSM10_"), VALUES.T)
    for source in (tmp_path, tmp_path / "GSM"):
        with pytest.raises(InputError, match=r"several matrices: GSM10_matrix.mtx, GSM1_matrix.mtx; name one"):
            read_counts(source)
    check(read_counts(tmp_path / "GSM1_matrix.mtx"))


@pytest.mark.parametrize("prefix", ["GSM5_pA", "GSM5_pA_"])
def test_a_prefix_that_is_a_whole_word_wins(tmp_path, prefix):
    write(tmp_path, tenx("GSM5_pA_"), VALUES.T)
    write(tmp_path, tenx("GSM5_pAB_"), VALUES.T * 2)
    check(read_counts(tmp_path / prefix))


@pytest.mark.parametrize("packed", [False, True])
def test_samples_behind_the_kind(tmp_path, packed):
    for factor, sample in enumerate(("GSM1", "GSM10", "GSM1_b"), start=1):
        names = f"matrix_{sample}.mtx", f"genes_{sample}.tsv", f"barcodes_{sample}.tsv"
        write(tmp_path, names, VALUES.T * factor, packed=packed)
    for factor, sample in enumerate(("GSM1", "GSM10", "GSM1_b"), start=1):
        check(read_counts(next(tmp_path.glob(f"matrix_{sample}.mtx*"))), factor)
        check(read_counts(next(tmp_path.glob(f"barcodes_{sample}.tsv*"))), factor)
    check(read_counts(tmp_path / "GSM10"), 2)
    with pytest.raises(InputError, match="several matrices"):
        read_counts(tmp_path)


def test_missing_names_list_what_could_hold_them(tmp_path):
    write(tmp_path, ("GSM1_matrix.mtx", "GSM1_features.tsv", "GSM1_droplets.tsv"), VALUES.T)
    message = r"no barcodes.tsv .*; there is GSM1_droplets.tsv: rename the one that holds them to GSM1_barcodes.tsv"
    with pytest.raises(InputError, match=message):
        read_counts(tmp_path)
    (tmp_path / "GSM1_droplets.tsv").rename(tmp_path / "GSM1_barcodes.tsv")
    check(read_counts(tmp_path))


def test_a_longer_number_is_not_the_same_sample(tmp_path):
    """GSM1's barcodes are not GSM10's, whatever its name begins with."""
    write(tmp_path, tenx("GSM1_"), VALUES.T)
    (tmp_path / "GSM10_matrix.mtx").write_text(market(VALUES.T))
    with pytest.raises(InputError, match=r"no barcodes.tsv \(nor .gz\) for GSM10_matrix.mtx"):
        read_counts(tmp_path / "GSM10_matrix.mtx")


def test_other_matrices_of_the_same_names_are_said(tmp_path, caplog):
    write(tmp_path, tenx(), VALUES.T)
    (tmp_path / "UniqueAndMult-EM.mtx").write_text(market(VALUES.T * 0.5, "float"))
    check(read_counts(tmp_path))
    assert "matrix.mtx is read; beside it are UniqueAndMult-EM.mtx: name the file" in caplog.text
    check(read_counts(tmp_path / "UniqueAndMult-EM.mtx"), 0.5)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("field", ["float", "double", "Float"])
def test_number_types_that_the_format_calls_otherwise(tmp_path, field, packed):
    write(tmp_path, tenx(), VALUES.T + 0.5, field=field, packed=packed)
    np.testing.assert_array_equal(read_counts(tmp_path).X.toarray(), VALUES + 0.5)


def test_packing_against_the_suffix(tmp_path):
    write(tmp_path / "plain", tenx(), VALUES.T)
    for path in list((tmp_path / "plain").iterdir()):
        path.rename(path.with_name(path.name + ".gz"))
    write(tmp_path / "packed", tenx(), VALUES.T, packed=True)
    for path in list((tmp_path / "packed").iterdir()):
        path.rename(path.with_suffix(""))
    check(read_counts(tmp_path / "plain"))
    check(read_counts(tmp_path / "packed"))


def test_a_packed_copy_beside_the_plain_file(tmp_path):
    write(tmp_path, tenx(), VALUES.T)
    write(tmp_path, tenx(), VALUES.T * 7, packed=True)
    check(read_counts(tmp_path))


@pytest.mark.parametrize(("names", "turned"), [(tenx(), True), (KB, False)], ids=["10x", "kb"])
def test_a_square_matrix_stands_as_the_program_writes_it(tmp_path, names, turned):
    square = VALUES[:, :2]
    write(tmp_path, names, square)
    (tmp_path / names[1]).write_text("g1\ng2\n")
    np.testing.assert_array_equal(read_counts(tmp_path).X.toarray(), square.T if turned else square)


def test_symbols_of_kb_beside_ids(tmp_path):
    write(tmp_path, KB, VALUES)
    (tmp_path / "cells_x_genes.genes.names.txt").write_text("A\n\nC\n")
    adata = read_counts(tmp_path)
    check(adata)
    assert adata.var_names.tolist() == ["A", "g2", "C"]


def test_classes_of_transcripts_are_no_genes(tmp_path):
    write(tmp_path, ("cells_x_tcc.mtx", "cells_x_tcc.ec.txt", "cells_x_tcc.barcodes.txt"), VALUES)
    with pytest.raises(DataError, match=r"equivalence classes of transcripts, not genes; count genes"):
        read_counts(tmp_path)


def test_spliced_and_unspliced_molecules_of_one_gene_are_not_three_genes(tmp_path):
    write(tmp_path, ("quants_mat.mtx", "quants_mat_cols.txt", "quants_mat_rows.txt"), VALUES)
    (tmp_path / "quants_mat_cols.txt").write_text("g1\ng1-U\ng1-A\n")
    with pytest.raises(DataError, match="spliced, unspliced and ambiguous molecules apart"):
        read_counts(tmp_path)


def test_intervals_of_cell_ranger_arc(tmp_path):
    write(tmp_path, tenx(), VALUES.T)
    rows = [f"{gene}\t{gene.upper()}\tGene Expression\tchr1\t{start}\t{start + 9}" for start, gene in enumerate(GENES)]
    (tmp_path / "features.tsv").write_text("\n".join([*rows[:2], "g3\tG3\tGene Expression\t\t\t"]) + "\n")
    assert read_counts(tmp_path).var["interval"].tolist() == ["chr1:0-9", "chr1:1-10", ""]


@pytest.mark.parametrize("name", ["", "outs", "outs/filtered_feature_bc_matrix"])
def test_cell_rangers_folders(tmp_path, caplog, name):
    caplog.set_level("INFO")
    write(tmp_path / "outs" / "filtered_feature_bc_matrix", tenx(), VALUES.T, packed=True)
    write(tmp_path / "outs" / "raw_feature_bc_matrix", tenx(), VALUES.T * 2, packed=True)
    (tmp_path / "outs" / "analysis").mkdir()
    check(read_counts(tmp_path / name))
    assert ("filtered_feature_bc_matrix is read" in caplog.text) == (not name.endswith("matrix"))


@pytest.mark.parametrize(
    "place",
    [
        "Solo.out/Gene/filtered",
        "counts_unfiltered",
        "outs/raw_feature_bc_matrix",
        "outs/filtered_gene_bc_matrices/GRCh38",
        "outs/per_sample_outs/one/count/sample_filtered_feature_bc_matrix",
        "filtered_feature_bc_matrix",
        "sample",
    ],
)
def test_what_programs_leave_is_found_below_their_folder(tmp_path, place):
    write(tmp_path / place, tenx(), VALUES.T)
    check(read_counts(tmp_path))


def test_several_samples_below_a_folder_are_refused_with_their_names(tmp_path):
    for sample in ("one", "two"):
        write(tmp_path / "outs" / "per_sample_outs" / sample / "count" / "filtered", tenx(), VALUES.T)
    with pytest.raises(InputError, match=r"holds several: one, two; name one of them"):
        read_counts(tmp_path)


def test_a_genome_names_its_folder(tmp_path):
    for factor, genome in enumerate(("GRCh38", "mm10"), start=1):
        names = "matrix.mtx", "genes.tsv", "barcodes.tsv"
        write(tmp_path / "filtered_gene_bc_matrices" / genome, names, VALUES.T * factor)
    adata = read_counts(tmp_path, genome="mm10")
    check(adata, 2)
    assert set(adata.var["genome"]) == {"mm10"}
    with pytest.raises(InputError, match="GRCh38, mm10"):
        read_counts(tmp_path)


def test_nothing_is_read_of_a_folder_without_counts(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(InputError, match=r"has no matrix\.mtx"):
        read_counts(tmp_path)


def test_a_folder_that_may_not_be_looked_into_is_wrong_usage(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("scinfill.io.mex._files", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        read_counts(tmp_path)


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_counts(tmp_path / ("x" * 5000))
