"""The reader meets damaged files: every one is read or refused, none brings the process down."""

import json
import subprocess
import sys

import pytest

from _support import make_counts

pytestmark = pytest.mark.slow

READ_MANY = """
import collections, json, pathlib, random, sys
from scinfill.errors import ScinfillError
from scinfill.io.sources import read_counts

source, seed, runs = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content, chance = source.read_bytes(), random.Random(seed)
outcomes = collections.Counter()
damaged = source.with_name(f"damaged{seed}")
for _ in range(runs):
    bytes_ = bytearray(content)
    kind = chance.choice(["flip", "zero", "cut", "repeat"])
    # Most of the structure of an HDF5 file lies in few places: half of the damage starts where bytes are not zero.
    start = chance.randrange(len(bytes_))
    if chance.random() < 0.5:
        start = chance.choice([i for i in range(start, len(bytes_)) if bytes_[i]][:200] or [start])
    length = chance.choice([1, 4, 100, 5000])
    if kind == "flip":
        for place in range(start, min(start + min(length, 8), len(bytes_))):
            bytes_[place] ^= 1 << chance.randrange(8)
    elif kind == "zero":
        bytes_[start : start + length] = bytes(len(bytes_[start : start + length]))
    elif kind == "cut":
        del bytes_[start:]
    else:
        bytes_[start:start] = bytes_[start : start + length]
    damaged.write_bytes(bytes_)
    try:
        read_counts(damaged)
        outcomes["read"] += 1
    except ScinfillError as error:
        assert "\\n" not in str(error)
        outcomes[type(error).__name__] += 1
print(json.dumps(outcomes))
"""


@pytest.fixture(params=["h5ad", "csv", "tenx"])
def sound_file(request, tmp_path):
    """A small sound file of each form."""
    path = tmp_path / "sound"
    counts = make_counts(12, 8)
    if request.param == "h5ad":
        counts.write_h5ad(path)
    elif request.param == "csv":
        counts.to_df().to_csv(path)
    else:
        import h5py
        import numpy as np

        with h5py.File(path, "w") as file:
            group = file.create_group("matrix")
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(counts.X, part)
            group["shape"] = np.array(counts.shape[::-1])
            group["barcodes"] = np.array(counts.obs_names, dtype="S")
            features = group.create_group("features")
            features["id"] = features["name"] = np.array(counts.var_names, dtype="S")
    return path


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_are_read_or_refused(sound_file, seed):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ_MANY, sound_file, str(seed), "150"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes = json.loads(done.stdout)
    assert sum(outcomes.values()) == 150
    assert outcomes["DataError"] > 20
