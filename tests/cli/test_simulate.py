import pytest

from _support import from_bytes, invoke


def test_writes_counts_to_stdout():
    result = invoke("simulate", "--cells", 30, "--genes", 20, "--types", 2)
    assert result.exit_code == 0, result.stderr
    table = from_bytes(result.stdout_bytes)
    assert table.shape == (30, 20)
    assert table.layers["truth"].shape == (30, 20)
    assert table.obs["cell_type"].nunique() == 2


def test_same_seed_same_bytes():
    first, again, other = (invoke("simulate", "--cells", 20, "--genes", 10, "--seed", seed) for seed in (1, 1, 2))
    assert first.stdout_bytes == again.stdout_bytes
    assert first.stdout_bytes != other.stdout_bytes


def test_every_option_reaches_the_world(tmp_path):
    path = tmp_path / "world.h5ad"
    options = {
        "--batches": 2,
        "--density": 0.3,
        "--de-share": 0.4,
        "--de-log2fc": 2.0,
        "--dropout": 1.0,
        "--truth": "factors",
    }
    arguments = [part for pair in options.items() for part in pair]
    assert invoke("simulate", "--cells", 40, "--genes", 30, *arguments, "-o", path).exit_code == 0
    table = from_bytes(path.read_bytes())
    assert "truth" not in table.layers
    assert table.layers["counts_before_dropout"].nnz > table.X.nnz
    assert table.obs["batch"].nunique() == 2
    assert 0.2 < table.layers["counts_before_dropout"].nnz / 1200 < 0.4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--cells", 1], "--cells"),
        (["--density", 0.99], "--density"),
        (["--density", 0.1, "--depth", 5], "give one of them"),
        (["--types", 50, "--cells", 10], "at most the cells"),
    ],
)
def test_impossible_worlds_are_wrong_use(args, message, tmp_path):
    result = invoke("simulate", *args, "-o", tmp_path / "world.h5ad")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "world.h5ad").exists()
