import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from scinfill.numerics import scratch
from scinfill.numerics.stacking import stack_rows


@st.composite
def parts(draw):
    """Return matrices of any form, and for every column of the result which of theirs that is."""
    n_columns = draw(st.integers(1, 5))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.integers(0, 4)), draw(st.integers(0, 4))
        values = draw(
            arrays.arrays(draw(st.sampled_from([np.int32, np.float32, np.float64])), shape, elements=st.integers(0, 2))
        )
        order = draw(st.permutations([*range(shape[1]), *[-1] * n_columns]))
        form = draw(st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array]))
        found.append((form(values), np.array(order[:n_columns], dtype=np.intp), values))
    return found


@given(parts(), st.booleans())
def test_columns_go_where_they_belong(found, in_files):
    with pytest.MonkeyPatch.context() as patch:
        if in_files:
            patch.setattr(scratch, "LARGE_SHARE", 2**60)
        result = stack_rows([(matrix, columns) for matrix, columns, _ in found])
    padded = [np.pad(values, ((0, 0), (0, 1)))[:, columns] for _, columns, values in found]
    expected = np.vstack(padded)
    assert result.dtype == expected.dtype
    is_dense = all(isinstance(matrix, np.ndarray) for matrix, *_ in found)
    assert isinstance(result, np.ndarray) == is_dense
    if not is_dense:
        assert result.has_canonical_format
    np.testing.assert_array_equal(result if is_dense else result.toarray(), expected)


def test_stored_zeros_stay_and_doubles_are_summed():
    matrix = sparse.csr_array((np.array([0, 2, 3]), np.array([1, 0, 0]), np.array([0, 3])), shape=(1, 2))
    result = stack_rows([(matrix, np.array([0, -1, 1]))])
    assert result.nnz == 2
    np.testing.assert_array_equal(result.toarray(), [[5, 0, 0]])
    assert 2 in result.indices
