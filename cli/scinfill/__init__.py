"""Fill the dropouts of single-cell RNA-seq data, and say honestly whether that helped.

Every verb of the command line is a function here: AnnData in, a new AnnData out. ``read_counts`` reads what
``scinfill preprocess`` reads; ``checkpointed`` is ``--checkpoint``.
They are loaded when first used, so that ``import scinfill`` stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "read_counts": "scinfill.io.sources",
    "preprocess": "scinfill.methods.preprocess",
    "mask": "scinfill.methods.mask",
    "impute_deepmc": "scinfill.methods.deepmc",
    "impute_auto": "scinfill.methods.autoimpute",
    "impute_baseline": "scinfill.methods.baselines",
    "checkpointed": "scinfill.io.checkpoints",
    "reconstruct": "scinfill.methods.reconstruct",
    "evaluate": "scinfill.methods.evaluate",
    "simulate": "scinfill.methods.simulate",
    "rerun": "scinfill.methods.rerun",
}

__all__ = ["__version__", *sorted(_PUBLIC)]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute
    """Import the module of a public function on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'scinfill' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
