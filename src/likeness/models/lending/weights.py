"""The weights of a judge of lent detail as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from likeness.models.lending.architecture import LendingConfig
from likeness.models.own_weights import OwnWeights, packaged_file, read_own_weights, write_own_weights

__all__ = ["LendingWeights", "packaged_weights", "read_weights", "write_weights"]

LendingWeights: TypeAlias = OwnWeights[LendingConfig]


def packaged_weights() -> LendingWeights:
    """The judge of lent detail in the package, `likeness-lend`.

    Raises:
        CheckpointError: if the installation is damaged.
    """
    return read_weights(packaged_file("likeness-lend"))


def read_weights(path: Path) -> LendingWeights:
    """Read weights; raises as `read_own_weights`."""
    return read_own_weights(path, "judge of lent detail", LendingConfig.from_shapes)


def write_weights(path: Path, weights: LendingWeights) -> None:
    """Write weights in float16; raises as `write_own_weights`."""
    write_own_weights(path, "likeness-lend", weights)
