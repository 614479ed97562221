"""``scinfill join`` and ``scinfill split``: files, streams, stores and names."""

import gzip

import pytest

import scinfill
from _support import assert_adata_equal, assert_refused, from_bytes, invoke, make_counts, to_bytes
from scinfill.io import anndata_files, h5ad
from scinfill.methods.differences import differences


@pytest.fixture
def samples(tmp_path):
    """Two samples as tables, and the folder that holds their files."""
    tables = {"a": make_counts(20), "b": make_counts(25, seed=1)}
    for name, adata in tables.items():
        adata.write_h5ad(tmp_path / f"{name}.h5ad")
    return tables, tmp_path


@pytest.mark.slow
def test_files_are_joined_as_tables_are(samples):
    tables, folder = samples
    result = invoke("join", folder / "a.h5ad", folder / "b.h5ad", "-o", folder / "joined.h5ad", "--batch", "donor")
    assert (result.exit_code, result.stdout_bytes) == (0, b""), result.stderr
    assert_adata_equal(h5ad.read(folder / "joined.h5ad"), h5ad_of(scinfill.join(tables, batch="donor"), folder))


def h5ad_of(adata, folder):
    """Return the table as it comes out of a file: words as categories."""
    h5ad.write(adata, folder / "other.h5ad")
    return h5ad.read(folder / "other.h5ad")


@pytest.mark.slow
def test_every_way_in_and_out_gives_the_same(samples):
    _, folder = samples
    a, b = folder / "a.h5ad", folder / "b.h5ad"
    invoke("join", a, b, "-o", folder / "joined.h5ad")
    expected = (folder / "joined.h5ad").read_bytes()
    assert invoke("join", a, "b=-", "-q", stdin=b.read_bytes()).stdout_bytes == expected
    assert invoke("join", "a=-", f"b={b}", "-q", stdin=a.read_bytes()).stdout_bytes == expected
    assert invoke("join", a, b, "-q", "--max-memory", "3G").stdout_bytes == expected
    for name in "ab":
        anndata_files.write(h5ad.read(folder / f"{name}.h5ad"), folder / f"{name}.zarr")
    result = invoke("join", folder / "a.zarr", folder / "b.zarr", "-q", "-o", folder / "joined.zarr")
    assert result.exit_code == 0, result.stderr
    joined = anndata_files.read(folder / "joined.zarr")
    assert differences(joined, from_bytes(expected)) == []


def test_tables_of_text_with_genes_in_rows(samples):
    tables, folder = samples
    for name, adata in tables.items():
        with gzip.open(folder / f"{name}.csv.gz", "wt") as file:
            adata.to_df().T.to_csv(file)
    result = invoke("join", "--transpose", folder / "a.csv.gz", folder / "b.csv.gz", "-q")
    assert result.exit_code == 0, result.stderr
    joined = from_bytes(result.stdout_bytes)
    expected = scinfill.join(tables)
    assert joined.obs_names.tolist() == expected.obs_names.tolist()
    assert (joined.X.toarray() == expected.X.toarray()).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--batch", "donor"], {"batch": "donor"}),
        (["--genes", "all"], {"genes": "all"}),
        (["--layer", "spliced"], {"layer": "spliced"}),
        (["--counts", "umi"], {"counts_kind": "umi"}),
        (["--unique-names"], {"unique_names": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_option_reaches_the_method(samples, options, settings):
    tables, folder = samples
    tables["b"] = tables["b"][:, 4:].copy()
    tables["b"].write_h5ad(folder / "b.h5ad")
    result = invoke("join", f"x={folder / 'a.h5ad'}", f"y={folder / 'b.h5ad'}", *options, "-q")
    assert result.exit_code == 0, result.stderr
    expected = scinfill.join({"x": tables["a"], "y": tables["b"]}, **settings)
    assert differences(from_bytes(result.stdout_bytes), h5ad_of(expected, folder)) == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], ["no input", "a.h5ad b.h5ad"]),
        (["a.h5ad", "-"], ["standard input needs a name: NAME=-"]),
        (["a=-", "b=-"], ["standard input can be one of the inputs only"]),
        (["a.h5ad", "other/a.h5ad"], ["'a.h5ad' and 'other/a.h5ad' are both called 'a'", "NAME=other/a.h5ad"]),
        (["x=a.h5ad", "x=b.h5ad"], ["both called 'x'"]),
        (["=a.h5ad"], ["is not NAME=FILE"]),
    ],
)
def test_inputs_that_cannot_be_told_apart(samples, monkeypatch, inputs, words):
    monkeypatch.chdir(samples[1])
    assert_refused(invoke("join", *inputs), 2, *words)


def test_messages_name_options(samples):
    tables, folder = samples
    tables["b"].var_names = ["gene0", "gene0", *tables["b"].var_names[2:]]
    (folder / "b.h5ad").write_bytes(to_bytes(tables["b"]))
    result = invoke("join", folder / "a.h5ad", folder / "b.h5ad")
    assert_refused(result, 3, "'b': gene names must be unique", "`scinfill join --unique-names` tells them apart")


@pytest.mark.slow
def test_there_and_back_and_again(samples):
    """Joined, imputed together, published apart, and each piece repeated from the samples."""
    tables, folder = samples
    names = ["a.h5ad", "b.h5ad"]
    joined = invoke("join", *(folder / name for name in names), "-q").stdout_bytes
    log = invoke("preprocess", "-q", "--n-genes", "20", stdin=joined).stdout_bytes
    imputed = invoke("impute-deepmc", "-q", "--rank", "2", stdin=log).stdout_bytes
    result = invoke("split", "-q", "-o", folder / "apart", stdin=imputed)
    assert (result.exit_code, result.stdout_bytes) == (0, b""), result.stderr
    assert sorted(path.name for path in (folder / "apart").iterdir()) == names
    pieces = scinfill.split(from_bytes(imputed))
    for name, adata in tables.items():
        piece = h5ad.read(folder / "apart" / f"{name}.h5ad")
        assert piece.obs_names.tolist() == adata.obs_names.tolist()
        assert differences(piece, h5ad_of(pieces[name], folder)) == []
    again = invoke("rerun", folder / "apart" / "b.h5ad", "--input", folder / "a.h5ad", "--input", folder / "b.h5ad")
    assert again.exit_code == 0, again.stderr
    assert "identical: 4 steps repeated" in again.stderr


def test_rerun_asks_for_all_inputs(samples):
    _, folder = samples
    a, b = folder / "a.h5ad", folder / "b.h5ad"
    invoke("join", a, b, "-o", folder / "joined.h5ad")
    result = invoke("rerun", "-q", folder / "joined.h5ad", "--input", a)
    assert_refused(result, 2, "it joined 'a', 'b': name each of these as --input, in this order")


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["CD4/CD8", ".hidden", "a b"], ["CD4_CD8.h5ad", "_hidden.h5ad", "a b.h5ad"]),
        (["..", "µ", "x\ny"], ["_.h5ad", "x_y.h5ad", "µ.h5ad"]),
    ],
)
def test_names_that_files_cannot_have(samples, names, files):
    tables, folder = samples
    tables["a"].obs["type"] = [names[number % 3] for number in range(20)]
    result = invoke("split", "--by", "type", "-q", "-o", folder / "apart", stdin=to_bytes(tables["a"]))
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (folder / "apart").iterdir()) == files


def test_nothing_is_left_of_a_split_that_fails(samples):
    tables, folder = samples
    before = sorted(folder.iterdir())
    tables["a"].obs["type"] = ["a/b", "a_b"] * 10
    content = to_bytes(tables["a"])
    assert_refused(
        invoke("split", "--by", "type", "-o", folder / "apart", stdin=content), 2, "become the file 'a_b.h5ad'"
    )
    assert_refused(invoke("split", "--by", "age", "-o", folder / "apart", stdin=content), 3, "obs['age'] holds numbers")
    assert_refused(invoke("split", "-o", folder, stdin=content), 2, "exists already; name a new folder")
    assert sorted(folder.iterdir()) == before
