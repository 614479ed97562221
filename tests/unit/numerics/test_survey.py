import h5py
import numpy as np
import pytest

from scinfill.numerics import survey as module
from scinfill.numerics.survey import survey


@pytest.mark.parametrize(
    ("values", "counts", "words"),
    [
        ([0, 3, 7], True, "whole numbers up to 7"),
        ([0.0, 3.0, 7.0], True, "whole numbers up to 7"),
        ([1.0000001, 3.0], True, "whole numbers up to 3"),
        ([0.5, 3], False, "fractions up to 3"),
        ([-1, 3], False, "values from -1 to 3"),
        ([0, 0], False, "nothing but zeros"),
        ([], False, "nothing but zeros"),
        ([np.nan, 1], False, "NaN or infinite values among others"),
        ([np.inf, 1], False, "NaN or infinite values among others"),
        ([1j, 1], False, "complex128 values"),
        ([True, False], False, "yes or no"),
        ([0.0, 1.0], False, "nothing but zeros and ones"),
        ([1, 1], False, "nothing but zeros and ones"),
    ],
)
def test_what_values_are(values, counts, words):
    found = survey(np.array(values))
    assert (found.counts, found.values) == (counts, words)


@pytest.mark.parametrize("shape", [(1000,), (50, 20)])
def test_a_dataset_is_looked_at_from_start_to_end(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(module, "VALUES_PER_PIECE", 40)
    values = np.full(shape, 2, np.float32)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        dataset = file.create_dataset("data", data=values, chunks=True, compression="gzip")
        assert survey(dataset).counts
        for place in (0, -1):
            dataset[place] = 0.5
            assert not survey(dataset).counts
            dataset[place] = 2


def test_no_more_than_a_bounded_number_of_values_is_looked_at(monkeypatch):
    monkeypatch.setattr(module, "VALUES_PER_PIECE", 40)
    asked = []

    class Large:
        shape, dtype = (10**9, 10), np.dtype("f4")

        def __getitem__(self, rows):
            asked.append(rows)
            return np.full((rows.stop - rows.start, 10), 2.0)

    assert survey(Large()).counts
    assert len(asked) == module.N_PIECES
    assert sum(rows.stop - rows.start for rows in asked) * 10 <= module.N_PIECES * 40
