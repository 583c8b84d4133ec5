"""The weights of a judge of lent detail as a file."""

from __future__ import annotations

from typing import TypeAlias

from likeness.models.lending.architecture import LendingConfig
from likeness.models.own_weights import OwnWeights, WeightsFile

__all__ = ["LendingWeights", "packaged_weights", "read_weights", "write_weights"]

LendingWeights: TypeAlias = OwnWeights[LendingConfig]

_FILE = WeightsFile(
    packaged_name="likeness-lend",
    file_format="likeness-lend",
    what="judge of lent detail",
    configure=LendingConfig.from_shapes,
)
packaged_weights, read_weights, write_weights = _FILE.packaged, _FILE.read, _FILE.write
