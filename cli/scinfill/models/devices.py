"""TensorFlow: loaded when first needed and without its notices, on the device that was asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import Literal

from scinfill.errors import InputError, ResourceError

Device = Literal["auto", "cpu", "gpu"]

STDERR = 2
"""The file descriptor: TensorFlow's C++ parts write to it before any setting can reach them."""
KERAS_CHOICE = "TF_USE_LEGACY_KERAS"
"""The environment variable by which TensorFlow chooses between Keras 3 and ``tf_keras``."""


@contextmanager
def computing_on(device: Device) -> Iterator[ModuleType]:
    """Yield TensorFlow with its operations placed on ``device``; ``auto`` takes a GPU if there is one.

    The CPU hides every GPU from TensorFlow where it is the first device that the process asks for.
    Threads follow TF_NUM_INTRAOP_THREADS; all cores where it is not set.

    Raises
    ------
    InputError
        TensorFlow is not installed.
    ResourceError
        A GPU was asked for and TensorFlow sees none.
    """
    check_installed(f"`device={device!r}`")
    with _starting:
        tf, has_gpu = _start_tensorflow(hide_gpus=device == "cpu")
    if device == "gpu" and not has_gpu:
        raise ResourceError("`device='gpu'`: TensorFlow sees no GPU here; use `device='auto'` or `device='cpu'`")
    with tf.device("/GPU:0" if has_gpu and device != "cpu" else "/CPU:0"):
        yield tf


def has_tensorflow() -> bool:
    """Return whether TensorFlow is installed, without loading it: a lighter installation leaves it out."""
    return find_spec("tensorflow") is not None


def check_installed(what: str) -> None:
    """Refuse what needs TensorFlow where it is not installed; TensorFlow is not loaded for that.

    Parameters
    ----------
    what
        Names what needs it.

    Raises
    ------
    InputError
        With the remedy.
    """
    if not has_tensorflow():
        raise InputError(
            f"{what} needs TensorFlow, which is not installed: pip install tensorflow; impute-deepmc on the CPU works "
            "without it"
        )


_starting = Lock()
"""One thread at a time: while TensorFlow starts, the standard error descriptor is turned away."""


@cache
def _start_tensorflow(*, hide_gpus: bool) -> tuple[ModuleType, bool]:
    """Import TensorFlow, start its runtime, and say whether it has a GPU."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silence():
        try:
            with _without_keras():
                import tensorflow as tf
        except ImportError as error:
            raise InputError(f"TensorFlow is installed but cannot be loaded ({error}); install it anew") from error

        tf.get_logger().setLevel("ERROR")  # its advice on compiling functions is for us
        gpus = [] if hide_gpus else tf.config.list_physical_devices("GPU")
        with suppress(RuntimeError):  # it runs already, with other devices; placing operations is enough then
            tf.config.set_visible_devices(gpus, "GPU")
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003 - TensorFlow's signature
        has_gpu = bool(tf.config.list_logical_devices("GPU"))
    if has_gpu:
        # Same seed, same bytes; and products in float32, not with the 10 bits of TensorFloat-32.
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003 - TensorFlow's signature
    return tf, has_gpu


@contextmanager
def _without_keras() -> Iterator[None]:
    """Keep TensorFlow from loading Keras as it starts: a third of the time, for what is not used here.

    It is told of an older Keras, which is not there. Who asks for ``tf.keras`` later gets what the environment says.
    """
    before = os.environ.get(KERAS_CHOICE)
    os.environ[KERAS_CHOICE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[KERAS_CHOICE]
        else:
            os.environ[KERAS_CHOICE] = before


@contextmanager
def _silence() -> Iterator[None]:
    """Send what is written to the standard error descriptor nowhere, for a while."""
    saved = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(saved, STDERR)
        os.close(nowhere)
        os.close(saved)
