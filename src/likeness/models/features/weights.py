"""The weights of the networks that draw faces anew, as a file."""

from __future__ import annotations

from typing import TypeAlias

from likeness.models.features.architecture import FeaturesConfig
from likeness.models.own_weights import OwnWeights, WeightsFile

__all__ = ["FeaturesWeights", "packaged_weights", "read_weights", "write_weights"]

FeaturesWeights: TypeAlias = OwnWeights[FeaturesConfig]

_FILE = WeightsFile(
    packaged_name="likeness-features",
    file_format="likeness-features",
    what="networks that draw faces anew",
    configure=FeaturesConfig.from_shapes,
)
packaged_weights, read_weights, write_weights = _FILE.packaged, _FILE.read, _FILE.write
