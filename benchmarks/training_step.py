"""How much of the machine's matrix product rate the AutoImpute training step reaches.

    python benchmarks/training_step.py [--rows 256] [--genes 1000] [--hidden 512] [--density 0.07]

A step of one hidden layer multiplies five matrices of rows × genes × hidden (two forward, three backward). The
same five products are timed beside it, once by NumPy (sgemm of its BLAS) and once by TensorFlow. Best of many
repetitions, interleaved, so that a busy machine disturbs all alike.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from _measure import machine
from scipy import sparse

from scinfill.models.autoencoder.batches import epoch, prepare
from scinfill.models.autoencoder.network import initial_weights
from scinfill.models.autoencoder.training import Adam, TrainingState, TrainSettings
from scinfill.models.devices import computing_on
from scinfill.models.observations import Observations
from scinfill.numerics.normalization import log2_counts
from scinfill.numerics.sparse import canonical


def seconds_each(tasks: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the least seconds of every task; they take turns."""
    best = dict.fromkeys(tasks, np.inf)
    for _ in range(repetitions):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def random_counts(n_cells: int, n_genes: int, density: float) -> Observations:
    """Return Poisson counts of equal cells; only their number matters here."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(-np.log1p(-density), size=(n_cells, n_genes)).astype(np.float32)
    rows = canonical(sparse.csr_array(counts))
    size_factor = np.ones(n_cells)
    return Observations(log2_counts(rows, size_factor), rows, size_factor)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--genes", type=int, default=1_000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--density", type=float, default=0.07)
    parser.add_argument("--repetitions", type=int, default=60)
    options = parser.parse_args()
    shape = options.rows, options.genes, options.hidden
    products = 10 * np.prod(shape, dtype=float)

    settings = TrainSettings("poisson", batch_cells=options.rows)
    data = prepare(random_counts(4 * options.rows, options.genes, options.density), "poisson", None)
    rng = np.random.default_rng(0)
    start = initial_weights(options.genes, (options.hidden,), np.zeros(options.genes), rng)
    inputs, encoder, decoder = (
        rng.standard_normal(size, dtype=np.float32) for size in (shape[:2], shape[1:], (shape[2], shape[1]))
    )
    codes, errors = (rng.standard_normal((options.rows, n), dtype=np.float32) for n in (shape[2], shape[1]))
    with computing_on("cpu") as tf:

        def by_numpy() -> None:
            inputs @ encoder, codes @ decoder, codes.T @ errors, inputs.T @ (errors @ decoder.T)

        @tf.function
        def five_products(x, e, h, d, r):
            one = tf.matmul(r, d, transpose_b=True)
            return x @ e, h @ d, tf.matmul(h, r, transpose_a=True), tf.matmul(x, one, transpose_a=True)

        def by_tensorflow() -> None:
            five_products(*tensors)[0].numpy()

        tensors = [tf.constant(array) for array in (inputs, encoder, codes, decoder, errors)]
        adam, state = Adam(settings, data.shape[0]), TrainingState.first(tf, start, settings)
        draw = partial(epoch, data, batch_cells=options.rows, input_dropout=settings.input_dropout, most_batches=4)
        batches = list(draw(rng=rng))

        def whole_epoch() -> None:
            for batch in draw(rng=rng):
                adam.step(state, batch)

        best = seconds_each(
            {
                "five products, NumPy": by_numpy,
                "five products, TensorFlow": by_tensorflow,
                "training step": lambda: (adam.step(state, batches[0]), state.weights[-1].numpy()),
                "training step and its batch": lambda: (whole_epoch(), state.weights[-1].numpy()),
            },
            options.repetitions,
        )
    best["training step and its batch"] /= len(batches)
    print(f"{machine()}; {options.rows} cells x {options.genes} genes x {options.hidden} hidden units")
    print(f"{'':28} {'ms':>7} {'GFLOP/s':>8} {'of NumPy':>9} {'of TensorFlow':>14}")
    for name, seconds in best.items():
        shares = (best[f"five products, {library}"] / seconds for library in ("NumPy", "TensorFlow"))
        print(
            f"{name:28} {1e3 * seconds:7.2f} {products / seconds / 1e9:8.0f} {next(shares):9.0%} {next(shares):14.0%}"
        )


if __name__ == "__main__":
    main()
