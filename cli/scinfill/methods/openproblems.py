"""Write what Open Problems' denoising task reads: expected counts, and the names of the dataset and of the method."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from scinfill.errors import InputError
from scinfill.models.centre import LARGEST_LOG_RATE
from scinfill.models.estimate.values import ImputedValues
from scinfill.models.observations import Observations
from scinfill.numerics.blocks import RowBlocks
from scinfill.schema import COUNTS, DATASET_ID, METHOD_ID


def check_counts(data: Observations) -> None:
    """Refuse values without the counts that give them a depth."""
    if data.size_factor is None:
        raise InputError(f"`openproblems` writes counts, and there is no layers[{COUNTS!r}]; keep them beside X")


def to_openproblems(estimate: ImputedValues, data: Observations) -> RowBlocks:
    """Return the expected counts (2^x̂ − 1)·s at the depth s of each cell, float32, never negative.

    They are the estimate itself, also with ``--keep``: a merge of seen and expected is no mean, and the task
    scores means.
    """
    _, size_factor = data.molecules()
    depth = size_factor.astype(np.float32)[:, None]

    def block(rows: slice) -> NDArray[np.float32]:
        rate = np.exp2(np.minimum(estimate.block(rows), LARGEST_LOG_RATE / np.log(2))) - 1
        return np.maximum(rate * depth[rows], 0)

    return RowBlocks(data.shape, block)


def name(result: AnnData, *, command: str, parameters: Mapping[str, Any], input_sha256: str) -> None:
    """Say which method made the layer, and of which dataset: as the file calls it, else by what its matrix hashes to.

    A method's name is its verb and what tells its forms apart, such as ``scinfill_deepmc_paper``.
    """
    form = parameters.get("method") or parameters["preset"]
    verb = command.removeprefix("impute-")
    result.uns[METHOD_ID] = f"scinfill_{verb}_{form}".replace("-", "_")
    result.uns.setdefault(DATASET_ID, input_sha256)
