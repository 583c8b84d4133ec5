"""The weights of a finder of marks as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from likeness.models.marks.architecture import MarksConfig
from likeness.models.own_weights import OwnWeights, packaged_file, read_own_weights, write_own_weights

__all__ = ["MarksWeights", "packaged_weights", "read_weights", "write_weights"]

MarksWeights: TypeAlias = OwnWeights[MarksConfig]


def packaged_weights() -> MarksWeights:
    """The finder of marks in the package, `likeness-marks`.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    return read_weights(packaged_file("likeness-marks"))


def read_weights(path: Path) -> MarksWeights:
    """Read weights; raises as `read_own_weights`."""
    return read_own_weights(path, "finder of marks", MarksConfig.from_shapes)


def write_weights(path: Path, weights: MarksWeights) -> None:
    """Write weights in float16; raises as `write_own_weights`."""
    write_own_weights(path, "likeness-marks", weights)
