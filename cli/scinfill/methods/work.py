"""What an imputer is about to compute: the key by which a checkpoint is recognised."""

from typing import TYPE_CHECKING

from scinfill import __version__, resume
from scinfill.methods import provenance
from scinfill.models.observations import Observations
from scinfill.models.recipe import Loss
from scinfill.schema import Estimate

if TYPE_CHECKING:
    from scinfill.methods.imputer import ImputeSettings, Signer

WITHOUT_EFFECT = ("counts_kind", "form", "keep", "layer", "openproblems", "uncertainty")
"""Parameters that change no fit: what they lead to is in the key itself, or they act on what comes out of the fits."""


def bind(data: Observations, signer: "Signer", settings: "ImputeSettings", estimate: Estimate, loss: Loss) -> None:
    """Tell whoever keeps the fits what they belong to, before the first of them begins."""
    resume.bind(lambda: _described(data, signer, settings, estimate, loss))


def _described(
    data: Observations, signer: "Signer", settings: "ImputeSettings", estimate: Estimate, loss: Loss
) -> resume.Work:
    parameters = {name: value for name, value in signer.parameters(settings).items() if name not in WITHOUT_EFFECT}
    size_factor = None if data.size_factor is None else data.size_factor[:, None]
    matrices = {"log_values": data.log_values, "counts": data.counts, "size_factor": size_factor}
    return {
        "method": {"command": signer.command},
        "input": {name: None if matrix is None else provenance.sha256(matrix) for name, matrix in matrices.items()},
        "parameters": parameters | {"estimate": estimate, "loss": loss, "seed": settings.seed},
        "versions": {"scinfill": __version__} | provenance.library_versions(),
    }
