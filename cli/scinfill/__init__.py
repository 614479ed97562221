"""Fill the dropouts of single-cell RNA-seq data, and say honestly whether that helped.

Every verb of the command line is a function here: AnnData in, a new AnnData out. ``read_counts`` reads what
``scinfill preprocess`` reads; ``checkpointed`` is ``--checkpoint``.
They are loaded when first used, so that ``import scinfill`` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from scinfill.evaluation.evaluate import evaluate
    from scinfill.io.checkpoints import checkpointed
    from scinfill.io.sources import read_counts
    from scinfill.methods.adopt import adopt
    from scinfill.methods.autoimpute import impute_auto
    from scinfill.methods.baselines import impute_baseline
    from scinfill.methods.deepmc import impute_deepmc
    from scinfill.methods.join import join
    from scinfill.methods.markers import markers
    from scinfill.methods.mask import mask
    from scinfill.methods.preprocess import preprocess
    from scinfill.methods.reconstruct import reconstruct
    from scinfill.methods.rerun import rerun
    from scinfill.methods.simulate import simulate
    from scinfill.methods.split import split
    from scinfill.methods.train import train_model
    from scinfill.verbs import demo, export, inspect, report

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "adopt",
    "checkpointed",
    "demo",
    "evaluate",
    "export",
    "impute_auto",
    "impute_baseline",
    "impute_deepmc",
    "inspect",
    "join",
    "markers",
    "mask",
    "preprocess",
    "read_counts",
    "reconstruct",
    "report",
    "rerun",
    "simulate",
    "split",
    "train_model",
]

_MODULES = {
    "adopt": "scinfill.methods.adopt",
    "checkpointed": "scinfill.io.checkpoints",
    "demo": "scinfill.verbs",
    "evaluate": "scinfill.evaluation.evaluate",
    "export": "scinfill.verbs",
    "impute_auto": "scinfill.methods.autoimpute",
    "impute_baseline": "scinfill.methods.baselines",
    "impute_deepmc": "scinfill.methods.deepmc",
    "inspect": "scinfill.verbs",
    "join": "scinfill.methods.join",
    "markers": "scinfill.methods.markers",
    "mask": "scinfill.methods.mask",
    "preprocess": "scinfill.methods.preprocess",
    "read_counts": "scinfill.io.sources",
    "reconstruct": "scinfill.methods.reconstruct",
    "report": "scinfill.verbs",
    "rerun": "scinfill.methods.rerun",
    "simulate": "scinfill.methods.simulate",
    "split": "scinfill.methods.split",
    "train_model": "scinfill.methods.train",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute
    """Import the module of a public function on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'scinfill' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
