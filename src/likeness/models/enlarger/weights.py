"""An enlarger's weights as a file."""

from __future__ import annotations

from typing import TypeAlias

from likeness.models.enlarger.architecture import EnlargerConfig
from likeness.models.own_weights import OwnWeights, WeightsFile

__all__ = ["EnlargerWeights", "packaged_weights", "read_weights", "write_weights"]

EnlargerWeights: TypeAlias = OwnWeights[EnlargerConfig]

_FILE = WeightsFile(
    packaged_name="likeness-enlarge",
    file_format="likeness-enlarger",
    what="enlarger",
    configure=EnlargerConfig.from_shapes,
)
packaged_weights, read_weights, write_weights = _FILE.packaged, _FILE.read, _FILE.write
