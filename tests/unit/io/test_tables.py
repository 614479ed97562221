import gzip

import numpy as np
import pytest

from _support import assert_refused, invoke
from scinfill.errors import DataError
from scinfill.io import tables
from scinfill.io.sources import read_counts

VALUES = [[1, 0, 2], [0, 3, 0]]


def read(tmp_path, text, name="table.txt"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return read_counts(path)


@pytest.mark.parametrize(
    "text",
    [
        "cell,g1,g2,g3\nc1,1,0,2\nc2,0,3,0\n",
        "g1,g2,g3\nc1,1,0,2\nc2,0,3,0\n",
        ",g1,g2,g3\r\nc1,1,0,2\r\nc2,0,3,0\r\n",
        "\tg1\tg2\tg3\nc1\t1\t0\t2\nc2\t0\t3\t0",
        '"g1"\t"g2"\t"g3"\n"c1"\t1\t0\t2\n"c2"\t0\t3\t0\n',
        "\ufeffcell,g1,g2,g3\nc1,1,0,2\nc2,0,3,0\n",
        "cell;g1;g2;g3\nc1;1;0;2\nc2;0;3;0\n",
        "cell;g1;g2;g3\nc1;1,0;0;2\nc2;0;3,0;0\n",
        "cell g1 g2 g3\nc1 1 0 2\nc2 0 3 0\n",
        "cell   g1 g2  g3 \nc1     1  0   2\nc2     0  3   0\n",
        '"g1" "g2" "g3"\n"c1" 1 0 2\n"c2" 0 3 0\n',
        "####\n## BD Targeted, Multiplex; Analysis\n####\ncell,g1,g2,g3\nc1,1,0,2\nc2,0,3,0\n",
        "# made, by, hand\ng1\tg2\tg3\nc1\t1\t0\t2\nc2\t0\t3\t0\n",
        "#cell\tg1\tg2\tg3\nc1\t1\t0\t2\nc2\t0\t3\t0\n",
        "# a note\n# cell,g1,g2,g3\nc1,1,0,2\nc2,0,3,0\n",
        "cell,g1,g2,g3\n# between\nc1,1,0,2\n# between, 1, 2\nc2,0,3,0\n# the end\n#",
        "cell\tg1\tg2\tg3\r\nc1\t1\t0\t2\r\n#\r\nc2\t0\t3\t0\r\n# the end\r\n",
        "\n \n# a note\n\ncell,g1,g2,g3\n\nc1,1,0,2\n\nc2,0,3,0\n\n",
        "cell,g1,g2,g3,\nc1,1,0,2,\nc2,0,3,0,\n",
        "g1,g2,g3,\nc1,1,0,2,\nc2,0,3,0,\n",
        "cell\tg1\tg2\tg3\t\nc1\t1\t0\t2\t\nc2\t0\t3\t0\t\n",
        "cell;g1;g2;g3\nc1;1;0;2\nc2;0;3,0;0\n",
        "cell;g1;g2;g3\nc1;1;0;2\nc2;0;3.0;0\n",
    ],
    ids=[
        "corner",
        "R, no corner",
        "empty corner, CRLF",
        "tabs",
        "quotes",
        "byte order mark",
        "semicolons",
        "semicolons and decimal commas",
        "spaces",
        "aligned by spaces",
        "R's write.table",
        "notes above",
        "a note with the separator's rivals",
        "a marked header",
        "a marked header below a note",
        "notes between and below",
        "notes, tabs and CRLF",
        "empty lines",
        "an empty last column",
        "an empty last column, no corner",
        "an empty last column, tabs",
        "a decimal comma below whole numbers",
        "semicolons and decimal points",
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.v2.tsv"])
def test_every_layout_gives_the_same_table(tmp_path, text, name):
    adata = read(tmp_path, text, name)
    assert adata.obs_names.tolist() == ["c1", "c2"]
    assert adata.var_names.tolist() == ["g1", "g2", "g3"]
    np.testing.assert_array_equal(adata.X.toarray(), VALUES)


def test_a_table_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "VALUES_PER_BLOCK", 10)
    values = np.arange(7 * 3).reshape(7, 3)
    text = "a,b,c\n" + "".join(f"r{i}," + ",".join(map(str, row)) + "\n" for i, row in enumerate(values))
    adata = read(tmp_path, text)
    np.testing.assert_array_equal(adata.X.toarray(), values)
    assert adata.obs_names[-1] == "r6"


@pytest.mark.slow
def test_notes_wherever_the_parser_cuts_its_pieces(tmp_path, monkeypatch):
    """Its own pieces are of 256 KiB, ours of some rows."""
    monkeypatch.setattr(tables, "VALUES_PER_BLOCK", 40)
    n = 20_000
    text = "cell,g1\n" + "".join(f"c{i},{i}\n# note {i}\n" for i in range(n))
    adata = read(tmp_path, text)
    np.testing.assert_array_equal(adata.X.toarray()[:, 0], np.arange(n))


def test_a_row_whose_name_begins_as_notes_do_is_a_row(tmp_path):
    adata = read(tmp_path, "cell,g1,g2\n#1,1,2\nc2,3,4\n#3,5,6\n")
    assert adata.obs_names.tolist() == ["#1", "c2", "#3"]
    np.testing.assert_array_equal(adata.X.toarray(), [[1, 2], [3, 4], [5, 6]])


def test_names_stay_text_and_repeated_ones_stay_repeated(tmp_path):
    adata = read(tmp_path, "cell,1,1,NA\n001,1,0,2\n001,0,3,0\n")
    assert adata.obs_names.tolist() == ["001", "001"]
    assert adata.var_names.tolist() == ["1", "1", "NA"]


def test_names_may_hold_what_separates_elsewhere(tmp_path):
    adata = read(tmp_path, "cell\tgene, a;1\tgene b\nc 1\t1\t2\nc#2\t3\t4\n")
    assert adata.var_names.tolist() == ["gene, a;1", "gene b"]
    assert adata.obs_names.tolist() == ["c 1", "c#2"]
    assert read(tmp_path, "cell;gene, a\nc1;1\n").var_names.tolist() == ["gene, a"]
    assert read(tmp_path, "cell,gene a\nc1,1\n").var_names.tolist() == ["gene a"]


def test_the_suffix_says_nothing_of_packing(tmp_path):
    text = "cell,g1\nc1,1\n"
    (tmp_path / "plain.csv.gz").write_text(text)
    (tmp_path / "packed.csv").write_bytes(gzip.compress(text.encode()))
    for name in ("plain.csv.gz", "packed.csv"):
        assert read_counts(tmp_path / name).shape == (1, 1)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"PK\x03\x04" + bytes(30), "unzip"),
        (b"BZh91AY&SY" + bytes(30), "bunzip2"),
        (b"\xfd7zXZ\x00" + bytes(30), "unxz"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "unzstd"),
        (gzip.compress(b"X\n\x00\x00\x00\x03" + bytes(30), mtime=0), "anndataR::write_h5ad"),
        (b"RDX3\nX\n" + bytes(30), "anndataR::write_h5ad"),
        (b"counts.csv" + bytes(247) + b"ustar\x0000" + bytes(300), "tar -xf"),
        (b"%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n", "name the file itself"),
    ],
)
def test_what_people_have_and_is_no_table_names_the_way(content, remedy):
    assert_refused(invoke("preprocess", stdin=content), 3, "standard input is neither HDF5 nor text, but", remedy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c,g1,g2\nc1,1,x\nc2,1,2\n", r"row 'c1', column 'g2' holds 'x', not a number"),
        ("c,g1,g2\nc1,1,2\nc2,1,2,3,4\n", "Expected 3 fields in line 2, saw 5"),
        ("c,g1,g2\n", "a header and no rows"),
        ("hello\nworld\n", "neither HDF5 nor a table"),
        ("hello world\n", "neither HDF5 nor a table"),
        ("# hello, world\n", "empty"),
        ("c\nc1\n", "neither HDF5 nor a table"),
        ("c,g1,g2,g3\nc1,1\n", "the header has 4 fields, the first row has 2"),
        ("c,g1,g2\nc1,1,2\nc2,,2\n", "row 'c2', column 'g1' is empty or NA; fill empty fields with 0"),
        ("c,g1,g2\nc1,1,NA\nc2,3,2\n", "row 'c1', column 'g2' is empty or NA; fill empty fields with 0"),
        ("c,g1,g2\nc1,1,2\nc2,1\n", "row 'c2', column 'g2' is empty or NA"),
        ("c,g1,g2\nc1,1,NA\nc2,3,x\n", "row 'c2', column 'g2' holds 'x', not a number"),
        ("c,g1,g2\nc1,1,2,\nc2,3,4,\n", "ends with an empty field and the header does not; delete the separators"),
        ("c,g1,g2\nc1,1,2\n#2,NA,4\n", "row '#2', column 'g1' is empty or NA"),
        ("c,g1,g2,\nc1,1,2,\nc2,3,4,5\n", "row 'c2' holds 5.0 in the last column, which has no name"),
        (',g1\nc1,"1,234"\n', "'1,234', not a number; write numbers without thousands separators"),
        ("c\tg1\tg2\nc1\t1,5\t2\n", "'1,5', not a number; .* with a decimal point"),
        ("c;g1;g2\nc1;2.000;1\nc2;3;12.345.678\n", "2.000 may be thousands or have decimals; write numbers without"),
        ("c;g1;g2\nc1;2;1\nc2;3;1,234\n", "1,234 may be thousands or have decimals"),
        ("c;g1;g2\nc1;2.000;1\nc2;3,5;1\n", "'2.000', not a number; write numbers without thousands separators"),
        (",cell,g1\n0,AAA,1\n1,CCC,2\n", "column 'cell' holds 'AAA', not a number; save the table without its index"),
        ('"cell","g1"\n"1","AAA",1\n"2","CCC",2\n', "save the table without its index"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(range(128, 256)), "neither HDF5 nor text"),
        (gzip.compress(b"c,g1\nc1,1\n", mtime=0)[:-6], "cannot be unpacked"),
        (b"\x1f\x8b nonsense", "cannot be unpacked"),
        ("c,g1\nc1,1\n".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        ("c,g1\nc1,1\n".encode("utf-16-le"), "is text in UTF-16; save it as UTF-8"),
        ("c,g1,g\xe9ne\nc1,1,2\n".encode("latin-1"), r"not in UTF-8 \(byte 0xe9\); save it as UTF-8"),
        (gzip.compress("c,g1\nc1,1\nc\xe9,2\n".encode("latin-1"), mtime=0), "save it as UTF-8"),
        (gzip.compress(b"\x89HDF\r\n\x1a\n", mtime=0), "compressed HDF5 file; unpack it first"),
    ],
    ids=[
        "binary",
        "truncated gzip",
        "not gzip",
        "UTF-16",
        "UTF-16, no mark",
        "Latin-1",
        "Latin-1 below",
        "compressed h5ad",
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_counts(path)


def test_an_endless_first_row_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_ROW", 1000)
    with pytest.raises(DataError, match="more than 1000 characters"):
        read(tmp_path, "0," * 1000, "bomb.csv.gz")
