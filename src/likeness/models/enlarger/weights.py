"""An enlarger's weights as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from likeness.models.enlarger.architecture import EnlargerConfig
from likeness.models.own_weights import OwnWeights, packaged_file, read_own_weights, write_own_weights

__all__ = ["EnlargerWeights", "packaged_weights", "read_weights", "write_weights"]

EnlargerWeights: TypeAlias = OwnWeights[EnlargerConfig]


def packaged_weights() -> EnlargerWeights:
    """The enlarger in the package, `likeness-enlarge`.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    return read_weights(packaged_file("likeness-enlarge"))


def read_weights(path: Path) -> EnlargerWeights:
    """Read an enlarger's weights; raises as `read_own_weights`."""
    return read_own_weights(path, "enlarger", EnlargerConfig.from_shapes)


def write_weights(path: Path, weights: EnlargerWeights) -> None:
    """Write an enlarger's weights in float16; raises as `write_own_weights`."""
    write_own_weights(path, "likeness-enlarger", weights)
