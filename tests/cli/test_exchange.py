"""``inspect``, and the way out to other languages and back: ``export``, ``adopt``."""

import json

import anndata
import numpy as np
import pytest
from click.testing import CliRunner

from _support import make_counts
from _worlds import masked
from scinfill.commands import main
from scinfill.io import h5ad
from scinfill.io.contents import of_table
from scinfill.methods.preprocess import preprocess


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "masked.h5ad"
    h5ad.write(masked(), path)
    return path


def scinfill(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_inspect_names_what_is_there(file):
    result = scinfill("inspect", file)
    content = json.loads(result.stdout)
    assert (content["cells"], content["genes"]) == (150, 60)
    assert "cell_type" in content["obs"]
    assert {"counts", "heldout"} <= set(content["layers"])


def test_inspect_reads_what_preprocess_reads(tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("cell,A,B\nc1,1,0\nc2,0,3\n")
    content = json.loads(scinfill("inspect", table).stdout)
    assert (content["cells"], content["genes"], content["raw"]) == (2, 2, None)
    assert content["matrices"] == {
        "X": {"counts": True, "values": "whole numbers up to 3", "command": "scinfill preprocess"}
    }


def test_inspect_says_of_every_matrix_whether_it_holds_counts(tmp_path):
    counts = make_counts()
    table = preprocess(counts, n_genes=10)
    table.raw = counts
    table.layers["scaled"] = table.X.toarray() - 1
    table.layers["with space"] = table.layers["counts"].copy()
    h5ad.write(table, tmp_path / "in.h5ad")
    content = json.loads(scinfill("inspect", tmp_path / "in.h5ad").stdout)
    assert content["raw"] == {"genes": 30, "var": ["symbol", "length"]}
    holding = {slot: matrix["counts"] for slot, matrix in content["matrices"].items()}
    assert holding == {
        "X": False,
        "layers/counts": True,
        "layers/scaled": False,
        "layers/spliced": True,
        "layers/with space": True,
        "raw/X": True,
    }
    assert content["matrices"]["raw/X"]["command"] == "scinfill preprocess --layer raw"
    assert content["matrices"]["layers/with space"]["command"] == "scinfill preprocess --layer 'with space'"
    assert "command" not in content["matrices"]["X"]
    assert content == of_table(h5ad.read(tmp_path / "in.h5ad")) | {"model": None}


def test_inspect_of_what_is_no_table(tmp_path):
    broken = tmp_path / "broken.h5ad"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    result = scinfill("inspect", broken, "-o", tmp_path / "content.json")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "content.json").exists()


@pytest.mark.slow
def test_counts_out_and_back_are_the_values(file, tmp_path):
    assert scinfill("export", file, "-o", tmp_path / "out").exit_code == 0
    arguments = ("--matrix", tmp_path / "out" / "counts.mtx", "--scale", "counts", "--method", "copy")
    result = scinfill("adopt", file, *arguments, "-o", tmp_path / "adopted.h5ad")
    assert result.exit_code == 0, result.stderr
    adopted = anndata.read_h5ad(tmp_path / "adopted.h5ad")
    np.testing.assert_allclose(adopted.layers["imputed"], adopted.X.toarray(), atol=1e-5)


def test_export_into_what_exists_is_refused_before_work(file, tmp_path):
    result = scinfill("export", file, "-o", tmp_path)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "exists already" in result.stderr
