"""MuData files without the package that writes them: an AnnData for every modality, after a block of its own."""

import anndata
import h5py
import numpy as np
import pytest

from _support import assert_adata_equal, assert_refused, invoke, make_counts
from scinfill.errors import DataError, InputError
from scinfill.io import h5ad
from scinfill.io.sources import inventory, read_counts


def write(path, **modalities):
    """Write what mudata writes: 512 bytes, then HDF5."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, adata in modalities.items():
            anndata.io.write_elem(file, f"mod/{name}", adata)
        rna = next(iter(modalities.values()))
        anndata.io.write_elem(file, "obs", rna.obs)
        anndata.io.write_elem(file, "var", rna.var)
    with path.open("r+b") as file:
        file.write(b"MuData (format-version=0.1.0;creator=muon;)")
    return path


@pytest.fixture
def rna():
    return make_counts()


@pytest.fixture
def protein():
    return make_counts(n_genes=5, seed=1)


@pytest.mark.parametrize("name", ["rna", "RNA", "gex", "Gene Expression"])
def test_the_modality_of_rna_is_read_and_said(tmp_path, caplog, rna, protein, name):
    caplog.set_level("INFO")
    path = write(tmp_path / "multi.h5mu", prot=protein, **{name: rna})
    assert_adata_equal(read_counts(path), rna)
    assert f"{name} is read, of the modalities" in caplog.text
    assert inventory(path)[0]["genes"] == rna.n_vars


@pytest.fixture
def adt():
    """Return antibodies of the same cells, in another order, normalised beside their counts."""
    table = make_counts(n_genes=5, seed=1)[::-1].copy()
    table.layers["counts"] = table.X.copy()
    table.X = np.log1p(table.X.toarray())
    return table


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prot", "ADT", "Antibody Capture"])
def test_proteins_are_read_beside_rna_on_request(tmp_path, rna, adt, name):
    path = write(tmp_path / "multi.h5mu", rna=rna, **{name: adt})
    frame = read_counts(path, proteins=True).obsm["protein"]
    assert frame.index.equals(rna.obs_names)
    np.testing.assert_array_equal(frame.to_numpy(), adt[rna.obs_names].layers["counts"].toarray())
    assert_adata_equal(read_counts(path), rna)
    out = tmp_path / "out.h5ad"
    assert invoke("preprocess", path, "--proteins", "-q", "-o", out).exit_code == 0
    np.testing.assert_array_equal(h5ad.read(out).obsm["protein"].to_numpy(), frame.to_numpy())
    again = invoke("rerun", out, "--input", path)
    assert again.exit_code == 0, again.stderr


@pytest.mark.slow
def test_proteins_that_cannot_be_read_are_refused(tmp_path, rna, adt):
    some = write(tmp_path / "some.h5mu", rna=rna, prot=adt[:-1].copy())
    assert_refused(invoke("preprocess", some, "--proteins", "-q"), 3, "'prot' lacks 1 of the 40 cells, such as 'cell0'")
    two = write(tmp_path / "two.h5mu", rna=rna, prot=adt, adt=adt)
    assert_refused(invoke("preprocess", two, "--proteins", "-q"), 2, "several modalities of proteins (adt, prot)")
    del adt.layers["counts"], adt.layers["spliced"]
    logged = write(tmp_path / "logged.h5mu", rna=rna, prot=adt)
    assert_refused(invoke("preprocess", logged, "--proteins", "-q"), 3, "the modality 'prot' holds no counts; put")
    none = write(tmp_path / "none.h5mu", rna=rna, atac=adt)
    assert_refused(invoke("preprocess", none, "--proteins", "-q"), 3, "there are no antibodies to keep")


@pytest.mark.slow
def test_another_modality_on_request(tmp_path, rna, protein):
    path = write(tmp_path / "multi.h5mu", rna=rna, prot=protein)
    assert_adata_equal(read_counts(path, modality="prot"), protein)
    result = invoke("preprocess", path, "--modality", "prot", "-o", tmp_path / "out.h5ad")
    assert result.exit_code == 0, result.stderr
    assert set(h5ad.read(tmp_path / "out.h5ad").var_names) <= set(protein.var_names)


@pytest.mark.parametrize(("name", "said"), [("cells", "cells is read as the counts of genes"), ("rna", "")])
def test_the_only_modality_needs_no_name(tmp_path, caplog, rna, name, said):
    assert read_counts(write(tmp_path / "multi.h5mu", **{name: rna})).shape == rna.shape
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


@pytest.mark.parametrize("name", ["prot", "ADT", "atac", "hto", "Antibody Capture", "prot_raw", "protein"])
def test_the_only_modality_is_not_taken_for_genes_against_its_name(tmp_path, protein, name):
    path = write(tmp_path / "multi.h5mu", **{name: protein})
    assert_refused(invoke("preprocess", path), 2, "no modality of RNA", repr(name), "--modality")
    assert read_counts(path, modality=name).shape == protein.shape


@pytest.mark.parametrize(
    ("there_are", "modality"), [(("a", "b"), None), (("rna", "gex"), None), (("rna", "prot"), "atac")]
)
def test_which_modality_is_not_guessed(tmp_path, rna, there_are, modality):
    path = write(tmp_path / "multi.h5mu", **dict.fromkeys(there_are, rna))
    with pytest.raises(InputError, match="`modality`: " + ", ".join(sorted(there_are))):
        read_counts(path, modality=modality)


def test_a_modality_of_what_has_none(counts_file):
    with pytest.raises(InputError, match="is no MuData file, so it has no modality 'rna'"):
        read_counts(counts_file, modality="rna")


def test_other_verbs_name_the_one_that_reads_it(tmp_path, rna):
    path = write(tmp_path / "multi.h5mu", rna=rna)
    with pytest.raises(DataError, match=r"MuData file; `scinfill preprocess --modality NAME`"):
        h5ad.read(path)


def test_what_is_damaged_is_named(tmp_path, rna):
    path = write(tmp_path / "multi.h5mu", rna=rna)
    with h5py.File(path, "a") as file:
        file["mod/rna/X/indices"][:] = np.int32(10**6)
    assert_refused(invoke("preprocess", path), 3, "multi.h5mu", "X is not usable")
    path.write_bytes(path.read_bytes()[:-5000])
    assert_refused(invoke("preprocess", path), 3, "multi.h5mu", "truncated")
