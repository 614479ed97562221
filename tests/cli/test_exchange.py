"""``inspect``, and the way out to other languages and back: ``export``, ``adopt``."""

import json

import anndata
import numpy as np
import pytest
from click.testing import CliRunner

from _worlds import masked
from scinfill.commands import main
from scinfill.io import h5ad


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
    assert content == {"cells": 2, "genes": 2, "obs": [], "var": []}


def test_inspect_of_what_is_no_table(tmp_path):
    broken = tmp_path / "broken.h5ad"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    result = scinfill("inspect", broken, "-o", tmp_path / "content.json")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "content.json").exists()


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
