"""The weights of a finder of marks as a file."""

from __future__ import annotations

from typing import TypeAlias

from likeness.models.marks.architecture import MarksConfig
from likeness.models.own_weights import OwnWeights, WeightsFile

__all__ = ["MarksWeights", "packaged_weights", "read_weights", "write_weights"]

MarksWeights: TypeAlias = OwnWeights[MarksConfig]

_FILE = WeightsFile(
    packaged_name="likeness-marks",
    file_format="likeness-marks",
    what="finder of marks",
    configure=MarksConfig.from_shapes,
)
packaged_weights, read_weights, write_weights = _FILE.packaged, _FILE.read, _FILE.write
