"""Choose where the half-steps of a factorisation are computed: numpy on the CPU, TensorFlow on a GPU.

TensorFlow speaks numpy's interface, so the equations in ``poisson.py`` and ``squared.py`` stand once. On the
CPU numpy is as fast, and spares TensorFlow's seconds of loading.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scinfill.models.devices import Device, computing_on, has_tensorflow
from scinfill.models.factorization.least_squares import column_pairs, solve_packed
from scinfill.numerics.masking import places

Array = Any
"""A numpy array or a TensorFlow tensor."""

GPU_FILES = ("nvidia[0-9]*", "kfd", "dxg")
"""In /dev, where a driver is loaded: looked at first, because asking TensorFlow means loading it."""


@dataclass(frozen=True)
class Arrays:
    """An array library and the operations that its numpy interface lacks, or that numpy is faster at in place.

    Attributes
    ----------
    xp
        The namespace: numpy, or ``tensorflow.experimental.numpy``.
    sparse_product
        CSR or CSC × dense.
    solve
        As :func:`scinfill.models.factorization.least_squares.solve_packed`.
    bounded_exp
        exp(min(values, bound)); may overwrite the values.
    hide
        Zero at the entries of a CSR pattern, the values elsewhere; may overwrite them.
    block_bytes
        A float32 block of cells × genes that suits the memory: a CPU's cache, or a GPU's many cores.
    """

    xp: Any
    sparse_product: Callable[[Any, Array], Array]
    solve: Callable[[Array, Array, NDArray[np.floating[Any]]], Array]
    bounded_exp: Callable[[Array, np.float32], Array]
    hide: Callable[[Array, csr_array], Array]
    block_bytes: int

    def pair_products(self, design: Array) -> Array:
        """Return (m, k(k+1)/2): the products of the columns of ``design`` (m, k), pair by pair."""
        first, second = column_pairs(design.shape[1])
        columns = self.xp.transpose(design)  # whole columns are taken faster where they lie in one piece
        return self.xp.transpose(self.xp.take(columns, first, axis=0) * self.xp.take(columns, second, axis=0))


def _exp_in_place(values: NDArray[np.floating[Any]], bound: np.float32) -> NDArray[np.floating[Any]]:
    return np.exp(np.minimum(values, bound, out=values) if np.isfinite(bound) else values, out=values)


def _hide_in_place(values: NDArray[np.floating[Any]], pattern: csr_array) -> NDArray[np.floating[Any]]:
    values.reshape(-1)[places(pattern)] = 0
    return values


HOST = Arrays(np, operator.matmul, solve_packed, _exp_in_place, _hide_in_place, block_bytes=2 * 2**20)


def arrays_for(device: Device) -> Arrays:
    """Return numpy for ``cpu``; for ``auto``, TensorFlow only if there is a GPU and TensorFlow is installed.

    Raises
    ------
    InputError
        A GPU was asked for and TensorFlow is not installed.
    ResourceError
        A GPU was asked for and TensorFlow sees none.
    """
    if device == "cpu" or (device == "auto" and not (_driver_loaded() and has_tensorflow())):
        return HOST
    with computing_on(device) as tf:
        return tensorflow_arrays() if tf.config.list_logical_devices("GPU") else HOST


@cache
def tensorflow_arrays() -> Arrays:
    """Return TensorFlow, on whatever device it places its operations."""
    with computing_on("auto") as tf:
        from tensorflow.experimental import numpy as tnp

    def sparse_product(matrix: csr_array, dense: Array) -> Array:
        entries = matrix.tocsr().tocoo()
        indices = np.column_stack(entries.coords).astype(np.int64)
        return tf.sparse.sparse_dense_matmul(tf.SparseTensor(indices, entries.data, entries.shape), dense)

    def solve(curvature: Array, gradient: Array, ridge: NDArray[np.floating[Any]]) -> Array:
        n_columns = gradient.shape[1]
        first, second = column_pairs(n_columns)
        packed = np.zeros((n_columns, n_columns), dtype=np.int32)
        packed[first, second] = packed[second, first] = np.arange(len(first))
        full = tf.gather(curvature, packed, axis=1)
        trace = tf.linalg.trace(full)
        diagonal = ridge + 1e-6 * trace[:, None] + 1e-12
        factor = tf.linalg.cholesky(full + tf.linalg.diag(tf.cast(diagonal, full.dtype)))
        return tf.linalg.cholesky_solve(factor, gradient[:, :, None])[:, :, 0]

    def bounded_exp(values: Array, bound: np.float32) -> Array:
        return tf.exp(tf.minimum(values, bound))

    def hide(values: Array, pattern: csr_array) -> Array:
        return values * (1 - pattern.toarray().astype(np.float32))

    return Arrays(tnp, sparse_product, solve, bounded_exp, hide, block_bytes=256 * 2**20)


def _driver_loaded() -> bool:
    return any(next(Path("/dev").glob(pattern), None) for pattern in GPU_FILES)
